//! Objects for people: what differs between two states of one, without what the server keeps for itself.

use serde_json::{Map, Value};

/// How many differences are worth a line each.
const SHOWN: usize = 20;

/// What the server keeps for itself, and says nothing of what an object is meant to be.
const NOISE: &[&str] =
    &["managedFields", "resourceVersion", "generation", "creationTimestamp", "selfLink", "uid"];

/// An object as it may be kept: without the bookkeeping of field managers, and a Secret without its values.
pub(super) fn kept(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    if object["kind"] == "Secret" {
        for key in ["data", "stringData"] {
            for value in
                object.get_mut(key).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
            {
                *value = "[secret]".into();
            }
        }
        // A copy of the values, as client-side apply keeps it.
        if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)
        {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    object
}

/// What differs, a line each: `spec.replicas: 2 → 3`.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<String> {
    let secret = before["kind"] == "Secret" || after["kind"] == "Secret";
    let mut found = Vec::new();
    compare("", &meant(before), &meant(after), secret, &mut found);
    let more = found.len().saturating_sub(SHOWN);
    found.truncate(SHOWN);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found
}

fn meant(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !NOISE.contains(&key.as_str()));
    }
    object
}

fn compare(path: &str, before: &Value, after: &Value, secret: bool, found: &mut Vec<String>) {
    if before == after {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
            let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            compare(&below, &before[key], &after[key], secret, found);
        }
        return;
    }
    let hidden = secret && (path.starts_with("data") || path.starts_with("stringData"));
    let shown = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        _ if hidden => "a secret value".to_owned(),
        value => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    };
    found.push(format!("{path}: {} → {}", shown(before), shown(after)));
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
    fn a_secrets_values_are_neither_shown_nor_kept() {
        let secret = |value: &str| json!({ "kind": "Secret", "data": { "password": value } });
        assert_eq!(changes(&secret("aa"), &secret("bb")), ["data.password: a secret value → a secret value"]);
        assert_eq!(kept(secret("aa"))["data"]["password"], "[secret]");
    }
}
