//! One attempt: its intent is recorded, it runs against its deadline, side checks and stop signals watch it.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::dispatcher::StepReporter;
use super::halt::Halt;
use super::scheduler::{Scheduler, Standing};
use crate::connect::Purpose;
use crate::event::{EventKind, Place};
use crate::model::{Effect, Failure, StoppedBy};
use crate::plan::this;
use crate::runbook::{AbortWhen, Attempts, OnTimeout, Step, Until};
use crate::step::templated::{Expr, SqlText};
use crate::step::{BindError, Binder, Done, Input, RunContext, StepError, StepEvents as _, StopSignal};
use crate::template::Scope;

/// How long the last poll of an `until` may take when its time is over already.
const LAST_POLL: f64 = 1.0;

/// An attempt of a step or a child.
pub(super) struct Attempt<'a, 's, 'd> {
    pub(super) scheduler: &'a Scheduler<'s, 'd>,
    pub(super) standing: Standing<'a>,
    pub(super) step: &'a Step,
    pub(super) attempts: &'a Attempts,
    pub(super) input: &'a dyn Input,
    pub(super) scope: &'a Scope,
    pub(super) halt: &'a Halt,
    /// What `now()` is in the step.
    pub(super) now: jiff::Timestamp,
}

/// What an attempt may take.
pub(super) struct Effort {
    pub(super) effect: Effect,
    pub(super) timeout: Option<Duration>,
}

impl Effort {
    /// The same, within some seconds at most.
    fn at_most(&self, seconds: Option<f64>) -> Self {
        let seconds = seconds.map(Duration::from_secs_f64);
        let timeout = self.timeout.into_iter().chain(seconds).min();
        Self { effect: self.effect, timeout }
    }
}

