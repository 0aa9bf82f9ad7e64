//! What is known of steps while a runbook is planned or run, and how templates read it as `steps.<id>.<field>`.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::event::Node;
use crate::model::{Failure, StepState};
use crate::template::{Found, Lookup};

/// What is known of one step.
#[derive(Debug, Clone)]
pub struct Record {
    /// Where it stands; nothing when a plan cannot know.
    pub state: Option<StepState>,
    /// What it produced.
    pub output: Value,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// Its bound body.
    pub input: Value,
    /// When it began and ended, RFC 3339.
    pub times: (Option<String>, Option<String>),
}

impl From<&Node> for Record {
    fn from(node: &Node) -> Self {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            state: Some(node.state),
            output: node.output.clone(),
            failure: node.failure.clone(),
            input: node.input.clone(),
            times: (time(node.started_at), time(node.finished_at)),
        }
    }
}

impl Record {
    /// A step whose output a plan cannot know.
    pub fn unknown() -> Self {
        Self { state: None, output: Value::Null, failure: None, input: Value::Null, times: (None, None) }
    }

    /// A step in a state, with what it produced.
    pub fn ended(state: StepState, output: Value) -> Self {
        Self { state: Some(state), output, ..Self::unknown() }
    }
}

/// What is known of the steps of a runbook.
#[derive(Debug, Clone, Default)]
pub struct Records {
    steps: Arc<RwLock<HashMap<String, Arc<Record>>>>,
}

impl Records {
    /// Notes what is known of a step, by its id within the runbook.
    pub fn set(&self, id: &str, record: Record) {
        if let Ok(mut steps) = self.steps.write() {
            steps.insert(id.to_owned(), Arc::new(record));
        }
    }

    /// What is known of a step.
    pub fn get(&self, id: &str) -> Option<Arc<Record>> {
        self.steps.read().ok()?.get(id).cloned()
    }

    /// A copy that later notes do not reach: each child of a looped group has its own.
    #[must_use]
    pub fn fork(&self) -> Self {
        let steps = self.steps.read().map(|steps| steps.clone()).unwrap_or_default();
        Self { steps: Arc::new(RwLock::new(steps)) }
    }

    fn names(&self) -> Vec<String> {
        self.steps.read().map(|steps| steps.keys().cloned().collect()).unwrap_or_default()
    }
}

/// `steps` as templates see it, from inside a group or from outside.
#[derive(Debug)]
pub(super) struct StepsLookup {
    pub(super) records: Records,
    pub(super) group: Option<String>,
}

impl Lookup for StepsLookup {
    fn lookup(&self, key: &str) -> Found {
        let sibling = self.group.as_ref().and_then(|group| self.records.get(&format!("{group}.{key}")));
        match sibling.or_else(|| self.records.get(key)) {
            Some(record) => Found::Lookup(Arc::new(RecordLookup {
                id: key.to_owned(),
                record,
                records: self.records.clone(),
            })),
            None => {
                Found::Lookup(Arc::new(GroupLookup { id: key.to_owned(), records: self.records.clone() }))
            }
        }
    }

    fn keys(&self) -> Vec<String> {
        self.records.names()
    }
}

/// A group that has not ended yet: only the steps inside can be read.
#[derive(Debug)]
struct GroupLookup {
    id: String,
    records: Records,
}

impl Lookup for GroupLookup {
    fn lookup(&self, key: &str) -> Found {
        match self.records.get(&format!("{}.{key}", self.id)) {
            Some(record) => Found::Lookup(Arc::new(RecordLookup {
                id: format!("{}.{key}", self.id),
                record,
                records: self.records.clone(),
            })),
            None => Found::Refused(format!("`{}` has not run yet", self.id)),
        }
    }
}

#[derive(Debug)]
struct RecordLookup {
    id: String,
    record: Arc<Record>,
    records: Records,
}

