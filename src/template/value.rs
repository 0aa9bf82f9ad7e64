//! Values between JSON, which the rest of the program speaks, and the template machine.
//!
//! JSON is the whole of what a template may receive and give back: no undefined values, no bytes, no infinite numbers.

use minijinja::Value;
use minijinja::value::ValueKind;
use serde_json::{Map, Number, Value as Json};

use super::error::{Fault, Problem};
use super::scope::LookupObject;

/// How deep a value may be nested.
const MAX_DEPTH: usize = 100;

/// How many parts a value may have: a short template can otherwise describe one larger than any memory.
const MAX_PARTS: usize = 2_000_000;

/// The longest text a template may make.
pub(super) const MAX_TEXT: usize = 64 << 20;

/// A JSON value as the machine sees it.
pub(super) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => from_number(number),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(map) => {
            Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), from_json(value))))
        }
    }
}

fn from_number(number: &Number) -> Value {
    if let Some(value) = number.as_i64() {
        Value::from(value)
    } else if let Some(value) = number.as_u64() {
        Value::from(value)
    } else {
        Value::from(number.as_f64().unwrap_or(f64::NAN))
    }
}

/// A value of the machine as JSON.
pub(super) fn to_json(value: &Value) -> Result<Json, Fault> {
    Writer { parts: 0 }.value(value, 0)
}

struct Writer {
    parts: usize,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<Json, Fault> {
        self.parts += 1;
        if depth > MAX_DEPTH || self.parts > MAX_PARTS {
            return Err(
                Fault::new(Problem::Fuel, "the value is too large").help("Select less in the first place.")
            );
        }
        match value.kind() {
            ValueKind::None => Ok(Json::Null),
            ValueKind::Bool => Ok(Json::Bool(value.is_true())),
            ValueKind::Number => number(value),
            ValueKind::String => Ok(Json::from(value.as_str().unwrap_or_default())),
            ValueKind::Seq | ValueKind::Iterable => self.list(value, depth),
            ValueKind::Map => self.map(value, depth),
            ValueKind::Undefined => Err(Fault::about(Problem::Undefined, "has a part that is not defined")),
            other => {
                Err(Fault::new(Problem::Type, format!("a value of the kind {other} cannot leave a template")))
            }
        }
    }

    fn list(&mut self, value: &Value, depth: usize) -> Result<Json, Fault> {
        let items = items(value)?;
        items.iter().map(|item| self.value(item, depth + 1)).collect::<Result<Vec<_>, _>>().map(Json::Array)
    }

    fn map(&mut self, value: &Value, depth: usize) -> Result<Json, Fault> {
        let mut map = Map::new();
        for key in value.try_iter().map_err(|error| unreadable(&error))? {
            let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            let item = match value.downcast_object_ref::<LookupObject>() {
                Some(lookup) => lookup.read(&name)?.unwrap_or_default(),
                None => value.get_item(&key).map_err(|error| unreadable(&error))?,
            };
            map.insert(name, self.value(&item, depth + 1)?);
        }
        Ok(Json::Object(map))
    }
}

fn number(value: &Value) -> Result<Json, Fault> {
    if let Some(integer) = integer(value) {
        return i64::try_from(integer)
            .map(Json::from)
            .or_else(|_| u64::try_from(integer).map(Json::from))
            .map_err(|_| Fault::new(Problem::Type, format!("`{integer}` does not fit in 64 bits")));
    }
    float(value)
        .and_then(Number::from_f64)
        .map(Json::Number)
        .ok_or_else(|| Fault::new(Problem::Type, format!("`{value}` is not a finite number")))
}

/// The integer a value is, if it is one; a boolean is not.
pub(super) fn integer(value: &Value) -> Option<i128> {
    value.is_integer().then(|| i128::try_from(value.clone()).ok()).flatten()
}

/// The number a value is, if it is one; a boolean is not.
pub(super) fn float(value: &Value) -> Option<f64> {
    (value.kind() == ValueKind::Number).then(|| f64::try_from(value.clone()).ok()).flatten()
}

/// The items of a list; anything else, text included, is an error.
pub(super) fn items(value: &Value) -> Result<Vec<Value>, Fault> {
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Err(Fault::new(Problem::Type, format!("a list is needed here, not {}", kind_name(value))));
    }
    value.try_iter().map(Iterator::collect).map_err(|error| unreadable(&error))
}

fn unreadable(error: &minijinja::Error) -> Fault {
    Fault::new(Problem::Type, error.to_string())
}

/// A value as text in a message: text as it is, `none`, and JSON for the rest.
pub(super) fn to_text(value: &Value) -> Result<String, Fault> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => to_json(value).map(|json| json_to_text(&json)),
    }
}

/// JSON as text in a message.
pub(super) fn json_to_text(json: &Json) -> String {
    match json {
        Json::Null => "none".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What people call the type of a value.
pub(super) fn kind_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "undefined",
        ValueKind::None => "none",
        ValueKind::Bool => "boolean",
        ValueKind::Number => "number",
        ValueKind::String => "text",
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "map",
        _ => "object",
    }
}

/// What people call the type of a JSON value.
pub(super) fn json_kind_name(json: &Json) -> &'static str {
    match json {
        Json::Null => "none",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "text",
        Json::Array(_) => "list",
        Json::Object(_) => "map",
    }
}
