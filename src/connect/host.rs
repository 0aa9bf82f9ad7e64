//! [`Host`]: where a program runs.

use serde_json::Value;

use super::connections::{ConnectionConfig, Connections, Via};
use super::kubernetes::{Access, Cluster, Container, Pick};
use crate::model::Failure;

/// A container where programs run.
#[derive(Debug, Clone)]
pub struct PodHost {
    /// The pod, which is no service.
    pub pod: Via,
    /// The container; the pod's default one, or its first, when absent.
    pub container: Option<String>,
}

/// Where a program runs.
#[derive(Debug, Clone)]
pub enum Host {
    /// The machine this runs on.
    Local,
    /// A container that runs now.
    Container(Container),
}

impl PodHost {
    /// A few words that name it: `pod postgres-0 in shop`.
    fn describe(&self, namespace: &str) -> String {
        let address = &self.pod.address;
        let pod = match (&address.pod, &address.selector) {
            (Some(pod), _) => format!("pod {pod}"),
            (None, selector) => format!("the pod with {}", selector.as_deref().unwrap_or_default()),
        };
        let container =
            self.container.as_ref().map_or_else(String::new, |name| format!("container {name} of "));
        format!("{container}{pod} in {namespace}")
    }

    fn namespace<'a>(&'a self, cluster: &'a Cluster) -> &'a str {
        self.pod.address.namespace.as_deref().unwrap_or(cluster.namespace())
    }

    async fn find(&self, cluster: &Cluster) -> Result<Container, Failure> {
        let namespace = self.namespace(cluster);
        let address = &self.pod.address;
        let pod: Result<Value, _> = match (&address.pod, &address.selector) {
            (Some(name), _) => cluster.pod(namespace, name).await,
            (None, selector) => {
                cluster.ready_pod(namespace, selector.as_deref().unwrap_or_default(), Pick::One).await
            }
        };
        let found = pod.and_then(|pod| Container::of(cluster, namespace, &pod, self.container.as_deref()));
        found.map_err(|error| error.failure(&format!("run a program in {}", self.describe(namespace))))
    }
}

impl Connections {
    /// Where the programs of a host connection run, for somebody who may do this there. A pod is looked for each time:
    /// it may have been replaced.
    pub async fn host(&self, name: &str, access: Access) -> Result<Host, Failure> {
        let Some(ConnectionConfig::PodHost(host)) = self.config(name) else { return Ok(Host::Local) };
        let cluster = self.cluster_at(&host.pod.name, &host.pod.cluster, access).await?;
        host.find(&cluster).await.map(Host::Container)
    }

    /// Where the programs of a host connection run, for people. The cluster is reached, but not the pod.
    pub async fn describe_host(&self, name: &str) -> Result<String, Failure> {
        let Some(ConnectionConfig::PodHost(host)) = self.config(name) else {
            return Ok("this machine".to_owned());
        };
        let cluster = self.cluster_at(&host.pod.name, &host.pod.cluster, Access::Read).await?;
        cluster.identity().await.map_err(|error| error.failure("reach the cluster"))?;
        Ok(host.describe(host.namespace(&cluster)))
    }
}
