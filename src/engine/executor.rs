//! One step or child: its body is bound once, attempted as often as `retry` allows, and its end is recorded.

use std::time::Duration;

use serde_json::Value;

use super::attempt::{Attempt, Effort};
use super::ending::cancelled;
use super::halt::{Halt, Reason};
use super::scheduler::{Scheduler, Standing};
use crate::event::{EventKind, FailureChoice, Node};
use crate::model::{Applied, Effect, Failure, StepState, StoppedBy};
use crate::plan::{Record, this};
use crate::runbook::{Attempts, OnWarning, Retry, Show, Step, StepBody};
use crate::step::{BindError, Binder, Body, Done, Input, StepError};
use crate::template::Scope;

impl Scheduler<'_, '_> {
    /// A step of a kind: its children, or itself.
    pub(super) async fn kind(&self, standing: Standing<'_>, step: &Step, halt: &Halt) -> Record {
        if step.for_each.is_some() {
            self.each(standing, step, halt).await
        } else {
            self.attempts(standing, step, halt).await
        }
    }

    /// Attempts, and once more for as long as a person wants it.
    pub(super) async fn attempts(&self, standing: Standing<'_>, step: &Step, halt: &Halt) -> Record {
        loop {
            let record = Box::pin(self.bound(standing, step, halt)).await;
            if self.decide(standing, step, halt, &record).await != Some(FailureChoice::Retry) {
                return record;
            }
        }
    }

    /// Binds once and attempts until it succeeds or may not be repeated.
    async fn bound(&self, standing: Standing<'_>, step: &Step, halt: &Halt) -> Record {
        let StepBody::Kind(body, attempts) = &step.body else { return Record::unknown() };
        let Ok(_permit) = self.permits.acquire().await else { return Record::unknown() };
        let frame = standing.frame;
        let past = self.attempted(&standing.place(step));
        let now = past.as_ref().and_then(|node| node.started_at).unwrap_or_else(|| self.dispatcher.now());
        let scope = frame.scope(step, standing.item, now);
        let binder = frame.binder(&scope, self.redactor);
        let prepared = self.prepare(standing, step, body.as_ref(), &binder);
        let (input, effort) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => {
                return self.finish(standing, step, StepState::Failed, Value::Null, Some(failure));
            }
        };
        let input = input.as_ref();
        let attempt = Attempt { scheduler: self, standing, step, attempts, input, scope: &scope, halt, now };
        let began = self.dispatcher.now();
        let ended = match past {
            Some(node) if in_doubt(&node, &effort) => attempt.again(&node, &effort).await,
            past => attempt.until_final(past.map_or(1, |node| node.attempts + 1), &effort).await,
        };
        let ended = ended.and_then(|done| expectations(step, attempts, &scope, &binder, input, done));
        let seconds = self.dispatcher.now().duration_since(began).as_secs_f64();
        let record = self.conclude(standing, step, halt, ended, seconds);
        Record { input: input.to_json(), ..record }
    }

    pub(super) fn prepare(
        &self,
        standing: Standing<'_>,
        step: &Step,
        body: &dyn Body,
        binder: &Binder<'_>,
    ) -> Result<(Box<dyn Input>, Effort), Failure> {
        self.variables(standing.frame, step.reads.iter().map(|placed| &placed.read), binder)?;
        let input = body.bind(binder).map_err(BindError::into_failure)?;
        let bound = input.classify();
        if bound.exceeds(&step.class) {
            return Err(Failure::new(format!(
                "bound, this step is known to {}, and it was planned to {}",
                bound.effect.as_str(),
                step.class.effect.as_str()
            ))
            .help("Look at the values in it, or declare the higher `effect`."));
        }
        let defaults = &standing.frame.runbook.defaults;
        let timeout = step.timeout.as_ref().or(defaults.timeout.as_ref());
        let effort = Effort {
            effect: step.class.effect,
            timeout: binder
                .maybe_seconds(timeout.filter(|_| body.kind() != "confirm"))
                .map_err(BindError::into_failure)?
                .map(Duration::from_secs_f64),
        };
        Ok((input, effort))
    }

    pub(super) fn conclude(
        &self,
        standing: Standing<'_>,
        step: &Step,
        halt: &Halt,
        ended: Result<Done<Value>, StepError>,
        seconds: f64,
    ) -> Record {
        match ended {
            Ok(done) => {
                if let Some(message) = &done.ends_run {
                    halt.raise(Reason::Ended(standing.frame.full_id(&step.id), message.clone()));
                }
                self.finish_after(
                    standing,
                    step,
                    StepState::Succeeded,
                    done.output,
                    None,
                    &done.warnings,
                    seconds,
                )
            }
            Err(error) => {
                let state = match &error {
                    StepError::Failed(_) => StepState::Failed,
                    StepError::Uncertain(_) => StepState::Uncertain,
                    StepError::Cancelled(_) => StepState::Cancelled,
                };
                if error.failure().was_interrupted() {
                    halt.raise(Reason::Interrupted);
                }
                let failure = Some(error.failure().clone());
                self.finish_after(standing, step, state, Value::Null, failure, &[], seconds)
            }
        }
    }
}

