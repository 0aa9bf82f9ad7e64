//! A change of one object: what was there is recorded, then the change is made; a plan makes it as a dry run.

use serde_json::Value;

use crate::connect::kubernetes::{ApiError, Cluster, PatchKind, Write};
use crate::model::{Applied, Class, Effect, Failure};
use crate::step::error::StepError;
use crate::step::kind::{Done, Happened, Preview, Settled};
use crate::step::kubectl::object::{changes, name_of, plain};
use crate::step::kubectl::settle::{judged, looked, written};
use crate::step::kubectl::target::BoundTarget;
use crate::step::kubectl::verb::VerbContext;

/// A patch of one object, or of a part of it.
pub(super) struct Change<'a> {
    /// What it is, for people: `scale deployment/backend`.
    pub(super) doing: String,
    pub(super) target: &'a BoundTarget,
    pub(super) subresource: Option<&'static str>,
    pub(super) kind: PatchKind,
    pub(super) body: Value,
}

impl Change<'_> {
    /// Makes the change; the output has the object `before` and `after`.
    pub(super) async fn make(&self, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let failed = |error: ApiError| cx.failed(&self.doing, &error);
        let (resource, name) = self.target.one(&cx.cluster, &cx.namespace).await.map_err(failed)?;
        let of = Write {
            resource: &resource,
            namespace: &cx.namespace,
            name: &name,
            subresource: self.subresource,
        };
        let before = plain(cx.cluster.part(of).await.map_err(failed)?);
        cx.intend(&before)?;
        let after = plain(cx.cluster.patch(of, self.kind, &self.body).await.map_err(failed)?);
        cx.wrote(0, &after)?;
        Ok(Done::with(written(&before, &after)))
    }

    /// What became of a change without an answer.
    pub(super) async fn settle(&self, happened: &Happened<'_>, cx: &VerbContext<'_>) -> Settled {
        looked(happened, cx, || self.look(happened.before, cx)).await
    }

    async fn look(&self, before: &Value, cx: &VerbContext<'_>) -> Result<Settled, ApiError> {
        let resource = cx.cluster.resource(&self.target.kind).await?;
        let (name, namespace) = (name_of(before), cx.namespace.as_str());
        let of = Write { resource: &resource, namespace, name: &name, subresource: self.subresource };
        let now = match cx.cluster.part(of).await {
            Err(error) if error.is_not_found() => {
                return Ok(Settled::Unknown(format!("{} is gone", resource.named(&name))));
            }
            now => plain(now?),
        };
        judged(before, &now, cx.cluster.patch(of, self.kind, &self.body).await)
    }

    /// What the server says it would do.
    pub(super) async fn preview(&self, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        match self.dry_run(cluster, namespace).await {
            Ok(facts) => Ok(Preview { facts, ..Preview::default() }),
            Err(error) => Err(error.failure(&self.doing)),
        }
    }

    async fn dry_run(&self, cluster: &Cluster, namespace: &str) -> Result<Vec<String>, ApiError> {
        let (resource, name) = self.target.one(cluster, namespace).await?;
        let of = Write { resource: &resource, namespace, name: &name, subresource: self.subresource };
        let before = plain(cluster.part(of).await?);
        let after = plain(cluster.patch(of, self.kind, &self.body).await?);
        Ok(match changes(&before, &after) {
            none if none.is_empty() => vec!["the server would change nothing".to_owned()],
            changes => changes,
        })
    }
}

/// A failure after others of the same step were changed has left something; `done` says what was done to them.
pub(super) fn partly(error: StepError, done: &str, names: &[String]) -> StepError {
    if names.is_empty() {
        return error;
    }
    error.map(|mut failure| {
        failure.details.push(format!("{done}: {}", names.join(", ")));
        if failure.applied == Applied::No { failure.applied(Applied::Partly) } else { failure }
    })
}

/// What a change of an object of this kind does to the world.
pub(super) fn class(kind: Option<&str>, what: &str) -> Class {
    const WORKLOADS: &[&str] =
        &["deployment", "deploy", "statefulset", "sts", "daemonset", "ds", "replicaset", "rs", "pod", "po"];
    let Some(kind) = kind else { return Class::assumed("the kind is known only when it is bound") };
    let kind = kind.split('.').next().unwrap_or_default().to_lowercase();
    let singular = kind.strip_suffix('s').unwrap_or(&kind);
    if WORKLOADS.contains(&kind.as_str()) || WORKLOADS.contains(&singular) {
        return Class::because(Effect::Disrupt, format!("{what} a workload may restart its pods"));
    }
    Class::known(Effect::Change)
}
