//! Filters and tests of minijinja's whose types are too lax, or whose cost has no bound, in our own words.

use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, State, Value};

use super::aggregate::attribute_of;
use super::encode::text;
use crate::template::error::{Fault, Problem};
use crate::template::operators::{compare, not_a_boolean};
use crate::template::value::{MAX_TEXT, integer, items, kind_name, to_text};

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("select", |state: &mut State<'_, '_>, value: Value, args: Rest<Value>| {
        choose(state, &value, None, &args, true)
    });
    environment.add_filter("reject", |state: &mut State<'_, '_>, value: Value, args: Rest<Value>| {
        choose(state, &value, None, &args, false)
    });
    environment.add_filter(
        "selectattr",
        |state: &mut State<'_, '_>, value: Value, attribute: String, args: Rest<Value>| {
            choose(state, &value, Some(&attribute), &args, true)
        },
    );
    environment.add_filter(
        "rejectattr",
        |state: &mut State<'_, '_>, value: Value, attribute: String, args: Rest<Value>| {
            choose(state, &value, Some(&attribute), &args, false)
        },
    );
    environment.add_filter("batch", batch);
    environment.add_filter("replace", replace);
    environment.add_filter("round", minijinja::filters::round);
    environment.add_filter("string", |value: Value| Ok::<_, Error>(to_text(&value)?));
    tests(environment);
}

fn tests(environment: &mut Environment<'static>) {
    for (name, word) in [
        ("eq", "=="),
        ("equalto", "=="),
        ("ne", "!="),
        ("lt", "<"),
        ("lessthan", "<"),
        ("le", "<="),
        ("gt", ">"),
        ("greaterthan", ">"),
        ("ge", ">="),
        ("in", "in"),
    ] {
        environment
            .add_test(name, move |left: Value, right: Value| Ok::<_, Error>(compare(word, &left, &right)?));
    }
    environment.add_test("divisibleby", divisible);
    environment.add_test("number", |value: Value| value.kind() == ValueKind::Number);
}

/// Keeps the items for which a test, or the item itself as a boolean, gives `wanted`.
fn choose(
    state: &mut State<'_, '_>,
    list: &Value,
    attribute: Option<&str>,
    args: &[Value],
    wanted: bool,
) -> Result<Vec<Value>, Error> {
    let mut chosen = Vec::new();
    for item in items(list)? {
        let subject = match attribute {
            Some(path) => attribute_of(&item, path)?,
            None => item.clone(),
        };
        if passes(state, subject, args)? == wanted {
            chosen.push(item);
        }
    }
    Ok(chosen)
}

fn passes(state: &mut State<'_, '_>, subject: Value, args: &[Value]) -> Result<bool, Error> {
    match args.split_first() {
        Some((test, rest)) => {
            let name = text(test, "select")?;
            let all: Vec<Value> = std::iter::once(subject).chain(rest.iter().cloned()).collect();
            state.perform_test(name, &all)
        }
        None if subject.kind() == ValueKind::Bool => Ok(subject.is_true()),
        None => Err(not_a_boolean(&subject).into()),
    }
}

fn batch(value: &Value, count: usize) -> Result<Vec<Value>, Error> {
    if count == 0 {
        return Err(Fault::new(Problem::Filter, "`batch` needs a count above 0").into());
    }
    Ok(items(value)?.chunks(count).map(|chunk| Value::from(chunk.to_vec())).collect())
}

fn replace(value: &Value, from: &str, to: &str) -> Result<String, Error> {
    let text = text(value, "replace")?;
    if text.matches(from).count().saturating_mul(to.len()) > MAX_TEXT {
        return Err(Fault::new(Problem::Fuel, "the text is too long").into());
    }
    Ok(text.replace(from, to))
}

fn divisible(value: &Value, by: &Value) -> Result<bool, Error> {
    match (integer(value), integer(by)) {
        (Some(_), Some(0)) => Err(Fault::new(Problem::Type, "division by zero").into()),
        (Some(value), Some(by)) => Ok(value.checked_rem(by) == Some(0)),
        _ => {
            let kinds = (kind_name(value), kind_name(by));
            let message = format!("`divisibleby` takes two integers, not {} and {}", kinds.0, kinds.1);
            Err(Fault::new(Problem::Type, message).into())
        }
    }
}
