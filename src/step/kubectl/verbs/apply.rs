//! `apply`: makes the fields of an object as they are written, by server-side apply.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change;
use super::manifest::{BoundManifest, Manifest, meant};
use crate::connect::kubernetes::{ApiError, Cluster, PatchKind, Write};
use crate::model::{Class, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{Done, Preview};
use crate::step::kubectl::object::{changes, kept};
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
    fn doing(&self) -> String {
        format!("apply {}", self.manifest.shown())
    }

    fn kind(&self) -> PatchKind {
        PatchKind::Apply { force: self.force_conflicts }
    }

    async fn dry_run(
        &self,
        cluster: &Cluster,
        namespace: &str,
        object: &Value,
    ) -> Result<Vec<String>, ApiError> {
        let (resource, name) = meant(cluster, object).await?;
        let of = Write { resource: &resource, namespace, name: &name, subresource: None };
        let before = cluster.find(&resource, namespace, &name).await?;
        let after = cluster.patch(of, self.kind(), object).await?;
        Ok(match before {
            None => vec!["it is not there yet, and is made".to_owned()],
            Some(before) => match changes(&before, &after) {
                none if none.is_empty() => vec!["the server would change nothing".to_owned()],
                changes => changes,
            },
        })
    }
}

impl Verb for Apply {
    const NAME: &'static str = "apply";
    const FIELDS: &'static [&'static str] = &["object", "before", "after", "changed"];
    type Input = ApplyInput;

    fn check(&self) -> Option<(String, String)> {
        self.0.check()
    }

    fn class(&self) -> Class {
        change::class(self.0.kind(), "an apply to")
    }

    fn summary(&self) -> String {
        format!("apply {}", self.0.source())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<ApplyInput, BindError> {
        Ok(ApplyInput { manifest: self.0.bind(binder)?, force_conflicts: self.0.force_conflicts })
    }

    fn class_bound(input: &ApplyInput) -> Class {
        change::class(input.manifest.kind(), "an apply to")
    }

    fn lines(input: &ApplyInput) -> Vec<String> {
        vec![input.doing()]
    }

    async fn preview(input: &ApplyInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        // A plan reads no data files: they may come to be during the run.
        let object = input.manifest.object(None).await?;
        let facts = input.dry_run(cluster, namespace, &object).await;
        Ok(Preview { facts: facts.map_err(|error| error.failure(&input.doing()))?, ..Preview::default() })
    }

    async fn run(input: &ApplyInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let failed = |error: ApiError| cx.failed(&input.doing(), &error);
        let object = input.manifest.object(Some(cx.run.files)).await?;
        let (resource, name) = meant(&cx.cluster, &object).await.map_err(failed)?;
        let of = Write { resource: &resource, namespace: &cx.namespace, name: &name, subresource: None };
        let before = cx.cluster.find(&resource, &cx.namespace, &name).await.map_err(failed)?;
        let before = before.map_or(Value::Null, kept);
        cx.intend(&before)?;
        let after = kept(cx.cluster.patch(of, input.kind(), &object).await.map_err(failed)?);
        let changed = changes(&before, &after);
        Ok(Done::with(json!({ "object": after, "before": before, "after": after, "changed": changed })))
    }
}
