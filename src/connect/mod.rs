//! Connections to the outside world, opened on first use.

pub mod postgres;
mod prompt;

pub use prompt::{AnswerKind, PromptError, Prompter, Question};
