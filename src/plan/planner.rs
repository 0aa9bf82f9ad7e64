//! Walks the steps in the order they would run, with what is known so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::frame::{Frame, Surroundings};
use super::preflight::Preflight;
use super::reach::{absent_connection, run_order, unknown_reads, used_steps};
use super::records::Record;
use super::rights::{self, Asked};
use super::undo;
use super::{Condition, Knowledge, Plan, PlannedChild, PlannedEdge, PlannedStep, PlannedTarget};
use crate::connect::Connections;
use crate::model::{Certainty, Class, Effect, Redactor, StepId, StepState, format_duration};
use crate::runbook::{OnError, OnFailurePolicy, Runbook, Step, StepBody};
use crate::step::{Body, ConfirmSpec, Input};
use crate::template::Scope;

/// What a plan is made from.
pub struct PlanRequest<'a> {
    /// The runbook.
    pub runbook: Arc<Runbook>,
    /// The parameters.
    pub params: Map<String, Value>,
    /// The environment's name of each connection that is present.
    pub connections: BTreeMap<String, String>,
    /// What is known beside the runbook.
    pub surroundings: Surroundings,
    /// The live connections; nothing for an offline plan.
    pub live: Option<&'a Connections>,
    /// What the preflight found; empty for an offline plan.
    pub preflight: Preflight,
    /// Reads whose estimated cost is above this are not run.
    pub cost_limit: f64,
    /// The time, for `now()`.
    pub now: Timestamp,
    /// How long each step took last time.
    pub durations: BTreeMap<StepId, f64>,
    /// Learns the secrets that templates make.
    pub redactor: &'a Redactor,
    /// Steps that the operator excluded.
    pub skip: &'a [String],
}

/// Makes a plan.
pub async fn plan(request: PlanRequest<'_>) -> Plan {
    let (mut steps, asked) = walk(&request).await;
    if let Some(connections) = request.live {
        for missing in rights::missing(asked, connections).await {
            for step in steps.iter_mut().filter(|step| missing.steps.contains(&step.id)) {
                step.blockers.push(missing.blocker());
            }
        }
    }
    Plan {
        runbook: request.runbook.name.clone(),
        title: request.runbook.title.clone(),
        environment: request.surroundings.run.get("environment").and_then(Value::as_str).map(str::to_owned),
        offline: request.live.is_none(),
        parameters: masked(&request.runbook, &request.params),
        targets: request
            .preflight
            .targets
            .iter()
            .map(|target| PlannedTarget {
                name: target.name.clone(),
                kind: target.kind.to_owned(),
                target: target.target.clone(),
            })
            .collect(),
        problems: request.preflight.problems.clone(),
        rolls_back: request.runbook.defaults.on_failure == OnFailurePolicy::Rollback,
        steps,
    }
}

/// Plans the steps, and gathers the rights that they need.
pub(super) async fn walk(request: &PlanRequest<'_>) -> (Vec<PlannedStep>, Vec<Asked>) {
    let surroundings = Arc::new(Surroundings {
        connections: request.preflight.by_connection(&request.connections),
        ..request.surroundings.clone()
    });
    let frame = Frame::new(
        Arc::clone(&request.runbook),
        request.params.clone(),
        request.connections.clone(),
        surroundings,
        None,
    );
    let mut planner = Planner { request, steps: Vec::new(), asked: Vec::new(), depth: 0 };
    planner.list(&frame, &request.runbook.steps, true).await;
    (planner.steps, planner.asked)
}

fn masked(runbook: &Runbook, params: &Map<String, Value>) -> Map<String, Value> {
    let mask = |(name, value): (&String, &Value)| {
        let secret = runbook.params.get(name).is_some_and(|parameter| parameter.secret);
        (name.clone(), if secret { Value::from(Redactor::MASK) } else { value.clone() })
    };
    params.iter().map(mask).collect()
}

pub(super) struct Planner<'a, 'r> {
    pub(super) request: &'a PlanRequest<'r>,
    steps: Vec<PlannedStep>,
    asked: Vec<Asked>,
    depth: usize,
}

/// What is known of a step after it was planned.
struct Outcome {
    record: Record,
    /// Whether it and everything before it only reads.
    clean: bool,
}

