//! [`Right`]: what an account must be allowed to do, asked of the server by access reviews, which change nothing.
//!
//! A review says nothing of admission: a policy may still refuse what the rules allow.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::error::ApiError;
use super::objects::ListOptions;
use super::resource::Resource;

/// Something that must be allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Right {
    /// Such as `get` or `patch`.
    pub verb: &'static str,
    /// The kind, by any of its names.
    pub kind: String,
    /// A part of the object that has rights of its own, such as `exec` or `scale`; empty for the object itself.
    pub part: &'static str,
    /// Which objects are meant.
    pub which: Which,
}

/// Which objects a right is about. Rules may allow single objects by their names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which {
    /// Any of the kind.
    Any,
    /// The one of this name.
    Named(String),
    /// The one of this name, where it is not there yet.
    Absent(String),
    /// Those that these labels find.
    Selected(String),
}

/// A right that the account has not, in the words of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The verb.
    pub verb: &'static str,
    /// The API group; empty for the core.
    pub group: String,
    /// The resource, with its part: `pods/exec`.
    pub resource: String,
    /// The namespace; none for what lives in none.
    pub namespace: Option<String>,
    /// Why, where the server says so.
    pub reason: String,
}

impl Lacking {
    /// Whether both are about the same resource in the same place.
    pub fn is_beside(&self, other: &Self) -> bool {
        (&self.group, &self.resource, &self.namespace) == (&other.group, &other.resource, &other.namespace)
    }

    /// That these verbs are missing, and the rule that would give them.
    pub fn describe(&self, verbs: &[&str]) -> String {
        let Self { group, resource, namespace, reason, .. } = self;
        let (place, role) = match namespace {
            Some(namespace) => (format!(" in {namespace}"), "Role"),
            None => (String::new(), "ClusterRole"),
        };
        let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        format!(
            "the right to {} {resource}{place} is missing{reason}; a {role} with this rule gives it: \
             - {{ apiGroups: [\"{group}\"], resources: [{resource}], verbs: [{}] }}",
            verbs.join(" and "),
            verbs.join(", ")
        )
    }
}

impl Right {
    /// A right on objects themselves.
    pub fn on(verb: &'static str, kind: &str, which: Which) -> Self {
        Self { verb, kind: kind.to_owned(), part: "", which }
    }

    /// The same on a part of them.
    #[must_use]
    pub fn part(self, part: &'static str) -> Self {
        Self { part, ..self }
    }

    /// What a connection into a pod takes: it is a GET to servers before Kubernetes 1.35, and a create to later ones.
    pub fn connecting(part: &'static str, which: &Which) -> [Self; 2] {
        ["get", "create"].map(|verb| Self::on(verb, "pods", which.clone()).part(part))
    }
}

impl Cluster {
    /// What the account lacks of a right; nothing where it has it, or where the kind is not served yet.
    pub async fn lacks(&self, right: &Right, namespace: &str) -> Result<Option<Lacking>, ApiError> {
        let Ok(resource) = self.resource(&right.kind).await else { return Ok(None) };
        let namespace = if resource.namespaced { namespace } else { "" };
        let asked = Asked { right, resource: &resource, namespace };
        let Some(reason) = self.refused(&asked, right.which.name()).await? else { return Ok(None) };
        if self.may_all_the_same(&asked).await? {
            return Ok(None);
        }
        let part = if right.part.is_empty() { String::new() } else { format!("/{}", right.part) };
        Ok(Some(Lacking {
            verb: right.verb,
            group: resource.group.clone(),
            resource: format!("{}{part}", resource.plural),
            namespace: resource.namespaced.then(|| namespace.to_owned()),
            reason,
        }))
    }

    /// Whether what was refused is not needed, or is allowed for each single object that is meant.
    async fn may_all_the_same(&self, asked: &Asked<'_>) -> Result<bool, ApiError> {
        match &asked.right.which {
            Which::Any | Which::Named(_) => Ok(false),
            Which::Absent(name) => match self.find(asked.resource, asked.namespace, name).await {
                Ok(object) => Ok(object.is_some()),
                // Who may not even look hears of both at once.
                Err(error) if error.code == Some(403) => Ok(false),
                Err(error) => Err(error),
            },
            Which::Selected(labels) => {
                let options = ListOptions { labels, fields: "" };
                let found = match self.list(asked.resource, asked.namespace, options).await {
                    Err(error) if error.code == Some(403) => return Ok(false),
                    found => found?,
                };
                for object in &found {
                    let name = object["metadata"]["name"].as_str().unwrap_or_default();
                    if self.refused(asked, name).await?.is_some() {
                        return Ok(false);
                    }
                }
                Ok(!found.is_empty())
            }
        }
    }

    /// The server's reason where it does not allow it.
    async fn refused(&self, asked: &Asked<'_>, name: &str) -> Result<Option<String>, ApiError> {
        let Asked { right, resource, namespace } = asked;
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "namespace": namespace,
                "verb": right.verb,
                "group": resource.group,
                "resource": resource.plural,
                "subresource": right.part,
                "name": name,
            }},
        });
        let answer = self.review("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await?;
        let status = &answer["status"];
        let reason = || ["reason", "evaluationError"].into_iter().find_map(|key| status[key].as_str());
        Ok((status["allowed"] != Value::Bool(true)).then(|| reason().unwrap_or_default().to_owned()))
    }
}

/// A right on a kind that is served, in a namespace.
struct Asked<'a> {
    right: &'a Right,
    resource: &'a Resource,
    namespace: &'a str,
}

impl Which {
    fn name(&self) -> &str {
        match self {
            Self::Named(name) | Self::Absent(name) => name,
            Self::Any | Self::Selected(_) => "",
        }
    }
}
