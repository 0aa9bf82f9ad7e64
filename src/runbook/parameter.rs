//! Parameters: their types, and how a value given as text or data becomes one of them.

use indexmap::IndexMap;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::diagnostic::nearest;
use crate::model::{parse_duration, parse_size};
use crate::sql::{parse_relation, quote_ident};

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParameterType {
    /// Any text.
    #[default]
    String,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// A length of time, in seconds; written `90s`, `5m`, `1h 30m`.
    Duration,
    /// An amount of bytes; written `512MB`, `10GB`, in powers of 1024.
    Size,
    /// A name in PostgreSQL, never split at a dot.
    Identifier,
    /// A table or another relation, in PostgreSQL's own spelling: `public.orders`.
    Relation,
    /// One of `values`.
    Enum,
    /// A list of `items`.
    List,
    /// A map.
    Map,
}

impl ParameterType {
    fn described(self) -> &'static str {
        match self {
            Self::String => "a text",
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Bool => "`true` or `false`",
            Self::Duration => "a duration such as `5m`",
            Self::Size => "a size such as `10GB`",
            Self::Identifier => "an identifier",
            Self::Relation => "a relation such as `public.orders`",
            Self::Enum => "one of its values",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }
}

/// A value the runbook is given.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The type.
    #[serde(rename = "type", default)]
    pub kind: ParameterType,
    /// The type of a list's items.
    #[serde(default)]
    pub items: ParameterType,
    /// The values an `enum` may have.
    #[serde(default)]
    pub values: Vec<String>,
    /// The least value; for texts and lists, the least length.
    pub min: Option<Bound>,
    /// The greatest value; for texts and lists, the greatest length.
    pub max: Option<Bound>,
    /// A regular expression that the whole text must match.
    pub pattern: Option<String>,
    /// Whether a value must be given; by default it must when there is no `default`.
    pub required: Option<bool>,
    /// The value when none is given.
    pub default: Option<Value>,
    /// What it is for; shown where it is asked for.
    #[serde(default)]
    pub description: String,
    /// Whether its value must never be shown.
    #[serde(default)]
    pub secret: bool,
    /// Draw a secret of this length, once per run.
    pub generate: Option<Generate>,
}

/// A limit, as a number or written with a unit.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Bound(pub Value);

/// How a secret is drawn.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Generate {
    /// How many characters.
    pub length: usize,
}

