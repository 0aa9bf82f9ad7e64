//! Looking at the targets: previews, expectations decided now, and reads whose answer somebody below uses.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;

use super::planner::Planner;
use super::records::Record;
use super::{Knowledge, PlannedStep};
use crate::connect::{Connections, Purpose, Question};
use crate::event::Place;
use crate::model::{Certainty, Effect, StepState};
use crate::runbook::Step;
use crate::step::{Gate, GateAnswer, Input, ReadContext, RunContext, StepError, StepEvents, StopSignal};

/// How long a read that a plan runs may take.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

impl Planner<'_, '_> {
    /// Looks at the target; runs the step when it is a read whose answer somebody below uses.
    pub(super) async fn look(
        &self,
        step: &Step,
        planned: &mut PlannedStep,
        input: &dyn Input,
        may_read: bool,
    ) -> Record {
        if planned.kind == "confirm" {
            planned.knowledge = Knowledge::CannotTell { because: "a person decides".to_owned() };
            return Record::unknown();
        }
        if planned.kind == "assert" {
            return self.assertion(planned, input).await;
        }
        let Some(connections) = self.request.live else { return Record::unknown() };
        let cx = ReadContext { connections, cost_limit: self.request.cost_limit };
        let mut cost = 0.0;
        match input.preview(&cx).await {
            Ok(preview) => {
                planned.facts.extend(preview.facts);
                planned.blockers.extend(preview.blockers);
                cost = preview.cost;
            }
            Err(failure) => planned.facts.push(format!("not looked at: {}", failure.message)),
        }
        let known_read = step.class.effect == Effect::Read && step.class.certainty == Certainty::Known;
        if !may_read || !known_read || planned.kind != "sql" || !planned.blockers.is_empty() {
            return Record::unknown();
        }
        if cost > self.request.cost_limit {
            planned.facts.push(format!("not run in the plan: its estimated cost is {cost:.0}"));
            return Record::unknown();
        }
        match self.attempt(planned, input, Some(connections)).await {
            Ok(output) => {
                if let Some(count) = output.get("row_count") {
                    planned.facts.push(format!("returns {count} rows now"));
                }
                Record::ended(StepState::Succeeded, output)
            }
            Err(error) => {
                planned.blockers.push(error.failure().message.clone());
                Record::unknown()
            }
        }
    }

    pub(super) async fn assertion(&self, planned: &mut PlannedStep, input: &dyn Input) -> Record {
        let nothing = Connections::new(BTreeMap::new(), crate::model::ProcessEnvironment::default());
        match self.run(planned, input, &nothing).await {
            Ok(done) if done.ends_run.is_some() => {
                planned.facts.push("would end the run here".to_owned());
                Record::ended(StepState::Succeeded, done.output)
            }
            Ok(done) => {
                let verdict = if done.warnings.is_empty() { "holds now" } else { "would warn" };
                planned.facts.push(verdict.to_owned());
                Record::ended(StepState::Succeeded, done.output)
            }
            Err(error) => {
                planned.facts.push("would fail now".to_owned());
                planned.facts.push(error.failure().message.clone());
                Record::ended(StepState::Failed, Value::Null)
            }
        }
    }

    pub(super) async fn attempt(
        &self,
        planned: &PlannedStep,
        input: &dyn Input,
        connections: Option<&Connections>,
    ) -> Result<Value, StepError> {
        let Some(connections) = connections else { return Err(StepError::failed("no connection")) };
        self.run(planned, input, connections).await.map(|done| done.output)
    }

    pub(super) async fn run(
        &self,
        planned: &PlannedStep,
        input: &dyn Input,
        connections: &Connections,
    ) -> Result<crate::step::Done<Value>, StepError> {
        let place = Place::step(&planned.id);
        let (silence, stop) = (Silence, StopSignal::default());
        let cx = RunContext {
            place: &place,
            effect: Effect::Read,
            purpose: Purpose::Planning,
            connections,
            application_name: "runbook:plan",
            events: &silence,
            gate: &silence,
            deadline: Some(Instant::now() + READ_TIMEOUT),
            stop: &stop,
            files: Path::new("."),
        };
        input.run(&cx).await
    }
}

/// A plan tells nobody anything while it reads, and asks nobody.
pub(super) struct Silence;

impl StepEvents for Silence {
    fn progress(&self, _: &str, _: Option<f64>, _: Option<String>) {}
    fn blocked(&self, _: Vec<String>) {}
    fn noticed(&self, _: &str, _: &str) {}
    fn trace(&self, _: Value) -> Result<(), StepError> {
        Err(StepError::failed("a plan has no effects"))
    }
    fn trace_hiding(&self, _: Value, _: Value) -> Result<(), StepError> {
        Err(StepError::failed("a plan has no effects"))
    }
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
    fn sync_intent(&self) -> Result<(), StepError> {
        Err(StepError::failed("a plan has no effects"))
    }
}

impl Gate for Silence {
    fn answer<'a>(
        &'a self,
        _: &'a Place,
        _: &'a Question,
        _: bool,
        _: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<GateAnswer, StepError>> {
        Box::pin(std::future::ready(Err(StepError::failed("a plan asks nobody"))))
    }
}
