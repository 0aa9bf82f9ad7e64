//! The summary of a run, folded from events.
//!
//! [`Report`] is data first ([`Report::to_json`], with a JSON Schema), and text for a tired person second
//! ([`Report::to_text`]). This module knows nothing of terminals: no colours, no cursor, only a width.

mod brief;
mod fold;
mod shown;
mod table;
mod text;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::event::PinnedConnection;
use crate::model::{Effect, Failure, RunId, RunOutcome, SkipReason, StepId, StepState};

pub use brief::{in_brief, in_line};
pub use shown::shown;
pub use table::table;
pub use words::{duration, number, plain, symbol};

/// The summary of a run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// The run.
    #[schemars(with = "String")]
    pub run: RunId,
    /// The runbook's name.
    pub runbook: String,
    /// The runbook's title.
    pub title: String,
    /// The environment's name.
    pub environment: Option<String>,
    /// Who ran it, as `user@host`.
    pub operator: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// When it began.
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When it was over; absent while it is not.
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
    /// Seconds from the first event to the last.
    pub seconds: f64,
    /// The outcome's word, or `paused` or `unfinished`.
    pub state: String,
    /// How it ended; absent while it has not.
    pub outcome: Option<RunOutcome>,
    /// The exit code it ended with.
    pub exit_code: Option<u8>,
    /// Why the last leg ended, when the run did not.
    pub paused: Option<String>,
    /// The parameters; a secret is a mask.
    pub parameters: Map<String, Value>,
    /// What the runbook talked to.
    pub connections: Vec<PinnedConnection>,
    /// Every step, in the order of the plan; steps the plan did not have, such as undo, come last.
    pub steps: Vec<StepReport>,
    /// What the runbook's `outputs` came to.
    pub outputs: Map<String, Value>,
    /// How many steps there are in each state, children not counted.
    pub counts: BTreeMap<String, usize>,
    /// Warnings and what asserts found, in the order of the steps.
    pub findings: Vec<Finding>,
}

/// A step of a run, or a child of one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StepReport {
    /// The step.
    #[schemars(with = "String")]
    pub id: StepId,
    /// The key, when this is a child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its title, or what it does in a few words.
    pub title: String,
    /// Its kind, such as `sql`.
    pub kind: String,
    /// What it does to the world.
    pub effect: Effect,
    /// Where it stands.
    pub state: StepState,
    /// The attempts begun.
    pub attempts: u32,
    /// Seconds from the first attempt to the end.
    pub seconds: f64,
    /// When the first attempt began.
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When it became final.
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
    /// What went wrong, last.
    pub failure: Option<Failure>,
    /// Warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipReason>,
    /// The answer given at its gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// The bound body of the last attempt.
    pub input: Value,
    /// What it produced.
    pub output: Value,
    /// Whether its result is part of the text.
    pub show: bool,
    /// Its children, in the order of the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Self>,
}

/// An answer at a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Answer {
    /// The answer.
    pub answer: Value,
    /// Who gave it.
    pub by: String,
}

/// Something a person should know at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The step that found it.
    #[schemars(with = "String")]
    pub step: StepId,
    /// The child of that step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How bad it is.
    pub level: FindingLevel,
    /// What was found.
    pub message: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FindingLevel {
    /// The run went on.
    Warning,
    /// An assert failed.
    Failure,
}

impl Report {
    /// The report as one JSON object.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The report as text no wider than `width` columns.
    pub fn to_text(&self, width: usize) -> String {
        text::write(self, width)
    }
}

/// Steps counted by their state's word, in the order states are first met.
fn count<'a>(steps: impl IntoIterator<Item = &'a StepReport>) -> IndexMap<&'static str, usize> {
    steps.into_iter().fold(IndexMap::new(), |mut counts, step| {
        *counts.entry(step.state.as_str()).or_default() += 1;
        counts
    })
}
