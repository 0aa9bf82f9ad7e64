//! Makes it happen: the only layer that can fail, wait and change the world.

mod attempt;
mod clock;
mod decide;
mod dispatcher;
mod each;
mod ending;
mod exclusion;
mod executor;
mod gate;
mod halt;
mod nested;
mod outside;
mod pace;
mod past;
mod scheduler;
mod settle;
mod undo;
mod whole;

pub use clock::{Clock, SystemClock};
pub use exclusion::Exclusion;
pub use gate::Answers;
pub use outside::{Outside, Systems};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::connect::{Connections, Prompter};
use crate::event::{Adopted, Direction, EventKind, RunStarted, RunState, Sink};
use crate::journal::Writer;
use crate::model::{Failure, Redactor, RunId, RunOutcome};
use crate::plan::{Frame, Surroundings};
use crate::runbook::Runbook;
use crate::step::StopSignal;

use dispatcher::Dispatcher;
use halt::{Halt, Role};
use scheduler::Scheduler;
use whole::LegEnd;

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
    /// Who does what the steps ask for.
    pub outside: &'a dyn Outside,
    /// What is known beside the runbook.
    pub surroundings: Surroundings,
    /// Where the run comes from: its first event, or what earlier legs have left.
    pub origin: Origin,
    /// Failed steps that are tried again in this leg, although that may repeat something.
    pub retry: &'a [String],
    /// Whether undo goes on beyond what cannot be undone.
    pub past_no_return: bool,
    /// Who runs it, as `user@host`.
    pub operator: String,
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
    /// The key that keeps rival runs out; nothing where there is nothing to fight over.
    pub exclusion: Option<&'a Exclusion>,
    /// Raised when a person or a signal wants the run to stop.
    pub interrupt: StopSignal,
}

/// Where a leg of a run begins.
pub enum Origin {
    /// At the first event; what of it stands in the journal, and all of it.
    Start {
        /// As it is seen.
        shown: Box<RunStarted>,
        /// With the secrets in its parameters.
        whole: Box<RunStarted>,
    },
    /// Where earlier legs have stopped.
    Again {
        /// What is known of the run, nothing masked.
        state: Box<RunState>,
        /// Where it goes.
        direction: Direction,
        /// The changed runbook it goes on with.
        adopted: Option<Adopted>,
    },
}

/// How a run ended, or a leg of it.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The run.
    pub run: RunId,
    /// The outcome.
    pub outcome: RunOutcome,
    /// The process's exit code.
    pub exit_code: u8,
    /// Whether it can go on.
    pub paused: bool,
    /// Why the journal could not be written to the end.
    pub journal: Option<Failure>,
}

/// Runs a runbook to its end, or to the end of this leg.
pub async fn run(request: RunRequest<'_>) -> Ended {
    let RunRequest { id, journal, sinks, redactor, clock, origin, operator, .. } = request;
    let (state, direction, first) = match origin {
        Origin::Start { shown, whole } => {
            let first = (EventKind::RunStarted(whole), Some(EventKind::RunStarted(shown)));
            (RunState::default(), Direction::Forward, first)
        }
        Origin::Again { state, direction, adopted } => {
            let program = env!("CARGO_PKG_VERSION").to_owned();
            let first = EventKind::RunResumed { operator: operator.clone(), program, direction, adopted };
            (*state, direction, (first, None))
        }
    };
    let resumed = state.started.is_some();
    let dispatcher = Dispatcher::new(id, state, journal, sinks, clock, redactor);
    let began = dispatcher.now();
    let root = Frame::new(
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
        outside: request.outside,
        redactor,
        halt: Halt::new(Role::Steps),
        exclusion: request.exclusion,
        interrupt: request.interrupt,
        joined: std::sync::Mutex::default(),
        permits: tokio::sync::Semaphore::new(request.max_parallel.max(1)),
        skip: request.skip,
        reason: request.reason,
        files: &request.files,
        root,
        resumed,
        retry: request.retry,
        past_no_return: request.past_no_return,
    };
    let (whole, shown) = first;
    // A first event without secrets is what it seems.
    let shown = shown.filter(|shown| *shown != whole);
    let end = match dispatcher.record_at(began, whole, shown) {
        Ok(()) => {
            if resumed {
                scheduler.remember(&scheduler.root);
            }
            scheduler.whole(direction, request.strict).await
        }
        Err(_) => LegEnd::Final(RunOutcome::Failed),
    };
    request.connections.close_all().await;
    finish(&scheduler, end, began)
}

fn finish(scheduler: &Scheduler<'_, '_>, end: LegEnd, began: jiff::Timestamp) -> Ended {
    let dispatcher = scheduler.dispatcher;
    let (outcome, last) = match end {
        LegEnd::Paused { reason, outcome } => (outcome, EventKind::RunPaused { reason }),
        LegEnd::Final(outcome) => {
            let outputs = scheduler.outputs(&scheduler.root);
            let began = dispatcher.state(|state| state.started_at).unwrap_or(began);
            let seconds = dispatcher.now().duration_since(began).as_secs_f64();
            let exit_code = exit_code(outcome);
            (outcome, EventKind::RunFinished { outcome, exit_code, outputs, seconds })
        }
    };
    let paused = matches!(last, EventKind::RunPaused { .. });
    let recorded = dispatcher.record(last);
    if !paused && outcome != RunOutcome::Stuck && recorded.is_ok() {
        dispatcher.unseal();
    }
    let journal = recorded.err().or_else(|| dispatcher.broken());
    let exit_code = exit_code(outcome);
    let exit_code = if journal.is_some() { exit_code.max(1) } else { exit_code };
    Ended { run: dispatcher.run_id().clone(), outcome, exit_code, paused, journal }
}

/// The exit code of an outcome (language.md, section 9).
pub fn exit_code(outcome: RunOutcome) -> u8 {
    match outcome {
        RunOutcome::Succeeded => 0,
        RunOutcome::Failed => 1,
        RunOutcome::RolledBack => 3,
        RunOutcome::Stuck | RunOutcome::PartlyRolledBack => 4,
        RunOutcome::Declined => 5,
        RunOutcome::Drifted => 6,
        RunOutcome::Excluded => 7,
        RunOutcome::Interrupted => 130,
    }
}
