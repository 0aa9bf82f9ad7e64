//! `create`: makes a new object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::manifest::{BoundManifest, Manifest, meant};
use crate::connect::kubernetes::{ApiError, Cluster};
use crate::model::{Class, Effect, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{Done, Preview};
use crate::step::kubectl::object::kept;
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
    fn doing(&self) -> String {
        format!("create {}", self.manifest.shown())
    }

    async fn dry_run(&self, cluster: &Cluster, namespace: &str, object: &Value) -> Result<(), ApiError> {
        let (resource, _) = meant(cluster, object).await?;
        cluster.create(&resource, namespace, object).await.map(drop)
    }
}

impl Verb for Create {
    const NAME: &'static str = "create";
    const FIELDS: &'static [&'static str] = &["object", "before", "after"];
    type Input = CreateInput;

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

    fn bind(&self, binder: &Binder<'_>) -> Result<CreateInput, BindError> {
        Ok(CreateInput { manifest: self.0.bind(binder)? })
    }

    fn class_bound(_: &CreateInput) -> Class {
        Class::known(Effect::Change)
    }

    fn lines(input: &CreateInput) -> Vec<String> {
        vec![input.doing()]
    }

    async fn preview(input: &CreateInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        let object = input.manifest.object(None).await?;
        let dry = input.dry_run(cluster, namespace, &object).await;
        dry.map_err(|error| error.failure(&input.doing()))?;
        Ok(Preview { facts: vec!["the server would make it".to_owned()], ..Preview::default() })
    }

    async fn run(input: &CreateInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let failed = |error: ApiError| cx.failed(&input.doing(), &error);
        let object = input.manifest.object(Some(cx.run.files)).await?;
        let (resource, _) = meant(&cx.cluster, &object).await.map_err(failed)?;
        cx.intend(&Value::Null)?;
        let made = cx.cluster.create(&resource, &cx.namespace, &object).await.map_err(failed)?;
        let made = kept(made);
        Ok(Done::with(json!({ "object": made, "before": null, "after": made })))
    }
}
