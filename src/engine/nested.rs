//! Steps inside a step: groups, and included runbooks in frames of their own.

use std::sync::PoisonError;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::ending::cancelled;
use super::halt::{Halt, Reason};
use super::scheduler::{Scheduler, Standing};
use super::whole::grace;
use crate::model::{Failure, StepId, StepState};
use crate::plan::{Frame, Record};
use crate::runbook::{Include, Step};

impl Scheduler<'_, '_> {
    /// Runs the steps of a group in order; with a list, once for each item.
    pub(super) async fn group(
        &self,
        standing: Standing<'_>,
        step: &Step,
        inner: &[Step],
        halt: &Halt,
    ) -> Record {
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

    pub(super) fn end_group(
        &self,
        standing: Standing<'_>,
        step: &Step,
        (state, failure): (StepState, Option<Failure>),
        began: jiff::Timestamp,
    ) -> Record {
        let seconds = self.dispatcher.now().duration_since(began).as_secs_f64();
        self.finish_after(standing, step, state, Value::Null, failure, &[], seconds)
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

    pub(super) fn group_time(
        &self,
        standing: Standing<'_>,
        group: &Step,
    ) -> Result<Option<Duration>, Failure> {
        let Some(timeout) = &group.timeout else { return Ok(None) };
        let scope = standing.frame.scope(group, standing.item, self.dispatcher.now());
        let binder = standing.frame.binder(&scope, self.redactor);
        let seconds = binder.seconds(timeout).map_err(crate::step::BindError::into_failure)?;
        Ok(Some(Duration::from_secs_f64(seconds)))
    }

    /// Runs an included runbook in a frame of its own.
    pub(super) async fn include(
        &self,
        standing: Standing<'_>,
        step: &Step,
        include: &Include,
        halt: &Halt,
    ) -> Record {
        if step.for_each.is_some() {
            return Box::pin(self.each(standing, step, halt)).await;
        }
        let began = self.dispatcher.now();
        if let Err(failure) = self.started(standing, step) {
            return self.finish(standing, step, StepState::Failed, Value::Null, Some(failure));
        }
        let (state, output, failure) = self.included(standing, step, include, halt).await;
        let seconds = self.dispatcher.now().duration_since(began).as_secs_f64();
        self.finish_after(standing, step, state, output, failure, &[], seconds)
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
        if self.resumed {
            self.remember(&inner);
        }
        let own = halt.within();
        tokio::select! {
            () = self.list(&inner, &include.runbook.steps, &own) => {}
            () = own.relay(halt, grace(&inner), None) => {}
        }
        own.pass_on(halt);
        self.join(Some(inner.clone()));
        let worst =
            include.runbook.steps.iter().filter_map(|step| inner.records.get(step.id.as_str())?.state);
        let state = worst.fold(StepState::Succeeded, worse);
        let failure = (state != StepState::Succeeded).then(|| match own.own_reason() {
            Some(Reason::Declined(id)) => declined(&id),
            _ => Failure::new(format!("`{}` did not succeed", include.runbook.name)),
        });
        (state, json!({ "outputs": self.outputs(&inner) }), failure)
    }

    /// The `finally` of a runbook that ran joins the run's.
    pub(super) fn join(&self, frame: Option<Frame>) {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).extend(frame);
    }

    pub(super) fn include_params(
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
}

pub(super) fn worse(one: StepState, other: StepState) -> StepState {
    let rank = |state: StepState| match state {
        StepState::Uncertain | StepState::Stuck => 3,
        StepState::Failed => 2,
        StepState::Cancelled => 1,
        _ => 0,
    };
    if rank(other) > rank(one) { other } else { one }
}

pub(super) fn declined(id: &StepId) -> Failure {
    Failure::new(format!("`{id}` was declined")).stopped_by(crate::model::StoppedBy::Declined)
}