/// Why a value is not a parameter's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsuitable {
    /// What is wrong, such as `must be at least 1`.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Unsuitable {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Parameter {
    /// Whether a run without a value for it cannot begin.
    pub fn is_required(&self) -> bool {
        self.required.unwrap_or(self.default.is_none()) && self.default.is_none() && self.generate.is_none()
    }

    /// What a parameter without a value has.
    pub fn absent(&self) -> Value {
        Value::Null
    }

    /// Takes a value as data: from a file, a default, an environment profile, or a caller.
    pub fn accept(&self, value: &Value) -> Result<Value, Unsuitable> {
        let typed = convert(self.kind, value, self)?;
        self.check_range(&typed)?;
        self.check_pattern(&typed)?;
        Ok(typed)
    }

    /// Takes a value as text: from `--set`, an environment variable, or a prompt.
    pub fn accept_text(&self, text: &str) -> Result<Value, Unsuitable> {
        let value = match self.kind {
            ParameterType::Int | ParameterType::Float => number(text)?,
            ParameterType::Bool => match text {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => {
                    return Err(Unsuitable::new(format!("`{text}` is not a boolean"))
                        .help("Write `true` or `false`."));
                }
            },
            ParameterType::List if !text.trim_start().starts_with('[') => {
                let item = Self { kind: self.items, values: self.values.clone(), ..Self::default() };
                text.split(',')
                    .filter(|t| !t.is_empty())
                    .map(|t| item.accept_text(t.trim()))
                    .collect::<Result<_, _>>()?
            }
            ParameterType::List | ParameterType::Map => serde_json::from_str(text).map_err(|error| {
                Unsuitable::new(format!("is not JSON: {error}"))
                    .help("Write a JSON list or map on the command line.")
            })?,
            _ => Value::from(text),
        };
        self.accept(&value)
    }

    #[expect(clippy::cast_precision_loss, reason = "no text or list has 2^53 items")]
    fn check_range(&self, value: &Value) -> Result<(), Unsuitable> {
        let (measure, what) = match value {
            Value::Number(number) => (number.as_f64().unwrap_or(0.0), ""),
            Value::String(text) => (text.chars().count() as f64, " characters"),
            Value::Array(items) => (items.len() as f64, " items"),
            _ => return Ok(()),
        };
        let limit = |bound: &Option<Bound>| bound.as_ref().and_then(|bound| bound.number(self.kind));
        match (limit(&self.min), limit(&self.max)) {
            (Some(min), _) if measure < min => Err(Unsuitable::new(format!("must be at least {min}{what}"))),
            (_, Some(max)) if measure > max => Err(Unsuitable::new(format!("must be at most {max}{what}"))),
            _ => Ok(()),
        }
    }

    fn check_pattern(&self, value: &Value) -> Result<(), Unsuitable> {
        let (Some(pattern), Some(text)) = (&self.pattern, value.as_str()) else { return Ok(()) };
        match Regex::new(&format!("^(?:{pattern})$")) {
            Ok(regex) if regex.is_match(text) => Ok(()),
            Ok(_) => Err(Unsuitable::new(format!("does not match the pattern `{pattern}`"))),
            Err(error) => Err(Unsuitable::new(format!("cannot be checked: {error}"))),
        }
    }

    /// Problems of the declaration itself: a bad pattern, a default that does not fit, an enum without values.
    pub fn problems(&self) -> Vec<(&'static str, Unsuitable)> {
        let mut found = Vec::new();
        if let Some(pattern) = &self.pattern
            && let Err(error) = Regex::new(pattern)
        {
            let reason = error.to_string();
            let last = reason.lines().last().unwrap_or_default();
            let last = last.strip_prefix("error: ").unwrap_or(last);
            found.push(("pattern", Unsuitable::new(format!("this is not a regular expression: {last}"))));
            return found;
        }
        if self.kind == ParameterType::Enum && self.values.is_empty() {
            found.push((
                "type",
                Unsuitable::new("an enum needs `values`").help("List the values: `values: [a, b]`."),
            ));
            return found;
        }
        for (key, bound) in [("min", &self.min), ("max", &self.max)] {
            if let Some(bound) = bound
                && bound.number(self.kind).is_none()
            {
                let message = format!("`{}` is not {}", plain(&bound.0), self.kind.described());
                found.push((key, Unsuitable::new(message)));
            }
        }
        if self.generate.is_some() && !self.secret {
            found.push((
                "generate",
                Unsuitable::new("only a secret is generated").help("Add `secret: true`."),
            ));
        }
        if let Some(default) = &self.default
            && let Err(unsuitable) = self.accept(default)
        {
            found.push(("default", unsuitable));
        }
        found
    }
}

/// A value as its author wrote it: text without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Bound {
    #[expect(clippy::cast_precision_loss, reason = "a limit of petabytes need not be exact to the byte")]
    fn number(&self, kind: ParameterType) -> Option<f64> {
        match (&self.0, kind) {
            (Value::Number(number), _) => number.as_f64(),
            (Value::String(text), ParameterType::Duration) => parse_duration(text).ok(),
            (Value::String(text), ParameterType::Size) => parse_size(text).ok().map(|bytes| bytes as f64),
            _ => None,
        }
    }
}

fn convert(kind: ParameterType, value: &Value, parameter: &Parameter) -> Result<Value, Unsuitable> {
    let wrong = || {
        let refused = Unsuitable::new(format!("`{}` is not {}", plain(value), kind.described()));
        if kind == ParameterType::String && (value.is_number() || value.is_boolean()) {
            return refused.help(format!("Quote it: `\"{value}\"`."));
        }
        if kind == ParameterType::Bool && value.is_string() {
            return refused.help("Write `true` or `false`, without quotes.");
        }
        refused
    };
    match kind {
        ParameterType::String => value.as_str().map(Value::from).ok_or_else(wrong),
        ParameterType::Int => match value {
            Value::Number(number) if number.is_i64() || number.is_u64() => Ok(value.clone()),
            _ => Err(wrong()),
        },
        ParameterType::Float => {
            if value.is_number() {
                Ok(value.clone())
            } else {
                Err(wrong())
            }
        }
        ParameterType::Bool => {
            if value.is_boolean() {
                Ok(value.clone())
            } else {
                Err(wrong())
            }
        }
        ParameterType::Duration => match value {
            Value::Number(_) => Ok(value.clone()),
            Value::String(text) => parse_duration(text).map(tidy).map_err(Unsuitable::new),
            _ => Err(wrong()),
        },
        ParameterType::Size => match value {
            Value::Number(number) if number.is_i64() || number.is_u64() => Ok(value.clone()),
            Value::String(text) => parse_size(text).map(Value::from).map_err(Unsuitable::new),
            _ => Err(wrong()),
        },
        ParameterType::Identifier => {
            let text = value.as_str().ok_or_else(wrong)?;
            quote_ident(text).map(|_| Value::from(text)).map_err(|error| Unsuitable::new(error.message))
        }
        ParameterType::Relation => {
            let text = value.as_str().ok_or_else(wrong)?;
            parse_relation(text).map(|_| Value::from(text)).map_err(|error| Unsuitable::new(error.message))
        }
        ParameterType::Enum => one_of(value.as_str().ok_or_else(wrong)?, &parameter.values),
        ParameterType::List => {
            let items = value.as_array().ok_or_else(wrong)?;
            items.iter().map(|item| convert(parameter.items, item, parameter)).collect()
        }
        ParameterType::Map => {
            if value.is_object() {
                Ok(value.clone())
            } else {
                Err(wrong())
            }
        }
    }
}

