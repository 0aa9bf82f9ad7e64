//! What undoes `delete`: each object is made again as it was, where making it again brings it back.

use serde_json::{Value, json};

use crate::step::kind::Undo;
use crate::step::kubectl::object::{meant, name_of};
use crate::step::kubectl::undo::{VerbEffect, steps, unusable};

/// Kinds of which an object is the name of something else, and that is gone with it.
const NAMES_OF_MORE: &[(&str, &str)] = &[
    ("PersistentVolumeClaim", "the data on its volume"),
    ("PersistentVolume", "the data on it"),
    ("Namespace", "what was in it"),
    ("CustomResourceDefinition", "the objects of its kind"),
    ("Node", "the machine"),
];

/// A step for each object that is gone.
pub(super) fn restore(effect: &VerbEffect<'_>) -> Undo {
    let before = effect.before();
    let objects = before.as_array().map_or(&[][..], Vec::as_slice);
    let gone: Vec<&Value> = objects.iter().filter(|object| effect.was_deleted(object)).collect();
    let mut undoing = Vec::new();
    for object in gone.into_iter().filter(|object| !is_made_by_a_controller(object)) {
        if let Some(undo) = unusable(object) {
            return undo;
        }
        if let Some(why) = is_lost(object) {
            return Undo::Impossible(why);
        }
        undoing.push(effect.step("create", object, &json!({ "object": made_again(object) })));
    }
    match (undoing.is_empty(), objects.is_empty()) {
        (true, false) => Undo::Nothing("its controller makes a new one".to_owned()),
        _ => steps(undoing),
    }
}

/// A pod or a set of them that was deleted is made anew by the controller whose it was.
fn is_made_by_a_controller(object: &Value) -> bool {
    let mut owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    !runs_once(object) && owners.any(|owner| owner["controller"] == true)
}

/// Why making an object again would not bring it back.
fn is_lost(object: &Value) -> Option<String> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let name = name_of(object);
    if let Some((_, lost)) = NAMES_OF_MORE.iter().find(|(known, _)| *known == kind) {
        return Some(format!("{lost} would not come back with {}/{name}", kind.to_lowercase()));
    }
    runs_once(object)
        .then(|| format!("{}/{name} would run once more if it was made again", kind.to_lowercase()))
}

/// A job, or a pod that has ended.
fn runs_once(object: &Value) -> bool {
    let ended = matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    object["kind"] == "Job" || (object["kind"] == "Pod" && ended)
}

/// The object without what the server gave it. Addresses and owners stay, as others know it by them.
fn made_again(object: &Value) -> Value {
    let mut object = meant(object);
    if object["kind"] == "Pod"
        && let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
    {
        // A pod that names its node gets past the scheduler, to a node that may be gone.
        spec.remove("nodeName");
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::kind::TookEffect;

    fn check(object: &Value, output: &Value, traces: &[Value], expected: &Undo) {
        let input = json!({ "connection": "here", "delete": { "target": { "kind": "x" } } });
        let before = json!([object]);
        let took = TookEffect { input: &input, before: &before, traces, output };
        assert_eq!(restore(&VerbEffect::new(&took, &input["delete"])), *expected);
    }

    #[test]
    fn what_is_gone_is_made_again_without_what_the_server_gave_it() {
        let object = json!({ "apiVersion": "v1", "kind": "Service", "status": {},
            "metadata": { "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "1", "labels": { "x": "1" } },
            "spec": { "clusterIP": "10.0.0.1" } });
        let again = json!({ "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": "a", "namespace": "n", "labels": { "x": "1" } }, "spec": { "clusterIP": "10.0.0.1" } });
        let body = json!({ "connection": "here", "namespace": "n", "create": { "object": again } });
        let steps = Undo::Steps(vec![("kubectl", body)]);
        check(&object, &json!({ "deleted": ["a"] }), &[], &steps);
        check(&object, &Value::Null, &[json!({ "deleted": "u" })], &steps);
    }

    #[test]
    fn what_would_not_come_back_is_a_point_of_no_return() {
        let of = |kind: &str| json!({ "kind": kind, "metadata": { "name": "a" } });
        let done = json!({});
        let lost = |why: &str| Undo::Impossible(why.to_owned());
        let claim = of("PersistentVolumeClaim");
        check(
            &claim,
            &done,
            &[],
            &lost("the data on its volume would not come back with persistentvolumeclaim/a"),
        );
        check(&of("Job"), &done, &[], &lost("job/a would run once more if it was made again"));
        let mut pod = of("Pod");
        pod["metadata"]["ownerReferences"] = json!([{ "controller": true }]);
        check(&pod, &done, &[], &Undo::Nothing("its controller makes a new one".to_owned()));
    }
}
