//! The result of a step with `show`, as text for stdout. Pure.

use indexmap::IndexSet;
use serde_json::{Map, Value};

use crate::report::table;
use crate::ui::result::plain;
use crate::ui::text::clean;

/// The rows drawn at most; the report has them all.
const MOST_ROWS: usize = 200;

/// The value of `show` where there is one, else the rows, else what a program wrote.
pub(super) fn shown(output: &Value, width: usize) -> Option<String> {
    let text = match output.get("shown") {
        Some(value) => draw(value, None, width),
        None => match (output.get("rows"), output.get("stdout").and_then(Value::as_str)) {
            (Some(rows), _) => draw(rows, columns(output), width),
            (None, Some(text)) => clean(text.trim_end()),
            (None, None) => {
                ["object", "items", "after"].iter().find_map(|name| output.get(*name)).map(pretty)?
            }
        },
    };
    (!text.is_empty()).then_some(text)
}

fn columns(output: &Value) -> Option<Vec<String>> {
    let name = |column: &Value| {
        let text = column.as_str().or_else(|| column.get("name").and_then(Value::as_str));
        text.map(str::to_owned)
    };
    output
        .get("columns")?
        .as_array()?
        .iter()
        .map(name)
        .collect::<Option<Vec<_>>>()
        .filter(|list| !list.is_empty())
}

fn draw(value: &Value, columns: Option<Vec<String>>, width: usize) -> String {
    match value {
        Value::Array(rows) if rows.iter().all(Value::is_object) => {
            let rows: Vec<&Map<String, Value>> = rows.iter().filter_map(Value::as_object).collect();
            objects(&rows, columns, width)
        }
        Value::Array(rows) if rows.iter().all(Value::is_array) => {
            let cells: Vec<Vec<Value>> = rows.iter().filter_map(Value::as_array).cloned().collect();
            let numbered =
                || (1..=cells.iter().map(Vec::len).max().unwrap_or(0)).map(|n| n.to_string()).collect();
            table(&columns.unwrap_or_else(numbered), &cells, width, MOST_ROWS)
        }
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("\n"),
        Value::Object(fields) => {
            let rows: Vec<Vec<Value>> =
                fields.iter().map(|(name, value)| vec![name.clone().into(), value.clone()]).collect();
            table(&["name".to_owned(), "value".to_owned()], &rows, width, MOST_ROWS)
        }
        Value::String(text) => clean(text.trim_end()),
        other => plain(other),
    }
}

fn objects(rows: &[&Map<String, Value>], columns: Option<Vec<String>>, width: usize) -> String {
    let found =
        || rows.iter().flat_map(|row| row.keys().cloned()).collect::<IndexSet<_>>().into_iter().collect();
    let columns: Vec<String> = columns.unwrap_or_else(found);
    if columns.is_empty() {
        return "no rows".to_owned();
    }
    let cell = |row: &Map<String, Value>, name: &String| row.get(name).cloned().unwrap_or(Value::Null);
    let cells: Vec<Vec<Value>> =
        rows.iter().map(|row| columns.iter().map(|name| cell(row, name)).collect()).collect();
    table(&columns, &cells, width, MOST_ROWS)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "reads better at each call")]
    fn check(output: Value, holds: &[&str]) {
        let text = shown(&output, 80).unwrap_or_default();
        for piece in holds {
            assert!(text.contains(piece), "{output}: {text}");
        }
        assert_eq!(holds.is_empty(), text.is_empty(), "{output}: {text}");
    }

    #[test]
    fn every_shape_finds_its_form() {
        check(
            json!({ "rows": [{ "name": "orders", "size": 12 }], "columns": ["name", "size"] }),
            &["name", "orders", "12"],
        );
        check(json!({ "rows": [["orders", 12]], "columns": ["name", "size"] }), &["name", "orders"]);
        check(json!({ "rows": [], "columns": ["name"] }), &["name"]);
        check(json!({ "rows": [], "shown": [{ "a": 1 }, { "b": 2 }] }), &["a", "b", "1", "2"]);
        check(json!({ "shown": { "free": "12 GiB" } }), &["free", "12 GiB"]);
        check(json!({ "shown": ["x", "y"] }), &["x\ny"]);
        check(json!({ "shown": "all is well\n" }), &["all is well"]);
        check(json!({ "exit_code": 0, "stdout": "one\n\u{1b}[31mtwo\n" }), &["one\ntwo"]);
        check(json!({ "object": { "kind": "Pod" } }), &["\"kind\": \"Pod\""]);
        check(json!({ "passed": true }), &[]);
        check(json!(null), &[]);
    }
}
