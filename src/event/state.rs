//! [`RunState`]: the fold of events, and the only state machine.
//!
//! A fresh run starts from no events, a report or a resumed run from the journal's. It never reads a clock.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::{Map, Value};
use thiserror::Error;

use super::{Adopted, Direction, Event, EventKind, FailureChoice, Item, Place, RunStarted, UndoStep};
use crate::model::{Effect, Failure, RunOutcome, SkipReason, StepState};

/// An event that cannot follow the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("event {seq} is impossible: {what}")]
pub struct IllegalTransition {
    /// The number of the event.
    pub seq: u64,
    /// Why it cannot be.
    pub what: String,
}

/// What is known of a step or a child of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub state: StepState,
    /// The attempts begun.
    pub attempts: u32,
    /// When the first attempt began.
    pub started_at: Option<Timestamp>,
    /// When it became final.
    pub finished_at: Option<Timestamp>,
    /// Seconds from the first attempt to the end.
    pub seconds: f64,
    /// The bound body of the last attempt.
    pub input: Value,
    /// What was there before.
    pub before: Value,
    /// The same with what may not be shown of it, where something may not.
    pub whole_before: Value,
    /// What it produced.
    pub output: Value,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// Warnings.
    pub warnings: Vec<String>,
    /// Why it was skipped.
    pub skipped: Option<SkipReason>,
    /// What it does to the world, once it started.
    pub effect: Effect,
    /// The answer given at its gate, and by whom.
    pub answer: Option<(Value, String)>,
    /// The durable facts of the last attempt.
    pub traces: Vec<Value>,
    /// What a person decided after it failed.
    pub choice: Option<FailureChoice>,
    /// The number of the event with which it first began: the order of undo.
    pub began: u64,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            state: StepState::Pending,
            attempts: 0,
            started_at: None,
            finished_at: None,
            seconds: 0.0,
            input: Value::Null,
            before: Value::Null,
            whole_before: Value::Null,
            output: Value::Null,
            failure: None,
            warnings: Vec::new(),
            skipped: None,
            effect: Effect::Read,
            answer: None,
            traces: Vec::new(),
            choice: None,
            began: 0,
        }
    }
}

impl Node {
    /// What was there before, as far as it is known here.
    pub fn known_before(&self) -> &Value {
        if self.whole_before.is_null() { &self.before } else { &self.whole_before }
    }
}

/// Everything the events of a run say.
#[derive(Debug, Clone, Default)]
pub struct RunState {
    /// The first event.
    pub started: Option<Box<RunStarted>>,
    /// When it happened.
    pub started_at: Option<Timestamp>,
    /// The number of the last durable event.
    pub seq: u64,
    /// When the last durable event happened.
    pub last_at: Option<Timestamp>,
    /// Steps and children in the order they were first heard of; steps of the plan come first.
    pub nodes: IndexMap<Place, Node>,
    /// The lists of `for_each` steps; one inside a loop has a list for each child.
    pub items: IndexMap<Place, Vec<Item>>,
    /// The variables computed so far; those of an included runbook by the step that includes it and their name.
    pub variables: Map<String, Value>,
    /// How the run ended.
    pub outcome: Option<RunOutcome>,
    /// The exit code it ended with.
    pub exit_code: Option<u8>,
    /// What `outputs` came to.
    pub outputs: Map<String, Value>,
    /// Seconds the run took.
    pub seconds: f64,
    /// Why the last leg ended, when the run did not.
    pub paused: Option<String>,
    /// What is undone, once the run goes backwards.
    pub undo: Option<Vec<UndoStep>>,
    /// The legs after the first.
    pub resumed: u32,
}