fn one_of(text: &str, values: &[String]) -> Result<Value, Unsuitable> {
    if values.iter().any(|value| value == text) {
        return Ok(Value::from(text));
    }
    let listed = values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    let refused = Unsuitable::new(format!("`{text}` is not one of {listed}"));
    Err(match nearest(text, values.iter().map(String::as_str)) {
        Some(near) => refused.help(format!("Did you mean `{near}`?")),
        None => refused,
    })
}

/// Numbers on the command line are as strict as in a file: `08` is neither eight nor octal.
fn number(text: &str) -> Result<Value, Unsuitable> {
    let digits = text.trim_start_matches(['-', '+']);
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Unsuitable::new(format!("`{text}` has a leading zero"))
            .help(format!("Write `{}`.", digits.trim_start_matches('0'))));
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(Value::from(whole));
    }
    text.parse::<f64>()
        .ok()
        .and_then(Number::from_f64)
        .map(Value::Number)
        .ok_or_else(|| Unsuitable::new(format!("`{text}` is not a number")))
}

/// Seconds as a whole number where they are one.
#[expect(clippy::cast_possible_truncation, reason = "whole and far below 2^63")]
fn tidy(seconds: f64) -> Value {
    if seconds.fract() == 0.0 && seconds.abs() < 1e15 {
        Value::from(seconds as i64)
    } else {
        Value::from(seconds)
    }
}

/// The parameters of a runbook, in the order of its file.
pub type Parameters = IndexMap<String, Parameter>;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn accept(declaration: Value, text: &str) -> Result<Value, String> {
        let parameter: Parameter = serde_json::from_value(declaration).unwrap();
        parameter.accept_text(text).map_err(|unsuitable| unsuitable.message)
    }

    #[test]
    fn texts_become_typed_values() {
        assert_eq!(accept(json!({"type": "int"}), "12"), Ok(json!(12)));
        assert_eq!(accept(json!({"type": "duration"}), "5m"), Ok(json!(300)));
        assert_eq!(accept(json!({"type": "size"}), "10GB"), Ok(json!(10_737_418_240_i64)));
        assert_eq!(accept(json!({"type": "string"}), "no"), Ok(json!("no")));
        assert_eq!(accept(json!({"type": "list", "items": "int"}), "1, 2"), Ok(json!([1, 2])));
        assert_eq!(accept(json!({"type": "list"}), "[\"a,b\"]"), Ok(json!(["a,b"])));
        assert_eq!(
            accept(json!({"type": "relation"}), "public.\"Dock Schedule\""),
            Ok(json!("public.\"Dock Schedule\""))
        );
    }

    #[test]
    fn unsuitable_values_are_refused_with_the_reason() {
        for (declaration, text, reason) in [
            (json!({"type": "int"}), "08", "`08` has a leading zero"),
            (json!({"type": "int"}), "1.5", "`1.5` is not a whole number"),
            (json!({"type": "int", "min": 1}), "0", "must be at least 1"),
            (json!({"type": "duration", "max": "1h"}), "2h", "must be at most 3600"),
            (json!({"type": "bool"}), "yes", "`yes` is not a boolean"),
            (json!({"type": "enum", "values": ["a", "b"]}), "c", "`c` is not one of `a`, `b`"),
            (json!({"pattern": "[a-z]+"}), "a1", "does not match the pattern `[a-z]+`"),
            (json!({"min": 3}), "ab", "must be at least 3 characters"),
        ] {
            assert_eq!(accept(declaration, text), Err(reason.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_number_where_text_is_due_names_the_fix() {
        let unsuitable = Parameter::default().accept(&json!(8)).unwrap_err();
        assert_eq!(unsuitable.help.as_deref(), Some("Quote it: `\"8\"`."));
    }
}