impl Planner<'_, '_> {
    /// Plans a list. `clean` tells that everything before it only reads; returns whether it stays so.
    fn list<'f>(&'f mut self, frame: &'f Frame, steps: &'f [Step], clean: bool) -> BoxFuture<'f, bool> {
        Box::pin(async move {
            let used = used_steps(frame, steps);
            let mut clean_after: Vec<bool> = vec![clean; steps.len()];
            let mut planned: Vec<Vec<PlannedStep>> = vec![Vec::new(); steps.len()];
            for index in run_order(steps) {
                let step = &steps[index];
                let before = clean && step.parents.iter().all(|edge| clean_after[edge.parent]);
                let own = std::mem::take(&mut self.steps);
                let outcome = self.step(frame, steps, step, before, used.contains(step.id.as_str())).await;
                planned[index] = std::mem::replace(&mut self.steps, own);
                clean_after[index] = before && outcome.clean;
                frame.records.set(step.id.as_str(), outcome.record);
            }
            self.steps.extend(planned.into_iter().flatten());
            clean_after.into_iter().all(|clean| clean)
        })
    }

    async fn step(&mut self, frame: &Frame, list: &[Step], step: &Step, clean: bool, used: bool) -> Outcome {
        let scope = frame.scope(step, None, self.request.now);
        let mut planned = self.blank(frame, list, step);
        if let Some(because) = self.skipped(frame, step, &scope, &mut planned) {
            planned.knowledge = Knowledge::Skipped { because };
            self.steps.push(planned);
            return Outcome { record: Record::ended(StepState::Skipped, Value::Null), clean: true };
        }
        match &step.body {
            StepBody::Group(inner) => self.group(frame, step, inner, planned, clean).await,
            StepBody::Include(_) => self.include(frame, step, planned, scope, clean).await,
            StepBody::Kind(body, _) => {
                let record = self.kind(frame, step, body.as_ref(), &mut planned, &scope, clean && used).await;
                let clean =
                    planned.class.effect == Effect::Read && planned.class.certainty == Certainty::Known;
                self.steps.push(planned);
                Outcome { record, clean }
            }
        }
    }

    fn blank(&self, frame: &Frame, list: &[Step], step: &Step) -> PlannedStep {
        let id = frame.full_id(&step.id);
        let parents = step
            .parents
            .iter()
            .map(|edge| PlannedEdge {
                step: frame.full_id(&list[edge.parent].id),
                because: edge.reason.as_str(),
            })
            .collect();
        let duration = self
            .request
            .durations
            .get(&id)
            .map(|seconds| format!("took {} last time", format_duration(*seconds)));
        let gate = gate(step);
        PlannedStep {
            kind: step.kind().to_owned(),
            title: step.heading(),
            depth: self.depth,
            class: step.class.clone(),
            knowledge: Knowledge::Exactly,
            parents,
            conditions: Vec::new(),
            lines: match &step.body {
                StepBody::Kind(body, _) => body.template_lines(),
                _ => Vec::new(),
            },
            children: None,
            locks: Vec::new(),
            facts: duration.into_iter().collect(),
            blockers: Vec::new(),
            undo: undo::planned(frame, step, self.request.now, self.request.redactor),
            gate: gate.is_some(),
            answer: gate.filter(|gate| !gate.has_unattended()).map(ConfirmSpec::answer_hint),
            show: step.attempts().is_some_and(|attempts| attempts.show.is_some()),
            id,
        }
    }

    /// Why a step is known to be skipped.
    fn skipped(
        &self,
        frame: &Frame,
        step: &Step,
        scope: &Scope,
        planned: &mut PlannedStep,
    ) -> Option<String> {
        if self.request.skip.iter().any(|id| *id == planned.id.as_str()) {
            return Some("excluded".to_owned());
        }
        if let Some(name) = absent_connection(frame, step) {
            return Some(format!("the environment has no connection `{name}`"));
        }
        let binder = frame.binder(scope, self.request.redactor);
        for when in &step.when {
            let computed = frame.compute_variables(when.expression.reads().iter(), &binder);
            let holds = computed.and_then(|_| binder.truth(when)).ok();
            planned.conditions.push(Condition { when: when.source().to_owned(), holds });
            if holds == Some(false) {
                return Some(format!("`when: {}` is false", when.source()));
            }
        }
        None
    }

    async fn group(
        &mut self,
        frame: &Frame,
        step: &Step,
        inner: &[Step],
        mut planned: PlannedStep,
        clean: bool,
    ) -> Outcome {
        if step.for_each.is_some() {
            planned.knowledge =
                Knowledge::CannotTell { because: "its steps run once for each item".to_owned() };
        }
        self.steps.push(planned);
        self.depth += 1;
        let inside = if step.for_each.is_some() { frame.fork() } else { frame.clone() };
        let stays = self.list(&inside, inner, clean).await;
        self.depth -= 1;
        Outcome { record: Record::unknown(), clean: stays }
    }

    async fn include(
        &mut self,
        frame: &Frame,
        step: &Step,
        mut planned: PlannedStep,
        scope: Scope,
        clean: bool,
    ) -> Outcome {
        let StepBody::Include(include) = &step.body else {
            return Outcome { record: Record::unknown(), clean };
        };
        let binder = frame.binder(&scope, self.request.redactor);
        let waits = unknown_reads(frame, step);
        let mut params = Map::new();
        for (name, parameter) in &include.runbook.params {
            let given = include.params.get(name).map(|value| binder.json(value));
            let value = match given {
                Some(Ok(value)) => parameter.accept(&value),
                Some(Err(_)) => continue,
                None => {
                    parameter.default.as_ref().map_or(Ok(Value::Null), |default| parameter.accept(default))
                }
            };
            match value {
                Ok(value) => drop(params.insert(name.clone(), value)),
                Err(unsuitable) => {
                    planned.blockers.push(format!("parameter `{name}`: {}", unsuitable.message));
                }
            }
        }
        if !waits.is_empty() {
            planned.knowledge = Knowledge::After { steps: waits };
        } else if step.for_each.is_some() {
            let because = "its steps run once for each item".to_owned();
            planned.knowledge = Knowledge::CannotTell { because };
        }
        self.steps.push(planned);
        self.depth += 1;
        let inside = frame.include(include, params, &step.id, None);
        let stays = self.list(&inside, &include.runbook.steps, clean).await;
        self.depth -= 1;
        Outcome { record: Record::unknown(), clean: stays }
    }

    async fn kind(
        &mut self,
        frame: &Frame,
        step: &Step,
        body: &dyn Body,
        planned: &mut PlannedStep,
        scope: &Scope,
        may_read: bool,
    ) -> Record {
        if body.kind() == "exec" {
            planned.knowledge = Knowledge::CannotTell { because: "no plan runs a program".to_owned() };
        }
        let waits = unknown_reads(frame, step);
        if !waits.is_empty() {
            planned.knowledge = Knowledge::After { steps: waits };
            return Record::unknown();
        }
        if step.for_each.is_some() {
            self.children(frame, step, body, planned, scope);
            return Record::unknown();
        }
        let binder = frame.binder(scope, self.request.redactor);
        let reads = step.reads.iter().map(|placed| &placed.read);
        let bound = frame.compute_variables(reads, &binder).and_then(|_| body.bind(&binder));
        let input = match bound {
            Ok(input) => input,
            Err(error) => {
                self.unbound(planned, &error.message);
                return Record::unknown();
            }
        };
        describe(planned, input.as_ref(), &step.class);
        self.ask(frame, step, &planned.id, input.as_ref());
        self.look(step, planned, input.as_ref(), may_read).await
    }

    /// Gathers the rights that a step and its undo need; the run goes on without a step whose failure it may survive.
    fn ask(&mut self, frame: &Frame, step: &Step, id: &StepId, input: &dyn Input) {
        if step.on_error == OnError::Stop {
            self.asked.extend(input.rights().into_iter().map(|needed| (id.clone(), needed)));
        }
        let undo = undo::rights(frame, step, input, self.request.now, self.request.redactor);
        self.asked.extend(undo.into_iter().map(|needed| (id.clone(), needed)));
    }

    fn children(
        &mut self,
        frame: &Frame,
        step: &Step,
        body: &dyn Body,
        planned: &mut PlannedStep,
        scope: &Scope,
    ) {
        let Some(for_each) = &step.for_each else { return };
        let binder = frame.binder(scope, self.request.redactor);
        let list = match binder.value(&for_each.list) {
            Ok(Value::Array(list)) => list,
            Ok(other) => return self.unbound(planned, &format!("`{other}` is not a list")),
            Err(error) => return self.unbound(planned, &error.message),
        };
        let mut children = Vec::new();
        for item in &list {
            let scope = frame.scope(step, Some(item), self.request.now);
            let binder = frame.binder(&scope, self.request.redactor);
            let key = for_each.key.as_ref().map(|key| binder.value(key)).transpose();
            let key = key.ok().flatten().unwrap_or_else(|| item.clone());
            let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            match body.bind(&binder) {
                Ok(input) => {
                    describe(planned, input.as_ref(), &step.class);
                    self.ask(frame, step, &planned.id, input.as_ref());
                    children.push(PlannedChild { key, lines: input.lines() });
                }
                Err(error) => planned.blockers.push(format!("{key}: {}", error.message)),
            }
        }
        planned.lines = body.template_lines();
        planned.children = Some(children);
    }

    fn unbound(&self, planned: &mut PlannedStep, message: &str) {
        if self.request.live.is_some() {
            planned.blockers.push(message.to_owned());
        }
        planned.knowledge = Knowledge::CannotTell { because: message.to_owned() };
    }
}

/// What will be sent, and what it locks.
fn describe(planned: &mut PlannedStep, input: &dyn Input, class: &Class) {
    planned.lines = input.lines();
    for lock in input.locks() {
        if !planned.locks.contains(&lock) {
            planned.locks.push(lock);
        }
    }
    let bound = input.classify();
    if bound.exceeds(class) {
        planned.blockers.push(format!(
            "bound, the step is known to {}, and it was planned to {}",
            bound.effect.as_str(),
            class.effect.as_str()
        ));
    }
}

fn gate(step: &Step) -> Option<&ConfirmSpec> {
    match &step.body {
        StepBody::Kind(body, _) => body.as_any().downcast_ref::<ConfirmSpec>(),
        _ => None,
    }
}