impl RunState {
    /// Folds one event in; an illegal one changes nothing.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        if !event.kind.is_durable() {
            return Ok(());
        }
        self.check(event).map_err(|what| IllegalTransition { seq: event.seq, what })?;
        self.seq = event.seq;
        self.last_at = Some(event.at);
        match &event.kind {
            EventKind::RunStarted(started) => self.start(event.at, started),
            EventKind::VariableComputed { name, value } => {
                self.variables.insert(name.clone(), value.clone());
            }
            EventKind::ItemsListed { at, items } => {
                self.items.insert(at.clone(), items.clone());
            }
            EventKind::StepStarted { at, attempt, effect, input, before } => {
                let node = self.node(at);
                node.state = StepState::Running;
                node.attempts = *attempt;
                node.started_at.get_or_insert(event.at);
                node.effect = *effect;
                node.input = input.clone();
                node.traces.clear();
                if node.began == 0 {
                    node.began = event.seq;
                }
                keep_first(&mut node.before, before);
            }
            EventKind::StepTraced { at, trace } => {
                let node = self.node(at);
                keep_first(&mut node.before, &trace["before"]);
                keep_first(&mut node.whole_before, &trace["whole_before"]);
                node.traces.extend(without_before(trace));
            }
            EventKind::StepReopened { at, .. } => self.node(at).state = StepState::Pending,
            EventKind::FailureDecided { at, choice, .. } => self.node(at).choice = Some(*choice),
            EventKind::UndoPlanned { steps, .. } => self.undo = Some(steps.clone()),
            EventKind::StepUndone { at, state, failure } => {
                let node = self.node(at);
                node.state = *state;
                if failure.is_some() {
                    node.failure.clone_from(failure);
                }
            }
            EventKind::RunResumed { direction, adopted, .. } => {
                self.resume(*direction);
                self.adopt(adopted.as_ref());
            }
            EventKind::AttemptFailed { at, failure, .. } => self.node(at).failure = Some(failure.clone()),
            EventKind::AnswerGiven { at, answer, by, .. } => {
                self.node(at).answer = Some((answer.clone(), by.clone()));
            }
            EventKind::StepFinished { at, state, output, failure, warnings, seconds } => {
                let node = self.node(at);
                node.state = *state;
                node.finished_at = Some(event.at);
                node.seconds = *seconds;
                node.output = output.clone();
                node.failure.clone_from(failure);
                node.warnings.clone_from(warnings);
            }
            EventKind::StepSkipped { at, reason } => {
                let node = self.node(at);
                node.state = StepState::Skipped;
                node.finished_at = Some(event.at);
                node.skipped = Some(reason.clone());
            }
            EventKind::RunPaused { reason } => self.paused = Some(reason.clone()),
            EventKind::RunFinished { outcome, exit_code, outputs, seconds } => {
                self.outcome = Some(*outcome);
                self.exit_code = Some(*exit_code);
                self.outputs.clone_from(outputs);
                self.seconds = *seconds;
            }
            _ => {}
        }
        Ok(())
    }

    /// Where a step or a child stands.
    pub fn state(&self, place: &Place) -> StepState {
        self.nodes.get(place).map_or(StepState::Pending, |node| node.state)
    }

    /// A run that went backwards and is not over goes on with that; one that was over is planned anew.
    fn resume(&mut self, direction: Direction) {
        if self.outcome.take().is_some() && direction == Direction::Back {
            self.undo = None;
        }
        self.exit_code = None;
        self.paused = None;
        self.resumed += 1;
    }

    /// Another text of the runbook takes the place of the first one.
    fn adopt(&mut self, adopted: Option<&Adopted>) {
        let Some(adopted) = adopted else { return };
        for step in &adopted.steps {
            let fresh = Node { effect: step.effect, ..Node::default() };
            self.nodes.entry(Place::step(&step.id)).or_insert(fresh);
        }
        if let Some(started) = &mut self.started {
            started.documents.clone_from(&adopted.documents);
            started.steps.clone_from(&adopted.steps);
        }
    }

    fn node(&mut self, place: &Place) -> &mut Node {
        self.nodes.entry(place.clone()).or_default()
    }

    fn start(&mut self, at: Timestamp, started: &RunStarted) {
        self.started_at = Some(at);
        for step in &started.steps {
            self.nodes.insert(Place::step(&step.id), Node { effect: step.effect, ..Node::default() });
        }
        self.started = Some(Box::new(started.clone()));
    }

    fn check(&self, event: &Event) -> Result<(), String> {
        if event.seq != self.seq + 1 {
            return Err(format!("it should be number {}", self.seq + 1));
        }
        match (&event.kind, self.started.is_some()) {
            (EventKind::RunStarted(_), true) => return Err("the run has begun already".to_owned()),
            (EventKind::RunStarted(_), false) => return Ok(()),
            (_, false) => return Err("the run has not begun".to_owned()),
            (_, true) => {}
        }
        if self.outcome.is_some() && !matches!(event.kind, EventKind::RunResumed { .. }) {
            return Err("the run has finished".to_owned());
        }
        match &event.kind {
            EventKind::StepStarted { at, .. } => {
                self.expect(at, &[StepState::Pending, StepState::Running], "started")
            }
            // What is found out of an uncertain step, once it is open again, is a fact of it, too.
            EventKind::StepTraced { at, .. } => {
                self.expect(at, &[StepState::Pending, StepState::Running], "worked on")
            }
            EventKind::AttemptFailed { at, .. } => self.expect(at, &[StepState::Running], "worked on"),
            EventKind::AnswerGiven { at, .. } => {
                self.expect(at, &[StepState::Pending, StepState::Running], "answered")
            }
            EventKind::StepFinished { at, state, .. } if !state.is_final() => {
                Err(format!("`{at}` cannot end {}", state.as_str()))
            }
            EventKind::StepFinished { at, .. } => {
                self.expect(at, &[StepState::Pending, StepState::Running], "finished")
            }
            EventKind::StepSkipped { at, .. } => self.expect(at, &[StepState::Pending], "skipped"),
            EventKind::StepReopened { at, .. } => self.expect(
                at,
                &[StepState::Failed, StepState::Uncertain, StepState::Cancelled],
                "opened again",
            ),
            EventKind::StepUndone { at, state, .. } => self.undone(at, *state),
            _ => Ok(()),
        }
    }

    fn undone(&self, at: &Place, state: StepState) -> Result<(), String> {
        if !matches!(state, StepState::RolledBack | StepState::Stuck) {
            return Err(format!("the undo of `{at}` cannot end {}", state.as_str()));
        }
        let effective = [StepState::Succeeded, StepState::Failed, StepState::Uncertain, StepState::Stuck];
        self.expect(at, &effective, "undone")
    }

    fn expect(&self, place: &Place, allowed: &[StepState], verb: &str) -> Result<(), String> {
        let state = self.state(place);
        if allowed.contains(&state) {
            return Ok(());
        }
        Err(format!("`{place}` is {} and cannot be {verb}", state.as_str()))
    }
}

/// What a trace tells beside what was there before, which is kept by itself.
fn without_before(trace: &Value) -> Option<Value> {
    let mut rest = trace.as_object()?.clone();
    rest.remove("before");
    rest.remove("whole_before");
    (!rest.is_empty()).then_some(Value::Object(rest))
}

/// What was there before the first attempt is what an undo restores, whatever later attempts found.
fn keep_first(before: &mut Value, found: &Value) {
    if before.is_null() {
        before.clone_from(found);
    }
}
