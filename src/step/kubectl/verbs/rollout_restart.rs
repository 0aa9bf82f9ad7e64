//! `rollout_restart`: replaces every pod of a workload, as its update strategy has it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change::Change;
use crate::connect::kubernetes::{ApiError, Cluster, PatchKind, Right};
use crate::model::{Class, Effect, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::{Done, Happened, Preview, Settled, Undo};
use crate::step::kubectl::target::{BoundTarget, Target};
use crate::step::kubectl::undo::VerbEffect;
use crate::step::kubectl::verb::{Verb, VerbContext};

/// The annotation kubectl itself uses: a new value makes a new pod template.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// Replaces every pod of a workload, as its update strategy has it. `rollout_status` waits for the end of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::step::kubectl) struct RolloutRestart(Target);

/// What will be restarted.
#[derive(Debug, Serialize)]
pub(in crate::step::kubectl) struct RestartInput {
    target: BoundTarget,
    /// The new value of the annotation. A second attempt writes the same one, so it restarts nothing again.
    at: String,
}

impl RestartInput {
    fn change(&self) -> Change<'_> {
        Change {
            doing: format!("restart {}", self.target.shown()),
            target: &self.target,
            subresource: None,
            kind: PatchKind::Merge,
            body: json!({ "spec": { "template": { "metadata": { "annotations": { RESTARTED_AT: self.at } } } } }),
        }
    }

    /// Why a restart would do nothing, or not what is meant.
    async fn obstacle(&self, cluster: &Cluster, namespace: &str) -> Result<Option<String>, ApiError> {
        let (resource, name) = self.target.one(cluster, namespace).await?;
        let object = cluster.get(&resource, namespace, &name).await?;
        let shown = resource.named(&name);
        let spec = &object["spec"];
        let strategy = spec["updateStrategy"]["type"].as_str();
        Ok(if !matches!(resource.plural.as_str(), "deployments" | "statefulsets" | "daemonsets") {
            Some(format!("{shown} is no workload that can be restarted"))
        } else if spec["paused"] == true {
            Some(format!("{shown} is paused, so nothing would be restarted"))
        } else if strategy == Some("OnDelete") {
            Some(format!(
                "{shown} has the update strategy OnDelete: its pods restart only when they are deleted"
            ))
        } else {
            None
        })
    }
}

impl Verb for RolloutRestart {
    const NAME: &'static str = "rollout_restart";
    const FIELDS: &'static [&'static str] = &["object", "before", "after", "changed"];
    type Input = RestartInput;

    fn check(&self) -> Option<(String, String)> {
        self.0.check()
    }

    fn class(&self) -> Class {
        Class::because(Effect::Disrupt, "every pod is replaced")
    }

    fn summary(&self) -> String {
        format!("rollout restart {}", self.0.source())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<RestartInput, BindError> {
        let at = binder.scope.now().unwrap_or_default().to_string();
        Ok(RestartInput { target: self.0.bind(binder)?, at })
    }

    fn class_bound(_: &RestartInput) -> Class {
        Class::because(Effect::Disrupt, "every pod is replaced")
    }

    fn lines(input: &RestartInput) -> Vec<String> {
        vec![format!("rollout restart {}", input.target.shown())]
    }

    fn rights(input: &RestartInput) -> Vec<Right> {
        input.target.rights(&["get", "patch"], "")
    }

    async fn preview(input: &RestartInput, cluster: &Cluster, namespace: &str) -> Result<Preview, Failure> {
        let change = input.change();
        let obstacle = input.obstacle(cluster, namespace).await;
        let blockers =
            obstacle.map_err(|error| error.failure(&change.doing))?.into_iter().collect::<Vec<_>>();
        if !blockers.is_empty() {
            return Ok(Preview { blockers, ..Preview::default() });
        }
        change.preview(cluster, namespace).await?;
        Ok(Preview { facts: vec!["the server would replace its pods".to_owned()], ..Preview::default() })
    }

    async fn run(input: &RestartInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let change = input.change();
        let obstacle = input.obstacle(&cx.cluster, &cx.namespace).await;
        match obstacle.map_err(|error| cx.failed(&change.doing, &error))? {
            Some(obstacle) => {
                Err(Failure::new(obstacle).help("Resume the rollout, or delete the pods.").into())
            }
            None => change.make(cx).await,
        }
    }

    async fn settle(input: &RestartInput, happened: &Happened<'_>, cx: &VerbContext<'_>) -> Settled {
        input.change().settle(happened, cx).await
    }

    fn undo(_: &VerbEffect<'_>) -> Undo {
        Undo::Nothing("its pods are new, and the workload is as it was".to_owned())
    }
}
