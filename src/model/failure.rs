//! [`Failure`]: what went wrong in a step, as it is journaled and shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a failed attempt left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    /// Nothing.
    #[default]
    No,
    /// Some of it, for instance the first of two statements outside a transaction.
    Partly,
    /// All of it, and only the expectation failed.
    Yes,
    /// Nobody knows: no answer came.
    Unknown,
}

/// What went wrong in a step. Every text in it has passed the redactor before it is journaled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub struct Failure {
    /// A lowercase fragment that says what is wrong.
    pub message: String,
    /// The five characters of a PostgreSQL SQLSTATE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// What else the other side said: detail, hint, position, context.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// A sentence that says what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What the attempt left behind.
    #[serde(default)]
    pub applied: Applied,
    /// Whether a second attempt can help.
    #[serde(default)]
    pub retryable: bool,
    /// Whether a time limit, a person or a failed neighbour stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<StoppedBy>,
}

/// Who stopped an attempt before it ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// `timeout` ran out.
    Timeout,
    /// A person or a signal.
    Operator,
    /// The system wants the process to end: nobody is asked, and the run can be resumed.
    Shutdown,
    /// Another step failed and this one was given its grace.
    Neighbour,
    /// `abort_when` was breached.
    AbortWhen,
    /// A person said no at a gate, or nobody answered.
    Declined,
    /// The target is not the one that was expected.
    Drift,
}

impl Failure {
    /// Whether a person or the system stopped it, and nothing is wrong with it.
    pub fn was_interrupted(&self) -> bool {
        matches!(self.stopped_by, Some(StoppedBy::Operator | StoppedBy::Shutdown))
    }

    /// A failure that left nothing behind.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// Adds the sentence that says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what the attempt left behind.
    #[must_use]
    pub fn applied(mut self, applied: Applied) -> Self {
        self.applied = applied;
        self
    }

    /// Says that a second attempt can help.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Says who stopped it.
    #[must_use]
    pub fn stopped_by(mut self, who: StoppedBy) -> Self {
        self.stopped_by = Some(who);
        self
    }
}
