//! What a canned result comes to: the output that templates read, and the example of one that is missing.

use serde_json::{Map, Value, json};

use super::fixture::{Canned, CannedFailure};
use crate::model::{Applied, Failure};
use crate::step::{Done, StepError};

/// The output of a step of this kind, completed with what its author need not write.
pub(super) fn done(kind: &str, canned: &Canned) -> Done<Value> {
    let mut output = canned.output.clone();
    match kind {
        "sql" => complete_rows(&mut output),
        "exec" => complete_program(&mut output),
        // A program that kubectl starts leaves what every program leaves.
        _ if output.contains_key("stdout") => complete_program(&mut output),
        _ => {}
    }
    if let Some(before) = canned.before.as_ref().filter(|_| kind == "kubectl") {
        output.entry("before").or_insert_with(|| before.clone());
    }
    let warnings = output.get("warnings").and_then(Value::as_array).into_iter().flatten();
    let warnings = warnings.filter_map(Value::as_str).map(str::to_owned).collect();
    Done { warnings, ..Done::with(Value::Object(output)) }
}

/// `row` and `value` are short for one row.
fn complete_rows(output: &mut Map<String, Value>) {
    if let Some(value) = output.remove("value") {
        output.insert("rows".to_owned(), json!([{ "value": value }]));
    }
    if let Some(row) = output.remove("row") {
        output.insert("rows".to_owned(), json!([row]));
    }
    let rows = output.entry("rows").or_insert_with(|| json!([])).clone();
    let count = rows.as_array().map_or(0, Vec::len);
    let first = rows.get(0).and_then(Value::as_object);
    let columns: Vec<&String> = first.into_iter().flat_map(Map::keys).collect();
    for (key, value) in [
        ("columns", json!(columns)),
        ("row_count", json!(count)),
        ("affected", json!(count)),
        ("statements", json!([])),
        ("truncated", json!(false)),
    ] {
        output.entry(key).or_insert(value);
    }
}

fn complete_program(output: &mut Map<String, Value>) {
    for (key, value) in
        [("stdout", json!("")), ("stderr", json!("")), ("exit_code", json!(0)), ("truncated", json!(false))]
    {
        output.entry(key).or_insert(value);
    }
}

/// How an attempt ends that the fixture does not let succeed.
pub(super) fn error(canned: &Canned) -> Option<StepError> {
    if let Some(why) = &canned.cut {
        return Some(StepError::Uncertain(Failure::new(why.clone()).applied(Applied::Unknown)));
    }
    canned.fail.as_ref().map(|CannedFailure { message, sqlstate, applied }| {
        let failure = Failure { sqlstate: sqlstate.clone(), ..Failure::new(message.clone()) };
        StepError::Failed(failure.applied(*applied))
    })
}

/// What an author may paste below `steps:`.
pub(super) fn example(id: &str, kind: &str, fields: &[&str]) -> String {
    let has = |field: &str| fields.contains(&field);
    let body = match kind {
        "confirm" => r#"answer: "yes""#,
        _ if has("stdout") => r#"stdout: "", exit_code: 0"#,
        _ if has("rows") => "rows: [{ column: value }]",
        _ if has("text") => r#"text: """#,
        _ => "object: {}",
    };
    format!("{id}: {{ {body} }}")
}
