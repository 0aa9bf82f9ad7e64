//! Small types every layer speaks.

mod effect;
mod process;
mod quantity;
mod secret;

pub use effect::{Certainty, Class, Effect};
pub use process::ProcessEnvironment;
pub use quantity::{format_duration, format_size, parse_duration, parse_size};
pub use secret::{Redactor, Secret};
