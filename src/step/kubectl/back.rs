//! [`back`]: the patch that takes an object back to what it was, in the fields that a step changed and no others.

use serde_json::{Map, Value, json};

use super::difference::{Difference, differences, pointer};
use super::object::{meant, name_of};

/// The body of a `patch` step: from what a step made of an object to what it was before. Nothing where they are the same.
///
/// Maps go back by a merge patch, which leaves the fields of others alone. A list has no fields: where one was changed,
/// the patch demands that nobody has changed that list since, and is refused otherwise.
pub(super) fn back(kind: &str, before: &Value, after: &Value) -> Option<Value> {
    let changed = differences(&meant(before), &meant(after));
    if changed.is_empty() {
        return None;
    }
    let uid = &before["metadata"]["uid"];
    let lists = changed.iter().any(|change| change.before.is_array() || change.after.is_array());
    let (how, body) =
        if lists { ("json", operations(&changed, uid)) } else { ("merge", merge(&changed, uid)) };
    let target = json!({ "kind": kind, "name": name_of(before) });
    Some(json!({ "target": target, "type": how, "body": body }))
}

/// A merge patch; one with the UID is refused by another object of the same name.
fn merge(changed: &[Difference], uid: &Value) -> Value {
    let mut body = json!({ "metadata": { "uid": uid } });
    for Difference { path, before, .. } in changed {
        let mut place = &mut body;
        for key in path {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place = &mut place[key.as_str()];
        }
        place.clone_from(before);
    }
    body
}

fn operations(changed: &[Difference], uid: &Value) -> Value {
    let test = |path: &str, value: &Value| json!({ "op": "test", "path": path, "value": value });
    let mut operations = vec![test("/metadata/uid", uid)];
    for Difference { path, before, after } in changed {
        let path = pointer(path);
        if after.is_array() {
            operations.push(test(&path, after));
        }
        operations.push(if before.is_null() {
            json!({ "op": "remove", "path": path })
        } else {
            json!({ "op": "add", "path": path, "value": before })
        });
    }
    operations.into()
}

/// What a merge patch makes of an object, RFC 7386.
pub(super) fn merged(object: &Value, patch: &Value) -> Value {
    let Value::Object(fields) = patch else { return patch.clone() };
    let mut merged = object.as_object().cloned().unwrap_or_default();
    for (key, value) in fields {
        if value.is_null() {
            merged.remove(key);
        } else {
            let field = self::merged(merged.get(key).unwrap_or(&Value::Null), value);
            merged.insert(key.clone(), field);
        }
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(uid: &str, spec: &Value, labels: &Value) -> Value {
        json!({ "metadata": { "name": "a", "uid": uid, "resourceVersion": "1", "labels": labels }, "spec": spec,
                "status": { "x": spec } })
    }

    #[test]
    fn only_what_was_changed_goes_back() {
        let before = object("u", &json!({ "paused": true, "n": 1 }), &json!({ "x": "1", "old": "1" }));
        let after = object("u", &json!({ "n": 2 }), &json!({ "x": "1", "new": "1" }));
        let expected = json!({
            "target": { "kind": "deploy", "name": "a" }, "type": "merge",
            "body": { "metadata": { "uid": "u", "labels": { "old": "1", "new": null } },
                      "spec": { "paused": true, "n": 1 } },
        });
        assert_eq!(back("deploy", &before, &after), Some(expected));
        assert_eq!(back("deploy", &before, &before), None);
    }

    #[test]
    fn a_list_goes_back_only_where_nobody_else_has_changed_it() {
        let before = object("u", &json!({ "list": [1], "n": 1 }), &json!({}));
        let after = object("u", &json!({ "list": [2], "n": 2, "more": [3] }), &json!({}));
        assert_eq!(
            back("deploy", &before, &after).unwrap()["body"],
            json!([
                { "op": "test", "path": "/metadata/uid", "value": "u" },
                { "op": "test", "path": "/spec/list", "value": [2] },
                { "op": "add", "path": "/spec/list", "value": [1] },
                { "op": "add", "path": "/spec/n", "value": 1 },
                { "op": "test", "path": "/spec/more", "value": [3] },
                { "op": "remove", "path": "/spec/more" },
            ])
        );
    }

    #[test]
    fn a_merge_patch_sets_replaces_and_removes() {
        let patched =
            merged(&json!({ "a": 1, "b": { "c": 1, "d": [1] } }), &json!({ "a": null, "b": { "d": [2] } }));
        assert_eq!(patched, json!({ "b": { "c": 1, "d": [2] } }));
    }
}
