//! The states of a step and of a run (language.md, section 6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StepId;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Its parents are not final yet.
    Pending,
    /// An attempt is under way.
    Running,
    /// It ran, and its expectation held.
    Succeeded,
    /// `when` was false, it was excluded, or its connection is absent; steps after it still run.
    Skipped,
    /// Known not to have succeeded.
    Failed,
    /// No answer came, so nobody knows yet whether it took effect.
    Uncertain,
    /// Not started, or stopped before any effect.
    Cancelled,
    /// Its undo ran.
    RolledBack,
    /// Its undo failed or was held: a person must finish.
    Stuck,
}

impl StepState {
    /// Whether nothing more happens to the step in this run.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// The word used in journals and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Uncertain => "uncertain",
            Self::Cancelled => "cancelled",
            Self::RolledBack => "rolled_back",
            Self::Stuck => "stuck",
        }
    }
}

/// Why a step was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum SkipReason {
    /// Its `when` was false.
    When {
        /// The expression as written.
        expression: String,
    },
    /// The operator excluded it with `--skip`, `--only` or `--from`.
    Excluded {
        /// The reason given.
        reason: Option<String>,
    },
    /// The environment does not name an optional connection that it needs.
    ConnectionAbsent {
        /// The connection's name in the runbook.
        connection: String,
    },
    /// An `assert` of level `end` finished the run.
    Ended {
        /// The step that finished it.
        #[schemars(with = "String")]
        by: StepId,
        /// What that step said.
        message: String,
    },
    /// Its group or the runbook it belongs to was skipped.
    Group {
        /// The group.
        #[schemars(with = "String")]
        group: StepId,
        /// Why the group was skipped.
        reason: Box<Self>,
    },
}

impl SkipReason {
    /// The reason in a few words.
    pub fn describe(&self) -> String {
        match self {
            Self::When { expression } => format!("`when: {expression}` is false"),
            Self::Excluded { reason: Some(reason) } => format!("excluded: {reason}"),
            Self::Excluded { reason: None } => "excluded".to_owned(),
            Self::ConnectionAbsent { connection } => {
                format!("the environment has no connection `{connection}`")
            }
            Self::Ended { by, message } => format!("`{by}` ended the run: {message}"),
            Self::Group { group, reason } => format!("group `{group}`: {}", reason.describe()),
        }
    }
}

/// How a run ended; each has an exit code of its own (language.md, section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every step succeeded or was skipped.
    Succeeded,
    /// A step failed.
    Failed,
    /// A gate was declined or left unanswered.
    Declined,
    /// The plan or the target is not what it was.
    Drifted,
    /// Another run holds the same key.
    Excluded,
    /// The operator interrupted it.
    Interrupted,
    /// It failed and every effect was undone.
    RolledBack,
    /// It failed, and some effects were undone and others cannot be.
    PartlyRolledBack,
    /// Something is uncertain, or an undo failed: a person must finish.
    Stuck,
}

impl RunOutcome {
    /// The word used in journals and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Declined => "declined",
            Self::Drifted => "drifted",
            Self::Excluded => "excluded",
            Self::Interrupted => "interrupted",
            Self::RolledBack => "rolled_back",
            Self::PartlyRolledBack => "partly_rolled_back",
            Self::Stuck => "stuck",
        }
    }
}
