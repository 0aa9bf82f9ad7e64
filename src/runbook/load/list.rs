//! Lists of steps: what may stand in them, blocks and groups, and the edges between their steps.

use std::collections::HashMap;

use super::{Loader, spot};
use crate::diagnostic::{Code, Diagnostics};
use crate::model::{Class, StepId};
use crate::runbook::order::{Entry, Needs, order};
use crate::runbook::step::{Step, StepBody};
use crate::runbook::{cycle, reads};
use crate::yaml::{Node, Shape};

const BLOCK: &[&str] = &["parallel", "when", "needs"];

/// Where in a file a list of steps stands, which decides what may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    Top,
    Block,
    Group,
    Hook,
}

impl Loader<'_, '_> {
    pub(super) fn hooks(&mut self, root: Node<'_>, key: &str) -> Vec<Step> {
        root.get(key).map(|node| self.list(node, None, Within::Hook)).unwrap_or_default()
    }

    pub(super) fn list(&mut self, node: Node<'_>, group: Option<&StepId>, within: Within) -> Vec<Step> {
        if node.shape() != Shape::List {
            self.error(Code::NOT_A_LIST, "steps are a list", spot(node), "Begin each step with `- id:`.");
            return Vec::new();
        }
        if node.items().next().is_none() && within != Within::Hook {
            self.error(Code::NO_STEPS, "this list of steps is empty", node.span(), "Add at least one step.");
        }
        let mut steps = Vec::new();
        let mut entries = Vec::new();
        for item in node.items() {
            if let (Within::Top, Some(members)) = (within, item.get("parallel")) {
                entries.push(self.block(item, members, &mut steps));
            } else if let Some((step, needs)) = self.member(item, group, within) {
                entries.push(Entry::Single { step: steps.len(), needs });
                steps.push(step);
            }
        }
        self.connect(&mut steps, &entries, group);
        steps
    }

    /// One step of a list or block, where nothing else may stand.
    fn member(
        &mut self,
        item: Node<'_>,
        group: Option<&StepId>,
        within: Within,
    ) -> Option<(Step, Option<Needs>)> {
        if item.shape() != Shape::Map {
            let help = "Write `- id: name` and what it does.";
            self.error(Code::NOT_A_STEP, "a step is a map", spot(item), help);
            return None;
        }
        if let Some(members) = item.get("parallel") {
            let help = "Steps of a group, a hook or another block run in order; move the block out.";
            let message = "`parallel` stands only in a runbook's own steps";
            self.error(Code::NESTED_BLOCK, message, members.key_span(), help);
            return None;
        }
        let needs = if within == Within::Group { None } else { self.needs(item) };
        Some((self.step(item, group, within)?, needs))
    }

    fn block(&mut self, item: Node<'_>, members: Node<'_>, steps: &mut Vec<Step>) -> Entry {
        item.deny_unknown(BLOCK, &mut self.shared.diagnostics);
        let needs = self.needs(item);
        let (when, when_reads) = self.conditions(item);
        let mut inside = Vec::new();
        if members.shape() != Shape::List {
            let help = "Begin each step with `- id:`.";
            self.error(Code::NOT_A_LIST, "the steps of a block are a list", spot(members), help);
        } else if members.items().next().is_none() {
            let help = "List the steps that may run at the same time.";
            self.error(Code::NO_STEPS, "this block has no steps", members.span(), help);
        }
        for member in members.items() {
            if let Some((mut step, own)) = self.member(member, None, Within::Block) {
                step.when.splice(0..0, when.iter().cloned());
                step.reads.extend(when_reads.iter().cloned());
                inside.push((steps.len(), own));
                steps.push(step);
            }
        }
        Entry::Block { members: inside, needs }
    }

    pub(super) fn group(&mut self, node: Node<'_>, step: &mut Step, within: Within) -> Option<()> {
        let list = node.get("steps")?;
        if within == Within::Group || within == Within::Hook {
            let place = if within == Within::Group { "no other group" } else { "no hook" };
            let message = format!("a group stands in {place}");
            let help = "Move the inner steps up, or make two groups.";
            self.error(Code::NESTED_GROUP, &message, list.key_span(), help);
            return None;
        }
        let inner = self.list(list, Some(&step.id), Within::Group);
        step.class = inner.iter().fold(Class::default(), |class, step| class.and(step.class.clone()));
        step.secret = inner.iter().any(|inner| inner.secret);
        // What the steps inside read from outside, the group waits for.
        step.reads.extend(inner.iter().flat_map(|inner| inner.reads.iter().cloned()));
        step.body = StepBody::Group(inner);
        Some(())
    }

    /// Gives every step of the list its edges.
    fn connect(&mut self, steps: &mut [Step], entries: &[Entry], group: Option<&StepId>) {
        let names: Vec<String> = steps.iter().map(|step| step.id.local().to_owned()).collect();
        let by_name: HashMap<&str, usize> =
            names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let references: Vec<_> =
            steps.iter().map(|step| reads::of_step(step, &self.runbook.vars, &by_name, group)).collect();
        let mut problems = Diagnostics::new();
        let edges = order(entries, &names, &references, &mut problems);
        for (step, edges) in steps.iter_mut().zip(edges) {
            step.parents = edges;
        }
        cycle::among_steps(steps, &mut problems);
        self.shared.diagnostics.extend(problems);
    }

    fn needs(&mut self, item: Node<'_>) -> Option<Needs> {
        let node = item.get("needs")?;
        let help = "Write `needs: [a, b]`.";
        if node.shape() != Shape::List {
            self.error(Code::NOT_A_LIST, "`needs` is a list of ids", spot(node), help);
            return None;
        }
        let mut needs = Vec::new();
        for entry in node.items() {
            match entry.as_str() {
                Some(name) => needs.push((name.to_owned(), entry.span())),
                None => self.error(Code::NOT_A_LIST, "`needs` takes ids", spot(entry), help),
            }
        }
        Some(needs)
    }
}
