//! `describe`: reads an object, and what the cluster has to say about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::connect::kubernetes::{ApiError, ListOptions, Right, Which};
use crate::model::{Class, Effect};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::Done;
use crate::step::kubectl::object::kept;
use crate::step::kubectl::target::{BoundTarget, Target};
use crate::step::kubectl::verb::{Verb, VerbContext};

/// Reads an object with the events about it, oldest first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::step::kubectl) struct Describe(Target);

/// What will be read.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(in crate::step::kubectl) struct DescribeInput(BoundTarget);

impl DescribeInput {
    async fn read(&self, cx: &VerbContext<'_>) -> Result<Value, ApiError> {
        let (resource, name) = self.0.one(&cx.cluster, &cx.namespace).await?;
        let object = cx.cluster.get(&resource, &cx.namespace, &name).await?;
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        let fields = format!("involvedObject.uid={uid}");
        let events = cx.cluster.resource("events").await?;
        let options = ListOptions { labels: "", fields: &fields };
        let mut events = cx.cluster.list(&events, &cx.namespace, options).await?;
        events.sort_by_cached_key(|event| last_seen(event).to_owned());
        let events: Vec<Value> = events
            .iter()
            .map(|event| {
                json!({
                    "at": last_seen(event), "type": event["type"], "reason": event["reason"],
                    "message": event["message"], "count": event["count"],
                })
            })
            .collect();
        Ok(json!({ "object": kept(object), "events": events }))
    }
}

/// When an event happened last; newer servers keep that elsewhere.
fn last_seen(event: &Value) -> &str {
    let times = [&event["series"]["lastObservedTime"], &event["lastTimestamp"], &event["eventTime"]];
    times.into_iter().find_map(Value::as_str).unwrap_or_default()
}

impl Verb for Describe {
    const NAME: &'static str = "describe";
    const FIELDS: &'static [&'static str] = &["object", "events"];
    type Input = DescribeInput;

    fn check(&self) -> Option<(String, String)> {
        self.0.check()
    }

    fn class(&self) -> Class {
        Class::known(Effect::Read)
    }

    fn summary(&self) -> String {
        format!("describe {}", self.0.source())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<DescribeInput, BindError> {
        self.0.bind(binder).map(DescribeInput)
    }

    fn class_bound(_: &DescribeInput) -> Class {
        Class::known(Effect::Read)
    }

    fn lines(input: &DescribeInput) -> Vec<String> {
        vec![format!("describe {}", input.0.shown())]
    }

    fn rights(input: &DescribeInput) -> Vec<Right> {
        let mut rights = input.0.rights(&["get"], "");
        rights.push(Right::on("list", "events", Which::Any));
        rights
    }

    async fn run(input: &DescribeInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let output = input.read(cx).await;
        output.map(Done::with).map_err(|error| cx.failed(&format!("describe {}", input.0.shown()), &error))
    }
}
