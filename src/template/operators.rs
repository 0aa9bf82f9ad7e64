//! The operators of the language, as the internal filters that `desugar` calls.
//!
//! Comparing and ordering take two numbers or two texts; arithmetic takes numbers and never wraps; a condition is a
//! boolean. Everything else is an error that names both types.

use std::cmp::Ordering;

use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, Value};

use crate::diagnostic::nearest;

use super::error::{Fault, Problem};
use super::scope::LookupObject;
use super::value::{MAX_TEXT, float, integer, items, kind_name, to_text};

/// The names of the internal filters; an author cannot write them, because `check` refuses the underscores.
pub(super) mod name {
    pub(in crate::template) const DEFINED: &str = "__defined";
    pub(in crate::template) const FOUND: &str = "__found";
    pub(in crate::template) const TRUTH: &str = "__truth";
    pub(in crate::template) const ITERATE: &str = "__iterate";
    pub(in crate::template) const ATTR: &str = "__attr";
    pub(in crate::template) const TRY_ATTR: &str = "__try_attr";
    pub(in crate::template) const ITEM: &str = "__item";
    pub(in crate::template) const TRY_ITEM: &str = "__try_item";
    pub(in crate::template) const SLICE: &str = "__slice";
    pub(in crate::template) const CHAIN: &str = "__chain";
    pub(in crate::template) const EQ: &str = "__eq";
    pub(in crate::template) const NE: &str = "__ne";
    pub(in crate::template) const LT: &str = "__lt";
    pub(in crate::template) const LE: &str = "__le";
    pub(in crate::template) const GT: &str = "__gt";
    pub(in crate::template) const GE: &str = "__ge";
    pub(in crate::template) const IN: &str = "__in";
    pub(in crate::template) const ADD: &str = "__add";
    pub(in crate::template) const SUBTRACT: &str = "__subtract";
    pub(in crate::template) const MULTIPLY: &str = "__multiply";
    pub(in crate::template) const DIVIDE: &str = "__divide";
    pub(in crate::template) const FLOOR_DIVIDE: &str = "__floor_divide";
    pub(in crate::template) const REMAINDER: &str = "__remainder";
    pub(in crate::template) const POWER: &str = "__power";
    pub(in crate::template) const NEGATE: &str = "__negate";
    pub(in crate::template) const CONCAT: &str = "__concat";
}

/// Adds the internal filters to the environment.
pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter(name::DEFINED, defined);
    environment.add_filter(name::FOUND, found);
    environment.add_filter(name::TRUTH, truth);
    environment.add_filter(name::ITERATE, iterate);
    environment.add_filter(name::ATTR, attr);
    environment.add_filter(name::TRY_ATTR, |value: Value, key: &str| Ok::<_, Error>(lenient(&value, key)));
    environment.add_filter(name::ITEM, item);
    environment.add_filter(name::TRY_ITEM, try_item);
    environment.add_filter(name::SLICE, slice);
    environment.add_filter(name::CHAIN, chain);
    for (name, word) in [
        (name::EQ, "=="),
        (name::NE, "!="),
        (name::LT, "<"),
        (name::LE, "<="),
        (name::GT, ">"),
        (name::GE, ">="),
        (name::IN, "in"),
    ] {
        environment
            .add_filter(name, move |left: Value, right: Value| Ok::<_, Error>(compare(word, &left, &right)?));
    }
    for (name, word) in [
        (name::ADD, "+"),
        (name::SUBTRACT, "-"),
        (name::MULTIPLY, "*"),
        (name::DIVIDE, "/"),
        (name::FLOOR_DIVIDE, "//"),
        (name::REMAINDER, "%"),
        (name::POWER, "**"),
        (name::CONCAT, "~"),
    ] {
        environment.add_filter(name, move |left: Value, right: Value| {
            Ok::<_, Error>(combined(word, &left, &right)?)
        });
    }
    environment
        .add_filter(name::NEGATE, |value: Value| Ok::<_, Error>(combined("-", &Value::from(0), &value)?));
}

fn defined(value: Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Fault::about(Problem::Undefined, "is not defined here").into());
    }
    Ok(value)
}

fn found(value: Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Fault::about(Problem::Filter, "aggregates nothing")
            .help("Say what an empty list gives: `default(0)` after it, or `default=0` inside it.")
            .into());
    }
    Ok(value)
}

fn truth(value: Value) -> Result<Value, Error> {
    if value.kind() == ValueKind::Bool {
        return Ok(value);
    }
    Err(not_a_boolean(&value).into())
}

/// The problem of a condition that is not a boolean.
pub(super) fn not_a_boolean(value: &Value) -> Fault {
    let help = match value.kind() {
        ValueKind::None => "Compare it: `is none` or `is not none`.",
        ValueKind::Number => "Compare it: `!= 0`.",
        ValueKind::String => "Compare it: `!= ''`.",
        _ => "Ask for its length: `| length > 0`.",
    };
    Fault::about(Problem::Truthiness, format!("is {}, not a boolean", with_article(value))).help(help)
}

