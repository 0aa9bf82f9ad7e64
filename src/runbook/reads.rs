//! What a step reads of other steps, directly or through variables.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::step::{Step, StepBody};
use crate::diagnostic::Span;
use crate::model::StepId;
use crate::step::templated::Templated;
use crate::template::Read;

/// The variables of a runbook, and what each reads.
pub(super) type Vars = IndexMap<String, (Templated, Vec<Read>)>;

/// The steps of a list that a step reads, as indexes into the list.
pub(super) fn of_step(
    step: &Step,
    vars: &Vars,
    by_name: &HashMap<&str, usize>,
    group: Option<&StepId>,
) -> Vec<(usize, Span)> {
    let mut found = Vec::new();
    for placed in &step.reads {
        for read in with_vars(&placed.read, vars) {
            if let Some(index) = step_name(read, group).and_then(|name| by_name.get(name)) {
                found.push((*index, placed.span));
            }
        }
    }
    // A group reads its own steps inside itself.
    let own = by_name.get(step.id.local()).copied();
    found.retain(|(index, _)| !(matches!(step.body, StepBody::Group(_)) && Some(*index) == own));
    found
}

/// The name of the step that a read sees, within a list: `steps.a`, or inside a group also `steps.group.a`.
fn step_name<'r>(read: &'r Read, group: Option<&StepId>) -> Option<&'r str> {
    if read.root != "steps" {
        return None;
    }
    match (read.path.as_slice(), group) {
        ([first, second, ..], Some(group)) if first == group.as_str() => Some(second),
        ([first, ..], _) => Some(first),
        _ => None,
    }
}

/// A read, and the reads of the variable it sees.
fn with_vars<'r>(read: &'r Read, vars: &'r Vars) -> Vec<&'r Read> {
    let mut all = vec![read];
    let mut seen = HashSet::new();
    let mut next = 0;
    while next < all.len() {
        let current = all[next];
        next += 1;
        if current.root == "vars"
            && let Some(name) = current.path.first()
            && seen.insert(name.as_str())
            && let Some((_, reads)) = vars.get(name)
        {
            all.extend(reads);
        }
    }
    all
}
