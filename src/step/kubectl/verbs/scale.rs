//! `scale`: sets the number of pods.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change::Change;
use crate::connect::kubernetes::{Cluster, PatchKind, Right};
use crate::model::{Class, Effect, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{Done, Happened, Preview, Settled, Undo};
use crate::step::kubectl::object::name_of;
use crate::step::kubectl::target::{BoundTarget, Target};
use crate::step::kubectl::undo::{VerbEffect, steps};
use crate::step::kubectl::verb::{Verb, VerbContext};
use crate::step::templated::Templated;

/// Sets the number of pods of a workload.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::step::kubectl) struct Scale {
    /// The workload.
    target: Target,
    /// How many pods it is to have: a number, or a template of one.
    replicas: Templated,
}

/// The number as it will be set.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct ScaleInput {
    target: BoundTarget,
    replicas: u32,
}

impl ScaleInput {
    fn change(&self) -> Change<'_> {
        Change {
            doing: format!("scale {}", self.target.shown()),
            target: &self.target,
            subresource: Some("scale"),
            kind: PatchKind::Merge,
            body: json!({ "spec": { "replicas": self.replicas } }),
        }
    }
}

impl Verb for Scale {
    const NAME: &'static str = "scale";
    const FIELDS: &'static [&'static str] = &["object", "before", "after", "changed"];
    type Input = ScaleInput;

    fn check(&self) -> Option<(String, String)> {
        self.target.check()
    }

    fn class(&self) -> Class {
        Class::because(Effect::Disrupt, "scaling down ends pods")
    }

    fn summary(&self) -> String {
        format!("scale {}", self.target.source())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<ScaleInput, BindError> {
        let value = binder.json(&self.replicas)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let replicas = text.trim().parse().map_err(|_| BindError {
            message: format!("`{text}` is no number of pods"),
            source: text.clone(),
            help: Some("Give a whole number that is not negative.".to_owned()),
        })?;
        Ok(ScaleInput { target: self.target.bind(binder)?, replicas })
    }

    fn class_bound(_: &ScaleInput) -> Class {
        Class::because(Effect::Disrupt, "scaling down ends pods")
    }

    fn lines(input: &ScaleInput) -> Vec<String> {
        vec![format!("scale {} to {}", input.target.shown(), input.replicas)]
    }

    fn rights(input: &ScaleInput) -> Vec<Right> {
        input.target.rights(&["get", "patch"], "scale")
    }

    async fn preview(input: &ScaleInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        input.change().preview(cluster, namespace).await
    }

    async fn run(input: &ScaleInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        input.change().make(cx).await
    }

    async fn settle(input: &ScaleInput, happened: &Happened<'_>, cx: &VerbContext<'_>) -> Settled {
        input.change().settle(happened, cx).await
    }

    fn undo(effect: &VerbEffect<'_>) -> Undo {
        let before = effect.before();
        let Some(replicas) = before["spec"]["replicas"].as_u64() else {
            return Undo::Impossible("how many there were is not known".to_owned());
        };
        if effect.input["replicas"] == replicas {
            return steps(Vec::new());
        }
        let target = json!({ "kind": effect.kind(), "name": name_of(before) });
        steps(vec![effect.step("scale", before, &json!({ "target": target, "replicas": replicas }))])
    }
}
