//! Which step runs when: parents before children, independent ones at the same time, nothing new once the run halts.

use std::path::Path;
use std::sync::Mutex;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::dispatcher::Dispatcher;
use super::exclusion::Exclusion;
use super::gate::GateKeeper;
use super::halt::{Halt, Reason};
use super::outside::Outside;
use crate::connect::Connections;
use crate::event::{EventKind, Place};
use crate::model::{Failure, Redactor, SkipReason, StepState};
use crate::plan::{Frame, Record};
use crate::runbook::{OnError, Step, StepBody};
use crate::step::StopSignal;

/// Runs the steps of a runbook.
pub(super) struct Scheduler<'a, 'd> {
    pub(super) dispatcher: &'a Dispatcher<'d>,
    pub(super) gate: GateKeeper<'a, 'd>,
    pub(super) connections: &'a Connections,
    pub(super) outside: &'a dyn Outside,
    pub(super) redactor: &'a Redactor,
    pub(super) halt: Halt,
    /// The key that keeps rival runs out.
    pub(super) exclusion: Option<&'a Exclusion>,
    /// Raised when a person or a signal wants the run to stop.
    pub(super) interrupt: StopSignal,
    /// The included runbooks that ran: their `finally` joins the run's.
    pub(super) joined: Mutex<Vec<Frame>>,
    pub(super) permits: Semaphore,
    pub(super) skip: &'a [String],
    pub(super) reason: Option<String>,
    pub(super) files: &'a Path,
    /// The frame of the runbook itself.
    pub(super) root: Frame,
    /// Whether earlier legs have left something.
    pub(super) resumed: bool,
    /// Failed steps that a person wants to be tried again, although they may repeat something.
    pub(super) retry: &'a [String],
    /// Whether undo goes on where something cannot be undone.
    pub(super) past_no_return: bool,
}

/// Where in a run a step stands: its runbook, the item of a looped group, and its child's key.
#[derive(Clone, Copy)]
pub(super) struct Standing<'f> {
    pub(super) frame: &'f Frame,
    pub(super) item: Option<&'f Value>,
    pub(super) key: Option<&'f str>,
}

impl<'f> Standing<'f> {
    pub(super) fn top(frame: &'f Frame) -> Self {
        Self { frame, item: None, key: frame.key.as_deref() }
    }

    /// The place of a step in events.
    pub(super) fn place(&self, step: &Step) -> Place {
        Place { step: self.frame.full_id(&step.id), key: self.key.map(str::to_owned) }
    }
}

