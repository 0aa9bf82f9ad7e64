//! `rollback: auto` of a `sql` step: settings are brought back to what they were.

use serde_json::{Value, json};

use crate::sql::trail;
use crate::step::kind::{TookEffect, Undo};

/// The statements that undo the ones of a step, the last one first.
pub(super) fn undo(took_effect: &TookEffect<'_>) -> Undo {
    let input = took_effect.input;
    let statements = input["statements"].as_array().map_or(&[][..], Vec::as_slice);
    let mut undoing = Vec::new();
    for statement in statements.iter().rev().filter_map(Value::as_str) {
        let Some(before) = took_effect.before.get(statement) else {
            return Undo::Impossible(
                "what was there before is not known: only settings of the server, a database or a role are undone by \
                 themselves"
                    .to_owned(),
            );
        };
        match trail(statement).and_then(|trail| trail.restore(before.as_str())) {
            Some(restoring) => undoing.extend(restoring),
            None => return Undo::Impossible(format!("`{statement}` is no setting that can be brought back")),
        }
    }
    let query = undoing.join(";\n");
    if ["{{", "{%", "{#"].iter().any(|mark| query.contains(mark)) {
        return Undo::Impossible("the value from before looks like a template".to_owned());
    }
    let mut body = json!({ "query": query, "transaction": "never" });
    for key in ["connection", "database", "role"] {
        if let Some(value) = input.get(key).filter(|value| !value.is_null()) {
            body[key] = value.clone();
        }
    }
    Undo::Steps(vec![("sql", body)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_brought_back_in_reverse() {
        let first = "ALTER SYSTEM SET work_mem = '8MB'";
        let second = "ALTER SYSTEM SET jit = off";
        let input = json!({ "connection": "db", "statements": [first, second] });
        let before = json!({ first: "4MB", second: null });
        let took = TookEffect { input: &input, before: &before, traces: &[], output: &Value::Null };
        let Undo::Steps(steps) = undo(&took) else { panic!("it can be undone") };
        let [("sql", body)] = steps.as_slice() else { panic!("one step undoes it") };
        assert_eq!(
            body["query"],
            "ALTER SYSTEM RESET jit;\nSELECT pg_catalog.pg_reload_conf();\nALTER SYSTEM SET work_mem TO '4MB';\n\
             SELECT pg_catalog.pg_reload_conf()"
        );
        let took = TookEffect { input: &input, before: &Value::Null, traces: &[], output: &Value::Null };
        assert!(matches!(undo(&took), Undo::Impossible(_)));
    }
}
