//! `size`, `bytes`, `duration`, `seconds`, `int`, `float`: numbers and how people write them.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, Value};

use crate::model::{format_duration, format_size, parse_duration, parse_size};
use crate::template::error::{Fault, Problem};
use crate::template::value::{float, integer, kind_name};

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("size", |value: Value| Ok::<_, Error>(size(&value)?));
    environment.add_filter("bytes", |value: Value| Ok::<_, Error>(bytes(&value)?));
    environment
        .add_filter("duration", |value: Value| Ok::<_, Error>(format_duration(number(&value, "duration")?)));
    environment.add_filter("seconds", |value: Value| Ok::<_, Error>(whole_if_possible(seconds(&value)?)));
    environment.add_filter("int", |value: Value, options: Kwargs| convert(&value, &options, to_int));
    environment.add_filter("float", |value: Value, options: Kwargs| convert(&value, &options, to_float));
}

/// A number of bytes for people.
pub(super) fn size(value: &Value) -> Result<String, Fault> {
    if let Some(whole) = integer(value) {
        return i64::try_from(whole)
            .map(format_size)
            .map_err(|_| Fault::new(Problem::Filter, "the number is too large for a size"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "a size that large is shown as the largest there is")]
    number(value, "size").map(|bytes| format_size(bytes.round() as i64))
}

fn bytes(value: &Value) -> Result<Value, Fault> {
    match value.as_str() {
        Some(text) => {
            parse_size(text).map(Value::from).map_err(|message| Fault::new(Problem::Filter, message))
        }
        None => number(value, "bytes").map(|_| value.clone()),
    }
}

/// A number of seconds, or a duration as people write it.
pub(super) fn seconds(value: &Value) -> Result<f64, Fault> {
    match value.as_str() {
        Some(text) => parse_duration(text).map_err(|message| Fault::new(Problem::Filter, message)),
        None => number(value, "seconds"),
    }
}

/// A float as an integer when it is whole.
pub(super) fn whole_if_possible(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        Value::from(number as i64)
    } else {
        Value::from(number)
    }
}

fn number(value: &Value, filter: &str) -> Result<f64, Fault> {
    float(value).ok_or_else(|| {
        Fault::new(Problem::Type, format!("`{filter}` takes a number, not {}", kind_name(value)))
    })
}

fn convert(value: &Value, options: &Kwargs, to: fn(&Value) -> Option<Value>) -> Result<Value, Error> {
    let default: Option<Value> = options.get("default")?;
    options.assert_all_used()?;
    to(value).or(default).ok_or_else(|| {
        let shown = if value.kind() == ValueKind::String { "this text" } else { kind_name(value) };
        let help = "Say what to use instead: `int(default=0)`.";
        Fault::new(Problem::Filter, format!("{shown} is not a number")).help(help).into()
    })
}

fn to_int(value: &Value) -> Option<Value> {
    match (value.as_str(), integer(value), float(value)) {
        (Some(text), ..) => text.trim().parse::<i64>().ok().map(Value::from),
        (_, Some(_), _) => Some(value.clone()),
        #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
        (_, _, Some(number)) => (number.abs() < 9.2e18).then(|| Value::from(number.trunc() as i64)),
        _ => (value.kind() == ValueKind::Bool).then(|| Value::from(i64::from(value.is_true()))),
    }
}

fn to_float(value: &Value) -> Option<Value> {
    match value.as_str() {
        Some(text) => text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
        None => float(value).map(Value::from),
    }
}
