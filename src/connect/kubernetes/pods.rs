//! Which pod is meant, and which of its containers.

use serde_json::Value;
use tokio::io::AsyncWrite;

use super::cluster::{Access, Cluster};
use super::error::ApiError;
use super::exec::{self, ExecError, ExecOutcome, ExecRequest, Stdin};
use super::objects::ListOptions;
use super::resource::Resource;

/// Which of several pods is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// Several are an error.
    One,
    /// The one made last.
    Newest,
    /// The first by name.
    Any,
}

impl Pick {
    /// The one that is taken; `what` they are, for people.
    pub fn of(self, mut found: Vec<Value>, what: &str) -> Result<Value, ApiError> {
        match (found.len(), self) {
            (0, _) => Err(ApiError::local(format!("there is no {what}"))),
            (1, _) | (_, Self::Any) => Ok(found.swap_remove(0)),
            (_, Self::Newest) => {
                found.sort_by(|a, b| created(a).cmp(created(b)));
                Ok(found.pop().unwrap_or_default())
            }
            (count, Self::One) => {
                let names: Vec<&str> = found.iter().map(name).collect();
                Err(ApiError::local(format!(
                    "there are {count} {what} ({}); write `pick: newest` or `pick: any`, or name one",
                    names.join(", ")
                )))
            }
        }
    }
}

impl Cluster {
    /// The pod that a selector means: ready, and not about to end.
    pub async fn ready_pod(&self, namespace: &str, labels: &str, pick: Pick) -> Result<Value, ApiError> {
        let listed = self.list(&Resource::pods(), namespace, ListOptions { labels, fields: "" }).await?;
        let total = listed.len();
        let ready: Vec<Value> = listed.into_iter().filter(is_ready).collect();
        if ready.is_empty() {
            return Err(ApiError::local(none_ready(namespace, labels, total)));
        }
        pick.of(ready, &format!("ready pods with the labels `{labels}`"))
    }

    /// The pod that a selector means, ready or not.
    pub async fn any_pod(&self, namespace: &str, labels: &str, pick: Pick) -> Result<Value, ApiError> {
        let listed = self.list(&Resource::pods(), namespace, ListOptions { labels, fields: "" }).await?;
        pick.of(listed, &format!("pods with the labels `{labels}`"))
    }

    /// A pod by its name.
    pub async fn pod(&self, namespace: &str, name: &str) -> Result<Value, ApiError> {
        self.get(&Resource::pods(), namespace, name).await
    }
}

impl Cluster {
    /// Runs a command in a container. An error means that nothing ran; where nobody knows, the outcome is
    /// [`ExecOutcome::Lost`].
    pub async fn exec(
        &self,
        request: &ExecRequest<'_>,
        stdin: Stdin<'_>,
        stdout: &mut (dyn AsyncWrite + Send + Unpin),
        stderr: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<ExecOutcome, ApiError> {
        if self.access() != Access::Write {
            return Err(ApiError::local("only a step that may change something runs a command in a pod"));
        }
        self.exec_unasked(request, stdin, stdout, stderr, progress).await
    }

    /// The same for a command of our own, of which it is known whether it changes anything.
    pub(super) async fn exec_unasked(
        &self,
        request: &ExecRequest<'_>,
        stdin: Stdin<'_>,
        stdout: &mut (dyn AsyncWrite + Send + Unpin),
        stderr: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<ExecOutcome, ApiError> {
        match exec::exec(&self.shared.client, request, stdin, stdout, stderr, progress).await {
            Ok(outcome) => Ok(outcome),
            Err(ExecError::Refused(error)) => Err(ApiError { unknown: false, ..ApiError::of(&error) }),
            Err(error) => Ok(ExecOutcome::Lost(error.to_string())),
        }
    }
}

/// The container that is meant: the one named, else the pod's default one, else its first.
pub fn container(pod: &Value, wanted: Option<&str>) -> Result<String, ApiError> {
    let listed = |key: &str| {
        let containers = pod["spec"][key].as_array().into_iter().flatten();
        containers.filter_map(|container| container["name"].as_str()).collect::<Vec<_>>()
    };
    let names = listed("containers");
    let default = pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"].as_str();
    let Some(wanted) = wanted else {
        return default
            .or(names.first().copied())
            .map(str::to_owned)
            .ok_or_else(|| ApiError::local(format!("pod `{}` has no container", name(pod))));
    };
    let all = [names, listed("initContainers")].concat();
    if all.contains(&wanted) {
        return Ok(wanted.to_owned());
    }
    Err(ApiError::local(format!(
        "pod `{}` has no container `{wanted}`; it has {}",
        name(pod),
        all.join(", ")
    )))
}

/// Why no program can be started in a pod now.
pub fn not_running(pod: &Value) -> Option<String> {
    let phase = pod["status"]["phase"].as_str().unwrap_or("Unknown");
    if phase == "Running" {
        return None;
    }
    let name = name(pod);
    let waiting = waiting(pod).map_or_else(String::new, |reason| format!(" ({reason})"));
    Some(format!("pod `{name}` is {}{waiting}", phase.to_lowercase()))
}

/// Why a container of the pod waits, such as `ImagePullBackOff`.
pub fn waiting(pod: &Value) -> Option<&str> {
    let statuses = |key: &str| pod["status"][key].as_array().into_iter().flatten();
    statuses("initContainerStatuses")
        .chain(statuses("containerStatuses"))
        .find_map(|status| status["state"]["waiting"]["reason"].as_str())
}

/// Whether a pod serves: its condition says ready, and it is not about to end.
pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|condition| condition["type"] == "Ready");
    pod["metadata"]["deletionTimestamp"].is_null() && ready.any(|condition| condition["status"] == "True")
}

fn none_ready(namespace: &str, labels: &str, total: usize) -> String {
    match total {
        0 => format!("no pod in `{namespace}` has the labels `{labels}`"),
        1 => format!("the pod with the labels `{labels}` in `{namespace}` is not ready"),
        total => format!("none of the {total} pods with the labels `{labels}` in `{namespace}` is ready"),
    }
}

fn name(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().unwrap_or_default()
}

fn created(pod: &Value) -> &str {
    pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default()
}
