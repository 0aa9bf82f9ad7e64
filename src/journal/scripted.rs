//! Events for the tests of this module.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::event::{Event, EventKind, PinnedDocument, PinnedOptions, Place, RunStarted, VERSION};
use crate::model::{Effect, RunId, RunOutcome, StepId, StepState};

/// The run of most tests.
pub(super) fn run() -> RunId {
    RunId::parse("20261122-030000-ab12").unwrap()
}

/// An event of that run, `seq` seconds after it began.
pub(super) fn event(seq: u64, kind: EventKind) -> Event {
    let began: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
    Event { seq, at: began + SignedDuration::from_secs(i64::try_from(seq).unwrap()), run: run(), kind }
}

/// The events of that run, numbered.
pub(super) fn events(kinds: impl IntoIterator<Item = EventKind>) -> Vec<Event> {
    kinds.into_iter().zip(1..).map(|(kind, seq)| event(seq, kind)).collect()
}

pub(super) fn started() -> EventKind {
    EventKind::RunStarted(Box::new(RunStarted {
        version: VERSION,
        program: "0.1.0".to_owned(),
        runbook: "reindex".to_owned(),
        title: "Rebuild a bloated index".to_owned(),
        environment: Some("production".to_owned()),
        operator: "dba@wms".to_owned(),
        reason: None,
        documents: vec![PinnedDocument {
            name: "reindex.yaml".into(),
            sha256: "00".into(),
            text: "ü\n".into(),
        }],
        parameters: Map::new(),
        connections: Vec::new(),
        steps: Vec::new(),
        options: PinnedOptions::default(),
    }))
}

pub(super) fn begin(step: &str, effect: Effect) -> EventKind {
    EventKind::StepStarted {
        at: place(step),
        attempt: 1,
        effect,
        input: json!({"sql": "SELECT 1"}),
        before: Value::Null,
    }
}

pub(super) fn end(step: &str, seconds: f64) -> EventKind {
    EventKind::StepFinished {
        at: place(step),
        state: StepState::Succeeded,
        output: json!({"rows": [{"a": 1}], "row_count": 1}),
        failure: None,
        warnings: Vec::new(),
        seconds,
    }
}

pub(super) fn finished() -> EventKind {
    EventKind::RunFinished { outcome: RunOutcome::Succeeded, exit_code: 0, outputs: Map::new(), seconds: 4.5 }
}

/// A short run: a read, an effect, the end.
pub(super) fn short() -> Vec<Event> {
    let kinds = [
        started(),
        begin("look", Effect::Read),
        end("look", 0.25),
        begin("rebuild", Effect::Disrupt),
        end("rebuild", 3.5),
        finished(),
    ];
    events(kinds)
}

fn place(step: &str) -> Place {
    Place::step(&StepId::new(step))
}
