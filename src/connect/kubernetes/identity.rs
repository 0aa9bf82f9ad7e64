//! Which cluster this is, and who we are in it.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::error::ApiError;

/// Which cluster this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// The server's version, such as `v1.33.2`.
    pub version: String,
    /// The UID of the namespace `kube-system`; none where it may not be read.
    pub uid: Option<String>,
}

/// A right to be checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// Such as `get` or `patch`.
    pub verb: &'static str,
    /// The API group; empty for the core.
    pub group: String,
    /// The resource, with its subresource: `pods/exec`.
    pub resource: String,
    /// The object's name, where one is meant.
    pub name: Option<String>,
}

impl Right {
    /// That it is lacking, and the rule that would give it.
    pub fn lacking(&self, namespace: &str, reason: &str) -> String {
        let group = &self.group;
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        format!(
            "the right to {} {} in {namespace} is missing{reason}; a Role with this rule gives it: \
             {{ apiGroups: [\"{group}\"], resources: [{}], verbs: [{}] }}",
            self.verb, self.resource, self.resource, self.verb
        )
    }
}

impl Cluster {
    /// Asks the server which cluster it is.
    pub async fn identity(&self) -> Result<ClusterIdentity, ApiError> {
        let version = self.read("/version", &[]).await?;
        let uid = match self.read("/api/v1/namespaces/kube-system", &[]).await {
            Ok(namespace) => namespace["metadata"]["uid"].as_str().map(str::to_owned),
            Err(error) if matches!(error.code, Some(403 | 404)) => None,
            Err(error) => return Err(error),
        };
        let version = version["gitVersion"].as_str().unwrap_or("an unknown version").to_owned();
        Ok(ClusterIdentity { version, uid })
    }

    /// Whether the account has a right; the reason, where the server gives one. An access review changes nothing.
    pub async fn may(&self, right: &Right, namespace: &str) -> Result<Result<(), String>, ApiError> {
        let (resource, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "namespace": namespace,
                "verb": right.verb,
                "group": right.group,
                "resource": resource,
                "subresource": subresource,
                "name": right.name.as_deref().unwrap_or_default(),
            }},
        });
        let answer = self.review("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await?;
        let status = &answer["status"];
        Ok(match status["allowed"] {
            Value::Bool(true) => Ok(()),
            _ => Err(status["reason"].as_str().unwrap_or_default().to_owned()),
        })
    }
}
