//! Small types every layer speaks.

mod effect;
mod failure;
mod id;
mod outcome;
mod process;
mod quantity;
mod secret;

pub use effect::{Certainty, Class, Effect};
pub use failure::{Applied, Failure, StoppedBy};
pub use id::{RunId, StepId};
pub use outcome::{RunOutcome, SkipReason, StepState};
pub use process::ProcessEnvironment;
pub use quantity::{format_duration, format_size, parse_duration, parse_size};
pub use secret::{Redactor, Secret};
