//! From events to a [`Report`]: the fold is `RunState`'s, this only arranges what it says.

use indexmap::IndexMap;
use serde_json::Value;

use super::{Answer, Finding, FindingLevel, Report, StepReport, count};
use crate::event::{Event, EventKind, IllegalTransition, Node, PinnedStep, Place, RunStarted, RunState};
use crate::model::{RunId, StepId, StepState};

impl Report {
    /// Sums up the events of one run, finished or not; transient ones are passed over.
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Self, IllegalTransition> {
        let mut state = RunState::default();
        let mut run = None;
        let mut paused = false;
        for event in events.into_iter().filter(|event| event.kind.is_durable()) {
            state.apply(event)?;
            run.get_or_insert(&event.run);
            paused = matches!(event.kind, EventKind::RunPaused { .. });
        }
        if !paused {
            // A later leg went on.
            state.paused = None;
        }
        match (run, &state.started) {
            (Some(run), Some(started)) => Ok(Self::arrange(run, started, &state)),
            _ => Err(IllegalTransition { seq: 0, what: "the run has not begun".to_owned() }),
        }
    }

    fn arrange(run: &RunId, started: &RunStarted, state: &RunState) -> Self {
        let steps = steps(started, state);
        Self {
            run: run.clone(),
            runbook: started.runbook.clone(),
            title: started.title.clone(),
            environment: started.environment.clone(),
            operator: started.operator.clone(),
            reason: started.reason.clone(),
            started_at: state.started_at,
            finished_at: state.outcome.and(state.last_at),
            seconds: seconds(state),
            state: word(state).to_owned(),
            outcome: state.outcome,
            exit_code: state.exit_code,
            paused: state.paused.clone(),
            parameters: started.parameters.clone(),
            connections: started.connections.clone(),
            outputs: state.outputs.clone(),
            counts: count(&steps).into_iter().map(|(state, count)| (state.to_owned(), count)).collect(),
            findings: steps.iter().flat_map(findings).collect(),
            steps,
        }
    }
}

fn word(state: &RunState) -> &'static str {
    match (state.outcome, &state.paused) {
        (Some(outcome), _) => outcome.as_str(),
        (None, Some(_)) => "paused",
        (None, None) => "unfinished",
    }
}

fn seconds(state: &RunState) -> f64 {
    match (state.outcome, state.started_at, state.last_at) {
        (None, Some(from), Some(to)) => to.duration_since(from).as_secs_f64(),
        _ => state.seconds,
    }
}

fn steps(started: &RunStarted, state: &RunState) -> Vec<StepReport> {
    let pinned: IndexMap<&StepId, &PinnedStep> = started.steps.iter().map(|step| (&step.id, step)).collect();
    let mut steps: IndexMap<&StepId, StepReport> = IndexMap::new();
    for (place, node) in &state.nodes {
        let plan = pinned.get(&place.step).copied();
        let entry = steps
            .entry(&place.step)
            .or_insert_with(|| step(&Place::step(&place.step), &Node::default(), plan));
        if place.key.is_some() {
            entry.children.push(step(place, node, plan));
        } else {
            // A step can be heard of after its children, so it keeps them.
            let children = std::mem::take(&mut entry.children);
            *entry = StepReport { children, ..step(place, node, plan) };
        }
    }
    steps.into_values().collect()
}

fn step(place: &Place, node: &Node, plan: Option<&PinnedStep>) -> StepReport {
    StepReport {
        id: place.step.clone(),
        key: place.key.clone(),
        title: plan.map(|plan| plan.title.clone()).unwrap_or_default(),
        kind: plan.map(|plan| plan.kind.clone()).unwrap_or_default(),
        effect: node.effect,
        state: node.state,
        attempts: node.attempts,
        seconds: node.seconds,
        started_at: node.started_at,
        finished_at: node.finished_at,
        failure: node.failure.clone(),
        warnings: node.warnings.clone(),
        skipped: node.skipped.clone(),
        answer: node.answer.clone().map(|(answer, by)| Answer { answer, by }),
        input: node.input.clone(),
        output: node.output.clone(),
        show: plan.is_some_and(|plan| plan.show),
        children: Vec::new(),
    }
}

fn findings(step: &StepReport) -> Vec<Finding> {
    let found = |level, message: &str| Finding {
        step: step.id.clone(),
        key: step.key.clone(),
        level,
        message: message.to_owned(),
    };
    let mut findings: Vec<Finding> =
        step.warnings.iter().map(|warning| found(FindingLevel::Warning, warning)).collect();
    if step.state == StepState::Failed && step.kind == "assert" {
        findings.extend(step.failure.as_ref().map(|failure| found(FindingLevel::Failure, &failure.message)));
    } else if step.warnings.is_empty() && step.output.get("passed") == Some(&Value::Bool(false)) {
        let message =
            step.output.get("message").and_then(Value::as_str).unwrap_or("the assert does not hold");
        findings.push(found(FindingLevel::Warning, message));
    }
    findings.extend(step.children.iter().flat_map(self::findings));
    findings
}
