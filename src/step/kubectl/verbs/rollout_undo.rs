//! `rollout_undo`: gives a workload the pod template of an earlier revision.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change::Change;
use crate::connect::kubernetes::{ApiError, Cluster, ListOptions, PatchKind, Resource, Right, Which, Write};
use crate::model::{Class, Effect, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{self, Done, Happened, Preview, Settled};
use crate::step::kubectl::object::{REVISION, changes, plain};
use crate::step::kubectl::settle::written;
use crate::step::kubectl::target::{BoundTarget, Target};
use crate::step::kubectl::undo::VerbEffect;
use crate::step::kubectl::verb::{Verb, VerbContext};

/// Gives a workload the pod template of an earlier revision. Its number of pods, its `ConfigMaps` and its Secrets stay
/// as they are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::step::kubectl) struct RolloutUndo {
    /// The workload.
    target: Target,
    /// The revision; the one before the current one when absent.
    to_revision: Option<u64>,
}

/// What will be undone.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct UndoInput {
    target: BoundTarget,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_revision: Option<u64>,
}

/// A workload, and the patch that gives it an earlier template.
struct Undo {
    resource: Resource,
    name: String,
    before: Value,
    revision: u64,
    kind: PatchKind,
    body: Value,
}

impl UndoInput {
    fn doing(&self) -> String {
        format!("undo the rollout of {}", self.target.shown())
    }

    async fn find(&self, cluster: &Cluster, namespace: &str) -> Result<Undo, ApiError> {
        let (resource, name) = self.target.one(cluster, namespace).await?;
        let before = cluster.get(&resource, namespace, &name).await?;
        if before["spec"]["paused"] == true {
            return Err(ApiError::unfit(format!("{} is paused; resume it first", resource.named(&name))));
        }
        let (kept_in, number): (&str, fn(&Value) -> Option<u64>) = match resource.plural.as_str() {
            "deployments" => ("replicasets", revision),
            "statefulsets" | "daemonsets" => {
                ("controllerrevisions", |revision| revision["revision"].as_u64())
            }
            _ => return Err(ApiError::unfit(format!("a {} has no revisions", resource.kind))),
        };
        let history = cluster.resource(kept_in).await?;
        let listed = cluster.list(&history, namespace, ListOptions::default()).await?;
        let owned = listed.into_iter().filter(|object| is_owned(object, &before));
        let mut revisions: Vec<(u64, Value)> =
            owned.filter_map(|object| Some((number(&object)?, object))).collect();
        revisions.sort_by_key(|(number, _)| *number);
        let numbers: Vec<String> = revisions.iter().map(|(number, _)| number.to_string()).collect();
        let wanted = match self.to_revision {
            Some(wanted) => revisions.into_iter().find(|(number, _)| *number == wanted),
            None => revisions.into_iter().rev().nth(1),
        };
        let (revision, kept) = wanted.ok_or_else(|| {
            ApiError::unfit(format!("there is no such revision; there are: {}", numbers.join(", ")))
        })?;
        let (kind, body) = if kept_in == "replicasets" {
            let mut template = kept["spec"]["template"].clone();
            if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
                labels.remove("pod-template-hash");
            }
            (PatchKind::Json, json!([{ "op": "replace", "path": "/spec/template", "value": template }]))
        } else {
            // It is a patch by itself, which replaces the template.
            (PatchKind::Strategic, kept["data"].clone())
        };
        Ok(Undo { resource, name, before, revision, kind, body })
    }
}

/// The number of a Deployment's revision, on the Deployment and on its `ReplicaSets`.
pub(super) fn revision(object: &Value) -> Option<u64> {
    object["metadata"]["annotations"][REVISION].as_str()?.parse().ok()
}

/// Whether an object belongs to another one.
pub(super) fn is_owned(object: &Value, owner: &Value) -> bool {
    let mut owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.any(|reference| reference["uid"] == owner["metadata"]["uid"])
}

fn with_revision(mut output: Value, revision: &Value) -> Value {
    output["revision"] = revision.clone();
    output
}

impl Undo {
    async fn make(&self, cluster: &Cluster, namespace: &str) -> Result<Value, ApiError> {
        let of = Write { resource: &self.resource, namespace, name: &self.name, subresource: None };
        cluster.patch(of, self.kind, &self.body).await
    }
}

impl Verb for RolloutUndo {
    const NAME: &'static str = "rollout_undo";
    const FIELDS: &'static [&'static str] = &["object", "before", "after", "changed", "revision"];
    type Input = UndoInput;

    fn check(&self) -> Option<(String, String)> {
        self.target.check()
    }

    fn class(&self) -> Class {
        Class::because(Effect::Disrupt, "every pod is replaced")
    }

    fn summary(&self) -> String {
        format!("rollout undo {}", self.target.source())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<UndoInput, BindError> {
        Ok(UndoInput { target: self.target.bind(binder)?, to_revision: self.to_revision })
    }

    fn class_bound(_: &UndoInput) -> Class {
        Class::because(Effect::Disrupt, "every pod is replaced")
    }

    fn lines(input: &UndoInput) -> Vec<String> {
        let to = input.to_revision.map_or_else(String::new, |revision| format!(" to revision {revision}"));
        vec![format!("rollout undo {}{to}", input.target.shown())]
    }

    fn rights(input: &UndoInput) -> Vec<Right> {
        let mut rights = input.target.rights(&["get", "patch"], "");
        let deployments =
            Resource::known(&input.target.kind).is_some_and(|kind| kind.plural == "deployments");
        let history = if deployments { "replicasets" } else { "controllerrevisions" };
        rights.push(Right::on("list", history, Which::Any));
        rights
    }

    async fn preview(input: &UndoInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        let failed = |error: ApiError| error.failure(&input.doing());
        let undo = input.find(cluster, namespace).await.map_err(failed)?;
        let after = undo.make(cluster, namespace).await.map_err(failed)?;
        let mut facts = vec![format!("back to revision {}", undo.revision)];
        facts.extend(changes(&undo.before, &after));
        Ok(Preview { facts, ..Preview::default() })
    }

    async fn run(input: &UndoInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let failed = |error: ApiError| cx.failed(&input.doing(), &error);
        let undo = input.find(&cx.cluster, &cx.namespace).await.map_err(failed)?;
        let before = plain(undo.before.clone());
        // Once it is done, the revisions have other numbers.
        cx.run.events.trace(json!({ "patch": undo.body, "revision": undo.revision }))?;
        cx.intend(&before)?;
        let after = plain(undo.make(&cx.cluster, &cx.namespace).await.map_err(failed)?);
        cx.wrote(0, &after)?;
        Ok(Done::with(with_revision(written(&before, &after), &undo.revision.into())))
    }

    async fn settle(input: &UndoInput, happened: &Happened<'_>, cx: &VerbContext<'_>) -> Settled {
        let Some(sent) = happened.traces.iter().rev().find(|trace| trace.get("patch").is_some()) else {
            return Settled::NotDone;
        };
        let body = sent["patch"].clone();
        let change = Change {
            doing: input.doing(),
            target: &input.target,
            subresource: None,
            kind: if body.is_array() { PatchKind::Json } else { PatchKind::Strategic },
            body,
        };
        match change.settle(happened, cx).await {
            Settled::Done(output) => Settled::Done(with_revision(output, &sent["revision"])),
            settled => settled,
        }
    }

    fn undo(effect: &VerbEffect<'_>) -> kind::Undo {
        effect.take_back(|_| None)
    }
}
