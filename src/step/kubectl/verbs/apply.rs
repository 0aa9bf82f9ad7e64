//! `apply`: makes the fields of an object as they are written, by server-side apply.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::manifest::{BoundManifest, Manifest};
use super::unwrite::unwrite;
use super::write::{How, Writing};
use crate::connect::kubernetes::{Cluster, Right};
use crate::model::{Class, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{CheckContext, Done, Happened, Preview, Settled, Undo};
use crate::step::kubectl::undo::VerbEffect;
use crate::step::kubectl::verb::{Verb, VerbContext};

/// Makes the fields of an object as they are written here; an object that is not there is made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::step::kubectl) struct Apply(Manifest);

/// What will be applied.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct ApplyInput {
    #[serde(flatten)]
    manifest: BoundManifest,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    force_conflicts: bool,
}

impl ApplyInput {
    fn writing(&self) -> Writing<'_> {
        Writing { manifest: &self.manifest, how: How::Apply { force: self.force_conflicts } }
    }
}

impl Verb for Apply {
    const NAME: &'static str = "apply";
    const FIELDS: &'static [&'static str] = &["object", "before", "after", "changed"];
    type Input = ApplyInput;

    fn complete(&mut self, cx: &mut CheckContext<'_>) {
        self.0.complete(cx);
    }

    fn check(&self) -> Option<(String, String)> {
        self.0.check()
    }

    fn class(&self) -> Class {
        self.0.class("an apply to")
    }

    fn summary(&self) -> String {
        format!("apply {}", self.0.source())
    }

    fn fields(&self) -> &'static [&'static str] {
        if self.0.is_file() { &["objects"] } else { Self::FIELDS }
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<ApplyInput, BindError> {
        Ok(ApplyInput { manifest: self.0.bind(binder)?, force_conflicts: self.0.force_conflicts })
    }

    fn class_bound(input: &ApplyInput) -> Class {
        input.manifest.class("an apply to")
    }

    fn lines(input: &ApplyInput) -> Vec<String> {
        input.writing().lines()
    }

    fn rights(input: &ApplyInput) -> Vec<Right> {
        input.writing().rights()
    }

    fn rights_to_undo(input: &ApplyInput) -> Vec<Right> {
        input.writing().rights_to_undo()
    }

    async fn preview(input: &ApplyInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        input.writing().preview(cluster, namespace).await
    }

    async fn run(input: &ApplyInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        input.writing().make(cx).await
    }

    async fn settle(input: &ApplyInput, happened: &Happened<'_>, cx: &VerbContext<'_>) -> Settled {
        input.writing().settle(happened, cx).await
    }

    fn undo(effect: &VerbEffect<'_>) -> Undo {
        unwrite(effect)
    }
}