impl Scheduler<'_, '_> {
    /// Runs a list: each step once, when all its parents are final.
    pub(super) fn list<'f>(
        &'f self,
        frame: &'f Frame,
        steps: &'f [Step],
        halt: &'f Halt,
    ) -> BoxFuture<'f, ()> {
        async move {
            let mut waiting: Vec<usize> = steps.iter().map(|step| step.parents.len()).collect();
            let mut children: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
            for (index, step) in steps.iter().enumerate() {
                for edge in &step.parents {
                    children[edge.parent].push(index);
                }
            }
            let mut running = FuturesUnordered::new();
            let start = |index: usize| async move {
                self.one(Standing::top(frame), &steps[index], halt).await;
                index
            };
            running.extend((0..steps.len()).filter(|index| waiting[*index] == 0).map(start));
            while let Some(done) = running.next().await {
                for child in &children[done] {
                    waiting[*child] -= 1;
                    if waiting[*child] == 0 {
                        running.push(start(*child));
                    }
                }
            }
        }
        .boxed()
    }

    /// Runs one step, notes what became of it, and halts the run if that is what its failure means.
    pub(super) async fn one(&self, standing: Standing<'_>, step: &Step, halt: &Halt) -> StepState {
        let mut known = self.restored(standing, step, halt);
        if known.is_none() {
            self.keep_rivals_out(halt).await;
            // What an earlier leg began is finished, whatever else is the case now.
            let begun =
                self.known(&standing.place(step)).is_some_and(|node| node.state == StepState::Running);
            known = if begun { None } else { self.before(standing, step, halt) };
        }
        let record = match known {
            Some(record) => record,
            None => match &step.body {
                StepBody::Kind(..) => self.kind(standing, step, halt).await,
                StepBody::Group(inner) => Box::pin(self.group(standing, step, inner, halt)).await,
                StepBody::Include(include) => Box::pin(self.include(standing, step, include, halt)).await,
            },
        };
        let state = record.state.unwrap_or(StepState::Cancelled);
        self.consequences(standing, step, &record, halt);
        standing.frame.records.set(step.id.as_str(), record);
        state
    }

    /// Makes sure that no other run has the key; otherwise no new step starts.
    pub(super) async fn keep_rivals_out(&self, halt: &Halt) {
        let Some(exclusion) = self.exclusion else { return };
        exclusion.hold(self.connections, &self.interrupt).await;
        if let Some(message) = exclusion.remark() {
            self.dispatcher.tell(EventKind::Remarked { message });
        }
        if let Some(why) = exclusion.lost() {
            halt.raise(Reason::Excluded(why.to_owned()));
        }
    }

    fn consequences(&self, standing: Standing<'_>, step: &Step, record: &Record, halt: &Halt) {
        let id = standing.frame.full_id(&step.id);
        let declined = |failure: &Failure| failure.stopped_by == Some(crate::model::StoppedBy::Declined);
        match record.state {
            Some(StepState::Uncertain) => halt.raise(Reason::Uncertain(id)),
            Some(StepState::Cancelled) if record.failure.as_ref().is_some_and(declined) => {
                halt.raise(Reason::Declined(id));
            }
            Some(StepState::Failed) if self.dispatcher.broken().is_some() => halt.raise(Reason::Journal),
            Some(StepState::Failed)
                if step.on_error == OnError::Stop && !self.passed_over(standing, step) =>
            {
                halt.raise(Reason::Failed(id));
            }
            _ => {}
        }
    }

    /// Whether the step does not run at all: the run halts, it is excluded, its connection is absent, or `when` is false.
    fn before(&self, standing: Standing<'_>, step: &Step, halt: &Halt) -> Option<Record> {
        match halt.reason() {
            None => {}
            Some(Reason::Ended(by, message)) => {
                return Some(self.skip(standing, step, SkipReason::Ended { by, message }));
            }
            Some(reason) => return Some(self.cancel(standing, step, &reason)),
        }
        let id = standing.frame.full_id(&step.id);
        if self.skip.iter().any(|skip| *skip == id.as_str()) {
            return Some(self.skip(standing, step, SkipReason::Excluded { reason: self.reason.clone() }));
        }
        if let Some(connection) = crate::plan::absent_connection(standing.frame, step) {
            return Some(self.skip(standing, step, SkipReason::ConnectionAbsent { connection }));
        }
        // With a list of its own, `when` is decided for each child.
        if step.for_each.is_some() && reads_item(step) {
            return None;
        }
        self.condition(standing, step, standing.item)
    }

    /// Decides `when`; arguments are not rendered before.
    pub(super) fn condition(
        &self,
        standing: Standing<'_>,
        step: &Step,
        item: Option<&Value>,
    ) -> Option<Record> {
        if step.when.is_empty() {
            return None;
        }
        let scope = standing.frame.scope(step, item, self.dispatcher.now());
        let binder = standing.frame.binder(&scope, self.redactor);
        for when in &step.when {
            let decided = self
                .variables(standing.frame, when.expression.reads(), &binder)
                .and_then(|()| binder.truth(when).map_err(crate::step::BindError::into_failure));
            match decided {
                Ok(true) => {}
                Ok(false) => {
                    let expression = when.source().to_owned();
                    return Some(self.skip(standing, step, SkipReason::When { expression }));
                }
                Err(failure) => {
                    return Some(self.finish(standing, step, StepState::Failed, Value::Null, Some(failure)));
                }
            }
        }
        None
    }

    /// Computes and journals the variables that are read for the first time.
    pub(super) fn variables<'r>(
        &self,
        frame: &Frame,
        reads: impl IntoIterator<Item = &'r crate::template::Read>,
        binder: &crate::step::Binder<'_>,
    ) -> Result<(), Failure> {
        let computed = frame.compute_variables(reads.into_iter(), binder);
        for (name, value) in computed.map_err(crate::step::BindError::into_failure)? {
            let name = frame.full_variable(&name);
            self.dispatcher.record(EventKind::VariableComputed { name, value })?;
        }
        Ok(())
    }
}

fn reads_item(step: &Step) -> bool {
    step.when.iter().flat_map(|when| when.expression.reads()).any(|read| read.root == "item")
}
