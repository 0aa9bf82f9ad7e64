//! `for_each`: one node with keyed children.

use std::collections::HashSet;

use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use serde_json::{Map, Value, json};

use super::halt::{Halt, Reason};
use super::scheduler::{Scheduler, Standing};
use super::whole::grace;
use crate::event::{EventKind, Item};
use crate::model::{Failure, SkipReason, StepState};
use crate::plan::{Record, error_value};
use crate::runbook::{ForEach, OnError, Step, StepBody};
use crate::step::BindError;

impl Scheduler<'_, '_> {
    /// Evaluates the list once, runs a child for each item, and sums up.
    pub(super) async fn each(&self, standing: Standing<'_>, step: &Step, halt: &Halt) -> Record {
        let Some(for_each) = &step.for_each else {
            return self.finish(
                standing,
                step,
                StepState::Failed,
                Value::Null,
                Some(Failure::new("there is no list")),
            );
        };
        let began = self.dispatcher.now();
        let items = match self.list_once(standing, step, for_each) {
            Ok(items) => items,
            Err(failure) => {
                return self.finish(standing, step, StepState::Failed, Value::Null, Some(failure));
            }
        };
        let records = self.children(standing, step, for_each, &items, halt).await;
        let (state, output, failure) = sum_up(&items, &records);
        let seconds = self.dispatcher.now().duration_since(began).as_secs_f64();
        self.finish_after(standing, step, state, output, failure, &[], seconds)
    }

    /// The list, evaluated and journaled when it is asked for the first time in the run.
    fn list_once(
        &self,
        standing: Standing<'_>,
        step: &Step,
        for_each: &ForEach,
    ) -> Result<Vec<Item>, Failure> {
        let at = standing.place(step);
        if let Some(known) = self.dispatcher.state(|state| state.items.get(&at).cloned()) {
            return Ok(known);
        }
        let items = self.items(standing, step, for_each)?;
        self.dispatcher.record(EventKind::ItemsListed { at, items: items.clone() })?;
        Ok(items)
    }

    fn items(&self, standing: Standing<'_>, step: &Step, for_each: &ForEach) -> Result<Vec<Item>, Failure> {
        let frame = standing.frame;
        let now = self.dispatcher.now();
        let scope = frame.scope(step, standing.item, now);
        let binder = frame.binder(&scope, self.redactor);
        self.variables(frame, step.reads.iter().map(|placed| &placed.read), &binder)?;
        let list = binder.value(&for_each.list).map_err(BindError::into_failure)?;
        let Value::Array(list) = list else {
            return Err(Failure::new(format!("`{}` is not a list", for_each.list.source())));
        };
        let mut seen = HashSet::new();
        list.into_iter()
            .map(|item| {
                let scope = frame.scope(step, Some(&item), now);
                let key = match &for_each.key {
                    Some(key) => {
                        frame.binder(&scope, self.redactor).value(key).map_err(BindError::into_failure)?
                    }
                    None => item.clone(),
                };
                let key = scalar(&key).ok_or_else(|| {
                    Failure::new("an item is no text, number or boolean, so it has no key")
                        .help("Add `key:` to `for_each`, such as `key: item.table_name`.")
                })?;
                if !seen.insert(key.clone()) {
                    return Err(Failure::new(format!("two items have the key `{key}`"))
                        .help("Choose a `key:` that is different for each item."));
                }
                Ok(Item { key, item })
            })
            .collect()
    }

    async fn children(
        &self,
        standing: Standing<'_>,
        step: &Step,
        for_each: &ForEach,
        items: &[Item],
        halt: &Halt,
    ) -> Vec<Record> {
        let own = halt.within();
        let child = |index: usize| {
            let own = &own;
            async move {
                let record = self.child(standing, step, &items[index], own).await;
                let id = standing.frame.full_id(&step.id);
                match record.state {
                    Some(StepState::Uncertain) => own.raise(Reason::Uncertain(id)),
                    Some(StepState::Failed)
                        if for_each.on_error == OnError::Stop && !self.passed_over(standing, step) =>
                    {
                        own.raise(Reason::Failed(id));
                    }
                    Some(StepState::Cancelled) if is_declined(&record) => own.raise(Reason::Declined(id)),
                    _ => {}
                }
                (index, record)
            }
        };
        let mut waiting = stream::iter(0..items.len());
        let mut running = FuturesUnordered::new();
        let mut records: Vec<Option<Record>> = vec![None; items.len()];
        let all = async {
            loop {
                while running.len() < for_each.max_parallel
                    && let Some(index) = waiting.next().await
                {
                    running.push(child(index));
                }
                let Some((index, record)) = running.next().await else { break };
                records[index] = Some(record);
            }
        };
        tokio::select! {
            () = all => {}
            () = own.relay(halt, grace(standing.frame), None) => {}
        }
        own.pass_on(halt);
        records.into_iter().map(|record| record.unwrap_or_else(Record::unknown)).collect()
    }

