//! Small types every layer speaks.

mod effect;
mod process;
mod secret;

pub use effect::{Certainty, Class, Effect};
pub use process::ProcessEnvironment;
pub use secret::{Redactor, Secret};
