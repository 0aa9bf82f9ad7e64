//! `sum`, `min`, `max`, `first`, `last`: filters that make one value of a list.
//!
//! Of an empty list they give undefined, which `desugar` turns into an error unless `default` stands behind them.

use std::cmp::Ordering;

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, Value};

use crate::template::error::{Fault, Problem};
use crate::template::operators::{combined, order};
use crate::template::value::{items, kind_name};

/// Whether a filter aggregates.
pub(in crate::template) fn aggregates(filter: &str) -> bool {
    matches!(filter, "sum" | "min" | "max" | "first" | "last")
}

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("sum", |value: Value, options: Kwargs| aggregate(&value, &options, sum));
    environment.add_filter("min", |value: Value, options: Kwargs| {
        aggregate(&value, &options, |all| extreme(all, "min", Ordering::Less))
    });
    environment.add_filter("max", |value: Value, options: Kwargs| {
        aggregate(&value, &options, |all| extreme(all, "max", Ordering::Greater))
    });
    environment.add_filter("first", |value: Value, options: Kwargs| {
        aggregate(&value, &options, |all| Ok(all.first().cloned()))
    });
    environment.add_filter("last", |value: Value, options: Kwargs| {
        aggregate(&value, &options, |all| Ok(all.last().cloned()))
    });
}

fn aggregate(
    value: &Value,
    options: &Kwargs,
    one_of: impl Fn(&[Value]) -> Result<Option<Value>, Fault>,
) -> Result<Value, Error> {
    let attribute: Option<&str> = options.get("attribute")?;
    let default: Option<Value> = options.get("default")?;
    options.assert_all_used()?;
    // Only a guarded input may be undefined here, and then its absence is provided for.
    let all = if value.is_undefined() { Vec::new() } else { items(value)? };
    let all = match attribute {
        Some(path) => all.iter().map(|row| attribute_of(row, path)).collect::<Result<_, _>>()?,
        None => all,
    };
    Ok(one_of(&all)?.or(default).unwrap_or(Value::UNDEFINED))
}

/// The value under a dotted path; its absence is an error.
pub(super) fn attribute_of(row: &Value, path: &str) -> Result<Value, Fault> {
    let missing = || {
        Fault::new(Problem::Undefined, format!("a row has no `{path}`"))
            .help("Every row needs it; look at the query.")
    };
    path.split('.').try_fold(row.clone(), |value, name| {
        value.get_attr(name).ok().filter(|found| !found.is_undefined()).ok_or_else(missing)
    })
}

fn sum(all: &[Value]) -> Result<Option<Value>, Fault> {
    let mut all = all.iter();
    let Some(first) = all.next() else { return Ok(None) };
    // Adding zero first makes a single text or none the error it is among others.
    let start = number(first)?;
    all.try_fold(start, |total, value| combined("+", &total, &number(value)?)).map(Some)
}

fn number(value: &Value) -> Result<Value, Fault> {
    if value.kind() == minijinja::value::ValueKind::Number {
        return Ok(value.clone());
    }
    Err(Fault::new(Problem::Type, format!("`sum` adds numbers, not {}", kind_name(value)))
        .help("Leave rows without a number out, or use `coalesce` in the query."))
}

fn extreme(all: &[Value], name: &str, wanted: Ordering) -> Result<Option<Value>, Fault> {
    let mut best: Option<&Value> = None;
    for value in all {
        let other = best.unwrap_or(value);
        let found = order(value, other).ok_or_else(|| {
            let kinds = (kind_name(other), kind_name(value));
            Fault::new(
                Problem::Type,
                format!("`{name}` compares numbers or texts, not {} and {}", kinds.0, kinds.1),
            )
        })?;
        if best.is_none() || found == wanted {
            best = Some(value);
        }
    }
    Ok(best.cloned())
}
