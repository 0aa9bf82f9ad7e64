//! `wait`: waits until an object is as described.

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::connect::kubernetes::{ApiError, JsonPath, ListOptions, Resource, Right, Which, is_text};
use crate::model::{Class, Effect};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::Done;
use crate::step::kubectl::object::kept;
use crate::step::kubectl::patience::patiently;
use crate::step::kubectl::target::{BoundTarget, Target, text_or_map};
use crate::step::kubectl::verb::{Verb, VerbContext};
use crate::step::templated::Text;

/// How often the objects are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Waits until an object, or each that a selector finds, is as described; the step's `timeout` says for how long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::step::kubectl) struct Wait {
    /// The object.
    target: Target,
    /// What it is to be.
    #[serde(rename = "for")]
    what: For,
}

/// What an object is to be.
#[derive(Debug)]
enum For {
    /// There.
    Create,
    /// Gone.
    Delete,
    /// A condition, or a value at a path.
    State(State),
    /// A word that is neither `create` nor `delete`.
    Unknown(String),
}

/// A condition, or a value at a path.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct State {
    /// A condition, such as `Ready`.
    condition: Option<String>,
    /// A path to one value, such as `.status.phase`.
    jsonpath: Option<String>,
    /// What the condition's status, or the value, is to be: `True` for a condition that does not say.
    equals: Option<Text>,
}

impl<'de> Deserialize<'de> for For {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = |text: Text| match text.source() {
            "create" => Self::Create,
            "delete" => Self::Delete,
            other => Self::Unknown(other.to_owned()),
        };
        let expecting = "`create`, `delete`, or a map with `condition` or `jsonpath`";
        text_or_map(deserializer, expecting, word, Self::State)
    }
}

impl JsonSchema for For {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WaitFor".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let state = generator.subschema_for::<State>();
        json_schema!({
            "anyOf": [{ "enum": ["create", "delete"] }, state],
            "description": "What the object is to be.",
            "examples": [{ "condition": "Ready" }, { "jsonpath": ".status.phase", "equals": "Running" }, "delete"],
        })
    }
}

/// What will be waited for.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct WaitInput {
    target: BoundTarget,
    #[serde(rename = "for")]
    what: BoundFor,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum BoundFor {
    Create,
    Delete,
    Condition { name: String, status: String },
    Value { path: String, equals: Option<String> },
}

impl fmt::Display for BoundFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("is there"),
            Self::Delete => f.write_str("is gone"),
            Self::Condition { name, status } => write!(f, "has the condition {name}={status}"),
            Self::Value { path, equals: Some(text) } => write!(f, "has {text} at {path}"),
            Self::Value { path, equals: None } => write!(f, "has a value at {path}"),
        }
    }
}

impl BoundFor {
    fn holds(&self, object: &Value) -> bool {
        match self {
            Self::Create => true,
            Self::Delete => false,
            Self::Condition { name, status } => has_condition(object, name, status),
            Self::Value { path, equals } => {
                let found = JsonPath::parse(path).ok().and_then(|path| path.find(object).cloned());
                match (found, equals) {
                    (Some(Value::Null) | None, _) => false,
                    (Some(_), None) => true,
                    (Some(value), Some(text)) => is_text(&value, text),
                }
            }
        }
    }
}

/// A condition that was written before the object changed last does not count.
fn has_condition(object: &Value, name: &str, status: &str) -> bool {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let is = |value: &Value, text: &str| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text));
    let current = |condition: &Value| {
        let seen =
            condition["observedGeneration"].as_i64().or(object["status"]["observedGeneration"].as_i64());
        seen.is_none_or(|seen| seen >= generation)
    };
    let mut named = conditions.filter(|condition| is(&condition["type"], name));
    named.any(|condition| is(&condition["status"], status) && current(condition))
}

impl Verb for Wait {
    const NAME: &'static str = "wait";
    const FIELDS: &'static [&'static str] = &["object", "items"];
    type Input = WaitInput;

    fn check(&self) -> Option<(String, String)> {
        let help =
            "Write `for: create`, `for: delete`, `for: { condition: Ready }` or `for: { jsonpath: … }`.";
        let message = match &self.what {
            For::Unknown(word) => format!("nothing can be waited for by the word `{word}`"),
            For::State(state) if state.condition.is_some() == state.jsonpath.is_some() => {
                "`for` has a condition or a path".to_owned()
            }
            For::State(State { jsonpath: Some(path), .. }) => match JsonPath::parse(path) {
                Ok(_) => return self.target.check(),
                Err(error) => format!("`jsonpath` is no path: {error}"),
            },
            _ => return self.target.check(),
        };
        Some((message, help.to_owned()))
    }

    fn class(&self) -> Class {
        Class::known(Effect::Read)
    }

    fn summary(&self) -> String {
        format!("wait for {}", self.target.source())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<WaitInput, BindError> {
        let what = match &self.what {
            For::Create | For::Unknown(_) => BoundFor::Create,
            For::Delete => BoundFor::Delete,
            For::State(State { condition, jsonpath, equals }) => {
                let equals = binder.maybe_text(equals.as_ref())?;
                match (condition, jsonpath) {
                    (Some(name), _) => {
                        let status = equals.unwrap_or_else(|| "True".to_owned());
                        BoundFor::Condition { name: name.clone(), status }
                    }
                    (None, path) => BoundFor::Value { path: path.clone().unwrap_or_default(), equals },
                }
            }
        };
        Ok(WaitInput { target: self.target.bind(binder)?, what })
    }

    fn class_bound(_: &WaitInput) -> Class {
        Class::known(Effect::Read)
    }

    fn lines(input: &WaitInput) -> Vec<String> {
        vec![format!("wait until {} {}", input.target.shown(), input.what)]
    }

    fn rights(input: &WaitInput) -> Vec<Right> {
        match &input.target.name {
            Some(_) => input.target.rights(&["get"], ""),
            None => vec![Right::on("list", &input.target.kind, Which::Any)],
        }
    }

    async fn run(input: &WaitInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let doing = format!("wait until {} {}", input.target.shown(), input.what);
        let resource = cx.cluster.resource(&input.target.kind).await;
        let resource = resource.map_err(|error| cx.failed(&doing, &error))?;
        loop {
            let objects = patiently(cx, || find(input, cx, &resource)).await;
            let objects = objects.map_err(|error| cx.failed(&doing, &error))?;
            let held = objects.iter().filter(|object| input.what.holds(object)).count();
            let done = match input.what {
                BoundFor::Delete => objects.is_empty(),
                // What a selector finds must be something, and each of it.
                _ => !objects.is_empty() && held == objects.len(),
            };
            if done {
                let objects: Vec<Value> = objects.into_iter().map(kept).collect();
                return Ok(Done::with(json!({ "object": objects.first(), "items": objects })));
            }
            let detail =
                format!("until {} {}; {held} of {}", input.target.shown(), input.what, objects.len());
            cx.run.events.progress("waiting", None, Some(detail));
            tokio::time::sleep(LOOK).await;
        }
    }
}

async fn find(input: &WaitInput, cx: &VerbContext<'_>, resource: &Resource) -> Result<Vec<Value>, ApiError> {
    match (&input.target.name, &input.target.selector) {
        (Some(name), _) => {
            let found = cx.cluster.find(resource, &cx.namespace, name).await?;
            Ok(found.into_iter().collect())
        }
        (None, selector) => {
            let labels = selector.as_deref().unwrap_or_default();
            cx.cluster.list(resource, &cx.namespace, ListOptions { labels, fields: "" }).await
        }
    }
}
