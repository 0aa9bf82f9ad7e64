//! One run of a case: on canned results, with a fault or without, in a store that is thrown away.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::clock::CannedClock;
use super::fault::Fault;
use super::fixture::{Canned, Case};
use super::load::Fixture;
use super::outside::CannedResults;
use super::verdict::Missing;
use crate::connect::Connections;
use crate::engine::{Answers, Ended, Origin, RunRequest, run};
use crate::event::{Direction, Event, PinnedOptions, Place, RunStarted, RunState, Sink, SinkClosed, VERSION};
use crate::journal::{JournalError, Store, Writer};
use crate::model::{Failure, ProcessEnvironment, Redactor, RunId, RunOutcome, StepId};
use crate::plan::{Plan, PlanRequest, Preflight, Surroundings, plan};
use crate::runbook::{ConnectionKind, ConnectionNeed, Runbook};
use crate::step::StopSignal;

/// Who runs a trial.
const OPERATOR: &str = "trial@localhost";

/// What every run of a case begins with.
pub(super) struct Stage<'a> {
    runbook: Arc<Runbook>,
    case: &'a Case,
    began: Timestamp,
    names: BTreeMap<String, String>,
    surroundings: Surroundings,
    answers: Answers,
    offline: Plan,
    redactor: Redactor,
}

/// What a run came to.
pub(super) struct Ran {
    pub(super) outcome: RunOutcome,
    pub(super) state: RunState,
    /// The lines that would have been sent, by place.
    pub(super) sent: IndexMap<Place, Vec<String>>,
    pub(super) missing: Vec<Missing>,
}

impl<'a> Stage<'a> {
    /// Sets up a case.
    pub(super) async fn new(fixture: &Fixture, case: &'a Case) -> Result<Self, Failure> {
        let runbook = Arc::clone(&fixture.runbook);
        let began = case.now.parse().map_err(|_| Failure::new(format!("`{}` is no time", case.now)))?;
        let names = present(&runbook, case);
        let surroundings = surroundings(&runbook, case);
        let redactor = Redactor::new();
        let offline = plan(PlanRequest {
            runbook: Arc::clone(&runbook),
            params: case.params.clone(),
            connections: names.clone(),
            surroundings: surroundings.clone(),
            live: None,
            preflight: Preflight::default(),
            cost_limit: 0.0,
            now: began,
            durations: BTreeMap::<StepId, f64>::new(),
            redactor: &redactor,
            skip: &[],
        })
        .await;
        Ok(Self { runbook, case, began, names, surroundings, answers: answers(case), offline, redactor })
    }

    fn started(&self) -> RunStarted {
        RunStarted {
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            runbook: self.runbook.name.clone(),
            title: self.runbook.title.clone(),
            environment: None,
            operator: OPERATOR.to_owned(),
            reason: None,
            documents: self.runbook.documents.clone(),
            parameters: self.case.params.clone(),
            connections: Vec::new(),
            steps: self.offline.pinned_steps(),
            options: PinnedOptions::default(),
        }
    }
}

/// Every declared connection but the absent ones, each under its own name.
fn present(runbook: &Runbook, case: &Case) -> BTreeMap<String, String> {
    let absent = |name: &String| {
        case.connections.get(name).is_some_and(|facts| facts.get("present") == Some(&json!(false)))
    };
    let names = runbook.connections.keys().filter(|name| !absent(name));
    names.map(|name| (name.clone(), name.clone())).collect()
}

/// What templates read beside parameters and steps; of a connection the case says what matters to it.
fn surroundings(runbook: &Runbook, case: &Case) -> Surroundings {
    let facts = |(name, need): (&String, &ConnectionNeed)| {
        let mut facts = match need.kind {
            ConnectionKind::Postgres(_) => json!({
                "database": name, "user": "trial", "host": "localhost", "version_num": 170_000, "standby": false,
            }),
            ConnectionKind::Kubernetes => json!({ "namespace": "default" }),
            ConnectionKind::Host => json!({}),
        };
        if let (Value::Object(facts), Some(own)) = (&mut facts, case.connections.get(name)) {
            facts.extend(own.clone());
        }
        (name.clone(), facts)
    };
    let run = json!({
        "id": "trial", "name": runbook.name, "operator": OPERATOR, "started_at": case.now, "reason": null,
        "environment": null, "window_left": null, "dir": "/trial", "tmp": "/trial/tmp",
    });
    Surroundings {
        run: run.as_object().cloned().unwrap_or_default(),
        environment: case.env.clone().into_iter().collect(),
        connections: runbook.connections.iter().map(facts).collect(),
    }
}

