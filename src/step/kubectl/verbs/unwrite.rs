//! What undoes `apply` and `create`: what was made is deleted, what was there goes back to what it was.

use serde_json::{Map, Value, json};

use super::manifest::qualified;
use crate::step::kind::Undo;
use crate::step::kubectl::back::{back, merged};
use crate::step::kubectl::object::name_of;
use crate::step::kubectl::undo::{DerivedStep, VerbEffect, steps, unusable};

/// A step for each object that was written, the last one first.
pub(super) fn unwrite(effect: &VerbEffect<'_>) -> Undo {
    let objects = objects(effect.input);
    let befores = match effect.before() {
        Value::Array(befores) => befores.clone(),
        before => vec![before.clone(); objects.len()],
    };
    let answered = (0..objects.len()).any(|index| effect.after(index).is_some());
    let mut undoing = Vec::new();
    for (index, (object, before)) in objects.iter().zip(&befores).enumerate().rev() {
        let undone = match effect.after(index) {
            Some(after) if before.is_null() => Ok(Some(unmake(effect, after))),
            Some(after) => take_back(effect, before, after),
            // Objects are written in order, so this one was not reached, or it was refused.
            None if answered => Ok(None),
            None if before.is_null() => Err(Undo::Impossible(
                "which object it has made is not known, and one of another must not be deleted".to_owned(),
            )),
            None => take_back(effect, before, &merged(before, object)),
        };
        match undone {
            Ok(step) => undoing.extend(step),
            Err(undo) => return undo,
        }
    }
    steps(undoing)
}

/// Deletes what was made, and no other object that has its name now.
fn unmake(effect: &VerbEffect<'_>, after: &Value) -> DerivedStep {
    let target = json!({ "kind": kind(after), "name": name_of(after) });
    let uid = &after["metadata"]["uid"];
    effect.step("delete", after, &json!({ "target": target, "uid": uid, "missing": "ok" }))
}

fn take_back(effect: &VerbEffect<'_>, before: &Value, after: &Value) -> Result<Option<DerivedStep>, Undo> {
    // A Secret whose values were taken out of `after` still has its keys, and those are enough to go back.
    match unusable(before) {
        Some(undo) => Err(undo),
        None => Ok(back(&kind(before), before, after).map(|body| effect.step("patch", before, &body))),
    }
}

fn kind(object: &Value) -> String {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    qualified(text("kind"), text("apiVersion"))
}

/// The objects as they are written, as far as the journal has them: of texts and files by key only the keys.
fn objects(input: &Value) -> Vec<Value> {
    if let Some(objects) = input["objects"].as_array() {
        return objects.clone();
    }
    let keyed = |kind: &str, keyed: &Value| {
        let keys = keyed["keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let data: Map<String, Value> = keys.map(|key| (key.to_owned(), Value::Bool(true))).collect();
        let metadata = json!({ "name": keyed["name"], "labels": keyed["labels"] });
        json!({ "apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data })
    };
    vec![match (&input["configmap"], &input["secret"]) {
        (Value::Null, Value::Null) => input["object"].clone(),
        (Value::Null, secret) => keyed("Secret", secret),
        (configmap, _) => keyed("ConfigMap", configmap),
    }]
}
