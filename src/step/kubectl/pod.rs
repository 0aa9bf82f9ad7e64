//! [`BoundPod`]: which pod and which container a verb is about.

use serde::Serialize;
use serde_json::Value;

use super::target::PickSpec;
use crate::connect::kubernetes::{ApiError, Cluster, Container, Pick, Right, Which, container};
use crate::step::bind::Binder;
use crate::step::error::BindError;
use crate::step::templated::Text;

/// A pod by its name or by its labels, and one of its containers.
#[derive(Debug, Serialize)]
pub(super) struct BoundPod {
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<String>,
    #[serde(skip)]
    pick: Option<PickSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<String>,
}

/// What is wrong with how a pod is given, and what to do.
pub(super) fn check(pod: Option<&Text>, selector: Option<&Text>) -> Option<(String, String)> {
    let wrong = ("a pod is named, or found by a selector", "Write `pod:` or `selector:`.");
    (pod.is_some() == selector.is_some()).then(|| (wrong.0.to_owned(), wrong.1.to_owned()))
}

impl BoundPod {
    /// Renders how a pod is given.
    pub(super) fn bind(
        binder: &Binder<'_>,
        pod: Option<&Text>,
        selector: Option<&Text>,
        pick: Option<PickSpec>,
        container: Option<&Text>,
    ) -> Result<Self, BindError> {
        Ok(Self {
            pod: binder.maybe_text(pod)?,
            selector: binder.maybe_text(selector)?,
            pick,
            container: binder.maybe_text(container)?,
        })
    }

    /// As kubectl would have it.
    pub(super) fn shown(&self) -> String {
        match (&self.pod, &self.selector) {
            (Some(pod), _) => pod.clone(),
            (None, selector) => format!("-l {}", selector.as_deref().unwrap_or_default()),
        }
    }

    /// What it takes to look at it, and which pods are meant.
    pub(super) fn rights(&self) -> (Right, Which) {
        match &self.pod {
            Some(name) => {
                let named = Which::Named(name.clone());
                (Right::on("get", "pods", named.clone()), named)
            }
            None => (Right::on("list", "pods", Which::Any), Which::Selected(self.labels().to_owned())),
        }
    }

    /// What it takes to start programs in it.
    pub(super) fn rights_to_exec(&self) -> Vec<Right> {
        let (look, which) = self.rights();
        std::iter::once(look).chain(Right::connecting("exec", &which)).collect()
    }

    /// The pod as it is now, in which a selector finds only one that is ready.
    pub(super) async fn ready(&self, cluster: &Cluster, namespace: &str) -> Result<Value, ApiError> {
        match &self.pod {
            Some(name) => cluster.pod(namespace, name).await,
            None => cluster.ready_pod(namespace, self.labels(), self.pick()).await,
        }
    }

    /// The pod as it is now, ready or not.
    pub(super) async fn any(&self, cluster: &Cluster, namespace: &str) -> Result<Value, ApiError> {
        match &self.pod {
            Some(name) => cluster.pod(namespace, name).await,
            None => cluster.any_pod(namespace, self.labels(), self.pick()).await,
        }
    }

    /// The container, once it is known that a program can be started in it.
    pub(super) async fn running(&self, cluster: &Cluster, namespace: &str) -> Result<Container, ApiError> {
        let pod = self.ready(cluster, namespace).await?;
        Container::of(cluster, namespace, &pod, self.container.as_deref())
    }

    /// The name of the container that is meant in this pod.
    pub(super) fn container_name(&self, pod: &Value) -> Result<String, ApiError> {
        container(pod, self.container.as_deref())
    }

    fn labels(&self) -> &str {
        self.selector.as_deref().unwrap_or_default()
    }

    fn pick(&self) -> Pick {
        self.pick.map_or(Pick::One, Pick::from)
    }
}
