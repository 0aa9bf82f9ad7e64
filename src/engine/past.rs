//! What earlier legs left: a final step keeps what it has, one that may go on is opened again.

use super::halt::{Halt, Role};
use super::scheduler::{Scheduler, Standing};
use crate::event::{EventKind, Item, Node, Place};
use crate::model::{Applied, Effect, StepState};
use crate::plan::{Frame, Record};
use crate::runbook::{Include, OnError, Step, StepBody};

impl Scheduler<'_, '_> {
    /// What an earlier leg made of a step; nothing when it is this leg's turn.
    pub(super) fn restored(&self, standing: Standing<'_>, step: &Step, halt: &Halt) -> Option<Record> {
        let place = standing.place(step);
        let node = self.known(&place).filter(|node| node.state.is_final())?;
        if self.goes_on(step, &place, &node, halt.role) {
            let why = format!("it was {}, and the run goes on", node.state.as_str());
            // A journal that cannot be written stops the step itself a moment later.
            self.dispatcher.record(EventKind::StepReopened { at: place, why }).ok();
            return None;
        }
        self.restore_inner(standing, step, halt);
        Some(Record::from(&node))
    }

    /// What is known of a place from earlier legs; nothing in the first one.
    pub(super) fn known(&self, place: &Place) -> Option<Node> {
        if !self.resumed {
            return None;
        }
        self.dispatcher.state(|state| state.nodes.get(place).cloned())
    }

    /// The same for a place where something was attempted, in this leg or an earlier one.
    pub(super) fn attempted(&self, place: &Place) -> Option<Node> {
        self.dispatcher.state(|state| state.nodes.get(place).filter(|node| node.attempts > 0).cloned())
    }

    fn goes_on(&self, step: &Step, place: &Place, node: &Node, role: Role) -> bool {
        match (node.state, role) {
            // One that another run kept from starting has not had its turn.
            (StepState::Cancelled, Role::Closing) => node.attempts == 0,
            (_, Role::Closing) => false,
            (StepState::Cancelled | StepState::Uncertain, _) | (StepState::Failed, Role::Undo) => true,
            (StepState::Failed, Role::Steps) => {
                let structure = step.attempts().is_none() || (step.for_each.is_some() && place.key.is_none());
                structure || (step.on_error == OnError::Stop && self.may_retry(step, place, node))
            }
            _ => false,
        }
    }

    /// A failed step is tried again when that repeats nothing, or when a person says so.
    fn may_retry(&self, step: &Step, place: &Place, node: &Node) -> bool {
        let harmless = node.effect == Effect::Read
            || node.failure.as_ref().is_none_or(|failure| failure.applied == Applied::No);
        let idempotent = step.attempts().is_some_and(|attempts| attempts.idempotent);
        let named = |id: &String| *id == place.to_string() || *id == place.step.as_str();
        harmless || idempotent || self.retry.iter().any(named)
    }

    /// The steps inside a final one are final too; what is around it may read them.
    fn restore_inner(&self, standing: Standing<'_>, step: &Step, halt: &Halt) {
        match &step.body {
            StepBody::Group(inner) if step.for_each.is_none() => {
                for inner in inner {
                    if let Some(record) = self.restored(standing, inner, halt) {
                        standing.frame.records.set(inner.id.as_str(), record);
                    }
                }
            }
            StepBody::Include(include) if step.for_each.is_none() => {
                self.join(self.include_again(standing, step, include));
            }
            StepBody::Include(include) => {
                for item in self.listed(&standing.place(step)) {
                    let key = standing.child_key(&item);
                    let inside = Standing { item: Some(&item.item), key: Some(&key), ..standing };
                    self.join(self.include_again(inside, step, include));
                }
            }
            _ => {}
        }
    }

    /// The list of a `for_each`, once it was evaluated.
    pub(super) fn listed(&self, place: &Place) -> Vec<Item> {
        self.dispatcher.state(|state| state.items.get(place).cloned()).unwrap_or_default()
    }

    /// The frame of an included runbook as it was, with what is known of its steps.
    pub(super) fn include_again(
        &self,
        standing: Standing<'_>,
        step: &Step,
        include: &Include,
    ) -> Option<Frame> {
        let params = self.include_params(standing, step, include).ok()?;
        let inner = standing.frame.include(include, params, &step.id, standing.key);
        self.remember(&inner);
        Some(inner)
    }

    /// Notes in a new frame what is known of its variables and its steps.
    pub(super) fn remember(&self, frame: &Frame) {
        self.dispatcher.state(|state| {
            frame.restore_variables(&state.variables);
            for step in frame.runbook.all_steps() {
                let place = Standing::top(frame).place(step);
                if let Some(node) = state.nodes.get(&place).filter(|node| node.state.is_final()) {
                    frame.records.set(step.id.as_str(), Record::from(node));
                }
            }
        });
    }
}

impl Standing<'_> {
    /// The key of a child. Inside a loop the key of the outer child comes first, so that no two children have the same.
    pub(super) fn child_key(&self, item: &Item) -> String {
        self.key.map_or_else(|| item.key.clone(), |outer| format!("{outer}/{}", item.key))
    }
}
