//! `rollout_status`: waits until a workload runs as it is written, by kubectl's own rules.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rollout_undo::{is_owned, revision};
use crate::connect::kubernetes::{ApiError, ListOptions, Resource, Right, waiting};
use crate::model::{Class, Effect, Failure};
use crate::step::bind::Binder;
use crate::step::error::{BindError, StepError};
use crate::step::kind::Done;
use crate::step::kubectl::object::kept;
use crate::step::kubectl::patience::patiently;
use crate::step::kubectl::target::{BoundTarget, Target};
use crate::step::kubectl::verb::{Verb, VerbContext};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Why a container waits that will not start by waiting longer.
const HOPELESS: &[&str] = &[
    "ImagePullBackOff",
    "ErrImagePull",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// Waits until a workload runs as it is written; the step's `timeout` says for how long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(in crate::step::kubectl) struct RolloutStatus(Target);

/// What will be waited for.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(in crate::step::kubectl) struct StatusInput(BoundTarget);

/// How far a rollout is.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Done,
    /// So many of so many pods are as they are meant to be.
    Waiting {
        ready: i64,
        of: i64,
        what: String,
    },
    Failed(String),
}

impl Verb for RolloutStatus {
    const NAME: &'static str = "rollout_status";
    const FIELDS: &'static [&'static str] = &["object"];
    type Input = StatusInput;

    fn check(&self) -> Option<(String, String)> {
        self.0.check()
    }

    fn class(&self) -> Class {
        Class::known(Effect::Read)
    }

    fn summary(&self) -> String {
        format!("rollout status {}", self.0.source())
    }

    fn bind(&self, binder: &Binder<'_>) -> Result<StatusInput, BindError> {
        self.0.bind(binder).map(StatusInput)
    }

    fn class_bound(_: &StatusInput) -> Class {
        Class::known(Effect::Read)
    }

    fn lines(input: &StatusInput) -> Vec<String> {
        vec![format!("rollout status {}", input.0.shown())]
    }

    fn rights(input: &StatusInput) -> Vec<Right> {
        input.0.rights(&["get"], "")
    }

    async fn run(input: &StatusInput, cx: &VerbContext<'_>) -> Result<Done<Value>, StepError> {
        let failed = |error: ApiError| cx.failed(&format!("follow {}", input.0.shown()), &error);
        let (resource, name) = input.0.one(&cx.cluster, &cx.namespace).await.map_err(failed)?;
        let mut uid = Value::Null;
        loop {
            let object = patiently(cx, || cx.cluster.get(&resource, &cx.namespace, &name)).await;
            let object = object.map_err(failed)?;
            if uid.is_null() {
                uid = object["metadata"]["uid"].clone();
            } else if uid != object["metadata"]["uid"] {
                return Err(StepError::failed(format!(
                    "{} was deleted and made anew",
                    resource.named(&name)
                )));
            }
            match progress(&resource, &object) {
                Progress::Done => return Ok(Done::with(json!({ "object": kept(object) }))),
                Progress::Failed(message) => return Err(StepError::failed(message)),
                Progress::Waiting { ready, of, what } => {
                    // Who may not look at pods only hears of it later, by the step's time limit.
                    if let Ok(Some(hopeless)) = hopeless(cx, &resource, &object).await {
                        return Err(hopeless.into());
                    }
                    #[expect(clippy::cast_precision_loss, reason = "numbers of pods are small")]
                    let percent = (of > 0).then(|| ready as f64 * 100.0 / of as f64);
                    cx.run.events.progress(&what, percent, Some(format!("{ready} of {of} ready")));
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// kubectl's rules; what its server has not seen yet says nothing.
fn progress(resource: &Resource, object: &Value) -> Progress {
    let (spec, status) = (&object["spec"], &object["status"]);
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let of =
        |ready: i64, wanted: i64, what: &str| Progress::Waiting { ready, of: wanted, what: what.to_owned() };
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    if number(&status["observedGeneration"]) < number(&object["metadata"]["generation"]) {
        return of(0, wanted, "waiting for the controller");
    }
    let updated = number(&status["updatedReplicas"]);
    match resource.plural.as_str() {
        "deployments" => {
            let conditions = status["conditions"].as_array().into_iter().flatten();
            let late = |condition: &&Value| condition["reason"] == "ProgressDeadlineExceeded";
            if let Some(condition) = conditions.into_iter().find(late) {
                let message =
                    condition["message"].as_str().unwrap_or("it has exceeded its progress deadline");
                return Progress::Failed(message.to_owned());
            }
            let available = number(&status["availableReplicas"]);
            if updated < wanted {
                of(updated.min(available), wanted, "updating")
            } else if number(&status["replicas"]) > updated {
                of(available.min(wanted), wanted, "ending old pods")
            } else if available < updated {
                of(available, wanted, "starting")
            } else {
                Progress::Done
            }
        }
        "statefulsets" => {
            if spec["updateStrategy"]["type"] != "RollingUpdate" {
                return Progress::Failed("only the update strategy RollingUpdate can be followed".to_owned());
            }
            let ready = number(&status["readyReplicas"]);
            let partition = number(&spec["updateStrategy"]["rollingUpdate"]["partition"]);
            let old = partition == 0 && status["currentRevision"] != status["updateRevision"];
            if ready < wanted {
                of(ready, wanted, "starting")
            } else if updated < wanted - partition || (old && wanted > 0) {
                of(updated.min(ready), wanted, "updating")
            } else {
                Progress::Done
            }
        }
        "daemonsets" => {
            if spec["updateStrategy"]["type"] != "RollingUpdate" {
                return Progress::Failed("only the update strategy RollingUpdate can be followed".to_owned());
            }
            let wanted = number(&status["desiredNumberScheduled"]);
            let available = number(&status["numberAvailable"]);
            match number(&status["updatedNumberScheduled"]) {
                updated if updated < wanted => of(updated.min(available), wanted, "updating"),
                _ if available < wanted => of(available, wanted, "starting"),
                _ => Progress::Done,
            }
        }
        _ => Progress::Failed(format!("a {} has no rollout", resource.kind)),
    }
}

/// A pod of the workload's newest revision that will not start by waiting longer; those of older ones are on their way
/// out.
async fn hopeless(
    cx: &VerbContext<'_>,
    resource: &Resource,
    object: &Value,
) -> Result<Option<Failure>, ApiError> {
    let labels = object["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten();
    let mut labels: Vec<String> =
        labels.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
    match newest(cx, resource, object).await? {
        Some(label) if !labels.is_empty() => labels.push(label),
        _ => return Ok(None),
    }
    let options = ListOptions { labels: &labels.join(","), fields: "" };
    let pods = cx.cluster.list(&Resource::pods(), &cx.namespace, options).await?;
    let mut living = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    let stuck = living.find_map(|pod| {
        let reason = waiting(pod).filter(|reason| HOPELESS.contains(reason))?;
        Some((pod["metadata"]["name"].as_str()?, reason))
    });
    Ok(stuck.map(|(pod, reason)| {
        let help = match reason {
            "CrashLoopBackOff" => format!("Read its log: `logs: {{ pod: {pod}, previous: true }}`."),
            _ => "Correct the image or the container's settings, or undo the rollout.".to_owned(),
        };
        Failure::new(format!("pod `{pod}` does not start: {reason}")).help(help)
    }))
}

/// The label of the pods of the newest revision, once the controller knows it.
async fn newest(
    cx: &VerbContext<'_>,
    resource: &Resource,
    object: &Value,
) -> Result<Option<String>, ApiError> {
    if object["status"]["observedGeneration"].as_i64() < object["metadata"]["generation"].as_i64() {
        return Ok(None);
    }
    if resource.plural != "deployments" {
        let revision = object["status"]["updateRevision"].as_str();
        return Ok(revision.map(|revision| format!("controller-revision-hash={revision}")));
    }
    let sets = cx.cluster.resource("replicasets").await?;
    let sets = cx.cluster.list(&sets, &cx.namespace, ListOptions::default()).await?;
    let current = revision(object);
    let newest = sets.iter().find(|set| is_owned(set, object) && revision(set) == current);
    let hash = newest.and_then(|set| set["metadata"]["labels"]["pod-template-hash"].as_str());
    Ok(hash.map(|hash| format!("pod-template-hash={hash}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &str, object: &Value, expected: &str) {
        let resource = Resource::known(kind).unwrap();
        assert_eq!(format!("{:?}", progress(&resource, object)), expected, "{object}");
    }

    #[test]
    fn a_deployment_is_done_as_kubectl_says() {
        let deployment = |generation: i64, status: Value| json!({ "metadata": { "generation": generation }, "spec": { "replicas": 2 }, "status": status });
        let full = json!({
            "observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
        });
        check("deploy", &deployment(3, full.clone()), "Done");
        check(
            "deploy",
            &deployment(4, full.clone()),
            "Waiting { ready: 0, of: 2, what: \"waiting for the controller\" }",
        );
        let with = |field: &str, value: i64| {
            let mut status = full.clone();
            status[field] = value.into();
            deployment(3, status)
        };
        check("deploy", &with("updatedReplicas", 1), "Waiting { ready: 1, of: 2, what: \"updating\" }");
        check("deploy", &with("replicas", 3), "Waiting { ready: 2, of: 2, what: \"ending old pods\" }");
        check("deploy", &with("availableReplicas", 1), "Waiting { ready: 1, of: 2, what: \"starting\" }");
        let mut late = full;
        late["conditions"] = json!([{ "reason": "ProgressDeadlineExceeded", "message": "too late" }]);
        check("deploy", &deployment(3, late), "Failed(\"too late\")");
    }

    #[test]
    fn a_statefulset_is_done_when_every_pod_is_of_the_new_revision() {
        let set = |updated: i64, ready: i64, current: &str| {
            json!({
                "metadata": { "generation": 1 },
                "spec": { "replicas": 2, "updateStrategy": {
                    "type": "RollingUpdate", "rollingUpdate": { "partition": 0 } } },
                "status": { "observedGeneration": 1, "readyReplicas": ready, "updatedReplicas": updated,
                    "currentRevision": current, "updateRevision": "b" },
            })
        };
        check("sts", &set(2, 2, "b"), "Done");
        check("sts", &set(2, 2, "a"), "Waiting { ready: 2, of: 2, what: \"updating\" }");
        check("sts", &set(1, 2, "a"), "Waiting { ready: 1, of: 2, what: \"updating\" }");
        check("sts", &set(2, 1, "b"), "Waiting { ready: 1, of: 2, what: \"starting\" }");
        check("pods", &set(2, 2, "b"), "Failed(\"a Pod has no rollout\")");
    }
}
