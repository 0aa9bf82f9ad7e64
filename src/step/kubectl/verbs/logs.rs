//! `logs`: reads what a container wrote.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::connect::kubernetes::{ApiError, Right};
use crate::model::{Class, Effect};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::Done;
use crate::step::kubectl::pod::{self, BoundPod};
use crate::step::kubectl::target::PickSpec;
use crate::step::kubectl::verb::{Verb, VerbContext};
use crate::step::templated::{Seconds, Text};

/// Reads what a container wrote: the last mebibyte of it at most.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::step::kubectl) struct Logs {
    /// The pod's name.
    pod: Option<Text>,
    /// Labels that find the pod.
    selector: Option<Text>,
    /// Which pod is taken where the selector finds several.
    pick: Option<PickSpec>,
    /// The container; the pod's default one, or its first, when absent.
    container: Option<Text>,
    /// Whether it is the log of the container that ran before this one: the one that crashed.
    #[serde(default)]
    previous: bool,
    /// How far back.
    since: Option<Seconds>,
    /// How many lines of its end.
    tail: Option<u32>,
}

/// What will be read.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct LogsInput {
    #[serde(flatten)]
    pod: BoundPod,
    previous: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tail: Option<u32>,
}

impl LogsInput {
    fn shown(&self) -> String {
        let previous = if self.previous { " --previous" } else { "" };
        format!("logs {}{previous}", self.pod.shown())
    }

    async fn read(&self, cx: &VerbContext<'_>) -> Result<Value, ApiError> {
        // A pod that is not ready may be the one whose log is wanted.
        let pod = self.pod.any(&cx.cluster, &cx.namespace).await?;
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let container = self.pod.container_name(&pod)?;
        let since = self.since.map(|seconds| format!("{:.0}", seconds.max(1.0).ceil()));
        let tail = self.tail.map(|lines| lines.to_string());
        let query = [
            ("container", Some(container.as_str())),
            ("previous", self.previous.then_some("true")),
            ("sinceSeconds", since.as_deref()),
            ("tailLines", tail.as_deref()),
        ];
        let query: Vec<_> = query.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let log = cx.cluster.logs(&cx.namespace, name, &query).await?;
        let lines: Vec<&str> = log.text.lines().collect();
        Ok(json!({
            "text": log.text, "lines": lines, "truncated": log.truncated, "pod": name, "container": container,
        }))
    }
}

impl Verb for Logs {
    const NAME: &'static str = "logs";
    const FIELDS: &'static [&'static str] = &["text", "lines", "truncated", "pod", "container"];
    type Input = LogsInput;

    fn check(&self) -> Option<(String, String)> {
        pod::check(self.pod.as_ref(), self.selector.as_ref())
    }

    fn class(&self) -> Class {
        Class::known(Effect::Read)
    }

    fn summary(&self) -> String {
        let which = self.pod.as_ref().or(self.selector.as_ref());
        format!("logs {}", which.map(Text::source).unwrap_or_default())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<LogsInput, BindError> {
        Ok(LogsInput {
            pod: BoundPod::bind(
                binder,
                self.pod.as_ref(),
                self.selector.as_ref(),
                self.pick,
                self.container.as_ref(),
            )?,
            previous: self.previous,
            since: binder.maybe_seconds(self.since.as_ref())?,
            tail: self.tail,
        })
    }

    fn class_bound(_: &LogsInput) -> Class {
        Class::known(Effect::Read)
    }

    fn lines(input: &LogsInput) -> Vec<String> {
        vec![input.shown()]
    }

    fn rights(input: &LogsInput) -> Vec<Right> {
        let (look, which) = input.pod.rights();
        vec![look, Right::on("get", "pods", which).part("log")]
    }

    async fn run(input: &LogsInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let output = input.read(cx).await;
        output.map(Done::with).map_err(|error| cx.failed(&format!("read {}", input.shown()), &error))
    }
}