/// What must hold of a success: no warnings where they are errors; and what is shown of it.
fn expectations(
    step: &Step,
    attempts: &Attempts,
    scope: &Scope,
    binder: &Binder<'_>,
    input: &dyn Input,
    mut done: Done<Value>,
) -> Result<Done<Value>, StepError> {
    match attempts.on_warning {
        OnWarning::Error if !done.warnings.is_empty() && step.kind() != "assert" => {
            let failure = Failure { details: done.warnings.clone(), ..Failure::new("the server warned") };
            return Err(StepError::Failed(failure.applied(Applied::Yes)));
        }
        OnWarning::Ignore => done.warnings.clear(),
        _ => {}
    }
    if let Some(Show::Expression(expr)) = &attempts.show {
        let seen = scope.clone().with_value("this", this(&done.output, &input.to_json(), None, 1));
        let binder = Binder { scope: &seen, ..*binder };
        let value = binder
            .value(expr)
            .map_err(|error| StepError::Failed(error.into_failure().applied(Applied::Yes)))?;
        if let Value::Object(output) = &mut done.output {
            output.insert("shown".to_owned(), value);
        }
    }
    Ok(done)
}

impl Attempt<'_, '_, '_> {
    /// Attempts until one succeeds, or another may not follow; `first` is the number of the first one.
    pub(super) async fn until_final(&self, first: u32, effort: &Effort) -> Result<Done<Value>, StepError> {
        let most = self.retry().map_or(1, |retry| retry.attempts.max(1)).saturating_add(first - 1);
        let mut number = first;
        self.halted()?;
        loop {
            self.start(number, effort)?;
            let error = match self.settled(number, effort).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if number >= most || !self.may_repeat(&error, number, effort) {
                return Err(error);
            }
            // A failure that left something is repeated only after asking whether it took effect after all.
            if let Some(true) = self.verified().await? {
                return Ok(Done::with(Value::Object(serde_json::Map::new())));
            }
            let wait = self.delay(number)?;
            self.failed_once(number, &error, wait)?;
            self.pause(wait).await?;
            number += 1;
        }
    }

    /// The run may have halted while this step waited for its turn.
    fn halted(&self) -> Result<(), StepError> {
        match self.halt.reason() {
            None | Some(Reason::Ended(..)) => Ok(()),
            Some(reason) => Err(StepError::Cancelled(cancelled(&reason))),
        }
    }

    /// One attempt; an uncertain end is settled.
    async fn settled(&self, number: u32, effort: &Effort) -> Result<Done<Value>, StepError> {
        match self.polled(number, effort).await {
            Err(StepError::Uncertain(failure)) => self.settle(failure).await,
            decided => decided,
        }
    }

    pub(super) fn retry(&self) -> Option<&Retry> {
        self.attempts.retry.as_ref().or(self.standing.frame.runbook.defaults.retry.as_ref())
    }

    fn may_repeat(&self, error: &StepError, number: u32, effort: &Effort) -> bool {
        let StepError::Failed(failure) = error else { return false };
        let stopped = matches!(failure.stopped_by, Some(StoppedBy::Neighbour | StoppedBy::Declined));
        if stopped || failure.was_interrupted() {
            return false;
        }
        let left_nothing = failure.applied == Applied::No || effort.effect == Effect::Read;
        if !left_nothing && !self.attempts.idempotent {
            return false;
        }
        let Some(when) = self.retry().and_then(|retry| retry.when.as_ref()) else { return true };
        let seen = self
            .scope
            .clone()
            .with_value("this", this(&Value::Null, &self.input.to_json(), Some(failure), number));
        self.binder(&seen).truth(when).unwrap_or(false)
    }

    fn delay(&self, number: u32) -> Result<f64, StepError> {
        let Some(retry) = self.retry() else { return Ok(0.0) };
        let binder = self.binder(self.scope);
        let seconds = |value| binder.seconds(value).map_err(|error| StepError::Failed(error.into_failure()));
        Ok(retry.delay_after(number, seconds(&retry.delay)?, seconds(&retry.max_delay)?))
    }

    fn failed_once(&self, number: u32, error: &StepError, retry_in: f64) -> Result<(), StepError> {
        let at = self.standing.place(self.step);
        let kind =
            EventKind::AttemptFailed { at, attempt: number, failure: error.failure().clone(), retry_in };
        self.scheduler.dispatcher.record(kind).map_err(StepError::Failed)
    }
}

/// Whether an earlier leg left it open what became of an effect.
fn in_doubt(node: &Node, effort: &Effort) -> bool {
    let open = matches!(node.state, StepState::Running)
        || node.failure.as_ref().is_some_and(|failure| failure.applied == Applied::Unknown);
    open && effort.effect > Effect::Read
}
