//! What a step produced, in full ([`shown`]).

use indexmap::IndexSet;
use serde_json::{Map, Value};

use super::table::{cell, table};
use super::words::wrap;

/// A step's output as its author wants it seen: what `show` evaluated to, else its rows; nothing without either.
///
/// The text is at most `width` wide and ends in no line break; lists and rows end after `max_rows`.
pub fn shown(output: &Value, width: usize, max_rows: usize) -> Option<String> {
    if let Some(value) = output.get("shown") {
        return Some(any(value, width, max_rows));
    }
    let Some(rows) = output.get("rows").and_then(Value::as_array) else { return text(output, width) };
    let names = output.get("columns").and_then(Value::as_array);
    let columns: Vec<String> = names.into_iter().flatten().map(cell).collect();
    let columns = if columns.is_empty() { keys(rows) } else { columns };
    (!columns.is_empty()).then(|| objects(&columns, rows, width, max_rows))
}

/// What a program wrote.
fn text(output: &Value, width: usize) -> Option<String> {
    let stdout = output.get("stdout")?.as_str()?.trim_end();
    (!stdout.is_empty()).then(|| wrap(stdout, width, "").join("\n"))
}

fn any(value: &Value, width: usize, max_rows: usize) -> String {
    match value {
        Value::Array(rows) if rows.iter().any(Value::is_object) => {
            objects(&keys(rows), rows, width, max_rows)
        }
        Value::Array(items) => list(items, width, max_rows),
        Value::Object(fields) => pairs(fields, width, max_rows),
        Value::String(text) => wrap(text, width, "").join("\n"),
        scalar => scalar.to_string(),
    }
}

fn list(items: &[Value], width: usize, max_rows: usize) -> String {
    let mut lines: Vec<String> =
        items.iter().take(max_rows).flat_map(|item| wrap(&cell(item), width, "")).collect();
    match items.len().saturating_sub(max_rows) {
        _ if items.is_empty() => lines.push("nothing".to_owned()),
        0 => {}
        more => lines.push(format!("… and {more} more")),
    }
    lines.join("\n")
}

fn pairs(fields: &Map<String, Value>, width: usize, max_rows: usize) -> String {
    let rows: Vec<Vec<Value>> =
        fields.iter().map(|(name, value)| vec![Value::from(name.as_str()), value.clone()]).collect();
    table(&["name".to_owned(), "value".to_owned()], &rows, width, max_rows)
}

fn objects(columns: &[String], rows: &[Value], width: usize, max_rows: usize) -> String {
    // Only the rows that are drawn are copied; the others are only counted.
    let row = |(index, row): (usize, &Value)| match index {
        _ if index >= max_rows => Vec::new(),
        _ => columns.iter().map(|column| row.get(column).cloned().unwrap_or_default()).collect(),
    };
    let rows: Vec<Vec<Value>> = rows.iter().enumerate().map(row).collect();
    table(columns, &rows, width, max_rows)
}

/// Every key of the objects, in the order first met.
fn keys(rows: &[Value]) -> Vec<String> {
    let keys: IndexSet<&String> = rows.iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
    keys.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_output_in_full() {
        let check = |output: Value, expected: Option<&str>| {
            assert_eq!(shown(&output, 40, 2).as_deref(), expected, "{output}");
        };
        check(json!({"row_count": 0}), None);
        check(json!({"rows": [], "columns": []}), None);
        check(json!({"rows": [], "columns": ["a"]}), Some("a\n─\nno rows"));
        check(json!({"rows": [{"b": 1, "a": "x"}], "columns": ["a", "b"]}), Some("a  b\n────\nx  1"));
        check(json!({"rows": [{"a": 1}], "shown": "four"}), Some("four"));
        check(json!({"shown": 4}), Some("4"));
        check(json!({"shown": null}), Some("null"));
        check(json!({"shown": [1, 2, 3]}), Some("1\n2\n… and 1 more"));
        check(json!({"shown": []}), Some("nothing"));
        check(
            json!({"shown": [{"a": 1}, {"b": 2}, {}]}),
            Some("   a     b\n──────────\n   1  null\nnull     2\n… and 1 more row"),
        );
        check(json!({"shown": {"size": "8 MB"}}), Some("name  value\n───────────\nsize  8 MB"));
    }
}
