//! `rollback: auto` of a `kubectl` step: what a verb may use to say what undoes it.

use serde_json::{Value, json};

use super::back::back;
use super::object::name_of;
use super::secret;
use crate::step::kind::{TookEffect, Undo};

/// An effect of a verb, as the journal has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct VerbEffect<'a> {
    took_effect: &'a TookEffect<'a>,
    /// What the verb was given.
    pub(super) input: &'a Value,
}

/// The body of a step, and the key of its kind.
pub(super) type DerivedStep = (&'static str, Value);

impl<'a> VerbEffect<'a> {
    /// The effect of a verb, with the verb's own part of the input.
    pub(super) fn new(took_effect: &'a TookEffect<'a>, input: &'a Value) -> Self {
        Self { took_effect, input }
    }

    /// What was there before.
    pub(super) fn before(&self) -> &'a Value {
        self.took_effect.before
    }

    /// What the step made of the object, or of the one with this number: as the server answered, else as it was found
    /// later.
    pub(super) fn after(&self, index: usize) -> Option<&'a Value> {
        let answered = self.took_effect.traces.iter().rev().find(|trace| trace["wrote"] == index);
        let output = self.took_effect.output;
        let found = output.pointer(&format!("/objects/{index}")).unwrap_or(output);
        let after = answered.map_or(&found["after"], |trace| &trace["after"]);
        (!after.is_null()).then_some(after)
    }

    /// The kind of the verb's target.
    pub(super) fn kind(&self) -> &'a str {
        self.input["target"]["kind"].as_str().unwrap_or_default()
    }

    /// Whether the step succeeded, so that all of it was done.
    pub(super) fn is_whole(&self) -> bool {
        !self.took_effect.output.is_null()
    }

    /// Whether this object is known to be deleted.
    pub(super) fn was_deleted(&self, object: &Value) -> bool {
        let uid = &object["metadata"]["uid"];
        self.is_whole() || self.took_effect.traces.iter().any(|trace| trace["deleted"] == *uid)
    }

    /// A step where this one was, for an object that was there.
    pub(super) fn step(&self, verb: &str, object: &Value, body: &Value) -> DerivedStep {
        let input = self.took_effect.input;
        let named = input.get("namespace").or_else(|| object["metadata"].get("namespace"));
        let mut step = json!({ "connection": input["connection"], verb: body });
        if let Some(namespace) = named {
            step["namespace"] = namespace.clone();
        }
        ("kubectl", step)
    }

    /// What undoes a change of one object that was there; `predicted` is what the change makes of it, for a step of
    /// which no answer is known.
    pub(super) fn take_back(&self, predicted: impl Fn(&Value) -> Option<Value>) -> Undo {
        let (before, kind) = (self.before(), self.kind());
        if let Some(undo) = unusable(before) {
            return undo;
        }
        let after = self.after(0).filter(|after| !secret::is_masked(after));
        let Some(after) = after.cloned().or_else(|| predicted(before)) else {
            return Undo::Impossible("what it made of the object is not known".to_owned());
        };
        steps(back(kind, before, &after).map(|body| self.step("patch", before, &body)).into_iter().collect())
    }
}

/// Why there is no going back to what is known of an object.
pub(super) fn unusable(before: &Value) -> Option<Undo> {
    if before.is_null() {
        return Some(Undo::Impossible("what was there before is not known".to_owned()));
    }
    secret::is_masked(before).then(|| {
        let name = name_of(before);
        Undo::Impossible(format!("the values of secret/{name} were sealed beside the journal, and are gone"))
    })
}

/// The steps; none means that nothing was changed.
pub(super) fn steps(steps: Vec<DerivedStep>) -> Undo {
    if steps.is_empty() {
        return Undo::Nothing("it changed nothing".to_owned());
    }
    Undo::Steps(steps)
}