/// The answers to gates, as they are given on the command line.
fn answers(case: &Case) -> Answers {
    let text = |value: &Value| match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let texts: Vec<String> = items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect();
            texts.join(",")
        }
        other => other.to_string(),
    };
    let answer = |canned: &Canned| canned.output.get("answer").map(text);
    let given = case.steps.iter().filter_map(|(id, results)| Some((id.clone(), answer(results.at(0)?)?)));
    Answers { given: given.collect(), yes: false }
}

/// Runs a case. What the run leaves to a person, a person in a trial rolls back: what is uncertain, and after a fault
/// also what the runbook's policy leaves as it is.
pub(super) async fn perform(stage: &Stage<'_>, fault: Option<&Fault>) -> Result<Ran, Failure> {
    let folder =
        tempfile::tempdir().map_err(|error| Failure::new(format!("no temporary folder: {error}")))?;
    let store = Store::at(folder.path());
    let id = RunId::new(stage.began, 0);
    let unkept = |error: JournalError| Failure::new(error.to_string());
    let outside = CannedResults::new(stage.case, fault);
    let seen = Seen::default();
    let leg = Leg { stage, id: id.clone(), outside: &outside, seen: &seen, folder: &folder };
    let whole = stage.started();
    let shown = RunStarted { parameters: stage.offline.parameters.clone(), ..whole.clone() };
    let start = Origin::Start { shown: Box::new(shown), whole: Box::new(whole) };
    let mut ended = leg.run(store.create(&id).map_err(unkept)?, start).await;
    let so_far = seen.state();
    let is_left = so_far.undo.is_none() && fault.is_some_and(Fault::wants_undo);
    if ended.paused || is_left {
        let so_far = Box::new(so_far);
        let (journal, _) = store.resume(&id).map_err(unkept)?;
        ended = leg
            .run(journal, Origin::Again { state: so_far, direction: Direction::Back, adopted: None })
            .await;
    }
    if let Some(failure) = ended.journal {
        return Err(failure);
    }
    let log = outside.into_log();
    Ok(Ran { outcome: ended.outcome, state: seen.state(), sent: log.sent, missing: log.missing })
}

/// A leg of a run.
struct Leg<'a, 's> {
    stage: &'a Stage<'s>,
    id: RunId,
    outside: &'a CannedResults<'a>,
    seen: &'a Seen,
    folder: &'a TempDir,
}

impl Leg<'_, '_> {
    async fn run(&self, journal: Writer, origin: Origin) -> Ended {
        let stage = self.stage;
        let process = ProcessEnvironment {
            variables: BTreeMap::new(),
            home: None,
            user: "trial".to_owned(),
            directory: PathBuf::from(self.folder.path()),
        };
        let connections = Connections::new(BTreeMap::new(), process);
        run(RunRequest {
            id: self.id.clone(),
            runbook: Arc::clone(&stage.runbook),
            params: stage.case.params.clone(),
            names: stage.names.clone(),
            connections: &connections,
            outside: self.outside,
            surroundings: stage.surroundings.clone(),
            origin,
            retry: &[],
            past_no_return: false,
            operator: OPERATOR.to_owned(),
            journal,
            sinks: vec![Box::new(self.seen.clone())],
            prompter: None,
            answers: &stage.answers,
            redactor: &stage.redactor,
            clock: &CannedClock::new(stage.began, tokio::time::Instant::now()),
            // One after another, so that each trial meets the same order.
            max_parallel: 1,
            strict: false,
            skip: &[],
            reason: None,
            files: self.folder.path().to_owned(),
            exclusion: None,
            interrupt: StopSignal::default(),
        })
        .await
    }
}

/// Folds what happens; clones share it.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<RunState>>);

impl Seen {
    fn state(&self) -> RunState {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for Seen {
    fn take(&mut self, event: &Event) -> Result<(), SinkClosed> {
        // The engine has folded it before: what it made, it accepts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).apply(event).map_err(|_| SinkClosed)
    }
}
