//! [`RunSummary`]: a run in one line, from the first and the last line of its journal.
//!
//! It verifies only what those two lines and `head` allow; reading the run verifies all.

use std::path::Path;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::head::{self, Head};
use super::record::{self, Hash};
use super::store::{JOURNAL, is_locked};
use super::tail;
use crate::event::VERSION;
use crate::model::{RunId, RunOutcome};

/// Where a run stands, as seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// A living process holds its lock.
    Running,
    /// Its last leg ended in good order and the run did not.
    Paused,
    /// Its process is gone and said nothing.
    Interrupted,
    /// Its journal has lost or altered lines.
    Damaged,
    /// It is over.
    Finished(RunOutcome),
}

impl RunStatus {
    /// The word used in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Interrupted => "interrupted",
            Self::Damaged => "damaged",
            Self::Finished(outcome) => outcome.as_str(),
        }
    }
}

impl Serialize for RunStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A run in one line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RunSummary {
    /// The run.
    #[schemars(with = "String")]
    pub id: RunId,
    /// The runbook's name; empty when the journal does not say.
    pub runbook: String,
    /// Where it stands.
    #[schemars(with = "String")]
    pub state: RunStatus,
    /// The runbook's title.
    pub title: String,
    /// The environment's name.
    pub environment: Option<String>,
    /// Who runs it, as `user@host`.
    pub operator: String,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// When it began.
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When the last event happened that is on disk.
    #[schemars(with = "Option<String>")]
    pub last_at: Option<Timestamp>,
    /// Seconds from the first event to the last one on disk.
    pub seconds: f64,
    /// The exit code, when it is over.
    pub exit_code: Option<u8>,
    /// What is wrong with its journal.
    pub problem: Option<String>,
}

/// The part of a first line that a list shows.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Opening {
    at: Option<Timestamp>,
    runbook: String,
    title: String,
    environment: Option<String>,
    operator: String,
    reason: Option<String>,
}

/// The part of a last line that a list shows.
#[derive(Debug, Deserialize)]
struct Closing {
    v: u32,
    seq: u64,
    at: Timestamp,
    event: String,
    #[serde(default)]
    outcome: Option<RunOutcome>,
    #[serde(default)]
    exit_code: Option<u8>,
}

/// Sums up the run in this directory.
pub(super) fn summarise(directory: &Path, run: RunId) -> RunSummary {
    // The lock first: a writer that finishes in between leaves a finished run, which is the truth by then.
    let locked = is_locked(directory);
    let (opening, closing) = look(directory);
    let state = status(closing.as_ref().map(Option::as_ref), locked);
    let problem = closing.as_ref().err().cloned();
    let closing = closing.ok().flatten();
    let last_at = closing.as_ref().map(|closing| closing.at);
    RunSummary {
        id: run,
        runbook: opening.runbook,
        state,
        title: opening.title,
        environment: opening.environment,
        operator: opening.operator,
        reason: opening.reason,
        started_at: opening.at,
        last_at,
        seconds: opening.at.zip(last_at).map_or(0.0, |(from, to)| to.duration_since(from).as_secs_f64()),
        exit_code: closing.and_then(|closing| closing.exit_code),
        problem,
    }
}

fn status(closing: Result<Option<&Closing>, &String>, locked: bool) -> RunStatus {
    match closing {
        Err(_) => RunStatus::Damaged,
        Ok(Some(Closing { outcome: Some(outcome), .. })) => RunStatus::Finished(*outcome),
        Ok(_) if locked => RunStatus::Running,
        Ok(Some(closing)) if closing.event == "run_paused" => RunStatus::Paused,
        Ok(_) => RunStatus::Interrupted,
    }
}

/// What the ends of a journal say; the opening is told even of a damaged one.
fn look(directory: &Path) -> (Opening, Result<Option<Closing>, String>) {
    let ends = head::read(directory).map_err(|error| error.to_string()).and_then(|head| {
        let lines = tail::first_and_last(&directory.join(JOURNAL))
            .map_err(|error| format!("cannot read `{JOURNAL}`: {error}"))?;
        Ok((head, lines))
    });
    match ends {
        Err(problem) => (Opening::default(), Err(problem)),
        Ok((Head::At(seq @ 1.., _), None)) => {
            (Opening::default(), Err(format!("it is empty, and lines up to {seq} were on disk once")))
        }
        Ok((_, None)) => (Opening::default(), Ok(None)),
        Ok((head, Some((first, last)))) => {
            let opening = serde_json::from_slice(&first).unwrap_or_default();
            (opening, inspect(&first, &last, &head).map(Some))
        }
    }
}

fn inspect(first: &[u8], last: &[u8], head: &Head) -> Result<Closing, String> {
    record::decode(first, &Hash::GENESIS).map_err(|reason| format!("line 1 {reason}"))?;
    let closing: Closing =
        serde_json::from_slice(last).map_err(|error| format!("the last line is damaged: {error}"))?;
    if closing.v != VERSION {
        return Err(format!("the last line has format version {}", closing.v));
    }
    let (_, hash) = record::split(last).ok_or("the last line does not end in a hash")?;
    match head {
        Head::Damaged(reason) => Err(reason.clone()),
        Head::At(seq, _) if *seq > closing.seq => {
            Err(format!("it ends after line {}, and lines up to {seq} were on disk once", closing.seq))
        }
        Head::At(seq, vouched) if *seq == closing.seq && *vouched != hash => {
            Err(format!("line {seq} is not the one that `head` tells of"))
        }
        Head::At(..) | Head::Silent => Ok(closing),
    }
}
