//! The journal of a long run.

use std::path::Path;

use runbook::event::{Event, EventKind, PinnedOptions, Place, RunStarted, VERSION};
use runbook::journal::Store;
use runbook::model::{Effect, RunId, RunOutcome, StepId, StepState};
use serde_json::{Map, Value, json};

/// The run whose journal is written.
pub(crate) const RUN: &str = "20261122-030000-ab12";

/// Writes a journal of `count` events: one query after another, two a second.
pub(crate) fn write(state: &Path, count: u64) {
    let run = RunId::parse(RUN).unwrap();
    let mut writer = Store::at(state).create(&run).unwrap();
    for seq in 1..=count {
        let at = jiff::Timestamp::UNIX_EPOCH
            + jiff::SignedDuration::from_millis(i64::try_from(seq).unwrap() * 250);
        let kind = match seq {
            1 => started(),
            seq if seq == count => finished(),
            seq if seq % 2 == 0 => step_started(seq / 2),
            seq => step_finished(seq / 2),
        };
        writer.append(&Event { seq, at, run: run.clone(), kind }).unwrap();
    }
}

fn started() -> EventKind {
    EventKind::RunStarted(Box::new(RunStarted {
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        runbook: "long".to_owned(),
        title: "A long run".to_owned(),
        environment: None,
        operator: "dba@wms".to_owned(),
        reason: None,
        documents: Vec::new(),
        parameters: Map::new(),
        connections: Vec::new(),
        steps: Vec::new(),
        options: PinnedOptions::default(),
    }))
}

fn place(number: u64) -> Place {
    Place::step(&StepId::new(format!("look-{number}")))
}

fn step_started(number: u64) -> EventKind {
    let input = json!({ "sql": "SELECT 1" });
    EventKind::StepStarted { at: place(number), attempt: 1, effect: Effect::Read, input, before: Value::Null }
}

fn step_finished(number: u64) -> EventKind {
    EventKind::StepFinished {
        at: place(number),
        state: StepState::Succeeded,
        output: json!({ "rows": [{ "a": 1 }], "row_count": 1 }),
        failure: None,
        warnings: Vec::new(),
        seconds: 0.25,
    }
}

fn finished() -> EventKind {
    EventKind::RunFinished {
        outcome: RunOutcome::Succeeded,
        exit_code: 0,
        outputs: Map::new(),
        seconds: 25_000.0,
    }
}
