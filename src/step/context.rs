//! What a kind is given: [`ReadContext`] for previews, [`RunContext`] for runs.

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::error::StepError;
use crate::connect::{Connections, Purpose, Question};
use crate::event::Place;
use crate::model::{Effect, StoppedBy};

/// What a preview may use. It has no method that writes.
#[derive(Debug, Clone, Copy)]
pub struct ReadContext<'a> {
    /// The connections; sessions opened from here are read-only.
    pub connections: &'a Connections,
    /// Reads that cost more than this, by the server's own estimate, are not run.
    pub cost_limit: f64,
}

/// What a run may use.
#[derive(Clone, Copy)]
pub struct RunContext<'a> {
    /// The step or child that runs.
    pub place: &'a Place,
    /// What the step was planned to do to the world: a read gets a read-only session.
    pub effect: Effect,
    /// What its sessions are for: a plan's are read-only from the start.
    pub purpose: Purpose,
    /// The connections.
    pub connections: &'a Connections,
    /// What `application_name` is to say.
    pub application_name: &'a str,
    /// Progress, notices, and durable facts.
    pub events: &'a dyn StepEvents,
    /// Where gates are answered.
    pub gate: &'a dyn Gate,
    /// When the attempt must have ended.
    pub deadline: Option<Instant>,
    /// Raised when the attempt must stop.
    pub stop: &'a StopSignal,
    /// The folder that data files are relative to.
    pub files: &'a Path,
}

impl RunContext<'_> {
    /// How long the attempt may still take.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Waits until the attempt must stop, and says why.
    pub async fn stopped(&self) -> StoppedBy {
        let by_signal = self.stop.raised();
        match self.deadline {
            None => by_signal.await,
            Some(deadline) => tokio::select! {
                by = by_signal => by,
                () = tokio::time::sleep_until(deadline) => StoppedBy::Timeout,
            },
        }
    }
}

/// What a step tells while it runs.
pub trait StepEvents: Send + Sync {
    /// How far it is; may be dropped.
    fn progress(&self, phase: &str, percent: Option<f64>, detail: Option<String>);
    /// Who blocks it; may be dropped.
    fn blocked(&self, blockers: Vec<String>);
    /// What the server said; may be dropped.
    fn noticed(&self, severity: &str, message: &str);
    /// A durable fact, on disk when this returns. An error means the journal cannot be written: stop.
    fn trace(&self, fact: Value) -> Result<(), StepError>;
    /// The same for a fact of which only a part may be shown; undo and settling get all of it, from the seal where
    /// another process goes on.
    fn trace_hiding(&self, fact: Value, shown: Value) -> Result<(), StepError>;
    /// The time, as the run's events are stamped with it.
    fn now(&self) -> Timestamp;
    /// Puts the intent on disk before the first byte of an effect that no transaction protects.
    fn sync_intent(&self) -> Result<(), StepError>;
}

/// Answers gates: from flags and files, else from a person.
pub trait Gate: Send + Sync {
    /// The answer to a question of this step, journaled. `plain` gates may be answered by `--yes`.
    fn answer<'a>(
        &'a self,
        place: &'a Place,
        question: &'a Question,
        plain: bool,
        unattended: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<GateAnswer, StepError>>;
}

/// An answer, and who gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct GateAnswer {
    /// The answer.
    pub value: Value,
    /// Who gave it.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
}

/// Tells an attempt to stop. Clones share the signal.
#[derive(Debug, Clone)]
pub struct StopSignal {
    sender: watch::Sender<Option<StoppedBy>>,
}

impl Default for StopSignal {
    fn default() -> Self {
        Self { sender: watch::Sender::new(None) }
    }
}

impl StopSignal {
    /// Raises the signal; the first reason stays.
    pub fn raise(&self, by: StoppedBy) {
        self.sender.send_if_modified(|reason| {
            let first = reason.is_none();
            reason.get_or_insert(by);
            first
        });
    }

    /// Why it was raised, if it was.
    pub fn reason(&self) -> Option<StoppedBy> {
        *self.sender.borrow()
    }

    /// Waits until it is raised.
    pub async fn raised(&self) -> StoppedBy {
        let mut receiver = self.sender.subscribe();
        loop {
            if let Some(by) = *receiver.borrow_and_update() {
                return by;
            }
            if receiver.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}
