//! `get`: reads an object, or all that a selector finds.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::connect::kubernetes::{ApiError, JsonPath, ListOptions, Resource, Right, Which};
use crate::model::{Class, Effect};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::Done;
use crate::step::kubectl::object::kept;
use crate::step::kubectl::target::{BoundTarget, LongTarget, Target, text_or_map};
use crate::step::kubectl::verb::{Verb, VerbContext};
use crate::step::templated::Text;

/// Reads an object, or all that a selector finds; without either, all of the kind.
#[derive(Debug)]
pub(in crate::step::kubectl) struct Get {
    target: Target,
    sort_by: Option<String>,
    missing: Missing,
}

/// Reads an object, or all that a selector finds; without either, all of the kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LongGet {
    /// The kind, by any of its names.
    kind: Text,
    /// The object's name.
    name: Option<Text>,
    /// Labels that find the objects: `app=postgres,tier!=cache`.
    selector: Option<Text>,
    /// Sorts the items by the value at this path, such as `.metadata.creationTimestamp`; by name otherwise.
    sort_by: Option<String>,
    /// What it means that the object is not there.
    #[serde(default)]
    missing: Missing,
}

/// What it means that an object is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Missing {
    /// The step fails.
    #[default]
    Error,
    /// The step succeeds without it.
    Ok,
}

impl<'de> Deserialize<'de> for Get {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let short = |text| Self { target: Target::Short(text), sort_by: None, missing: Missing::Error };
        let long = |LongGet { kind, name, selector, sort_by, missing }: LongGet| {
            let target = Target::Long(LongTarget { kind, name, selector, pick: None });
            Self { target, sort_by, missing }
        };
        text_or_map(deserializer, "`kind/name`, or a map with `kind`", short, long)
    }
}

impl JsonSchema for Get {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Get".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<LongGet>();
        json_schema!({
            "anyOf": [{ "type": "string" }, long],
            "description": "Reads an object, or all that a selector finds; without either, all of the kind.",
            "examples": ["deployment/backend", { "kind": "pods", "selector": "app=postgres" }],
        })
    }
}

/// What will be read.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct GetInput {
    #[serde(flatten)]
    target: BoundTarget,
    #[serde(skip_serializing_if = "Option::is_none")]
    sort_by: Option<String>,
    #[serde(skip)]
    missing: Missing,
}

impl Verb for Get {
    const NAME: &'static str = "get";
    const FIELDS: &'static [&'static str] = &["object", "items", "found"];
    type Input = GetInput;

    fn check(&self) -> Option<(String, String)> {
        if let Some(path) = &self.sort_by
            && let Err(error) = JsonPath::parse(path)
        {
            let help = "Write a path to one value, such as `.metadata.creationTimestamp`.";
            return Some((format!("`sort_by` is no path: {error}"), help.to_owned()));
        }
        match &self.target {
            Target::Short(_) => self.target.check(),
            Target::Long(_) => None,
        }
    }

    fn class(&self) -> Class {
        Class::known(Effect::Read)
    }

    fn summary(&self) -> String {
        format!("get {}", self.target.source())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<GetInput, BindError> {
        let target = self.target.bind(binder)?;
        Ok(GetInput { target, sort_by: self.sort_by.clone(), missing: self.missing })
    }

    fn class_bound(_: &GetInput) -> Class {
        Class::known(Effect::Read)
    }

    fn lines(input: &GetInput) -> Vec<String> {
        vec![format!("get {}", input.target.shown())]
    }

    fn rights(input: &GetInput) -> Vec<Right> {
        match &input.target.name {
            Some(_) => input.target.rights(&["get"], ""),
            None => vec![Right::on("list", &input.target.kind, Which::Any)],
        }
    }

    async fn run(input: &GetInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let failed = |error: ApiError| cx.failed(&format!("get {}", input.target.shown()), &error);
        let resource = cx.cluster.resource(&input.target.kind).await.map_err(failed)?;
        let output = match &input.target.name {
            Some(name) => one(input, cx, &resource, name).await,
            None => many(input, cx, &resource).await,
        };
        output.map(Done::with).map_err(failed)
    }
}

async fn one(
    input: &GetInput,
    cx: &VerbContext<'_>,
    resource: &Resource,
    name: &str,
) -> Result<Value, ApiError> {
    match cx.cluster.get(resource, &cx.namespace, name).await {
        Ok(object) => Ok(json!({ "object": kept(object), "found": true })),
        Err(error) if error.is_not_found() && input.missing == Missing::Ok => {
            Ok(json!({ "object": null, "found": false }))
        }
        Err(error) => Err(error),
    }
}

async fn many(input: &GetInput, cx: &VerbContext<'_>, resource: &Resource) -> Result<Value, ApiError> {
    let labels = input.target.selector.as_deref().unwrap_or_default();
    let items = cx.cluster.list(resource, &cx.namespace, ListOptions { labels, fields: "" }).await?;
    let mut items: Vec<Value> = items.into_iter().map(kept).collect();
    if let Some(path) = input.sort_by.as_deref().and_then(|path| JsonPath::parse(path).ok()) {
        items.sort_by_cached_key(|item| SortKey::of(path.find(item)));
    }
    let found = !items.is_empty();
    Ok(json!({ "items": items, "found": found }))
}

/// Numbers before texts, each in its own order; what has no value comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortKey {
    Nothing,
    Number(i64),
    Text(String),
}

impl SortKey {
    fn of(value: Option<&Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Nothing,
            Some(Value::Number(number)) => number.as_i64().map_or(Self::Nothing, Self::Number),
            Some(Value::String(text)) => Self::Text(text.clone()),
            Some(other) => Self::Text(other.to_string()),
        }
    }
}
