//! Compares what was declared with what came: of a case, and of a fault in it.

use serde_json::Value;

use super::fault::{Fault, Injury};
use super::fixture::{Expect, Faults};
use super::perform::Ran;
use super::steps::{Role, Steps};
use super::verdict::Difference;
use crate::event::{Node, Place, RunState, UndoMeans};
use crate::model::{Applied, Effect, RunOutcome, SkipReason, StepState};
use crate::step::TookEffect;

fn difference(what: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Difference {
    Difference { what: what.into(), expected: expected.into(), got: got.into() }
}

/// What of a case is not as expected.
pub(super) fn expected(expect: &Expect, ran: &Ran) -> Vec<Difference> {
    let mut found = Vec::new();
    if ran.outcome != expect.outcome {
        found.push(difference("outcome", expect.outcome.as_str(), with_reason(ran)));
    }
    for (id, state) in &expect.states {
        let got = node(&ran.state, id).map_or("pending".to_owned(), told);
        if !got.starts_with(state.as_str()) {
            found.push(difference(format!("states.{id}"), state.as_str(), got));
        }
    }
    for (name, value) in &expect.outputs {
        let got = ran.state.outputs.get(name).unwrap_or(&Value::Null);
        if got != value {
            found.push(difference(format!("outputs.{name}"), value.to_string(), got.to_string()));
        }
    }
    for (id, lines) in &expect.sent {
        let (lines, got) = (tidy(lines), tidy(&sent(ran, id)));
        if lines != got {
            found.push(difference(format!("sent.{id}"), lines.join("\n"), got.join("\n")));
        }
    }
    for (id, words) in &expect.says {
        let said = said(&ran.state, id);
        if !said.iter().any(|line| line.contains(words)) {
            let said = if said.is_empty() { "nothing".to_owned() } else { said.join("\n") };
            found.push(difference(format!("says.{id}"), words.clone(), said));
        }
    }
    found
}

/// What is wrong after a fault: with its undo, with the hooks, or with what the case declares.
pub(super) fn after(
    fault: &Fault,
    base: &Ran,
    ran: &Ran,
    steps: &Steps<'_>,
    wanted: &Faults,
) -> Vec<Difference> {
    let mut found = Vec::new();
    if fault.injury == Injury::Repeat && ran.state.nodes.get(&fault.at).is_some_and(|node| node.attempts > 1)
    {
        return same(base, ran, steps);
    }
    let hurt = ran.state.state(&fault.at);
    if hurt != StepState::Succeeded && ran.outcome == RunOutcome::Succeeded {
        found.push(difference("outcome", "anything but succeeded", ran.outcome.as_str()));
    }
    if fault.injury == Injury::Fail && hurt == StepState::RolledBack {
        found.push(difference(format!("undo of {}", fault.at), "nothing to undo", hurt.as_str()));
    }
    found.extend(failed_hooks(&ran.state, steps));
    found.extend(left_open(&ran.state, steps));
    found.extend(unfinished(&ran.state, fault.injury));
    // After a cut, how much is undone depends on what else needed the step.
    let declared = wanted.undone_after(&fault.at.to_string()).filter(|_| fault.injury == Injury::Fail);
    if let Some(declared) = declared {
        let undone = undone(&ran.state);
        if undone != declared {
            found.push(difference("undone", list(declared), list(&undone)));
        }
    }
    found
}

/// After a repeated attempt nothing may be other than without it.
fn same(base: &Ran, ran: &Ran, steps: &Steps<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    if base.outcome != ran.outcome {
        found.push(difference("outcome", base.outcome.as_str(), with_reason(ran)));
    }
    for (place, node) in &base.state.nodes {
        let now = ran.state.nodes.get(place);
        let main = steps.get(place.step.as_str()).is_some_and(|known| known.role == Role::Main);
        if main && now.is_none_or(|now| now.state != node.state) {
            let got = now.map_or("pending".to_owned(), told);
            found.push(difference(format!("states.{place}"), node.state.as_str(), got));
        }
    }
    found
}

/// Steps that undo or close must succeed whatever failed before them.
fn failed_hooks(state: &RunState, steps: &Steps<'_>) -> Vec<Difference> {
    let helps = |place: &Place| {
        place.is_hook() || steps.get(place.step.as_str()).is_some_and(|known| known.role == Role::Closing)
    };
    let failed = state.nodes.iter().filter(|(place, node)| helps(place) && node.state == StepState::Failed);
    failed.map(|(place, node)| difference(place.to_string(), "succeeded", told(node))).collect()
}

/// Effects whose undo the runbook leaves open, although something after them may fail.
fn left_open(state: &RunState, steps: &Steps<'_>) -> Vec<Difference> {
    let effects = state.nodes.iter().filter(|(_, node)| node.effect > Effect::Read && took_effect(node));
    let open = effects.filter_map(|(place, node)| {
        let known = steps.get(place.step.as_str()).filter(|known| known.role == Role::Main)?;
        let why = known.no_undo(&TookEffect {
            input: &node.input,
            before: node.known_before(),
            traces: &node.traces,
            output: &node.output,
        })?;
        Some(difference(format!("undo of {place}"), "declared under `rollback`", why))
    });
    open.collect()
}

fn took_effect(node: &Node) -> bool {
    let left = node.failure.as_ref().is_some_and(|failure| failure.applied != Applied::No);
    node.attempts > 0
        && match node.state {
            StepState::Succeeded | StepState::Uncertain | StepState::Stuck => true,
            StepState::Failed => left,
            _ => false,
        }
}

/// What was to be undone and was not. After a cut, what the cut step needed waits for a person as well.
fn unfinished(state: &RunState, injury: Injury) -> Vec<Difference> {
    let held = |place: &Place| {
        let began = format!("{}.rollback.", place.step);
        let ran = |hook: &Place| hook.key == place.key && hook.step.as_str().starts_with(&began);
        injury == Injury::Cut && !state.nodes.iter().any(|(hook, node)| ran(hook) && node.attempts > 0)
    };
    let mut found = Vec::new();
    for step in state.undo.iter().flatten() {
        let now = state.state(&step.at);
        let planned = matches!(step.means, UndoMeans::Hooks { .. } | UndoMeans::Auto);
        if planned && now != StepState::RolledBack && !held(&step.at) {
            let got = state.nodes.get(&step.at).map_or_else(|| now.as_str().to_owned(), told);
            found.push(difference(format!("undo of {}", step.at), "rolled_back", got));
        }
    }
    found
}

/// The steps that were undone, the last effect first.
fn undone(state: &RunState) -> Vec<String> {
    let mut undone: Vec<(&Place, &Node)> =
        state.nodes.iter().filter(|(_, node)| node.state == StepState::RolledBack).collect();
    undone.sort_by_key(|(_, node)| std::cmp::Reverse(node.began));
    undone.into_iter().map(|(place, _)| place.to_string()).collect()
}

fn list(ids: &[String]) -> String {
    if ids.is_empty() { "nothing".to_owned() } else { ids.join(", ") }
}

/// A node by its id, with or without the key of a child.
fn node<'s>(state: &'s RunState, id: &str) -> Option<&'s Node> {
    state.nodes.iter().find(|(place, _)| place.to_string() == id).map(|(_, node)| node)
}