fn with_article(value: &Value) -> String {
    match kind_name(value) {
        plain @ ("none" | "text" | "undefined") => plain.to_owned(),
        kind => format!("a {kind}"),
    }
}

fn iterate(value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => Ok(value),
        _ => Err(Fault::about(Problem::Type, format!("is {}, not a list", with_article(&value))).into()),
    }
}

fn attr(value: &Value, key: &str) -> Result<Value, Error> {
    Ok(strict(value, key)?)
}

/// The value under a name; its absence is an error that suggests the nearest name.
fn strict(value: &Value, key: &str) -> Result<Value, Fault> {
    if let Some(lookup) = value.downcast_object_ref::<LookupObject>() {
        return lookup.read(key)?.ok_or_else(|| absent(key, &lookup.keys()));
    }
    let found = value.get_attr(key).unwrap_or(Value::UNDEFINED);
    if !found.is_undefined() {
        return Ok(found);
    }
    match value.kind() {
        ValueKind::Map => Err(absent(key, &names(value))),
        _ => Err(Fault::about(Problem::Undefined, "is not defined")
            .help(format!("What stands before `.{key}` is {}, not a map.", with_article(value)))),
    }
}

fn absent(key: &str, known: &[String]) -> Fault {
    let near = nearest(key, known.iter().map(String::as_str)).map(|name| format!("Did you mean `{name}`?"));
    let list =
        (!known.is_empty() && known.len() <= 12).then(|| format!("There is `{}`.", known.join("`, `")));
    Fault::about(Problem::Undefined, "is not defined").maybe_help(near.or(list))
}

fn names(map: &Value) -> Vec<String> {
    map.try_iter()
        .map(|keys| keys.filter_map(|key| key.as_str().map(str::to_owned)).collect())
        .unwrap_or_default()
}

fn lenient(value: &Value, key: &str) -> Value {
    value.get_attr(key).unwrap_or(Value::UNDEFINED)
}

fn item(value: &Value, key: &Value) -> Result<Value, Error> {
    if let Some(key) = key.as_str() {
        return Ok(strict(value, key)?);
    }
    let found = value.get_item(key).unwrap_or(Value::UNDEFINED);
    if !found.is_undefined() {
        return Ok(found);
    }
    let help = match value.len() {
        Some(length) if value.kind() != ValueKind::Map => {
            format!("The list has {length} items, counted from 0.")
        }
        _ => format!("What stands before the bracket is {}.", with_article(value)),
    };
    Err(Fault::about(Problem::Undefined, "is not defined").help(help).into())
}

#[expect(clippy::unnecessary_wraps, clippy::needless_pass_by_value, reason = "the shape of a filter")]
fn try_item(value: Value, key: Value) -> Result<Value, Error> {
    Ok(value.get_item(&key).unwrap_or(Value::UNDEFINED))
}

/// `[start:stop]` of text and lists; negative bounds count from the end.
fn slice(value: &Value, start: &Value, stop: &Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        let letters: Vec<char> = text.chars().collect();
        let (from, to) = bounds(letters.len(), start, stop)?;
        return Ok(Value::from(letters[from..to].iter().collect::<String>()));
    }
    let all = items(value)?;
    let (from, to) = bounds(all.len(), start, stop)?;
    Ok(Value::from(all[from..to].to_vec()))
}

fn bounds(length: usize, start: &Value, stop: &Value) -> Result<(usize, usize), Fault> {
    let place = |bound: &Value, missing: usize| match integer(bound) {
        Some(index) if index < 0 => {
            Ok(length.saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(length)))
        }
        Some(index) => Ok(usize::try_from(index).unwrap_or(length).min(length)),
        None if bound.is_none() => Ok(missing),
        None => Err(Fault::new(Problem::Type, format!("a slice takes integers, not {}", kind_name(bound)))),
    };
    let (from, to) = (place(start, 0)?, place(stop, length)?);
    Ok((from, to.max(from)))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a filter")]
fn chain(first: &Value, words: &str, rest: Rest<Value>) -> Result<bool, Error> {
    let mut left = first;
    for (word, right) in words.split(',').zip(rest.iter()) {
        if !compare(word, left, right)? {
            return Ok(false);
        }
        left = right;
    }
    Ok(true)
}

/// Compares as the contract says: two numbers or two texts.
pub(super) fn compare(word: &str, left: &Value, right: &Value) -> Result<bool, Fault> {
    match word {
        "in" => return contains(right, left),
        "not in" => return contains(right, left).map(|found| !found),
        _ => {}
    }
    let order = order(left, right).ok_or_else(|| incomparable(word, left, right))?;
    Ok(match word {
        "==" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

/// The order of two numbers or two texts; none for every other pair.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        return Some(left.cmp(right));
    }
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => float(left)?.partial_cmp(&float(right)?),
    }
}

