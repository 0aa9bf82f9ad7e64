//! [`in_brief`]: what a step produced, short enough for the end of a line.
//!
//! It reads outputs as journals carry them and knows their shape only by their fields, so it never fails.

use serde_json::{Map, Value};

use super::words::{number as count, plain as one_line};
use crate::model::format_size;

/// The result of a step in a few words: `3 rows`, `VACUUM`, `yes, by alice`; nothing when there is nothing to say.
pub fn in_brief(output: &Value) -> Option<String> {
    let Value::Object(fields) = output else { return None };
    let words = verdict(fields)
        .or_else(|| answer(fields))
        .or_else(|| program(fields))
        .or_else(|| children(fields))
        .or_else(|| sql(fields))
        .or_else(|| object(fields));
    words.map(|words| one_line(&words)).filter(|words| !words.is_empty())
}

/// A value on one line, texts without their quotes.
pub fn in_line(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => one_line(text),
        Value::Array(items) => items.iter().map(in_line).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn number(fields: &Map<String, Value>, name: &str) -> Option<u64> {
    fields.get(name)?.as_u64()
}

/// An `assert`.
fn verdict(fields: &Map<String, Value>) -> Option<String> {
    let passed = fields.get("passed")?.as_bool()?;
    // The message is written for a breach; beside an expectation that holds it would read like one.
    Some(if passed { "holds" } else { "does not hold" }.to_owned())
}

/// A `confirm`.
fn answer(fields: &Map<String, Value>) -> Option<String> {
    let answer = in_line(fields.get("answer")?);
    let by = fields.get("by").and_then(Value::as_str).map(|by| format!(", by {by}"));
    Some(answer + &by.unwrap_or_default())
}

/// An `exec`, here or in a pod.
fn program(fields: &Map<String, Value>) -> Option<String> {
    let code = fields.get("exit_code")?;
    if let Some(file) = fields.get("file").and_then(Value::as_object) {
        let path = file.get("path").map(in_line)?;
        let size = i64::try_from(number(file, "bytes")?).unwrap_or(i64::MAX);
        return Some(format!("{path}, {}", format_size(size)));
    }
    let first = |name| fields.get(name)?.as_str()?.lines().find(|line| !line.trim().is_empty());
    match (code.as_i64(), first("stdout")) {
        (Some(0), Some(line)) => Some(line.to_owned()),
        (Some(0), None) => Some("done".to_owned()),
        _ => Some(format!("exit code {code}")),
    }
}

/// A `for_each`.
fn children(fields: &Map<String, Value>) -> Option<String> {
    fields.get("each")?;
    let counts = fields.get("count")?.as_object()?;
    let part = |name: &str| number(counts, name).filter(|n| *n > 0).map(|n| format!("{n} {name}"));
    let parts: Vec<String> =
        ["succeeded", "failed", "skipped"].iter().filter_map(|name| part(name)).collect();
    Some(if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") })
}

/// A `sql`: its only value, its rows, or its statements by verb.
fn sql(fields: &Map<String, Value>) -> Option<String> {
    if let Some(value) = only_value(fields) {
        return Some(value);
    }
    let returned = fields.get("columns").and_then(Value::as_array).is_some_and(|columns| !columns.is_empty());
    if let Some(rows) = number(fields, "row_count").filter(|rows| returned || *rows > 0) {
        let more = if fields.get("truncated") == Some(&Value::Bool(true)) { ", cut" } else { "" };
        return Some(count(rows, "row") + more);
    }
    let statements = fields.get("statements")?.as_array()?;
    Some(verbs(statements))
}

fn only_value(fields: &Map<String, Value>) -> Option<String> {
    let [row] = fields.get("rows")?.as_array()?.as_slice() else { return None };
    let row = row.as_object().filter(|row| row.len() == 1)?;
    let (name, value) = row.iter().next()?;
    (!value.is_object() && !value.is_array()).then(|| format!("{name}: {}", in_line(value)))
}

/// `VACUUM`, `UPDATE 12 rows`, `CREATE INDEX ×3, ANALYZE`.
fn verbs(statements: &[Value]) -> String {
    let mut seen: Vec<(&str, u64, u64)> = Vec::new();
    for statement in statements {
        let verb = statement.get("verb").and_then(Value::as_str).unwrap_or("statement");
        let affected = statement.get("affected").and_then(Value::as_u64).unwrap_or(0);
        match seen.iter_mut().find(|(known, ..)| *known == verb) {
            Some((_, times, rows)) => (*times, *rows) = (*times + 1, *rows + affected),
            None => seen.push((verb, 1, affected)),
        }
    }
    let word = |(verb, times, rows): &(&str, u64, u64)| match (times, rows) {
        (1, 0) => (*verb).to_owned(),
        (_, 0) => format!("{verb} {times} times"),
        _ => format!("{verb} {}", count(*rows, "row")),
    };
    seen.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A `kubectl`: what it changed or copied, else the object by kind and name, or how many items.
fn object(fields: &Map<String, Value>) -> Option<String> {
    let list = |name: &str| fields.get(name).and_then(Value::as_array);
    if let Some(changed) = list("changed").filter(|_| fields.get("before").is_some_and(Value::is_object)) {
        let first = changed.first().and_then(Value::as_str);
        return Some(match (first, changed.len()) {
            (None, _) => "nothing changed".to_owned(),
            (Some(first), 1) => first.to_owned(),
            (Some(first), count) => format!("{first}, and {} more", count - 1),
        });
    }
    if let Some(deleted) = list("deleted") {
        let names: Vec<&str> = deleted.iter().filter_map(Value::as_str).collect();
        return Some(if names.is_empty() { "nothing there".to_owned() } else { names.join(", ") });
    }
    if let Some(lines) = list("lines") {
        return Some(count(lines.len() as u64, "line"));
    }
    if let Some(files) = list("files") {
        let only = match files.as_slice() {
            [only] => only.get("to").map(in_line),
            _ => None,
        };
        let size = i64::try_from(number(fields, "bytes")?).unwrap_or(i64::MAX);
        let files = only.unwrap_or_else(|| count(files.len() as u64, "file"));
        return Some(format!("{files}, {}", format_size(size)));
    }
    if let Some(objects) = list("items").or_else(|| list("objects")) {
        return Some(count(objects.len() as u64, "object"));
    }
    let object = ["object", "after"].iter().find_map(|name| fields.get(*name)?.as_object())?;
    let kind = object.get("kind")?.as_str()?.to_ascii_lowercase();
    let name = object.get("metadata")?.get("name")?.as_str()?;
    Some(format!("{kind}/{name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "reads better at each call")]
    fn check(output: Value, expected: &str) {
        assert_eq!(in_brief(&output).unwrap_or_default(), expected, "{output}");
    }

    #[test]
    fn sql_says_what_came_back_or_what_was_done() {
        let rows = json!([{ "a": 1, "b": 2 }, { "a": 3, "b": 4 }]);
        check(json!({ "rows": rows, "row_count": 2, "columns": ["a", "b"] }), "2 rows");
        check(json!({ "rows": [], "row_count": 0, "columns": ["a"] }), "0 rows");
        check(
            json!({ "rows": rows, "row_count": 9000, "columns": ["a", "b"], "truncated": true }),
            "9000 rows, cut",
        );
        check(json!({ "rows": [{ "size": "12 MB" }], "row_count": 1, "columns": ["size"] }), "size: 12 MB");
        let statement = |verb, affected| json!({ "verb": verb, "affected": affected, "seconds": 0.1 });
        check(
            json!({ "rows": [], "row_count": 0, "columns": [], "statements": [statement("VACUUM", 0)] }),
            "VACUUM",
        );
        check(json!({ "statements": [statement("UPDATE", 5), statement("UPDATE", 7)] }), "UPDATE 12 rows");
        check(json!({ "statements": [statement("VACUUM", 0), statement("VACUUM", 0)] }), "VACUUM 2 times");
        check(
            json!({ "statements": [statement("DELETE", 1), statement("ANALYZE", 0)] }),
            "DELETE 1 row, ANALYZE",
        );
    }

    #[test]
    fn other_kinds_say_their_result() {
        check(json!({ "passed": true, "message": "the disk is full" }), "holds");
        check(json!({ "passed": false, "message": "the disk is full" }), "does not hold");
        check(json!({ "answer": true, "by": "alice", "at": "…" }), "yes, by alice");
        check(json!({ "answer": ["a", "b"], "by": "bob" }), "a, b, by bob");
        check(json!({ "exit_code": 0, "stdout": "\nok\nmore\n", "stderr": "" }), "ok");
        check(json!({ "exit_code": 3, "stdout": "ok" }), "exit code 3");
        check(json!({ "exit_code": 0, "file": { "path": "wms.dump", "bytes": 2048 } }), "wms.dump, 2 kB");
        check(json!({ "each": [], "count": { "succeeded": 0, "failed": 0, "skipped": 0 } }), "nothing to do");
        let counts = json!({ "succeeded": 3, "failed": 1, "skipped": 0 });
        check(json!({ "each": [{}], "count": counts }), "3 succeeded, 1 failed");
        let pod = json!({ "kind": "Pod", "metadata": { "name": "db-0" } });
        check(json!({ "object": pod }), "pod/db-0");
        check(json!({ "items": [pod, pod] }), "2 objects");
        check(json!({ "object": pod, "before": pod, "changed": ["a: 1 → 2"] }), "a: 1 → 2");
        check(
            json!({ "object": pod, "before": pod, "changed": ["a: 1 → 2", "b", "c"] }),
            "a: 1 → 2, and 2 more",
        );
        check(json!({ "object": pod, "before": pod, "changed": [] }), "nothing changed");
        check(json!({ "object": pod, "before": null, "changed": ["kind: nothing → Pod"] }), "pod/db-0");
        check(json!({ "deleted": ["a", "b"], "kept": [] }), "a, b");
        check(json!({ "deleted": [], "kept": [] }), "nothing there");
        let copied = json!({ "from": "/data/a", "to": "dumps/a", "bytes": 1024 });
        check(json!({ "files": [copied], "count": 1, "bytes": 1024 }), "dumps/a, 1 kB");
        check(json!({ "files": [copied, copied], "count": 2, "bytes": 2048 }), "2 files, 2 kB");
        check(json!({ "text": "", "lines": ["x"], "pod": "db-0" }), "1 line");
    }

    #[test]
    fn unknown_shapes_say_nothing() {
        for output in [json!(null), json!(3), json!([]), json!({}), json!({ "exit_code": 0, "file": {} })] {
            check(output, "");
        }
    }
}