/// The places an id means: itself, and its children.
fn meant(id: &str) -> impl Fn(&Place) -> bool + '_ {
    move |place| place.to_string() == id || place.step.as_str() == id
}

fn sent(ran: &Ran, id: &str) -> Vec<String> {
    let is_meant = meant(id);
    ran.sent.iter().filter(|(place, _)| is_meant(place)).flat_map(|(_, lines)| lines.clone()).collect()
}

/// Blank space is the author's own.
fn tidy(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The failures and warnings of a step and its children.
fn said(state: &RunState, id: &str) -> Vec<String> {
    let is_meant = meant(id);
    let nodes = state.nodes.iter().filter(|(place, _)| is_meant(place));
    nodes
        .flat_map(|(_, node)| {
            let skipped = node.skipped.as_ref().map(SkipReason::describe);
            let failed = node.failure.as_ref().map(|failure| failure.message.clone());
            node.warnings.iter().cloned().chain(failed).chain(skipped)
        })
        .collect()
}

/// A state, and why.
fn told(node: &Node) -> String {
    match &node.failure {
        Some(failure) if node.state != StepState::Succeeded => {
            format!("{}: {}", node.state.as_str(), failure.message)
        }
        _ => node.state.as_str().to_owned(),
    }
}

/// The outcome, and the first failure that explains it.
fn with_reason(ran: &Ran) -> String {
    let bad =
        |node: &&Node| matches!(node.state, StepState::Failed | StepState::Uncertain | StepState::Stuck);
    let first = ran.state.nodes.iter().find(|(_, node)| bad(node));
    match first {
        Some((place, node)) => format!("{}; {place} {}", ran.outcome.as_str(), told(node)),
        None => ran.outcome.as_str().to_owned(),
    }
}