impl Attempt<'_, '_, '_> {
    /// Records the intent. The first one is stamped with the step's own `now()`, so that another leg has the same.
    pub(super) fn start(&self, attempt: u32, effort: &Effort) -> Result<(), StepError> {
        let started = |input| EventKind::StepStarted {
            at: self.standing.place(self.step),
            attempt,
            effect: effort.effect,
            input,
            before: Value::Null,
        };
        let now = if attempt == 1 { self.now } else { self.scheduler.dispatcher.now() };
        let (whole, shown) = (started(self.input.to_json()), self.input.shown().map(started));
        self.scheduler.dispatcher.record_at(now, whole, shown).map_err(StepError::Failed)
    }

    pub(super) fn binder<'b>(&'b self, scope: &'b Scope) -> Binder<'b> {
        self.standing.frame.binder(scope, self.scheduler.redactor)
    }

    /// Runs once, or with `until` again and again.
    pub(super) async fn polled(&self, number: u32, effort: &Effort) -> Result<Done<Value>, StepError> {
        match &self.attempts.until {
            None => self.once(effort).await,
            Some(until) => self.until(until, number, effort).await,
        }
    }

    async fn until(&self, until: &Until, number: u32, effort: &Effort) -> Result<Done<Value>, StepError> {
        let binder = self.binder(self.scope);
        let seconds = |value| binder.seconds(value).map_err(|error| StepError::Failed(error.into_failure()));
        let (every, hold) = (seconds(&until.every)?, seconds(&until.hold)?);
        let limit = until.timeout.as_ref().map(seconds).transpose()?;
        let clock = self.scheduler.dispatcher.clock();
        let passed = |since: Instant| clock.instant().duration_since(since).as_secs_f64();
        let began = clock.instant();
        let mut held_since = None;
        loop {
            let left = limit.map(|limit| (limit - passed(began)).max(LAST_POLL));
            let mut done = self.once(&effort.at_most(left)).await?;
            if self.holds(&until.that, &done.output, number)? {
                let since = *held_since.get_or_insert_with(|| clock.instant());
                if passed(since) >= hold {
                    return Ok(done);
                }
            } else {
                held_since = None;
            }
            let left = limit.map(|limit| limit - passed(began));
            if left.is_some_and(|left| left <= 0.0) {
                let message = format!("`{}` did not come to hold in time", until.that.source());
                if until.on_timeout == OnTimeout::Continue {
                    done.warnings.push(message);
                    return Ok(done);
                }
                return Err(Failure::new(message).stopped_by(StoppedBy::Timeout).into());
            }
            let place = self.standing.place(self.step);
            let reporter = StepReporter::new(self.scheduler.dispatcher, &place);
            reporter.progress("waiting", None, Some(format!("until {}", until.that.source())));
            // The last look is at the very end.
            self.pause(left.map_or(every, |left| every.min(left))).await?;
        }
    }

    fn holds(&self, that: &Expr, output: &Value, number: u32) -> Result<bool, StepError> {
        let seen = self.scope.clone().with_value("this", this(output, &self.input.to_json(), None, number));
        self.binder(&seen).truth(that).map_err(|error| StepError::Failed(error.into_failure()))
    }

    /// Runs against the deadline. A stop signal or a breached side check is passed on, and then the end is waited for.
    async fn once(&self, effort: &Effort) -> Result<Done<Value>, StepError> {
        let stop = StopSignal::default();
        let place = self.standing.place(self.step);
        let name = self.application_name(&place);
        let reporter = StepReporter::new(self.scheduler.dispatcher, &place);
        let cx = RunContext {
            effect: effort.effect,
            deadline: effort.timeout.map(|timeout| Instant::now() + timeout),
            ..self.context(&place, &name, &reporter, &stop)
        };
        let mut running = std::pin::pin!(self.scheduler.outside.run(self.step, self.input, &cx));
        let mut outside = std::pin::pin!(self.halt.stop.raised());
        let mut breach = std::pin::pin!(self.watch_breach());
        let (mut told, mut breached) = (false, None);
        loop {
            tokio::select! {
                biased;
                ended = &mut running => return ended.map_err(|error| explain(error, breached.as_deref())),
                by = &mut outside, if !told => {
                    told = true;
                    stop.raise(by);
                }
                message = &mut breach, if breached.is_none() => {
                    breached = Some(message);
                    stop.raise(StoppedBy::AbortWhen);
                }
            }
        }
    }

    /// What the step may use, with what it was planned to do and without a deadline.
    pub(super) fn context<'c>(
        &'c self,
        place: &'c Place,
        application_name: &'c str,
        events: &'c StepReporter<'c, '_>,
        stop: &'c StopSignal,
    ) -> RunContext<'c> {
        RunContext {
            place,
            effect: self.step.class.effect,
            purpose: Purpose::Steps,
            connections: self.scheduler.connections,
            application_name,
            events,
            gate: &self.scheduler.gate,
            deadline: None,
            stop,
            files: self.scheduler.files,
        }
    }

    /// Names run, runbook and step to whoever looks at the server's sessions; cut to what the server keeps.
    pub(super) fn application_name(&self, place: &Place) -> String {
        let run = self
            .scheduler
            .dispatcher
            .state(|state| state.started.as_ref().map(|started| started.runbook.clone()));
        let name = format!(
            "runbook:{}:{}:{}",
            run.as_deref().unwrap_or(&self.scheduler.root.runbook.name),
            self.scheduler.dispatcher.run_id(),
            place.step
        );
        let end =
            name.char_indices().map(|(index, c)| index + c.len_utf8()).take_while(|end| *end <= 63).last();
        name[..end.unwrap_or(0)].to_owned()
    }

    async fn watch_breach(&self) -> String {
        let Some(abort) = &self.attempts.abort_when else { return std::future::pending().await };
        let binder = self.binder(self.scope);
        let every = binder.seconds(&abort.every).unwrap_or(5.0);
        loop {
            tokio::time::sleep(Duration::from_secs_f64(every)).await;
            match self.breached(abort).await {
                Ok(false) => {}
                Ok(true) => return format!("`{}` was breached", abort.that.source()),
                Err(failure) => {
                    let message =
                        format!("the side check of `{}` cannot be asked: {}", self.step.id, failure.message);
                    self.scheduler.dispatcher.tell(EventKind::Remarked { message });
                    return std::future::pending().await;
                }
            }
        }
    }

    async fn breached(&self, abort: &AbortWhen) -> Result<bool, Failure> {
        let answer = self.ask(&abort.sql, abort.connection.as_deref()).await?;
        let seen = self.scope.clone().with_value("this", answer);
        self.binder(&seen).truth(&abort.that).map_err(BindError::into_failure)
    }

    /// Asks `verify`: whether the step took effect; nothing when there is no `verify`.
    pub(super) async fn verified(&self) -> Result<Option<bool>, StepError> {
        let Some(verify) = &self.attempts.verify else { return Ok(None) };
        let answer = match &verify.sql {
            Some(sql) => self.ask(sql, verify.connection.as_deref()).await.map_err(StepError::Failed)?,
            None => this(&Value::Null, &self.input.to_json(), None, 1),
        };
        let seen = self.scope.clone().with_value("this", answer);
        self.binder(&seen)
            .truth(&verify.that)
            .map(Some)
            .map_err(|error| StepError::Failed(error.into_failure()))
    }

    /// Asks a side question, of which the last statement's rows are the answer.
    async fn ask(&self, sql: &SqlText, connection: Option<&str>) -> Result<Value, Failure> {
        let binder = self.binder(self.scope);
        let connection = binder.connection(connection).map_err(BindError::into_failure)?;
        let statements = binder.sql(sql).map_err(BindError::into_failure)?;
        let statements: Vec<String> = statements.into_iter().map(|statement| statement.text).collect();
        let place = self.standing.place(self.step);
        let name = self.application_name(&place);
        let reporter = StepReporter::new(self.scheduler.dispatcher, &place);
        let stop = StopSignal::default();
        let cx = self.context(&place, &name, &reporter, &stop);
        let rows = self.scheduler.outside.ask(&connection, &statements, &cx).await?;
        Ok(this(&serde_json::json!({ "rows": rows }), &Value::Null, None, 1))
    }

    /// Waits between attempts and polls; a stop signal ends the wait.
    pub(super) async fn pause(&self, seconds: f64) -> Result<(), StepError> {
        tokio::select! {
            () = self.scheduler.dispatcher.clock().wait(Duration::from_secs_f64(seconds)) => Ok(()),
            by = self.halt.stop.raised() => Err(StepError::stopped(by, "stopped while it waited for its next attempt")),
        }
    }
}

/// A cancel that a side check asked for says so.
fn explain(error: StepError, breach: Option<&str>) -> StepError {
    match breach {
        Some(message) if error.failure().stopped_by == Some(StoppedBy::AbortWhen) => {
            error.map(|failure| Failure { message: format!("cancelled: {message}"), ..failure })
        }
        _ => error,
    }
}
