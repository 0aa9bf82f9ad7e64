//! [`CannedResults`]: what lies beyond the engine in a trial. Nothing is sent; what would have been is kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use indexmap::IndexMap;
use serde_json::{Value, json};

use super::fault::Fault;
use super::fixture::{Canned, Case};
use super::result::{done, error, example};
use super::verdict::Missing;
use crate::engine::Outside;
use crate::event::Place;
use crate::model::{Effect, Failure};
use crate::runbook::{Step, StepBody};
use crate::step::{Done, Happened, Input, RunContext, Settled, StepError};

/// Answers for every system.
pub(super) struct CannedResults<'a> {
    case: &'a Case,
    fault: Option<&'a Fault>,
    log: Mutex<Log>,
}

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct Log {
    times: HashMap<Place, usize>,
    /// The lines that would have been sent, by place.
    pub(super) sent: IndexMap<Place, Vec<String>>,
    /// The results that were not there.
    pub(super) missing: Vec<Missing>,
}

impl<'a> CannedResults<'a> {
    pub(super) fn new(case: &'a Case, fault: Option<&'a Fault>) -> Self {
        Self { case, fault, log: Mutex::default() }
    }

    /// What happened.
    pub(super) fn into_log(self) -> Log {
        self.log.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, change: impl FnOnce(&mut Log)) {
        change(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// How often a place has run before this time.
    fn count(&self, place: &Place) -> usize {
        let mut nth = 0;
        self.note(|log| {
            let times = log.times.entry(place.clone()).or_default();
            nth = *times;
            *times += 1;
        });
        nth
    }

    fn canned(&self, place: &Place, nth: usize) -> Option<&Canned> {
        let results = &self.case.steps;
        results.get(&place.to_string()).or_else(|| results.get(place.step.as_str()))?.at(nth)
    }

    async fn attempt(
        &self,
        step: &Step,
        input: &dyn Input,
        cx: &RunContext<'_>,
    ) -> Result<Done<Value>, StepError> {
        let nth = self.count(cx.place);
        match step.kind() {
            "assert" => input.run(cx).await,
            "confirm" => self.confirm(step, input, nth, cx).await,
            _ => self.system(step, input, nth, cx),
        }
    }

    /// A gate is asked as ever; the answers of the case were given beforehand.
    async fn confirm(
        &self,
        step: &Step,
        input: &dyn Input,
        nth: usize,
        cx: &RunContext<'_>,
    ) -> Result<Done<Value>, StepError> {
        let answered = input.run(cx).await;
        if answered.is_err() && self.canned(cx.place, nth).is_none() {
            self.miss(step, cx.place);
        }
        answered
    }

    fn system(
        &self,
        step: &Step,
        input: &dyn Input,
        nth: usize,
        cx: &RunContext<'_>,
    ) -> Result<Done<Value>, StepError> {
        self.note(|log| log.sent.entry(cx.place.clone()).or_default().extend(input.lines()));
        let canned = self.canned(cx.place, nth);
        // As in a run, what was there before is known before anything goes wrong.
        if let Some(before) = canned.and_then(|canned| canned.before.as_ref()) {
            cx.events.trace(json!({ "before": before }))?;
        }
        if let Some(error) = self.fault.and_then(|fault| fault.strike(cx.place, nth)) {
            return Err(error);
        }
        let Some(canned) = canned else {
            if cx.effect > Effect::Read {
                return Ok(done(step.kind(), &Canned::default()));
            }
            self.miss(step, cx.place);
            return Err(StepError::failed("the case has no result for it"));
        };
        error(canned).map_or_else(|| Ok(done(step.kind(), canned)), Err)
    }

    fn miss(&self, step: &Step, place: &Place) {
        let StepBody::Kind(body, _) = &step.body else { return };
        let example = example(place.step.as_str(), body.kind(), body.fields());
        self.note(|log| log.missing.push(Missing { step: place.to_string(), example }));
    }
}

impl Outside for CannedResults<'_> {
    fn run<'a>(
        &'a self,
        step: &'a Step,
        input: &'a dyn Input,
        cx: &'a RunContext<'a>,
    ) -> BoxFuture<'a, Result<Done<Value>, StepError>> {
        self.attempt(step, input, cx).boxed()
    }

    fn settle<'a>(
        &'a self,
        _: &'a dyn Input,
        _: &'a Happened<'a>,
        _: &'a RunContext<'a>,
    ) -> BoxFuture<'a, Settled> {
        std::future::ready(Settled::Unknown("a trial has nobody else to ask".to_owned())).boxed()
    }

    fn ask<'a>(
        &'a self,
        _: &'a str,
        _: &'a [String],
        cx: &'a RunContext<'a>,
    ) -> BoxFuture<'a, Result<Vec<Value>, Failure>> {
        let rows = self.canned(cx.place, 0).and_then(|canned| canned.verify.clone());
        let rows = rows.ok_or_else(|| Failure::new("the case has no `verify` for it"));
        std::future::ready(rows).boxed()
    }
}
