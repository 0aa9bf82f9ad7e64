//! `label` and `annotate`: sets or removes them.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::change::Change;
use crate::connect::kubernetes::{Cluster, PatchKind, Right};
use crate::model::{Class, Effect, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{Done, Happened, Preview, Settled, Undo};
use crate::step::kubectl::back;
use crate::step::kubectl::target::{BoundTarget, Target};
use crate::step::kubectl::undo::VerbEffect;
use crate::step::kubectl::verb::{Verb, VerbContext};
use crate::step::templated::Text;

/// Sets or removes labels or annotations.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Marks {
    /// The object.
    target: Target,
    /// The values by key; null removes one.
    set: IndexMap<String, Option<Text>>,
}

/// Sets or removes labels.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::step::kubectl) struct Label(Marks);

/// Sets or removes annotations.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::step::kubectl) struct Annotate(Marks);

/// The values as they will be set.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct MarksInput {
    target: BoundTarget,
    set: Map<String, Value>,
}

impl Marks {
    fn bind(&self, binder: &Binder<'_>) -> Result<MarksInput, BindError> {
        let set = self.set.iter().map(|(key, value)| {
            let value = binder.maybe_text(value.as_ref())?;
            Ok((key.clone(), value.map_or(Value::Null, Value::from)))
        });
        Ok(MarksInput { target: self.target.bind(binder)?, set: set.collect::<Result<_, BindError>>()? })
    }
}

impl MarksInput {
    fn change(&self, verb: &str, field: &str) -> Change<'_> {
        Change {
            doing: format!("{verb} {}", self.target.shown()),
            target: &self.target,
            subresource: None,
            kind: PatchKind::Merge,
            body: json!({ "metadata": { field: self.set } }),
        }
    }

    fn line(&self, verb: &str) -> String {
        let set = self.set.iter().map(|(key, value)| match value.as_str() {
            Some(value) => format!("{key}={value}"),
            None => format!("{key}-"),
        });
        format!("{verb} {} {}", self.target.shown(), set.collect::<Vec<_>>().join(" "))
    }
}

macro_rules! verb {
    ($type:ty, $name:literal, $field:literal) => {
        impl Verb for $type {
            const NAME: &'static str = $name;
            const FIELDS: &'static [&'static str] = &["object", "before", "after", "changed"];
            type Input = MarksInput;

            fn check(&self) -> Option<(String, String)> {
                self.0.target.check()
            }
            fn class(&self) -> Class {
                Class::known(Effect::Change)
            }
            fn summary(&self) -> String {
                format!(concat!($name, " {}"), self.0.target.source())
            }
            fn bind(&self, binder: &Binder<'_>) -> Result<MarksInput, BindError> {
                self.0.bind(binder)
            }
            fn class_bound(_: &MarksInput) -> Class {
                Class::known(Effect::Change)
            }
            fn lines(input: &MarksInput) -> Vec<String> {
                vec![input.line($name)]
            }
            fn rights(input: &MarksInput) -> Vec<Right> {
                input.target.rights(&["get", "patch"], "")
            }
            async fn preview(
                input: &MarksInput,
                cluster: &Cluster,
                namespace: &str,
            ) -> Result<Preview, Failure> {
                input.change($name, $field).preview(cluster, namespace).await
            }
            async fn run(input: &MarksInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
                input.change($name, $field).make(cx).await
            }
            async fn settle(
                input: &MarksInput,
                happened: &Happened<'_>,
                cx: &VerbContext<'_>,
            ) -> Settled {
                input.change($name, $field).settle(happened, cx).await
            }
            fn undo(effect: &VerbEffect<'_>) -> Undo {
                let patch = json!({ "metadata": { $field: effect.input["set"] } });
                effect.take_back(|before| Some(back::merged(before, &patch)))
            }
        }
    };
}

verb!(Label, "label", "labels");
verb!(Annotate, "annotate", "annotations");
