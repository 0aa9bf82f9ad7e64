//! [`JsonPath`]: the part of kubectl's `JSONPath` that names one value.

use std::fmt;

use serde_json::Value;

/// A path to one value: `.status.phase`, `{.status.conditions[?(@.type=="Ready")].status}`, `.items[0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    /// The first item whose field has this text.
    Where(String, String),
}

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError {
    /// What is wrong.
    pub message: String,
    /// The byte at which it is wrong.
    pub at: usize,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at character {}", self.message, self.at + 1)
    }
}

impl JsonPath {
    /// Reads a path. What kubectl knows beyond one value (`*`, `..`, ranges, `range`) is refused, not guessed.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let offset = usize::from(inner.is_some());
        let mut reader = Reader { text: inner.unwrap_or(text), at: 0 };
        let mut steps = Vec::new();
        while !reader.rest().is_empty() {
            steps.push(
                reader
                    .step(steps.is_empty())
                    .map_err(|message| PathError { message, at: reader.at + offset })?,
            );
        }
        if steps.is_empty() {
            return Err(PathError { message: "the path is empty".to_owned(), at: 0 });
        }
        Ok(Self { steps })
    }

    /// The value it names, if it is there.
    pub fn find<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.steps.iter().try_fold(object, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
            Step::Where(field, text) => value
                .as_array()?
                .iter()
                .find(|item| item.get(field).is_some_and(|found| is_text(found, text))),
        })
    }
}

/// Whether a value reads so.
pub fn is_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => value == text,
        // Only what is a JSON text itself can be another value.
        other => serde_json::from_str::<Value>(text).is_ok_and(|parsed| parsed == *other),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn step(&mut self, first: bool) -> Result<Step, String> {
        if self.rest().starts_with('[') {
            return self.bracket();
        }
        if let Some(rest) = self.rest().strip_prefix('.') {
            if rest.starts_with('.') {
                return Err("`..` may name several values".to_owned());
            }
            self.at += 1;
        } else if !first {
            return Err("expected `.` or `[`".to_owned());
        }
        if self.rest().starts_with('[') { self.bracket() } else { self.key() }
    }

    /// A key ends at a dot or a bracket, unless a backslash stands before it.
    fn key(&mut self) -> Result<Step, String> {
        let mut key = String::new();
        while let Some(mut c) = self.rest().chars().next() {
            match c {
                '.' | '[' => break,
                '*' => return Err("`*` may name several values".to_owned()),
                '\\' => {
                    self.at += 1;
                    c = self.rest().chars().next().ok_or("nothing stands behind the backslash")?;
                }
                _ => {}
            }
            key.push(c);
            self.at += c.len_utf8();
        }
        if key.is_empty() { Err("expected a key".to_owned()) } else { Ok(Step::Key(key)) }
    }

    fn bracket(&mut self) -> Result<Step, String> {
        let rest = self.rest();
        let end = rest.find(']').ok_or("the bracket is not closed")?;
        let inner = rest[1..end].trim();
        let step = if let Some(filter) = inner.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
            let parts = filter.trim().strip_prefix("@.").and_then(|rest| rest.split_once("=="));
            let (field, text) = parts.ok_or("a filter is `?(@.field==\"text\")`")?;
            Step::Where(field.trim().to_owned(), unquoted(text.trim()).to_owned())
        } else if let Ok(index) = inner.parse() {
            Step::Index(index)
        } else if inner.len() > 1 && inner.starts_with(['\'', '"']) {
            Step::Key(unquoted(inner).to_owned())
        } else {
            return Err("a bracket holds a number, a quoted key or a filter".to_owned());
        };
        self.at += end + 1;
        Ok(step)
    }
}

fn unquoted(text: &str) -> &str {
    let quoted = |quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_names_one_value() {
        let pod = json!({
            "metadata": { "annotations": { "example.org/a": "b" } },
            "status": {
                "phase": "Running",
                "conditions": [{ "type": "Ready", "status": "True" }],
                "ports": [80, 443],
            },
        });
        let check = |path: &str, expected: Option<Value>| {
            assert_eq!(JsonPath::parse(path).unwrap().find(&pod), expected.as_ref(), "{path}");
        };
        check(".status.phase", Some(json!("Running")));
        check("{.status.phase}", Some(json!("Running")));
        check("status.phase", Some(json!("Running")));
        check(".status.ports[1]", Some(json!(443)));
        check(".status.conditions[?(@.type==\"Ready\")].status", Some(json!("True")));
        check(".status.conditions[?(@.type=='Gone')].status", None);
        check(r".metadata.annotations.example\.org/a", Some(json!("b")));
        check(".metadata.annotations['example.org/a']", Some(json!("b")));
        check(".status.none.at.all", None);
    }

    #[test]
    fn what_may_name_several_values_is_refused() {
        let check = |path: &str, message: &str, at: usize| {
            let error = JsonPath::parse(path).unwrap_err();
            assert_eq!((error.message.as_str(), error.at), (message, at), "{path}");
        };
        check("", "the path is empty", 0);
        check(".items[*].name", "a bracket holds a number, a quoted key or a filter", 6);
        check(".status..phase", "`..` may name several values", 7);
        check(".items.*", "`*` may name several values", 7);
        check("{.items[}", "the bracket is not closed", 7);
        check(".a[?(.b)]", "a filter is `?(@.field==\"text\")`", 2);
        check(".", "expected a key", 1);
    }
}
