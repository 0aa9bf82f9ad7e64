//! [`Container`]: one container of a pod that runs, where programs can be started.

use serde_json::Value;
use tokio::io::AsyncWrite;

use super::cluster::{Access, Cluster};
use super::error::ApiError;
use super::exec::{self, ExecError, ExecOutcome, ExecRequest, PrivateEnvironment, Stdin};
use super::pods::{container, not_running};
use super::rights::{Right, Which};

/// One container of a pod that runs.
#[derive(Debug, Clone)]
pub struct Container {
    cluster: Cluster,
    namespace: String,
    pod: String,
    name: String,
}

impl Container {
    /// The container that is meant in a pod, once it is known that a program can be started there.
    pub fn of(
        cluster: &Cluster,
        namespace: &str,
        pod: &Value,
        wanted: Option<&str>,
    ) -> Result<Self, ApiError> {
        if let Some(why) = not_running(pod) {
            return Err(ApiError::unfit(why));
        }
        Ok(Self {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            pod: pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            name: container(pod, wanted)?,
        })
    }

    /// The pod's name.
    pub fn pod(&self) -> &str {
        &self.pod
    }

    /// The pod's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its own name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rights that the account lacks to start something in it.
    pub async fn lacking(&self) -> Result<Vec<String>, ApiError> {
        let mut lacking = Vec::new();
        for right in Right::connecting("exec", &Which::Named(self.pod.clone())) {
            let lacks = self.cluster.lacks(&right, &self.namespace).await?;
            lacking.extend(lacks.map(|lacks| lacks.describe(&[lacks.verb])));
        }
        Ok(lacking)
    }

    /// Runs a command. An error means that nothing ran; where nobody knows, the outcome is [`ExecOutcome::Lost`].
    pub async fn exec(
        &self,
        command: &[String],
        private: Option<&PrivateEnvironment>,
        stdin: Stdin<'_>,
        stdout: &mut (dyn AsyncWrite + Send + Unpin),
        stderr: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<ExecOutcome, ApiError> {
        if !self.may_change() {
            return Err(ApiError::local("only a step that may change something runs a command in a pod"));
        }
        self.exec_unasked(command, private, stdin, stdout, stderr, progress).await
    }

    /// Whether whoever looked for it may change something in it.
    pub(super) fn may_change(&self) -> bool {
        self.cluster.access() == Access::Write
    }

    /// The same for a command of our own, of which it is known whether it changes anything.
    pub(super) async fn exec_unasked(
        &self,
        command: &[String],
        private: Option<&PrivateEnvironment>,
        mut stdin: Stdin<'_>,
        stdout: &mut (dyn AsyncWrite + Send + Unpin),
        stderr: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<ExecOutcome, ApiError> {
        let request = ExecRequest {
            namespace: &self.namespace,
            pod: &self.pod,
            container: &self.name,
            command,
            private,
        };
        let account = &self.cluster.shared.account;
        let current = account.current().await;
        let first = exec::exec(&current.client, &request, stdin.again(), stdout, stderr, progress).await;
        let ended = match first {
            // A copy of many files outlives its credentials. They are refused before anything is read or started.
            Err(ExecError::Refused(error)) if ApiError::of(&error).is_unauthorized() => {
                match account.renewed(&current).await? {
                    Some(client) => exec::exec(&client, &request, stdin, stdout, stderr, progress).await,
                    None => Err(ExecError::Refused(error)),
                }
            }
            ended => ended,
        };
        match ended {
            Ok(outcome) => Ok(outcome),
            Err(ExecError::Refused(error)) => Err(ApiError { unknown: false, ..ApiError::of(&error) }),
            Err(error) => Ok(ExecOutcome::Lost(error.to_string())),
        }
    }
}
