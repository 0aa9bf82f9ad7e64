//! Small types every layer speaks.

mod effect;
mod failure;
mod id;
mod outcome;
mod process;
mod secret;

pub use effect::{Certainty, Class, Effect};
pub use failure::{Applied, Failure, StoppedBy};
pub use id::{RunId, StepId};
pub use outcome::{RunOutcome, SkipReason, StepState};
pub use process::ProcessEnvironment;
pub use secret::{Redactor, Secret};
