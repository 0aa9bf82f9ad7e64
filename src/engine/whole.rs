//! A run as a whole: its steps, then undo where they failed, then its closing steps and outputs, and how it ended.

use std::sync::PoisonError;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::halt::{Halt, Reason, Role};
use super::scheduler::{Scheduler, Standing};
use super::undo::Tally;
use crate::connect::{AnswerKind, Question};
use crate::event::{Direction, EventKind, FailureChoice, UndoMeans};
use crate::model::{RunOutcome, StepState, StoppedBy};
use crate::plan::Frame;
use crate::runbook::OnFailurePolicy;

/// How a leg of a run ended.
#[derive(Debug)]
pub(super) enum LegEnd {
    /// The run is over.
    Final(RunOutcome),
    /// The run can go on, and why it does not; `outcome` is what it would be if it ended here.
    Paused {
        /// Why.
        reason: String,
        /// What its exit code says.
        outcome: RunOutcome,
    },
}

/// What comes after the steps.
enum Next {
    /// The closing steps.
    Close,
    /// Undo, and why.
    Undo(String),
    /// Nothing in this leg, and why.
    Pause(String),
}

impl Scheduler<'_, '_> {
    /// The steps, what their failure means, and the closing steps.
    pub(super) async fn whole(&self, direction: Direction, strict: bool) -> LegEnd {
        let backwards = self.dispatcher.state(|state| state.undo.is_some());
        let next = match direction {
            Direction::Back => {
                self.settle_open().await;
                Next::Undo("the operator wants it undone".to_owned())
            }
            Direction::Forward if backwards => Next::Undo("the undo was interrupted".to_owned()),
            Direction::Forward => {
                tokio::select! {
                    () = self.list(&self.root, &self.root.runbook.steps, &self.halt) => {}
                    () = self.halt.watch(&self.interrupt, grace(&self.root)) => {}
                }
                self.next().await
            }
        };
        let mut tally = None;
        match next {
            Next::Pause(reason) => return LegEnd::Paused { reason, outcome: self.outcome(strict, None) },
            Next::Close => {}
            Next::Undo(why) => {
                let done = self.undo(&why).await;
                if self.is_undo_unfinished() {
                    if let Some(end) = self.excluded() {
                        return end;
                    }
                    let reason = "interrupted while it was undone".to_owned();
                    return LegEnd::Paused { reason, outcome: RunOutcome::Interrupted };
                }
                tally = Some(done);
            }
        }
        self.close(self.outcome(strict, tally) != RunOutcome::Succeeded).await;
        if let Some(end) = self.excluded() {
            return end;
        }
        LegEnd::Final(match (direction, self.outcome(strict, tally)) {
            (Direction::Back, RunOutcome::Stuck) => RunOutcome::Stuck,
            (Direction::Back, _) if tally.is_some_and(|tally| tally.left > 0) => RunOutcome::PartlyRolledBack,
            (Direction::Back, _) => RunOutcome::RolledBack,
            (Direction::Forward, outcome) => outcome,
        })
    }

    /// The end of a leg whose key another run has: what is left waits for its own turn.
    fn excluded(&self) -> Option<LegEnd> {
        let why = self.exclusion?.lost()?;
        Some(LegEnd::Paused { reason: why.to_owned(), outcome: RunOutcome::Excluded })
    }

    /// What the end of the steps means.
    async fn next(&self) -> Next {
        if self.dispatcher.broken().is_some() {
            return Next::Close;
        }
        let (uncertain, left) = self.dispatcher.state(|state| {
            let uncertain = state.nodes.iter().find(|(_, node)| node.state == StepState::Uncertain);
            let left = state.nodes.iter().find(|(_, node)| node.choice == Some(FailureChoice::Leave));
            (uncertain.map(|(at, _)| at.to_string()), left.map(|(at, _)| at.to_string()))
        });
        if let Some(at) = uncertain {
            return Next::Pause(format!("`{at}` is uncertain: nobody knows whether it took effect"));
        }
        match self.halt.reason() {
            Some(Reason::Interrupted) => self.interrupted().await,
            Some(Reason::Excluded(why)) => Next::Pause(why),
            Some(Reason::Failed(_)) if left.is_some() => {
                Next::Pause(format!("`{}` failed, and the run was left as it is", left.unwrap_or_default()))
            }
            Some(Reason::Failed(id)) => self.by_policy(format!("`{id}` failed")),
            Some(Reason::Declined(id)) => self.by_policy(format!("`{id}` was declined")),
            _ => Next::Close,
        }
    }

    /// A person who was asked has chosen to roll back; without one the runbook's policy decides.
    fn by_policy(&self, why: String) -> Next {
        let chosen = self
            .dispatcher
            .state(|state| state.nodes.values().any(|node| node.choice == Some(FailureChoice::RollBack)));
        let policy = self.root.runbook.defaults.on_failure == OnFailurePolicy::Rollback;
        let undoable = self
            .effects()
            .iter()
            .any(|(_, planned)| matches!(planned.means, UndoMeans::Hooks { .. } | UndoMeans::Auto));
        if undoable && (chosen || policy) {
            return Next::Undo(why);
        }
        self.tell_what_stays();
        Next::Close
    }

