//! What may be shown of a Secret: its keys, never its values.

use serde_json::{Map, Value};

use crate::connect::kubernetes::Resource;

/// What stands for a value.
const MASK: &str = "[secret]";

/// The fields that hold values.
const VALUES: &[&str] = &["data", "stringData"];

/// A copy of the values, as client-side apply keeps it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A value in which every Secret has its keys alone.
pub(super) fn shown(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Object(map) if is_secret(value) => without_values(map.clone()),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), shown(value))).collect(),
        other => other.clone(),
    }
}

/// The body of a patch of a Secret without the values in it.
pub(super) fn shown_patch(body: &Value) -> Value {
    match body {
        Value::Object(map) => without_values(map.clone()),
        Value::Array(operations) => operations.iter().map(shown_operation).collect(),
        other => other.clone(),
    }
}

/// Whether a kind, by any of its names, is that of Secrets.
pub(super) fn is_kind(kind: &str) -> bool {
    Resource::known(kind).is_some_and(|known| known.kind == "Secret")
}

/// Whether a field of a Secret is one of its values, or a copy of them.
pub(super) fn is_hidden(path: &[String]) -> bool {
    path.first().is_some_and(|first| VALUES.contains(&first.as_str()))
        || path.last().is_some_and(|last| last == LAST_APPLIED)
}

/// Whether the values of a Secret were taken out of it: what is left of them is no Secret to go back to.
pub(super) fn is_masked(object: &Value) -> bool {
    let mut values = VALUES.iter().filter_map(|key| object[*key].as_object()).flat_map(Map::values);
    is_secret(object) && values.any(|value| value == MASK)
}

fn is_secret(object: &Value) -> bool {
    object["kind"] == "Secret"
}

fn without_values(mut object: Map<String, Value>) -> Value {
    for key in VALUES {
        let values = object.get_mut(*key).and_then(Value::as_object_mut);
        // A patch removes a key by null, which is no value.
        for value in values.into_iter().flat_map(Map::values_mut).filter(|value| !value.is_null()) {
            *value = MASK.into();
        }
    }
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(Value::Object(annotations)) = metadata.and_then(|metadata| metadata.get_mut("annotations")) {
        annotations.remove(LAST_APPLIED);
    }
    Value::Object(object)
}

fn shown_operation(operation: &Value) -> Value {
    let path = operation["path"].as_str().unwrap_or_default();
    let first = path.split('/').nth(1).unwrap_or_default();
    let mut shown = operation.clone();
    let hidden = first.is_empty() || VALUES.contains(&first) || path.ends_with("last-applied-configuration");
    if hidden && operation.get("value").is_some() {
        shown["value"] = MASK.into();
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_value_of_a_secret_is_shown_wherever_it_stands() {
        let secret = json!({ "kind": "Secret", "data": { "password": "aa" },
            "metadata": { "annotations": { LAST_APPLIED: "aa", "why": "a trial" } } });
        assert!(!is_masked(&secret));
        for value in [secret.clone(), json!([secret]), json!({ "create": { "objects": [secret] } })] {
            let text = shown(&value).to_string();
            assert!(!text.contains("aa") && text.contains("a trial"), "{text}");
        }
        assert!(is_masked(&shown(&secret)));
        let other = json!({ "kind": "ConfigMap", "data": { "a": "b" } });
        assert_eq!(shown(&other), other);
    }

    #[test]
    fn a_patch_of_a_secret_shows_what_it_is_about_and_no_value() {
        let check = |body: Value, expected: Value| assert_eq!(shown_patch(&body), expected);
        check(json!({ "data": { "a": "aa", "b": null } }), json!({ "data": { "a": MASK, "b": null } }));
        check(
            json!([{ "op": "add", "path": "/data/a", "value": "aa" }, { "op": "remove", "path": "/data/b" },
                   { "op": "test", "path": "/metadata/uid", "value": "1" }, { "op": "replace", "path": "", "value": {} }]),
            json!([{ "op": "add", "path": "/data/a", "value": MASK }, { "op": "remove", "path": "/data/b" },
                   { "op": "test", "path": "/metadata/uid", "value": "1" }, { "op": "replace", "path": "", "value": MASK }]),
        );
        assert!(is_kind("secret") && is_kind("secrets") && is_kind("Secret") && !is_kind("cm"));
    }
}
