//! [`differences`]: what differs between two states of an object, field by field.

use serde_json::Value;

/// Maps whose keys belong to different people: one that comes to be is the sum of its keys, not a field by itself.
const SHARED: &[&str] = &["labels", "annotations", "data", "binaryData", "stringData"];

/// A field that differs. What is not there is null.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    /// The keys that lead to it.
    pub(super) path: Vec<String>,
    pub(super) before: Value,
    pub(super) after: Value,
}

/// The fields that differ: maps are compared key by key, lists as a whole.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(&mut Vec::new(), before, after, &mut found);
    found
}

fn compare(path: &mut Vec<String>, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    let nothing = Value::Object(serde_json::Map::new());
    let shared = path.last().is_some_and(|key| SHARED.contains(&key.as_str()));
    let or_empty = |value: &Value| shared && value.is_null();
    let before = if or_empty(before) { &nothing } else { before };
    let after = if or_empty(after) { &nothing } else { after };
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        let (before, after) = (before.clone(), after.clone());
        return found.push(Difference { path: path.clone(), before, after });
    };
    for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
        path.push(key.clone());
        compare(path, &before[key], &after[key], found);
        path.pop();
    }
}

/// A path for people: `spec.replicas`.
pub(super) fn dotted(path: &[String]) -> String {
    path.join(".")
}

/// A path as JSON Pointers have it, RFC 6901.
pub(super) fn pointer(path: &[String]) -> String {
    path.iter().flat_map(|key| ["/".to_owned(), key.replace('~', "~0").replace('/', "~1")]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_of_different_people_are_compared_one_by_one() {
        let check = |before: Value, after: Value, expected: &[(&str, Value, Value)]| {
            let found = differences(&before, &after);
            let found: Vec<_> =
                found.iter().map(|one| (dotted(&one.path), one.before.clone(), one.after.clone())).collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(path, old, new)| ((*path).to_owned(), old.clone(), new.clone()))
                .collect();
            assert_eq!(found, expected);
        };
        check(json!({ "a": null }), json!({}), &[]);
        check(json!({ "a": [1], "b": 1 }), json!({ "a": [2], "b": 1 }), &[("a", json!([1]), json!([2]))]);
        let added = json!({ "labels": { "x": "1" }, "strategy": { "type": "Recreate" } });
        check(
            json!({}),
            added,
            &[
                ("labels.x", json!(null), json!("1")),
                ("strategy", json!(null), json!({ "type": "Recreate" })),
            ],
        );
    }

    #[test]
    fn a_pointer_leads_through_keys_with_slashes() {
        assert_eq!(pointer(&["a/b".to_owned(), "c~d".to_owned()]), "/a~1b/c~0d");
    }
}
