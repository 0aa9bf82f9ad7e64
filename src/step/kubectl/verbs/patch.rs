//! `patch`: changes parts of an object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::{self, Change};
use crate::connect::kubernetes::{Cluster, PatchKind, Right};
use crate::model::{Class, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{Done, Happened, Preview, Settled, Undo};
use crate::step::kubectl::target::{BoundTarget, Target};
use crate::step::kubectl::undo::VerbEffect;
use crate::step::kubectl::verb::{Verb, VerbContext};
use crate::step::kubectl::{back, secret};
use crate::step::templated::Templated;

/// Changes parts of an object.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::step::kubectl) struct Patch {
    /// The object.
    target: Target,
    /// How `body` is read.
    #[serde(default, rename = "type")]
    kind: PatchType,
    /// What changes.
    body: Templated,
}

/// How the body of a patch is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum PatchType {
    /// Maps are merged, lists replaced, null removes.
    #[default]
    Merge,
    /// Lists are merged by their keys; only for the server's own kinds.
    Strategic,
    /// A list of operations: `{ op, path, value }`.
    Json,
}

/// The patch as it will be sent.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct PatchInput {
    target: BoundTarget,
    #[serde(rename = "type")]
    kind: PatchType,
    body: Value,
}

impl PatchInput {
    /// What changes, without the values of a Secret.
    fn shown(&self) -> Value {
        if secret::is_kind(&self.target.kind) { secret::shown_patch(&self.body) } else { self.body.clone() }
    }

    fn change(&self) -> Change<'_> {
        Change {
            doing: format!("patch {}", self.target.shown()),
            target: &self.target,
            subresource: None,
            kind: match self.kind {
                PatchType::Merge => PatchKind::Merge,
                PatchType::Strategic => PatchKind::Strategic,
                PatchType::Json => PatchKind::Json,
            },
            body: self.body.clone(),
        }
    }
}

impl Verb for Patch {
    const NAME: &'static str = "patch";
    const FIELDS: &'static [&'static str] = &["object", "before", "after", "changed"];
    type Input = PatchInput;

    fn check(&self) -> Option<(String, String)> {
        self.target.check()
    }

    fn class(&self) -> Class {
        change::class(self.target.kind(), "a patch of")
    }

    fn summary(&self) -> String {
        format!("patch {}", self.target.source())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<PatchInput, BindError> {
        let target = self.target.bind(binder)?;
        Ok(PatchInput { target, kind: self.kind, body: binder.json(&self.body)? })
    }

    fn class_bound(input: &PatchInput) -> Class {
        change::class(Some(&input.target.kind), "a patch of")
    }

    fn lines(input: &PatchInput) -> Vec<String> {
        vec![format!("patch {} with {}", input.target.shown(), input.shown())]
    }

    fn shown(input: &PatchInput, whole: &Value) -> Value {
        let mut shown = whole.clone();
        shown["body"] = input.shown();
        shown
    }

    fn rights(input: &PatchInput) -> Vec<Right> {
        input.target.rights(&["get", "patch"], "")
    }

    async fn preview(input: &PatchInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        input.change().preview(cluster, namespace).await
    }

    async fn run(input: &PatchInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        input.change().make(cx).await
    }

    async fn settle(input: &PatchInput, happened: &Happened<'_>, cx: &VerbContext<'_>) -> Settled {
        input.change().settle(happened, cx).await
    }

    fn undo(effect: &VerbEffect<'_>) -> Undo {
        let input = effect.input;
        let is_merge = input["type"] == "merge";
        effect.take_back(|before| is_merge.then(|| back::merged(before, &input["body"])))
    }
}
