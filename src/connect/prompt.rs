//! [`Prompter`]: asks a person. Implemented in `ui`; the engine and `cli` only know this trait.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use thiserror::Error;

/// A question to a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The id under which `--answer` would have answered it.
    pub id: String,
    /// The question itself.
    pub message: String,
    /// What is about to happen, one line each, shown above the question.
    pub about: Vec<String>,
    /// A value shown above the question; a list of maps is shown as a table.
    pub shown: Value,
    /// What counts as an answer.
    pub answer: AnswerKind,
    /// How long to wait; forever when absent.
    pub timeout: Option<Duration>,
}

/// What counts as an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum AnswerKind {
    /// Yes or no; the value is a boolean.
    YesNo {
        /// What Enter alone means.
        default: bool,
    },
    /// Exactly this text, typed; the value is `true`, anything else is a no.
    Typed {
        /// The text to type.
        text: String,
    },
    /// One or several of a list; the value is the chosen value, or a list of them.
    Choice {
        /// Label and value of each choice.
        choices: Vec<(String, Value)>,
        /// Whether several may be chosen.
        many: bool,
    },
    /// Any text.
    Text {
        /// Typed without echo.
        secret: bool,
    },
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PromptError {
    /// Ctrl-C at the prompt.
    #[error("interrupted at the prompt")]
    Interrupted,
    /// The terminal is gone, or there never was one.
    #[error("no terminal to ask at")]
    NoTerminal,
    /// Nobody answered in time.
    #[error("nobody answered within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// Asks a person.
pub trait Prompter: Send + Sync {
    /// Puts one question and waits for its answer. Questions never overlap.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Value, PromptError>>;
}
