//! `create`: makes a new object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::manifest::{BoundManifest, Manifest};
use super::unwrite::unwrite;
use super::write::{How, Writing};
use crate::connect::kubernetes::{Cluster, Right};
use crate::model::{Class, Effect, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{CheckContext, Done, Happened, Preview, Settled, Undo};
use crate::step::kubectl::undo::VerbEffect;
use crate::step::kubectl::verb::{Verb, VerbContext};

/// Makes a new object; one of its name must not be there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::step::kubectl) struct Create(Manifest);

/// What will be made.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct CreateInput {
    #[serde(flatten)]
    manifest: BoundManifest,
}

impl CreateInput {
    fn writing(&self) -> Writing<'_> {
        Writing { manifest: &self.manifest, how: How::Create }
    }
}

impl Verb for Create {
    const NAME: &'static str = "create";
    const FIELDS: &'static [&'static str] = &["object", "before", "after", "changed"];
    type Input = CreateInput;

    fn complete(&mut self, cx: &mut CheckContext<'_>) {
        self.0.complete(cx);
    }

    fn check(&self) -> Option<(String, String)> {
        if self.0.force_conflicts {
            let help = "Remove it, or apply the object.".to_owned();
            return Some(("`force_conflicts` is about an object that is there".to_owned(), help));
        }
        self.0.check()
    }

    fn class(&self) -> Class {
        Class::known(Effect::Change)
    }

    fn summary(&self) -> String {
        format!("create {}", self.0.source())
    }

    fn fields(&self) -> &'static [&'static str] {
        if self.0.is_file() { &["objects"] } else { Self::FIELDS }
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<CreateInput, BindError> {
        Ok(CreateInput { manifest: self.0.bind(binder)? })
    }

    fn class_bound(_: &CreateInput) -> Class {
        Class::known(Effect::Change)
    }

    fn lines(input: &CreateInput) -> Vec<String> {
        input.writing().lines()
    }

    fn rights(input: &CreateInput) -> Vec<Right> {
        input.writing().rights()
    }

    fn rights_to_undo(input: &CreateInput) -> Vec<Right> {
        input.writing().rights_to_undo()
    }

    async fn preview(input: &CreateInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        input.writing().preview(cluster, namespace).await
    }

    async fn run(input: &CreateInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        input.writing().make(cx).await
    }

    async fn settle(input: &CreateInput, happened: &Happened<'_>, cx: &VerbContext<'_>) -> Settled {
        input.writing().settle(happened, cx).await
    }

    fn undo(effect: &VerbEffect<'_>) -> Undo {
        unwrite(effect)
    }
}
