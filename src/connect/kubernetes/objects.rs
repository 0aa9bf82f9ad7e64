//! Objects as JSON: read, listed, written.

use http::Method;
use serde_json::{Value, json};

use super::cluster::{Call, Cluster, JSON, Text, uri};
use super::error::ApiError;
use super::resource::Resource;

/// How many objects are asked for at a time.
const PAGE: &str = "500";

/// The manager under which this program's fields are recorded.
pub const MANAGER: &str = "runbook";

/// Which objects are listed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListOptions<'a> {
    /// Labels, as `app=postgres,tier!=cache`.
    pub labels: &'a str,
    /// Fields, as `status.phase=Running`.
    pub fields: &'a str,
}

/// How a patch changes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 7386: maps are merged, lists replaced.
    Merge,
    /// Lists are merged by their keys; only for kinds that the server itself defines.
    Strategic,
    /// RFC 6902: a list of operations.
    Json,
    /// Server-side apply; `force` takes fields from other managers.
    Apply {
        /// Whether fields of other managers are taken.
        force: bool,
    },
}

/// A write of one object.
#[derive(Debug, Clone, Copy)]
pub struct Write<'a> {
    /// Its kind.
    pub resource: &'a Resource,
    /// Its namespace; not looked at for kinds outside of namespaces.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// A part of it that is written on its own, such as `scale`.
    pub subresource: Option<&'a str>,
}

/// How an object is deleted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deletion<'a> {
    /// Only the object with this UID is meant.
    pub uid: Option<&'a str>,
    /// How many seconds it may take to end.
    pub grace: Option<u64>,
}

impl Cluster {
    /// Reads an object.
    pub async fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Value, ApiError> {
        self.read(&resource.object(namespace, name), &[]).await
    }

    /// Reads an object, or nothing where there is none.
    pub async fn find(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, ApiError> {
        match self.get(resource, namespace, name).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a part of an object, such as its `scale`.
    pub async fn part(&self, of: Write<'_>) -> Result<Value, ApiError> {
        self.read(&of.path(), &[]).await
    }

    /// Lists objects by name. Each gets the kind and version that a list leaves out.
    pub async fn list(
        &self,
        resource: &Resource,
        namespace: &str,
        options: ListOptions<'_>,
    ) -> Result<Vec<Value>, ApiError> {
        let path = resource.collection(namespace);
        let mut found = Vec::new();
        let mut next = String::new();
        loop {
            let query = [
                ("labelSelector", options.labels),
                ("fieldSelector", options.fields),
                ("limit", PAGE),
                ("continue", next.as_str()),
            ];
            let query: Vec<_> = query.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            let mut page = match self.read(&path, &query).await {
                // The list has changed too much since its first page.
                Err(error) if error.code == Some(410) && !next.is_empty() => {
                    found.clear();
                    next.clear();
                    continue;
                }
                page => page?,
            };
            if let Value::Array(items) = page["items"].take() {
                found.extend(items.into_iter().map(|item| typed(item, resource)));
            }
            match page["metadata"]["continue"].as_str() {
                Some(more) if !more.is_empty() => more.clone_into(&mut next),
                _ => return Ok(found),
            }
        }
    }

    /// Makes an object; one of that name must not exist.
    pub async fn create(
        &self,
        resource: &Resource,
        namespace: &str,
        object: &Value,
    ) -> Result<Value, ApiError> {
        let query = [("fieldManager", MANAGER), ("fieldValidation", "Strict")];
        self.write(Call {
            method: Method::POST,
            path: &resource.collection(namespace),
            query: &query,
            content_type: JSON,
            body: Some(object),
        })
        .await
    }

    /// Changes an object, and gives it as it is then.
    pub async fn patch(&self, of: Write<'_>, kind: PatchKind, body: &Value) -> Result<Value, ApiError> {
        let mut query = vec![("fieldManager", MANAGER)];
        let content_type = match kind {
            PatchKind::Merge => "application/merge-patch+json",
            PatchKind::Strategic => "application/strategic-merge-patch+json",
            PatchKind::Json => "application/json-patch+json",
            PatchKind::Apply { force } => {
                query.push(("fieldValidation", "Strict"));
                if force {
                    query.push(("force", "true"));
                }
                // YAML is a superset of JSON.
                "application/apply-patch+yaml"
            }
        };
        let path = of.path();
        let call = Call { method: Method::PATCH, path: &path, query: &query, content_type, body: Some(body) };
        self.write(call).await
    }

    /// Replaces an object by what was made of it. A version that is not the last one is refused as a conflict.
    pub async fn replace(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        object: &Value,
    ) -> Result<Value, ApiError> {
        self.write(Call {
            method: Method::PUT,
            path: &resource.object(namespace, name),
            query: &[("fieldManager", MANAGER)],
            content_type: JSON,
            body: Some(object),
        })
        .await
    }

    /// Deletes an object with what it owns. It may go on to exist while it ends.
    pub async fn delete(&self, of: Write<'_>, deletion: Deletion<'_>) -> Result<Value, ApiError> {
        let mut body = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
        });
        if let Some(uid) = deletion.uid {
            body["preconditions"] = json!({ "uid": uid });
        }
        if let Some(grace) = deletion.grace {
            body["gracePeriodSeconds"] = grace.into();
        }
        let path = of.path();
        let call =
            Call { method: Method::DELETE, path: &path, query: &[], content_type: JSON, body: Some(&body) };
        self.write(call).await
    }

    /// What a container wrote.
    pub async fn logs(&self, namespace: &str, pod: &str, query: &[(&str, &str)]) -> Result<Text, ApiError> {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log");
        self.text(&uri(&path, query)).await
    }
}

impl Write<'_> {
    fn path(&self) -> String {
        let object = self.resource.object(self.namespace, self.name);
        self.subresource.map_or(object.clone(), |part| format!("{object}/{part}"))
    }
}

fn typed(mut item: Value, resource: &Resource) -> Value {
    item["apiVersion"] = resource.api_version().into();
    item["kind"] = resource.kind.clone().into();
    item
}
