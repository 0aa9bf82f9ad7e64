//! A run as a whole: its steps, then its hooks, then its outputs, and how it ended.

use std::sync::PoisonError;
use std::time::Duration;

use serde_json::{Map, Value};

use super::halt::{Halt, Reason};
use super::scheduler::{Scheduler, Standing};
use crate::event::EventKind;
use crate::model::{Effect, RunOutcome, StepState};
use crate::plan::Frame;
use crate::runbook::{Rollback, Step};

impl Scheduler<'_, '_> {
    /// The steps, the hooks, and the outputs.
    pub(super) async fn whole(&self, frame: &Frame) -> Map<String, Value> {
        let limit = grace(frame);
        tokio::select! {
            () = self.list(frame, &frame.runbook.steps, &self.halt) => {}
            () = self.halt.watch(&self.interrupt, limit) => {}
        }
        self.hooks(frame).await;
        self.outputs(frame)
    }

    /// `on_failure` and `finally`, that of included runbooks first: each step in order, even if one before it failed.
    pub(super) async fn hooks(&self, frame: &Frame) {
        if self.dispatcher.broken().is_some() {
            return;
        }
        let failed = self.outcome(false) != RunOutcome::Succeeded;
        if failed {
            self.tell_what_stays(frame);
        }
        let on_failure = if failed { frame.runbook.on_failure.as_slice() } else { &[] };
        let included = std::mem::take(&mut *self.joined.lock().unwrap_or_else(PoisonError::into_inner));
        let joined =
            included.iter().flat_map(|inner| inner.runbook.finally.iter().map(move |step| (inner, step)));
        let first = on_failure.iter().map(|step| (frame, step));
        let last = frame.runbook.finally.iter().map(|step| (frame, step));
        for (frame, step) in first.chain(joined).chain(last) {
            self.one(Standing::top(frame), step, &Halt::new()).await;
        }
    }

    /// Nothing is undone by itself yet, so a failed run names what took effect and could be.
    pub(super) fn tell_what_stays(&self, frame: &Frame) {
        let stays = |step: &&Step| {
            let took_effect =
                frame.records.get(step.id.as_str()).is_some_and(|r| r.state == Some(StepState::Succeeded));
            let harmless =
                matches!(step.attempts().and_then(|a| a.rollback.as_ref()), Some(Rollback::Nothing(_)));
            took_effect && step.class.effect > Effect::Read && !harmless && step.attempts().is_some()
        };
        let steps: Vec<&str> = frame.runbook.all_steps().filter(stays).map(|step| step.id.as_str()).collect();
        if !steps.is_empty() {
            let message = format!(
                "these steps took effect and were not undone: {}; `runbook show {}` says how each is undone",
                steps.join(", "),
                frame.runbook.name
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

    /// How the run ended, from the state of its steps; the worst counts.
    pub(super) fn outcome(&self, strict: bool) -> RunOutcome {
        let (uncertain, failed, warned) = self.dispatcher.state(|state| {
            let any = |wanted: StepState| state.nodes.values().any(|node| node.state == wanted);
            let warned = state.nodes.values().any(|node| !node.warnings.is_empty());
            (any(StepState::Uncertain) || any(StepState::Stuck), any(StepState::Failed), warned)
        });
        match self.halt.reason() {
            _ if uncertain => RunOutcome::Stuck,
            Some(Reason::Declined(_)) => RunOutcome::Declined,
            Some(Reason::Interrupted) => RunOutcome::Interrupted,
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