fn incomparable(word: &str, left: &Value, right: &Value) -> Fault {
    let either = |kind: ValueKind| left.kind() == kind || right.kind() == kind;
    let message =
        format!("`{word}` takes two numbers or two texts, not {} and {}", kind_name(left), kind_name(right));
    let help = if either(ValueKind::None) {
        "Test for none with `is none` or `is not none`."
    } else if either(ValueKind::Bool) {
        "A boolean needs no comparison: write `x` or `not x`."
    } else if either(ValueKind::Number) && either(ValueKind::String) {
        "Convert one of them: `| int`, `| float` or `| string`."
    } else {
        "Compare a part of it, or its `| length`."
    };
    Fault::new(Problem::Type, message).help(help)
}

fn contains(container: &Value, value: &Value) -> Result<bool, Fault> {
    match (container.kind(), value.as_str()) {
        (ValueKind::String, Some(part)) => Ok(container.as_str().is_some_and(|text| text.contains(part))),
        (ValueKind::Map, Some(key)) => Ok(!lenient(container, key).is_undefined()),
        (ValueKind::Seq | ValueKind::Iterable, _) => Ok(items(container)?.iter().any(|item| item == value)),
        _ => Err(Fault::new(
            Problem::Type,
            format!("`in` cannot look for {} in {}", with_article(value), with_article(container)),
        )
        .help("It looks for a value in a list, a name in a map, or text in text.")),
    }
}

/// Arithmetic and joining.
pub(super) fn combined(word: &str, left: &Value, right: &Value) -> Result<Value, Fault> {
    match (word, left.kind(), right.kind()) {
        ("~", ..) | ("+", ValueKind::String, ValueKind::String) => joined(&to_text(left)?, &to_text(right)?),
        ("+", ValueKind::Seq | ValueKind::Iterable, ValueKind::Seq | ValueKind::Iterable) => {
            let mut all = items(left)?;
            all.extend(items(right)?);
            if all.len() > MAX_TEXT / 16 {
                return Err(Fault::new(Problem::Fuel, "the list is too long"));
            }
            Ok(Value::from(all))
        }
        (_, ValueKind::Number, ValueKind::Number) => calculate(word, left, right),
        _ => Err(Fault::new(
            Problem::Type,
            format!("`{word}` takes two numbers, not {} and {}", kind_name(left), kind_name(right)),
        )
        .help(match word {
            "+" => "It also takes two texts or two lists; `~` joins anything as text.",
            _ => "Convert text with `| int` or `| float`.",
        })),
    }
}

fn joined(left: &str, right: &str) -> Result<Value, Fault> {
    if left.len() + right.len() > MAX_TEXT {
        return Err(Fault::new(Problem::Fuel, "the text is too long"));
    }
    Ok(Value::from([left, right].concat()))
}

fn calculate(word: &str, left: &Value, right: &Value) -> Result<Value, Fault> {
    if matches!(word, "/" | "//" | "%") && float(right) == Some(0.0) {
        return Err(Fault::new(Problem::Type, "division by zero")
            .help("Exclude zero first: `a / b if b != 0 else 0`."));
    }
    if let (Some(left), Some(right), false) = (integer(left), integer(right), word == "/")
        && !(word == "**" && right < 0)
    {
        let result = whole(word, left, right).and_then(|value| i64::try_from(value).ok());
        return result.map(Value::from).ok_or_else(overflow);
    }
    let (left, right) = (float(left).unwrap_or(f64::NAN), float(right).unwrap_or(f64::NAN));
    let result = broken(word, left, right);
    if result.is_finite() { Ok(Value::from(result)) } else { Err(overflow()) }
}

fn overflow() -> Fault {
    Fault::about(Problem::Type, "gives a number that does not fit in 64 bits")
}

fn whole(word: &str, left: i128, right: i128) -> Option<i128> {
    let floor = |left: i128, right: i128| {
        let quotient = left.checked_div(right)?;
        let remainder = left.checked_rem(right)?;
        let inexact = remainder != 0 && (remainder < 0) != (right < 0);
        Some(if inexact { (quotient - 1, remainder + right) } else { (quotient, remainder) })
    };
    match word {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "//" => floor(left, right).map(|(quotient, _)| quotient),
        "%" => floor(left, right).map(|(_, remainder)| remainder),
        _ => left.checked_pow(u32::try_from(right).ok()?),
    }
}

fn broken(word: &str, left: f64, right: f64) -> f64 {
    match word {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        "//" => ((left - floored_remainder(left, right)) / right).round(),
        "%" => floored_remainder(left, right),
        _ => left.powf(right),
    }
}

/// The exact remainder with the sign of the divisor, as in Python. The floor of `left / right` would be wrong where
/// that quotient was rounded up to a whole number: `1.0 // 0.1` is 9.
fn floored_remainder(left: f64, right: f64) -> f64 {
    let remainder = left % right;
    let toward_zero = remainder != 0.0 && (remainder < 0.0) != (right < 0.0);
    if toward_zero { remainder + right } else { remainder }
}