    /// Whoever interrupts says whether to finish now or to suspend; nobody there means suspend.
    async fn interrupted(&self) -> Next {
        let suspended = Next::Pause("interrupted".to_owned());
        let asked = self.interrupt.reason() != Some(StoppedBy::Shutdown);
        let Some(prompter) = self.gate.prompter.filter(|_| asked) else { return suspended };
        let undo = self.outlook();
        let question = Question {
            id: "interrupted".to_owned(),
            message: "The run was interrupted. What now?".to_owned(),
            about: undo,
            shown: Value::Null,
            answer: AnswerKind::Choice {
                choices: vec![
                    ("suspend it, to be resumed or rolled back later".to_owned(), json!("suspend")),
                    (
                        "finish it now: undo what took effect, and run its closing steps".to_owned(),
                        json!("finish"),
                    ),
                ],
                many: false,
            },
            timeout: None,
        };
        match prompter.ask(&question).await {
            Ok(answer) if answer == "finish" => Next::Undo("the run was interrupted".to_owned()),
            _ => suspended,
        }
    }

    /// `on_failure` and `finally`, that of included runbooks first: each step in order, even if one before it failed.
    async fn close(&self, failed: bool) {
        if self.dispatcher.broken().is_some() {
            return;
        }
        let frame = &self.root;
        let on_failure = if failed { frame.runbook.on_failure.as_slice() } else { &[] };
        let included = std::mem::take(&mut *self.joined.lock().unwrap_or_else(PoisonError::into_inner));
        let joined =
            included.iter().flat_map(|inner| inner.runbook.finally.iter().map(move |step| (inner, step)));
        let first = on_failure.iter().map(|step| (frame, step));
        let last = frame.runbook.finally.iter().map(|step| (frame, step));
        for (frame, step) in first.chain(joined).chain(last) {
            self.one(Standing::top(frame), step, &Halt::new(Role::Closing)).await;
        }
    }

    /// Whether an undo has begun and steps wait for it that are neither undone nor stuck.
    fn is_undo_unfinished(&self) -> bool {
        self.dispatcher.state(|state| {
            let planned = state.undo.iter().flatten();
            let mut active =
                planned.filter(|step| matches!(step.means, UndoMeans::Hooks { .. } | UndoMeans::Auto));
            active.any(|step| !matches!(state.state(&step.at), StepState::RolledBack | StepState::Stuck))
        })
    }

    /// Where nothing is undone, the operator hears what took effect and could be.
    fn tell_what_stays(&self) {
        let stays: Vec<String> = self
            .effects()
            .into_iter()
            .filter(|(_, planned)| !matches!(planned.means, UndoMeans::Nothing { .. }))
            .map(|(_, planned)| planned.at.to_string())
            .collect();
        if !stays.is_empty() {
            let message = format!(
                "these steps took effect and were not undone: {}; `runbook rollback {}` undoes what can be undone",
                stays.join(", "),
                self.dispatcher.run_id()
            );
            self.dispatcher.tell(EventKind::Remarked { message });
        }
    }

    pub(super) fn outputs(&self, frame: &Frame) -> Map<String, Value> {
        let mut outputs = Map::new();
        let Some(step) = frame.runbook.steps.first() else { return outputs };
        let scope = frame.scope(step, None, self.dispatcher.now());
        let binder = frame.binder(&scope, self.redactor);
        for (name, (expr, reads)) in &frame.runbook.outputs {
            // An output that reads a step which did not succeed is simply not there.
            if frame.compute_variables(reads.iter(), &binder).is_ok()
                && let Ok(value) = binder.value(expr)
            {
                outputs.insert(name.clone(), value);
            }
        }
        outputs
    }

    /// How the run ended, from the state of its steps and of its undo; the worst counts.
    fn outcome(&self, strict: bool, tally: Option<Tally>) -> RunOutcome {
        let (uncertain, failed, warned) = self.dispatcher.state(|state| {
            let any = |wanted: StepState| state.nodes.values().any(|node| node.state == wanted);
            let warned = state.nodes.values().any(|node| !node.warnings.is_empty());
            (any(StepState::Uncertain) || any(StepState::Stuck), any(StepState::Failed), warned)
        });
        match (tally, self.halt.reason()) {
            _ if uncertain => RunOutcome::Stuck,
            (Some(Tally { undone: 1.., left: 1.., .. }), _) => RunOutcome::PartlyRolledBack,
            (Some(Tally { undone: 1.., .. }), _) => RunOutcome::RolledBack,
            (_, Some(Reason::Declined(_))) => RunOutcome::Declined,
            (_, Some(Reason::Interrupted)) => RunOutcome::Interrupted,
            (_, Some(Reason::Excluded(_))) => RunOutcome::Excluded,
            _ if failed || self.dispatcher.broken().is_some() => RunOutcome::Failed,
            _ if strict && warned => RunOutcome::Failed,
            _ => RunOutcome::Succeeded,
        }
    }
}

/// How long running steps may still take when another one failed.
pub(super) fn grace(frame: &Frame) -> Duration {
    Duration::from_secs_f64(frame.runbook.defaults.grace_seconds())
}
