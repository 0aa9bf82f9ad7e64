//! [`PodTunnel`]: connections to a port of a pod, through the API server. Nothing listens on this machine.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Portforwarder;
use kube::{Api, Client};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::cluster::Cluster;
use super::error::ApiError;
use super::pods::Pick;
use super::resource::Resource;
use super::rights::{Lacking, Right, Which};
use crate::connect::tunnel::{Dial, Pipe};

/// Which pod is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodAddress {
    /// Its name.
    pub pod: Option<String>,
    /// Labels that find it.
    pub selector: Option<String>,
    /// A service that leads to it; ports are the service's then.
    pub service: Option<String>,
    /// Its namespace; the cluster's own by default.
    pub namespace: Option<String>,
}

/// Connections to the ports of a pod. Which pod that is, is asked anew for each.
#[derive(Debug)]
pub struct PodTunnel {
    cluster: Cluster,
    address: PodAddress,
}

impl PodTunnel {
    /// A tunnel that is opened by each connection on its own.
    pub fn new(cluster: Cluster, address: PodAddress) -> Self {
        Self { cluster, address }
    }

    /// What a connection takes.
    fn rights(&self) -> Vec<Right> {
        let PodAddress { pod, selector, service, .. } = &self.address;
        let list = || Right::on("list", "pods", Which::Any);
        let (mut rights, which) = match (pod, selector, service) {
            (Some(pod), ..) => (Vec::new(), Which::Named(pod.clone())),
            (_, Some(labels), _) => (vec![list()], Which::Selected(labels.clone())),
            (.., service) => {
                let named = Which::Named(service.clone().unwrap_or_default());
                (vec![Right::on("get", "services", named), list()], Which::Any)
            }
        };
        rights.extend(Right::connecting("portforward", &which));
        rights
    }

    /// What the account lacks of it.
    pub async fn lacking(&self) -> Vec<Lacking> {
        let mut lacking = Vec::new();
        for right in self.rights() {
            lacking.extend(self.cluster.lacks(&right, self.namespace()).await.ok().flatten());
        }
        lacking
    }

    /// The pod's namespace.
    pub fn namespace(&self) -> &str {
        self.address.namespace.as_deref().unwrap_or(self.cluster.namespace())
    }

    async fn open(&self, port: u16) -> Result<Tunnel, ApiError> {
        let (pod, port) = self.place(port).await?;
        let account = &self.cluster.shared.account;
        let current = account.current().await;
        let mut forward = match self.connect(current.client.clone(), &pod, port).await {
            Err(error) if error.is_unauthorized() => match account.renewed(&current).await? {
                Some(client) => self.connect(client, &pod, port).await?,
                None => return Err(error),
            },
            connected => connected?,
        };
        let stream = forward.take_stream(port);
        let error = forward.take_error(port).map(futures_util::FutureExt::boxed);
        match (stream, error) {
            (Some(stream), Some(error)) => Ok(Tunnel { stream, error: Some(error), _forward: forward }),
            _ => Err(ApiError::local("the port cannot be forwarded")),
        }
    }

    async fn connect(&self, client: Client, pod: &str, port: u16) -> Result<Portforwarder, ApiError> {
        let pods: Api<Pod> = Api::namespaced(client, self.namespace());
        pods.portforward(pod, &[port]).await.map_err(|error| ApiError::of(&error))
    }

    /// The name of the pod it leads to now, and the pod's own port.
    pub async fn place(&self, port: u16) -> Result<(String, u16), ApiError> {
        let namespace = self.namespace();
        if let Some(name) = &self.address.pod {
            return Ok((name.clone(), port));
        }
        let Some(service) = &self.address.service else {
            let selector = self.address.selector.as_deref().unwrap_or_default();
            let pod = self.cluster.ready_pod(namespace, selector, Pick::Any).await?;
            return Ok((name(&pod), port));
        };
        let service = self.cluster.get(&Resource::services(), namespace, service).await?;
        let labels = service["spec"]["selector"].as_object().into_iter().flatten();
        let labels: Vec<String> =
            labels.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
        if labels.is_empty() {
            return Err(ApiError::local(format!("service `{}` selects no pods", name(&service))));
        }
        let pod = self.cluster.ready_pod(namespace, &labels.join(","), Pick::Any).await?;
        let port = target_port(&service, &pod, port)?;
        Ok((name(&pod), port))
    }
}

/// The pod's port behind a port of the service.
fn target_port(service: &Value, pod: &Value, port: u16) -> Result<u16, ApiError> {
    let mut ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let Some(found) = ports.find(|entry| entry["port"] == port) else {
        return Err(ApiError::local(format!("service `{}` has no port {port}", name(service))));
    };
    let number = |value: &Value| value.as_u64().and_then(|number| u16::try_from(number).ok());
    let target = &found["targetPort"];
    let Some(named) = target.as_str() else { return Ok(number(target).unwrap_or(port)) };
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let container_port = ports.find(|entry| entry["name"] == named).map(|entry| &entry["containerPort"]);
    container_port
        .and_then(number)
        .ok_or_else(|| ApiError::local(format!("pod `{}` names no port `{named}`", name(pod))))
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

impl Dial for PodTunnel {
    fn dial(&self, port: u16) -> BoxFuture<'_, io::Result<Pipe>> {
        async move {
            let tunnel = self.open(port).await.map_err(|error| io::Error::other(error.message))?;
            Ok(Pipe::over(tunnel))
        }
        .boxed()
    }

    fn describe(&self) -> String {
        let PodAddress { pod, selector, service, .. } = &self.address;
        let what = match (pod, selector, service) {
            (Some(pod), ..) => format!("pod {pod}"),
            (_, Some(selector), _) => format!("a pod with {selector}"),
            (.., service) => format!("service {}", service.as_deref().unwrap_or_default()),
        };
        format!("{what} in {}", self.namespace())
    }
}

/// A connection to a port of a pod. The server says on another channel why it does not work, and then leaves this one
/// open.
struct Tunnel {
    stream: DuplexStream,
    error: Option<BoxFuture<'static, Option<String>>>,
    /// Its task ends with the stream, after it has sent what was written.
    _forward: Portforwarder,
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = &mut self.error
            && let Poll::Ready(said) = error.poll_unpin(cx)
        {
            self.error = None;
            if let Some(message) = said {
                return Poll::Ready(Err(io::Error::other(message.trim().to_owned())));
            }
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
