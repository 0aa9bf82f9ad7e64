//! What an attempt ends with when it does not succeed.

use crate::model::{Applied, Failure, StoppedBy};
use crate::template::TemplateError;

/// How an attempt ended without success.
#[derive(Debug, Clone, PartialEq)]
pub enum StepError {
    /// Known not to have succeeded; the failure says what it left.
    Failed(Failure),
    /// No answer came: it may or may not have taken effect.
    Uncertain(Failure),
    /// Stopped before any effect.
    Cancelled(Failure),
}

impl StepError {
    /// A failure that left nothing behind.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(Failure::new(message))
    }

    /// What went wrong.
    pub fn failure(&self) -> &Failure {
        match self {
            Self::Failed(failure) | Self::Uncertain(failure) | Self::Cancelled(failure) => failure,
        }
    }

    /// The failure, changed.
    #[must_use]
    pub fn map(self, change: impl FnOnce(Failure) -> Failure) -> Self {
        match self {
            Self::Failed(failure) => Self::Failed(change(failure)),
            Self::Uncertain(failure) => Self::Uncertain(change(failure)),
            Self::Cancelled(failure) => Self::Cancelled(change(failure)),
        }
    }

    /// An attempt that somebody stopped before it did anything.
    pub fn stopped(by: StoppedBy, message: impl Into<String>) -> Self {
        Self::Cancelled(Failure::new(message).stopped_by(by))
    }
}

impl From<Failure> for StepError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A body could not be bound: a template failed, or bound SQL is not what was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct BindError {
    /// What is wrong.
    pub message: String,
    /// The scalar it is wrong in, as written.
    pub source: String,
    /// What to do.
    pub help: Option<String>,
}

impl BindError {
    /// An error in a template.
    pub fn template(source: &str, error: TemplateError) -> Self {
        let place = error.range.as_ref().and_then(|range| source.get(range.clone())).unwrap_or(source);
        let message = match place.len() {
            0 => error.message,
            _ => format!("{}, in `{}`", error.message, excerpt(place)),
        };
        Self { message, source: source.to_owned(), help: error.help }
    }

    /// The failure that an attempt ends with: nothing was sent.
    pub fn into_failure(self) -> Failure {
        Failure { help: self.help, ..Failure::new(self.message) }.applied(Applied::No)
    }
}

fn excerpt(text: &str) -> String {
    const LONGEST: usize = 80;
    let line = text.trim().replace('\n', " ");
    match line.char_indices().nth(LONGEST) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}
