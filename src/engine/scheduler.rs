//! Which step runs when: parents before children, independent ones at the same time, nothing new once the run halts.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::FuturesUnordered;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::dispatcher::Dispatcher;
use super::gate::GateKeeper;
use super::halt::{Halt, Reason};
use crate::connect::Connections;
use crate::event::{EventKind, Place};
use crate::model::{Effect, Failure, Redactor, RunOutcome, SkipReason, StepId, StepState};
use crate::plan::{Frame, Record};
use crate::runbook::{Include, OnError, Rollback, Step, StepBody};
use crate::step::StopSignal;

/// Runs the steps of a runbook.
pub(super) struct Scheduler<'a, 'd> {
    pub(super) dispatcher: &'a Dispatcher<'d>,
    pub(super) gate: GateKeeper<'a, 'd>,
    pub(super) connections: &'a Connections,
    pub(super) redactor: &'a Redactor,
    pub(super) halt: Halt,
    /// Raised when a person or a signal wants the run to stop.
    pub(super) interrupt: StopSignal,
    /// The included runbooks that ran: their `finally` joins the run's.
    pub(super) joined: Mutex<Vec<Frame>>,
    pub(super) permits: Semaphore,
    pub(super) skip: &'a [String],
    pub(super) reason: Option<String>,
    pub(super) files: &'a Path,
    pub(super) name: &'a str,
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
    async fn hooks(&self, frame: &Frame) {
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
    fn tell_what_stays(&self, frame: &Frame) {
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

    fn outputs(&self, frame: &Frame) -> Map<String, Value> {
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
        let record = match self.before(standing, step, halt) {
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

    fn consequences(&self, standing: Standing<'_>, step: &Step, record: &Record, halt: &Halt) {
        let id = standing.frame.full_id(&step.id);
        let declined = |failure: &Failure| failure.stopped_by == Some(crate::model::StoppedBy::Declined);
        match record.state {
            Some(StepState::Uncertain) => halt.raise(Reason::Uncertain(id)),
            Some(StepState::Cancelled) if record.failure.as_ref().is_some_and(declined) => {
                halt.raise(Reason::Declined(id));
            }
            Some(StepState::Failed) if self.dispatcher.broken().is_some() => halt.raise(Reason::Journal),
            Some(StepState::Failed) if step.on_error == OnError::Stop => halt.raise(Reason::Failed(id)),
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
            self.dispatcher.record(EventKind::VariableComputed { name, value })?;
        }
        Ok(())
    }

    /// Runs the steps of a group in order; with a list, once for each item.
    async fn group(&self, standing: Standing<'_>, step: &Step, inner: &[Step], halt: &Halt) -> Record {
        if step.for_each.is_some() {
            return self.each(standing, step, halt).await;
        }
        let began = self.dispatcher.now();
        if let Err(failure) = self.started(standing, step) {
            return self.finish(standing, step, StepState::Failed, Value::Null, Some(failure));
        }
        let ended = self.sequence(standing, step, inner, halt).await;
        self.end_group(standing, step, ended, began)
    }

    fn end_group(
        &self,
        standing: Standing<'_>,
        step: &Step,
        (state, failure): (StepState, Option<Failure>),
        began: jiff::Timestamp,
    ) -> Record {
        let seconds = self.dispatcher.now().duration_since(began).as_secs_f64();
        self.finish_after(standing, step, state, Value::Null, failure, Vec::new(), seconds)
    }

    /// One pass through a group's steps, within the group's time.
    pub(super) async fn sequence(
        &self,
        standing: Standing<'_>,
        group: &Step,
        inner: &[Step],
        halt: &Halt,
    ) -> (StepState, Option<Failure>) {
        let limit = match self.group_time(standing, group) {
            Ok(limit) => limit,
            Err(failure) => return (StepState::Failed, Some(failure)),
        };
        let own = halt.within();
        let mut worst = StepState::Succeeded;
        let steps = async {
            for step in inner {
                worst = worse(worst, self.one(standing, step, &own).await);
            }
        };
        tokio::select! {
            () = steps => {}
            () = own.relay(halt, grace(standing.frame), limit) => {}
        }
        own.pass_on(halt);
        match own.own_reason() {
            // Halted from further out before its last step.
            None if worst == StepState::Cancelled => (worst, halt.reason().as_ref().map(cancelled)),
            None | Some(Reason::Ended(..)) => (StepState::Succeeded, None),
            Some(Reason::TimedOut) => {
                let failure = Failure::new("the group's timeout ran out");
                let state = if worst == StepState::Uncertain { worst } else { StepState::Failed };
                (state, Some(failure.stopped_by(crate::model::StoppedBy::Timeout)))
            }
            Some(Reason::Uncertain(id)) => {
                (StepState::Uncertain, Some(Failure::new(format!("`{id}` is uncertain"))))
            }
            Some(Reason::Declined(id)) => (StepState::Cancelled, Some(declined(&id))),
            Some(Reason::Failed(id)) => (StepState::Failed, Some(Failure::new(format!("`{id}` failed")))),
            Some(reason) => (StepState::Cancelled, Some(cancelled(&reason))),
        }
    }

    fn group_time(&self, standing: Standing<'_>, group: &Step) -> Result<Option<Duration>, Failure> {
        let Some(timeout) = &group.timeout else { return Ok(None) };
        let scope = standing.frame.scope(group, standing.item, self.dispatcher.now());
        let binder = standing.frame.binder(&scope, self.redactor);
        let seconds = binder.seconds(timeout).map_err(crate::step::BindError::into_failure)?;
        Ok(Some(Duration::from_secs_f64(seconds)))
    }

    /// Runs an included runbook in a frame of its own.
    async fn include(&self, standing: Standing<'_>, step: &Step, include: &Include, halt: &Halt) -> Record {
        if step.for_each.is_some() {
            return Box::pin(self.each(standing, step, halt)).await;
        }
        let began = self.dispatcher.now();
        if let Err(failure) = self.started(standing, step) {
            return self.finish(standing, step, StepState::Failed, Value::Null, Some(failure));
        }
        let (state, output, failure) = self.included(standing, step, include, halt).await;
        let seconds = self.dispatcher.now().duration_since(began).as_secs_f64();
        self.finish_after(standing, step, state, output, failure, Vec::new(), seconds)
    }

    pub(super) async fn included(
        &self,
        standing: Standing<'_>,
        step: &Step,
        include: &Include,
        halt: &Halt,
    ) -> (StepState, Value, Option<Failure>) {
        let params = match self.include_params(standing, step, include) {
            Ok(params) => params,
            Err(failure) => return (StepState::Failed, Value::Null, Some(failure)),
        };
        let inner = standing.frame.include(include, params, &step.id, standing.key);
        let own = halt.within();
        tokio::select! {
            () = self.list(&inner, &include.runbook.steps, &own) => {}
            () = own.relay(halt, grace(&inner), None) => {}
        }
        own.pass_on(halt);
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).push(inner.clone());
        let worst =
            include.runbook.steps.iter().filter_map(|step| inner.records.get(step.id.as_str())?.state);
        let state = worst.fold(StepState::Succeeded, worse);
        let failure = (state != StepState::Succeeded).then(|| match own.own_reason() {
            Some(Reason::Declined(id)) => declined(&id),
            _ => Failure::new(format!("`{}` did not succeed", include.runbook.name)),
        });
        (state, json!({ "outputs": self.outputs(&inner) }), failure)
    }

    fn include_params(
        &self,
        standing: Standing<'_>,
        step: &Step,
        include: &Include,
    ) -> Result<Map<String, Value>, Failure> {
        let scope = standing.frame.scope(step, standing.item, self.dispatcher.now());
        let binder = standing.frame.binder(&scope, self.redactor);
        self.variables(standing.frame, step.reads.iter().map(|placed| &placed.read), &binder)?;
        let mut params = Map::new();
        for (name, parameter) in &include.runbook.params {
            let value = match (include.params.get(name), &parameter.default) {
                (Some(given), _) => binder.json(given).map_err(crate::step::BindError::into_failure)?,
                (None, Some(default)) => default.clone(),
                (None, None) => {
                    params.insert(name.clone(), Value::Null);
                    continue;
                }
            };
            let typed = parameter
                .accept(&value)
                .map_err(|why| Failure::new(format!("parameter `{name}` {}", why.message)))?;
            params.insert(name.clone(), typed);
        }
        Ok(params)
    }

    // ---- events of a step -----------------------------------------------------------------------------------

    fn started(&self, standing: Standing<'_>, step: &Step) -> Result<(), Failure> {
        self.dispatcher.record(EventKind::StepStarted {
            at: standing.place(step),
            attempt: 1,
            effect: Effect::Read,
            input: Value::Null,
            before: Value::Null,
        })
    }

    pub(super) fn skip(&self, standing: Standing<'_>, step: &Step, reason: SkipReason) -> Record {
        if let StepBody::Group(inner) = &step.body
            && step.for_each.is_none()
        {
            let group = standing.frame.full_id(&step.id);
            for inner in inner {
                let reason = SkipReason::Group { group: group.clone(), reason: Box::new(reason.clone()) };
                let record = self.skip(standing, inner, reason);
                standing.frame.records.set(inner.id.as_str(), record);
            }
        }
        let kind = EventKind::StepSkipped { at: standing.place(step), reason };
        let _unwritten = self.dispatcher.record(kind);
        Record::ended(StepState::Skipped, Value::Null)
    }

    fn cancel(&self, standing: Standing<'_>, step: &Step, reason: &Reason) -> Record {
        if let StepBody::Group(inner) = &step.body
            && step.for_each.is_none()
        {
            for inner in inner {
                let record = self.cancel(standing, inner, reason);
                standing.frame.records.set(inner.id.as_str(), record);
            }
        }
        self.finish(standing, step, StepState::Cancelled, Value::Null, Some(cancelled(reason)))
    }

    pub(super) fn finish(
        &self,
        standing: Standing<'_>,
        step: &Step,
        state: StepState,
        output: Value,
        failure: Option<Failure>,
    ) -> Record {
        self.finish_after(standing, step, state, output, failure, Vec::new(), 0.0)
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one event, each of another kind")]
    pub(super) fn finish_after(
        &self,
        standing: Standing<'_>,
        step: &Step,
        state: StepState,
        output: Value,
        failure: Option<Failure>,
        warnings: Vec<String>,
        seconds: f64,
    ) -> Record {
        let shown =
            if step.secret && !output.is_null() { Value::from(Redactor::MASK) } else { output.clone() };
        let kind = EventKind::StepFinished {
            at: standing.place(step),
            state,
            output: shown,
            failure: failure.clone(),
            warnings,
            seconds,
        };
        let unwritten = self.dispatcher.record(kind).err();
        let failure = failure.or_else(|| unwritten.clone());
        let state =
            if unwritten.is_some() && state == StepState::Succeeded { StepState::Failed } else { state };
        Record { failure, ..Record::ended(state, output) }
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

fn reads_item(step: &Step) -> bool {
    step.when.iter().flat_map(|when| when.expression.reads()).any(|read| read.root == "item")
}

fn worse(one: StepState, other: StepState) -> StepState {
    let rank = |state: StepState| match state {
        StepState::Uncertain | StepState::Stuck => 3,
        StepState::Failed => 2,
        StepState::Cancelled => 1,
        _ => 0,
    };
    if rank(other) > rank(one) { other } else { one }
}

fn declined(id: &StepId) -> Failure {
    Failure::new(format!("`{id}` was declined")).stopped_by(crate::model::StoppedBy::Declined)
}

fn cancelled(reason: &Reason) -> Failure {
    let message = match reason {
        Reason::Failed(id) => format!("not started: `{id}` failed"),
        Reason::Uncertain(id) => format!("not started: `{id}` is uncertain"),
        Reason::Declined(id) => format!("not started: `{id}` was declined"),
        Reason::Ended(id, _) => format!("not started: `{id}` ended the run"),
        Reason::TimedOut => "not started: its group's timeout ran out".to_owned(),
        Reason::Interrupted => "not started: the run was interrupted".to_owned(),
        Reason::Journal => "not started: the journal cannot be written".to_owned(),
    };
    Failure::new(message)
}
