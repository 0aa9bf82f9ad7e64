//! `compare`: what changed between two lists of rows.

use std::collections::BTreeMap;

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, Value};
use serde_json::{Value as Json, json};

use super::aggregate::attribute_of;
use crate::template::error::{Fault, Problem};
use crate::template::value::{from_json, items, to_json};

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("compare", compare);
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a filter")]
fn compare(before: &Value, after: &Value, options: Kwargs) -> Result<Value, Error> {
    let key: Option<&str> = options.get("key")?;
    options.assert_all_used()?;
    let key = key.unwrap_or("name");
    Ok(from_json(&difference(&rows(before, key)?, &rows(after, key)?)))
}

/// The rows by the text of their keys, and the order they came in.
struct Rows {
    by_key: BTreeMap<String, (Json, Json)>,
    order: Vec<String>,
}

fn rows(list: &Value, key: &str) -> Result<Rows, Fault> {
    let mut rows = Rows { by_key: BTreeMap::new(), order: Vec::new() };
    for row in items(list)? {
        let value = to_json(&attribute_of(&row, key)?)?;
        let text = value.to_string();
        if rows.by_key.insert(text.clone(), (value, to_json(&row)?)).is_some() {
            return Err(Fault::new(Problem::Filter, format!("two rows have the `{key}` {text}"))
                .help("Choose a `key` that is unique in both lists."));
        }
        rows.order.push(text);
    }
    Ok(rows)
}

fn difference(before: &Rows, after: &Rows) -> Json {
    let only_in = |here: &Rows, there: &Rows| -> Vec<Json> {
        let missing = here.order.iter().filter(|key| !there.by_key.contains_key(*key));
        missing.map(|key| here.by_key[key].1.clone()).collect()
    };
    let mut changed = Vec::new();
    let mut same = 0;
    for key in &before.order {
        let (value, old) = &before.by_key[key];
        match after.by_key.get(key) {
            Some((_, new)) if new == old => same += 1,
            Some((_, new)) => changed.push(json!({ "key": value, "before": old, "after": new })),
            None => {}
        }
    }
    json!({ "added": only_in(after, before), "removed": only_in(before, after), "changed": changed, "same": same })
}