impl Lookup for RecordLookup {
    fn lookup(&self, key: &str) -> Found {
        if let Some(inner) = self.records.get(&format!("{}.{key}", self.id)) {
            let id = format!("{}.{key}", self.id);
            return Found::Lookup(Arc::new(Self { id, record: inner, records: self.records.clone() }));
        }
        let Some(state) = self.record.state else {
            return Found::Refused(format!("known after `{}`", self.id));
        };
        match key {
            "state" => Found::Value(state.as_str().into()),
            "started" => Found::Value(self.record.times.0.is_some().into()),
            "succeeded" => Found::Value((state == StepState::Succeeded).into()),
            "failed" => Found::Value((state == StepState::Failed).into()),
            "skipped" => Found::Value((state == StepState::Skipped).into()),
            "uncertain" => Found::Value((state == StepState::Uncertain).into()),
            "cancelled" => Found::Value((state == StepState::Cancelled).into()),
            "error" => Found::Value(error_value(self.record.failure.as_ref())),
            "input" => Found::Value(self.record.input.clone()),
            "started_at" => Found::Value(self.record.times.0.clone().into()),
            "finished_at" => Found::Value(self.record.times.1.clone().into()),
            _ if state == StepState::Succeeded => output(&self.id, &self.record.output, key),
            _ if self.record.output.get(key).is_some() && matches!(key, "each" | "count") => {
                output(&self.id, &self.record.output, key)
            }
            _ => Found::Refused(format!("`{}` is {}, so it has no `{key}`", self.id, state.as_str())),
        }
    }

    fn keys(&self) -> Vec<String> {
        self.record.output.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }
}

/// A field of an output; `row` and `value` are derived from `rows`.
fn output(id: &str, output: &Value, key: &str) -> Found {
    let truncated = output.get("truncated") == Some(&Value::Bool(true));
    if truncated && matches!(key, "rows" | "row" | "value" | "stdout") {
        return Found::Refused(format!(
            "the result of `{id}` was cut off at `max_rows`, so it cannot be used"
        ));
    }
    match key {
        "row" | "value" => match single(output) {
            Ok(row) if key == "row" => Found::Value(row),
            Ok(Value::Object(row)) => {
                Found::Value(row.into_iter().next().map_or(Value::Null, |(_, value)| value))
            }
            Ok(_) => Found::Value(Value::Null),
            Err(count) => {
                Found::Refused(format!("`{id}` returned {count} rows, and `{key}` needs one at most"))
            }
        },
        "warnings" | "notices" => Found::Value(output.get(key).cloned().unwrap_or_else(|| json!([]))),
        _ => match output.get(key) {
            Some(value) => Found::Value(value.clone()),
            None => Found::Absent,
        },
    }
}

fn single(output: &Value) -> Result<Value, usize> {
    match output.get("rows").and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
        [] => Ok(Value::Null),
        [row] => Ok(row.clone()),
        several => Err(several.len()),
    }
}

/// An error as templates read it.
pub fn error_value(failure: Option<&Failure>) -> Value {
    let Some(failure) = failure else { return Value::Null };
    json!({ "message": failure.message, "sqlstate": failure.sqlstate, "details": failure.details })
}

/// `this` in the hook of a step: what it was given, what was there before, what it produced, where it stands.
pub fn undone(node: &Node) -> Value {
    let mut this = this(&node.output, &node.input, node.failure.as_ref(), node.attempts);
    this["before"] = node.before.clone();
    this["state"] = node.state.as_str().into();
    this
}

/// `this` in `until`, `retry.when`, `verify` and `show`: the output's fields, and facts of the attempt.
pub fn this(output: &Value, input: &Value, failure: Option<&Failure>, attempt: u32) -> Value {
    let mut this = match output {
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    if output.get("rows").is_some()
        && let Ok(row) = single(output)
    {
        let value = row.as_object().and_then(|row| row.values().next().cloned()).unwrap_or(Value::Null);
        this.insert("value".to_owned(), value);
        this.insert("row".to_owned(), row);
    }
    this.insert("input".to_owned(), input.clone());
    this.insert("error".to_owned(), error_value(failure));
    this.insert("attempt".to_owned(), attempt.into());
    Value::Object(this)
}
