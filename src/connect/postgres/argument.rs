//! [`literal`]: a value as SQL text for `EXECUTE`, and the quoting it needs.

use serde_json::Value;

use super::query_error::QueryError;

/// Quotes a text as a literal that reads the same whatever `standard_conforming_strings` says.
pub(super) fn quote(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A value as a literal of no type yet, so that the server reads it as the parameter's type or refuses it.
pub(super) fn literal(value: &Value) -> Result<String, QueryError> {
    let text = match value {
        Value::Null => return Ok("NULL".to_owned()),
        Value::Array(items) => array(items),
        scalar => scalar_text(scalar),
    };
    if text.contains('\0') {
        return Err(QueryError::protocol("an argument holds a zero byte, which no PostgreSQL text can"));
    }
    Ok(quote(&text))
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The array syntax of PostgreSQL; every element is quoted, so none can be read as NULL or as structure.
fn array(items: &[Value]) -> String {
    let items = items.iter().map(|item| match item {
        Value::Null => "NULL".to_owned(),
        Value::Array(items) => array(items),
        scalar => format!("\"{}\"", scalar_text(scalar).replace('\\', "\\\\").replace('"', "\\\"")),
    });
    format!("{{{}}}", items.collect::<Vec<_>>().join(","))
}

/// The text behind leading blanks and comments; block comments nest.
pub(super) fn without_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        rest = if rest.starts_with("--") {
            rest.find('\n').map_or("", |end| &rest[end + 1..])
        } else if rest.starts_with("/*") {
            behind_block(rest)
        } else {
            return rest;
        }
        .trim_start();
    }
}

fn behind_block(text: &str) -> &str {
    let (mut depth, mut index) = (0_usize, 0);
    let bytes = text.as_bytes();
    while index < bytes.len() {
        match bytes.get(index..index + 2) {
            Some(b"/*") => (depth, index) = (depth + 1, index + 2),
            Some(b"*/") => (depth, index) = (depth.saturating_sub(1), index + 2),
            _ => index += 1,
        }
        if depth == 0 {
            return text.get(index..).unwrap_or("");
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn literals() {
        let check = |value: Value, expected: &str| assert_eq!(literal(&value).unwrap(), expected);
        check(json!(null), "NULL");
        check(json!(true), "'true'");
        check(json!(18_446_744_073_709_551_615_u64), "'18446744073709551615'");
        check(json!("it's"), "'it''s'");
        check(json!(r"a\'b"), r"E'a\\''b'");
        check(json!([1, null, "a\"b", "NULL"]), r#"E'{"1",NULL,"a\\"b","NULL"}'"#);
        check(json!([[1, 2], [3, 4]]), r#"'{{"1","2"},{"3","4"}}'"#);
        check(json!([]), "'{}'");
        check(json!({"a": [1]}), r#"'{"a":[1]}'"#);
        assert!(literal(&json!("a\0b")).is_err());
    }

    #[test]
    fn comments() {
        for text in ["x", "  x", "-- a\n x", "/* a /* b */ c */ x", "--a\n/* é */x"] {
            assert_eq!(without_comments(text), "x", "{text}");
        }
        assert_eq!(without_comments("/* open"), "");
        assert_eq!(without_comments("-- only"), "");
    }
}
