//! Circles: steps that wait for each other, and variables that are computed from each other.

use std::collections::{HashMap, HashSet};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::Reason;
use super::reads::Vars;
use super::step::{PlacedRead, Step};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};

/// Reports every circle among the steps of a list, with the edges that make it.
pub(super) fn among_steps(steps: &[Step], diagnostics: &mut Diagnostics) {
    if steps.iter().all(|step| step.parents.iter().all(|edge| edge.reason == Reason::Above)) {
        return;
    }
    let edges = steps
        .iter()
        .enumerate()
        .flat_map(|(step, own)| own.parents.iter().map(move |edge| (index(edge.parent), index(step))));
    let graph = DiGraph::<(), ()>::from_edges(edges);
    for circle in circles(&graph) {
        diagnostics.push(cycle(steps, &circle));
    }
}

/// Reports every circle among variables; `reads` are those of the head, with their places.
pub(super) fn among_variables(vars: &Vars, reads: &[PlacedRead], diagnostics: &mut Diagnostics) {
    let numbers: HashMap<&str, u32> =
        vars.keys().zip(0..).map(|(name, number)| (name.as_str(), number)).collect();
    let edges = vars.iter().flat_map(|(name, (_, reads))| {
        let numbers = &numbers;
        let read = reads.iter().filter(|read| read.root == "vars").filter_map(|read| read.path.first());
        read.filter_map(move |other| Some((*numbers.get(other.as_str())?, *numbers.get(name.as_str())?)))
    });
    let graph = DiGraph::<(), ()>::from_edges(edges);
    for circle in circles(&graph) {
        let inside: Vec<&str> = circle
            .iter()
            .filter_map(|node| vars.get_index(node.index()))
            .map(|(name, _)| name.as_str())
            .collect();
        let message = format!("these variables are computed from each other: `{}`", inside.join("`, `"));
        let problem =
            Diagnostic::error(Code::GRAPH_CYCLE, message).help("Compute one of them from something else.");
        let is_edge = |placed: &&PlacedRead| {
            placed.read.root == "vars"
                && placed.read.path.first().is_some_and(|name| inside.contains(&name.as_str()))
        };
        diagnostics
            .push(reads.iter().filter(is_edge).fold(problem, |problem, placed| problem.at(placed.span, "")));
    }
}

fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn circles(graph: &DiGraph<(), ()>) -> Vec<Vec<NodeIndex>> {
    let is_circle = |nodes: &Vec<NodeIndex>| nodes.len() > 1 || graph.contains_edge(nodes[0], nodes[0]);
    tarjan_scc(graph).into_iter().filter(is_circle).collect()
}

fn cycle(steps: &[Step], members: &[NodeIndex]) -> Diagnostic {
    let inside: HashSet<usize> = members.iter().map(|node| node.index()).collect();
    // Walk along parents inside the circle until a step comes again.
    let mut walk = vec![members.iter().map(|node| node.index()).min().unwrap_or(0)];
    let mut labels = Vec::new();
    loop {
        let current = walk[walk.len() - 1];
        let Some(edge) = steps[current].parents.iter().find(|edge| inside.contains(&edge.parent)) else {
            break;
        };
        let text = format!("`{}` waits for `{}`", steps[current].id, steps[edge.parent].id);
        labels.push((edge.span.unwrap_or(steps[current].id_span), text));
        if let Some(start) = walk.iter().position(|step| *step == edge.parent) {
            walk.drain(..start);
            labels.drain(..start);
            walk.push(edge.parent);
            break;
        }
        walk.push(edge.parent);
    }
    let circle: Vec<&str> = walk.iter().rev().map(|step| steps[*step].id.as_str()).collect();
    let message = format!("these steps wait for each other: {}", circle.join(" → "));
    let problem = Diagnostic::error(Code::GRAPH_CYCLE, message).help("Remove one of the edges.");
    labels.into_iter().fold(problem, |problem, (span, text)| problem.at(span, text))
}
