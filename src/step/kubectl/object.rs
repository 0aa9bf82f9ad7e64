//! Objects for people: what differs between two states of one, without what the server keeps for itself.

use serde_json::Value;

use super::difference::{differences, dotted};
use super::secret;

/// How many differences are worth a line each.
const SHOWN: usize = 20;

/// What the server keeps for itself, and says nothing of what an object is meant to be.
const NOISE: &[&str] = &[
    "managedFields",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "uid",
];

/// Where a Deployment's controller numbers its revisions.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";

/// An object without the bookkeeping of field managers, and with the number that a scale of none leaves out.
pub(super) fn plain(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    if object["kind"] == "Scale" && object["spec"]["replicas"].is_null() {
        object["spec"]["replicas"] = 0.into();
    }
    object
}

/// The same as it may be shown and kept: a Secret is without its values.
pub(super) fn kept(object: Value) -> Value {
    secret::shown(&plain(object))
}

/// An object's own name.
pub(super) fn name_of(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// What differs, a line each: `spec.replicas: 2 → 3`.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<String> {
    let secret = before["kind"] == "Secret" || after["kind"] == "Secret";
    let mut found = Vec::new();
    let shown = |path: &[String], value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        _ if secret && secret::is_hidden(path) => "a secret value".to_owned(),
        value => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    };
    for found_here in differences(&meant(before), &meant(after)) {
        let path = &found_here.path;
        let (old, new) = (shown(path, &found_here.before), shown(path, &found_here.after));
        found.push(format!("{}: {old} → {new}", dotted(path)));
    }
    let more = found.len().saturating_sub(SHOWN);
    found.truncate(SHOWN);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found
}

/// An object as somebody wants it to be: without what the server and its controllers keep for themselves.
pub(super) fn meant(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !NOISE.contains(&key.as_str()));
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(REVISION);
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_meant_differs() {
        let before = json!({
            "metadata": { "name": "a", "resourceVersion": "1", "labels": { "x": "1" } },
            "spec": { "replicas": 2 }, "status": { "replicas": 2 },
        });
        let after = json!({
            "metadata": { "name": "a", "resourceVersion": "2", "labels": { "x": "1", "y": "2" } },
            "spec": { "replicas": 3 }, "status": { "replicas": 3 },
        });
        assert_eq!(changes(&before, &after), ["metadata.labels.y: nothing → 2", "spec.replicas: 2 → 3"]);
        assert_eq!(changes(&after, &after), Vec::<String>::new());
    }

    #[test]
    fn a_scale_of_none_says_so() {
        assert_eq!(plain(json!({ "kind": "Scale", "spec": {} }))["spec"]["replicas"], 0);
    }

    #[test]
    fn a_secrets_values_are_neither_shown_nor_kept() {
        let secret = |value: &str| json!({ "kind": "Secret", "data": { "password": value } });
        assert_eq!(changes(&secret("aa"), &secret("bb")), ["data.password: a secret value → a secret value"]);
        assert_eq!(kept(secret("aa"))["data"]["password"], "[secret]");
    }
}
