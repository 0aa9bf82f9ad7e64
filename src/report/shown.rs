//! What a step produced: in a few words ([`in_brief`]), and in full ([`shown`]).

use indexmap::IndexSet;
use serde_json::{Map, Value};

use super::table::{cell, table};
use super::words::{number, plain, wrap};

/// A step's output in a few words: `3 rows`, `VACUUM`, the message of an assert; nothing when there is nothing to say.
pub fn in_brief(output: &Value) -> Option<String> {
    let fields = match output {
        Value::Object(fields) => fields,
        Value::Null | Value::Array(_) => return None,
        scalar => return Some(cell(scalar)),
    };
    message(fields)
        .or_else(|| answer(fields))
        .or_else(|| children(fields))
        .or_else(|| rows(fields))
        .or_else(|| statements(fields))
        .or_else(|| affected(fields))
        .or_else(|| Some(format!("exit code {}", fields.get("exit_code")?.as_i64()?)))
}

fn message(fields: &Map<String, Value>) -> Option<String> {
    fields.get("message").and_then(Value::as_str).map(plain).filter(|message| !message.is_empty())
}

fn answer(fields: &Map<String, Value>) -> Option<String> {
    let answer = match fields.get("answer")? {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => cell(other),
    };
    let by =
        fields.get("by").and_then(Value::as_str).map(|by| format!(", by {}", plain(by))).unwrap_or_default();
    Some(format!("{answer}{by}"))
}

fn children(fields: &Map<String, Value>) -> Option<String> {
    let counts = fields.get("count")?.as_object()?;
    let counted = |(state, count): (&String, &Value)| match count.as_u64()? {
        0 => None,
        count => Some(format!("{count} {}", plain(state))),
    };
    let words: Vec<String> = counts.iter().filter_map(counted).collect();
    Some(if words.is_empty() { "no items".to_owned() } else { words.join(", ") })
}

fn rows(fields: &Map<String, Value>) -> Option<String> {
    let columns = fields.get("columns").and_then(Value::as_array);
    let rows = fields.get("rows").and_then(Value::as_array);
    if columns.is_some_and(Vec::is_empty) || (columns.is_none() && rows.is_none_or(Vec::is_empty)) {
        return None;
    }
    let kept = rows.map_or(0, Vec::len) as u64;
    let count = fields.get("row_count").and_then(Value::as_u64).unwrap_or(kept);
    let cut = fields.get("truncated").and_then(Value::as_bool).unwrap_or(false);
    Some(format!("{}{}", number(count, "row"), if cut { ", cut off" } else { "" }))
}

fn statements(fields: &Map<String, Value>) -> Option<String> {
    let verb = |statement: &Value| Some(plain(statement.get("verb")?.as_str()?));
    let verbs: Vec<String> = fields.get("statements")?.as_array()?.iter().filter_map(verb).collect();
    let distinct: IndexSet<&str> = verbs.iter().map(String::as_str).collect();
    let words = match (distinct.len(), verbs.len()) {
        (0, _) => return None,
        (1, 1) | (2..=3, _) => distinct.into_iter().collect::<Vec<_>>().join(", "),
        (1, many) => format!("{many} × {}", verbs[0]),
        (_, many) => number(many as u64, "statement"),
    };
    Some(match affected(fields) {
        Some(affected) => format!("{words}, {affected}"),
        None => words,
    })
}

fn affected(fields: &Map<String, Value>) -> Option<String> {
    let count = fields.get("affected")?.as_u64().filter(|&count| count > 0)?;
    Some(format!("{} affected", number(count, "row")))
}

/// A step's output as its author wants it seen: what `show` evaluated to, else its rows; nothing without either.
///
/// The text is at most `width` wide and ends in no line break; lists and rows end after `max_rows`.
pub fn shown(output: &Value, width: usize, max_rows: usize) -> Option<String> {
    if let Some(value) = output.get("shown") {
        return Some(any(value, width, max_rows));
    }
    let rows = output.get("rows")?.as_array()?;
    let names = output.get("columns").and_then(Value::as_array);
    let columns: Vec<String> = names.into_iter().flatten().map(cell).collect();
    let columns = if columns.is_empty() { keys(rows) } else { columns };
    (!columns.is_empty()).then(|| objects(&columns, rows, width, max_rows))
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
    fn an_output_in_a_few_words() {
        let check = |output: Value, expected: Option<&str>| {
            assert_eq!(in_brief(&output).as_deref(), expected, "{output}");
        };
        check(Value::Null, None);
        check(json!({}), None);
        check(json!("text"), Some("text"));
        check(json!({"rows": [{"a": 1}], "columns": ["a"], "row_count": 1}), Some("1 row"));
        check(json!({"rows": [], "columns": ["a"], "row_count": 0}), Some("0 rows"));
        check(json!({"rows": [{"a": 1}], "row_count": 9000, "truncated": true}), Some("9000 rows, cut off"));
        let vacuum = json!({"rows": [], "columns": [], "row_count": 0, "statements": [{"verb": "VACUUM"}]});
        check(vacuum, Some("VACUUM"));
        check(
            json!({"statements": [{"verb": "UPDATE"}, {"verb": "UPDATE"}], "affected": 5}),
            Some("2 × UPDATE, 5 rows affected"),
        );
        check(json!({"statements": [{"verb": "SET"}, {"verb": "REINDEX"}]}), Some("SET, REINDEX"));
        check(json!({"affected": 1}), Some("1 row affected"));
        check(json!({"passed": true, "message": "enough\nspace"}), Some("enough space"));
        check(json!({"answer": true, "by": "dba"}), Some("yes, by dba"));
        check(json!({"exit_code": 0, "stdout": "x"}), Some("exit code 0"));
        check(
            json!({"each": [], "count": {"succeeded": 3, "failed": 1, "skipped": 0}}),
            Some("3 succeeded, 1 failed"),
        );
    }

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
