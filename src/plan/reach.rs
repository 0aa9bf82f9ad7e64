//! What depends on what: the order of a walk, the reads nobody can answer yet, the connections that are absent.

use std::collections::HashSet;

use petgraph::algo::toposort;
use petgraph::graph::DiGraph;

use super::frame::Frame;
use crate::model::StepId;
use crate::runbook::{Step, StepBody};

/// The steps whose output a step reads and that a plan does not know.
pub(super) fn unknown_reads(frame: &Frame, step: &Step) -> Vec<StepId> {
    let mut unknown = Vec::new();
    for placed in &step.reads {
        for read in frame.step_reads(&placed.read) {
            let group = step.id.as_str().rsplit_once('.').map(|(group, _)| group);
            let Some(id) = read_step(frame, &read.path, group) else { continue };
            let id = frame.full_id(&StepId::new(id));
            if !unknown.contains(&id) {
                unknown.push(id);
            }
        }
    }
    unknown
}

/// The id of the step that a path reads, when what it produced is not known.
pub(super) fn read_step(frame: &Frame, path: &[String], group: Option<&str>) -> Option<String> {
    let first = path.first()?;
    let mut candidates = Vec::new();
    candidates.extend(group.map(|group| format!("{group}.{first}")));
    candidates.extend(path.get(1).map(|second| format!("{first}.{second}")));
    candidates.push(first.clone());
    let id = candidates.into_iter().find(|id| frame.records.get(id).is_some())?;
    frame.records.get(&id).is_some_and(|record| record.state.is_none()).then_some(id)
}

/// The steps of a list that something else in the runbook reads, or whose result is shown.
pub(super) fn used_steps<'f>(frame: &'f Frame, steps: &'f [Step]) -> HashSet<&'f str> {
    let mut used = HashSet::new();
    let outputs = frame.runbook.outputs.values().flat_map(|(_, reads)| reads.iter());
    let all = frame.runbook.steps.iter().flat_map(Step::with_inner).chain(steps);
    let reads = all.flat_map(|step| step.reads.iter().map(|placed| &placed.read)).chain(outputs);
    for read in reads {
        for read in frame.step_reads(read) {
            used.extend(read.path.first().map(String::as_str));
        }
    }
    let inner: Vec<&str> =
        steps.iter().filter(|step| used.contains(step.id.local())).map(|step| step.id.as_str()).collect();
    used.extend(inner);
    used
}

/// Parents before children, and otherwise as in the file.
pub(super) fn run_order(steps: &[Step]) -> Vec<usize> {
    let forward =
        steps.iter().enumerate().all(|(index, step)| step.parents.iter().all(|edge| edge.parent < index));
    if forward {
        return (0..steps.len()).collect();
    }
    let mut graph = DiGraph::<usize, ()>::new();
    let nodes: Vec<_> = (0..steps.len()).map(|index| graph.add_node(index)).collect();
    for (index, step) in steps.iter().enumerate() {
        for edge in &step.parents {
            graph.add_edge(nodes[edge.parent], nodes[index], ());
        }
    }
    let sorted = toposort(&graph, None).map(|order| order.into_iter().map(|node| graph[node]).collect());
    sorted.unwrap_or_else(|_| (0..steps.len()).collect())
}

/// The optional connection a step uses that the environment does not have.
pub fn absent_connection(frame: &Frame, step: &Step) -> Option<String> {
    let StepBody::Kind(body, _) = &step.body else { return None };
    body.needs().into_iter().find_map(|need| {
        let name = need.name.or_else(|| frame.runbook.default_connection(need.kind).map(str::to_owned))?;
        let optional = frame.runbook.connections.get(&name).is_some_and(|need| need.optional);
        (optional && !frame.connections.contains_key(&name)).then_some(name)
    })
}