    async fn child(&self, standing: Standing<'_>, step: &Step, item: &Item, halt: &Halt) -> Record {
        let key = standing.child_key(item);
        let inside = Standing { frame: standing.frame, item: Some(&item.item), key: Some(&key) };
        if let Some(record) = self.restored(inside, step, halt) {
            return record;
        }
        self.keep_rivals_out(halt).await;
        if let Some(reason) = halt.reason() {
            let failure = Failure::new(match reason {
                Reason::Ended(by, message) => {
                    return self.skip(inside, step, SkipReason::Ended { by, message });
                }
                Reason::Failed(id) if id == standing.frame.full_id(&step.id) => {
                    format!("not started: a child of `{id}` failed")
                }
                _ => "not started: the run halts".to_owned(),
            });
            return self.finish(inside, step, StepState::Cancelled, Value::Null, Some(failure));
        }
        if let Some(record) = self.condition(inside, step, Some(&item.item)) {
            return record;
        }
        match &step.body {
            StepBody::Kind(..) => self.attempts(inside, step, halt).await,
            StepBody::Include(include) => {
                let (state, output, failure) = Box::pin(self.included(inside, step, include, halt)).await;
                self.finish(inside, step, state, output, failure)
            }
            StepBody::Group(inner) => {
                let fork = standing.frame.fork();
                let inside = Standing { frame: &fork, ..inside };
                let (state, failure) = Box::pin(self.sequence(inside, step, inner, halt)).await;
                let output = inner_outputs(inner, &fork);
                self.finish(inside, step, state, output, failure)
            }
        }
    }
}

/// What the steps of a looped group produced, by their own ids.
fn inner_outputs(inner: &[Step], frame: &crate::plan::Frame) -> Value {
    let output = |step: &Step| {
        let record = frame.records.get(step.id.as_str())?;
        let mut fields = record.output.as_object().cloned().unwrap_or_default();
        fields.insert("state".to_owned(), json!(record.state.map(StepState::as_str)));
        Some((step.id.local().to_owned(), Value::Object(fields)))
    };
    Value::Object(inner.iter().filter_map(output).collect())
}

fn is_declined(record: &Record) -> bool {
    let by = record.failure.as_ref().and_then(|failure| failure.stopped_by);
    by == Some(crate::model::StoppedBy::Declined)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn sum_up(items: &[Item], records: &[Record]) -> (StepState, Value, Option<Failure>) {
    let count = |wanted: &[StepState]| {
        records.iter().filter(|r| r.state.is_some_and(|s| wanted.contains(&s))).count()
    };
    let failed = count(&[StepState::Failed]);
    let uncertain = count(&[StepState::Uncertain]);
    let declined = records.iter().find(|record| is_declined(record));
    let each: Vec<Value> = items.iter().zip(records).map(|(item, record)| entry(item, record)).collect();
    let output = json!({
        "each": each,
        "count": {
            "succeeded": count(&[StepState::Succeeded]),
            "failed": failed,
            "skipped": count(&[StepState::Skipped]),
            "cancelled": count(&[StepState::Cancelled]),
        },
    });
    let total = items.len();
    if uncertain > 0 {
        return (
            StepState::Uncertain,
            output,
            Some(Failure::new(format!("{uncertain} of {total} are uncertain"))),
        );
    }
    if let Some(declined) = declined {
        return (StepState::Cancelled, output, declined.failure.clone());
    }
    if failed > 0 {
        return (StepState::Failed, output, Some(Failure::new(format!("{failed} of {total} failed"))));
    }
    if count(&[StepState::Cancelled]) > 0 {
        return (StepState::Cancelled, output, Some(Failure::new("stopped before every item was done")));
    }
    (StepState::Succeeded, output, None)
}

/// One child as templates read it: key, item, state, error, and its output's fields.
fn entry(item: &Item, record: &Record) -> Value {
    let mut entry = Map::new();
    entry.insert("key".to_owned(), item.key.clone().into());
    entry.insert("item".to_owned(), item.item.clone());
    entry.insert("state".to_owned(), json!(record.state.map(StepState::as_str)));
    entry.insert("error".to_owned(), error_value(record.failure.as_ref()));
    if let Value::Object(fields) = &record.output {
        entry.extend(fields.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    Value::Object(entry)
}
