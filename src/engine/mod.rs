//! Makes it happen: the only layer that can fail, wait and change the world.

mod attempt;
mod clock;
mod dispatcher;
mod each;
mod ending;
mod executor;
mod gate;
mod halt;
mod nested;
mod pace;
mod scheduler;
mod whole;

pub use clock::{Clock, SystemClock};
pub use gate::Answers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::connect::{Connections, Prompter};
use crate::event::{EventKind, RunStarted, Sink};
use crate::journal::Writer;
use crate::model::{Failure, Redactor, RunId, RunOutcome};
use crate::plan::{Frame, Surroundings};
use crate::runbook::Runbook;
use crate::step::StopSignal;

use dispatcher::Dispatcher;
use halt::Halt;
use scheduler::Scheduler;

/// Everything a run needs.
pub struct RunRequest<'a> {
    /// Its id.
    pub id: RunId,
    /// The runbook.
    pub runbook: Arc<Runbook>,
    /// The parameters.
    pub params: Map<String, Value>,
    /// The environment's name of each connection that is present.
    pub names: BTreeMap<String, String>,
    /// The connections.
    pub connections: &'a Connections,
    /// What is known beside the runbook.
    pub surroundings: Surroundings,
    /// The first event.
    pub started: RunStarted,
    /// Where the events go on disk.
    pub journal: Writer,
    /// Where else they go.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Who answers gates; nobody without a terminal.
    pub prompter: Option<&'a dyn Prompter>,
    /// Answers given beforehand.
    pub answers: &'a Answers,
    /// Masks secrets.
    pub redactor: &'a Redactor,
    /// The time.
    pub clock: &'a dyn Clock,
    /// How many steps run at once.
    pub max_parallel: usize,
    /// Whether warnings fail the run.
    pub strict: bool,
    /// Steps the operator excluded, and why.
    pub skip: &'a [String],
    /// The reason given for the run.
    pub reason: Option<String>,
    /// The folder of data files.
    pub files: PathBuf,
    /// Raised when a person or a signal wants the run to stop.
    pub interrupt: StopSignal,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The run.
    pub run: RunId,
    /// The outcome.
    pub outcome: RunOutcome,
    /// The process's exit code.
    pub exit_code: u8,
    /// Why the journal could not be written to the end.
    pub journal: Option<Failure>,
}

/// Runs a runbook to its end.
pub async fn run(request: RunRequest<'_>) -> Ended {
    let RunRequest { id, journal, sinks, redactor, clock, started, .. } = request;
    let dispatcher = Dispatcher::new(id, journal, sinks, clock, redactor);
    let operator = started.operator.clone();
    let began = dispatcher.now();
    let frame = Frame::new(
        Arc::clone(&request.runbook),
        request.params,
        request.names,
        Arc::new(request.surroundings),
        None,
    );
    let scheduler = Scheduler {
        dispatcher: &dispatcher,
        gate: gate::GateKeeper {
            answers: request.answers,
            prompter: request.prompter,
            operator: &operator,
            dispatcher: &dispatcher,
        },
        connections: request.connections,
        redactor,
        halt: Halt::new(),
        interrupt: request.interrupt,
        joined: std::sync::Mutex::default(),
        permits: tokio::sync::Semaphore::new(request.max_parallel.max(1)),
        skip: request.skip,
        reason: request.reason,
        files: &request.files,
        name: &request.runbook.name,
    };
    let outputs = match dispatcher.record(EventKind::RunStarted(Box::new(started))) {
        Ok(()) => scheduler.whole(&frame).await,
        Err(_) => Map::new(),
    };
    request.connections.close_all().await;
    finish(&scheduler, outputs, request.strict, began)
}

fn finish(
    scheduler: &Scheduler<'_, '_>,
    outputs: Map<String, Value>,
    strict: bool,
    began: jiff::Timestamp,
) -> Ended {
    let dispatcher = scheduler.dispatcher;
    let outcome = scheduler.outcome(strict);
    let exit_code = exit_code(outcome);
    let seconds = dispatcher.now().duration_since(began).as_secs_f64();
    let recorded = dispatcher.record(EventKind::RunFinished { outcome, exit_code, outputs, seconds });
    match recorded.err().or_else(|| dispatcher.broken()) {
        None => Ended { run: dispatcher.run_id().clone(), outcome, exit_code, journal: None },
        Some(failure) => Ended {
            run: dispatcher.run_id().clone(),
            outcome,
            exit_code: exit_code.max(1),
            journal: Some(failure),
        },
    }
}

/// The exit code of an outcome (language.md, section 9).
pub fn exit_code(outcome: RunOutcome) -> u8 {
    match outcome {
        RunOutcome::Succeeded => 0,
        RunOutcome::Failed => 1,
        RunOutcome::RolledBack => 3,
        RunOutcome::Stuck => 4,
        RunOutcome::Declined => 5,
        RunOutcome::Drifted => 6,
        RunOutcome::Excluded => 7,
        RunOutcome::Interrupted => 130,
    }
}
