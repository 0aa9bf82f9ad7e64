//! [`Cluster`]: the one gateway to an API server, opened once a run.

use std::sync::Arc;
use std::time::Duration;

use futures_util::AsyncReadExt as _;
use http::{Method, Request};
use kube::Client;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::client::connected;
use super::config::{Found, KubernetesConfig};
use super::error::ApiError;
use super::resource::Resource;
use crate::model::{Failure, ProcessEnvironment};

/// How long a request may take; kube itself waits for ever.
const PATIENCE: Duration = Duration::from_mins(1);

/// How much of a log is kept.
const KEPT: usize = 1 << 20;

/// How long a read waits before it is sent again, once and once more.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

pub(super) const JSON: &str = "application/json";

/// What may be done to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing may be changed; a write is refused before it is sent.
    Read,
    /// Every write is a server-side dry run.
    DryRun,
    /// Writes are real.
    Write,
}

/// A cluster, and what its holder may do to it.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub(super) shared: Arc<Shared>,
    access: Access,
}

/// What every holder shares: the client, and what was learned of the server.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) context: String,
    pub(super) server: String,
    pub(super) namespace: String,
    pub(super) served: OnceCell<Vec<Resource>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("context", &self.context)
            .field("server", &self.server)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// A request in HTTP's terms.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) content_type: &'a str,
    pub(super) body: Option<&'a Value>,
}

impl Cluster {
    /// Makes a client. Nothing is sent yet, but an exec plugin of the kubeconfig is started for its credentials.
    pub async fn open(config: &KubernetesConfig, process: &ProcessEnvironment) -> Result<Self, Failure> {
        let Found { config, context } = config.find(process).await?;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let namespace = config.default_namespace.clone();
        // kube waits for a plugin where it stands; it also starts the client's own task, so it needs the runtime.
        let runtime = tokio::runtime::Handle::current();
        let made = tokio::task::spawn_blocking(move || {
            let _inside = runtime.enter();
            connected(config)
        });
        let client = made
            .await
            .map_err(|error| Failure::new(error.to_string()))?
            .map_err(|error| ApiError::of(&error).failure("use the cluster's credentials"))?;
        let shared = Shared { client, context, server, namespace, served: OnceCell::new() };
        Ok(Self { shared: Arc::new(shared), access: Access::Read })
    }

    /// The same cluster for somebody who may do something else.
    #[must_use]
    pub fn with_access(&self, access: Access) -> Self {
        Self { shared: Arc::clone(&self.shared), access }
    }

    /// What may be done to it.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The namespace of whoever names none.
    pub fn namespace(&self) -> &str {
        &self.shared.namespace
    }

    /// The context by which it was found, for people.
    pub fn context(&self) -> &str {
        &self.shared.context
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.shared.server
    }

    /// Where it is, for people.
    pub fn describe(&self) -> String {
        format!("{} ({})", self.shared.server, self.shared.context)
    }

    /// Reads. A read that was not answered, or by a server that is busy, is sent again.
    pub(super) async fn read(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ApiError> {
        let call = Call { method: Method::GET, path, query, content_type: "", body: None };
        for pause in AGAIN {
            match self.send(&call).await {
                Err(error) if error.transient => tokio::time::sleep(pause).await,
                result => return result,
            }
        }
        self.send(&call).await
    }

    /// Writes, as far as the holder may. A write is sent once: an answer that did not come says nothing about it.
    pub(super) async fn write(&self, call: Call<'_>) -> Result<Value, ApiError> {
        match self.access {
            Access::Read => Err(ApiError::local("a step that reads may not change anything in the cluster")),
            Access::Write => self.send(&call).await,
            Access::DryRun => {
                let query: Vec<_> = call.query.iter().copied().chain([("dryRun", "All")]).collect();
                // A delete takes its options from the body, and then from nowhere else.
                let options = call.body.filter(|_| call.method == Method::DELETE).map(|body| {
                    let mut options = body.clone();
                    options["dryRun"] = serde_json::json!(["All"]);
                    options
                });
                let body = options.as_ref().or(call.body);
                self.send(&Call { query: &query, body, ..call }).await
            }
        }
    }

    /// Reads text of any encoding: the end of it where it is too long to keep.
    pub(super) async fn text(&self, uri: &str) -> Result<Text, ApiError> {
        let request =
            Request::get(uri).body(Vec::new()).map_err(|error| ApiError::local(error.to_string()))?;
        let mut stream =
            Box::pin(self.shared.client.request_stream(request).await.map_err(|error| ApiError::of(&error))?);
        let mut tail = Tail::default();
        let mut chunk = vec![0; 64 << 10];
        loop {
            match tokio::time::timeout(PATIENCE, stream.read(&mut chunk)).await {
                Ok(Ok(0)) => return Ok(tail.text()),
                Ok(Ok(count)) => tail.push(&chunk[..count]),
                Ok(Err(error)) => return Err(ApiError::local(format!("the connection failed: {error}"))),
                Err(_) => return Err(ApiError::silent(PATIENCE.as_secs())),
            }
        }
    }

    /// Asks by a POST that stores nothing.
    pub(super) async fn review(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        let call = Call { method: Method::POST, path, query: &[], content_type: JSON, body: Some(body) };
        self.send(&call).await
    }

    async fn send(&self, call: &Call<'_>) -> Result<Value, ApiError> {
        let body = call.body.map(serde_json::to_vec).transpose();
        let body = body.map_err(|error| ApiError::local(error.to_string()))?.unwrap_or_default();
        let mut request = Request::builder().method(call.method.clone()).uri(uri(call.path, call.query));
        if call.body.is_some() {
            request = request.header("content-type", call.content_type);
        }
        let request = request.body(body).map_err(|error| ApiError::local(error.to_string()))?;
        let sent = self.shared.client.request::<Value>(request);
        match tokio::time::timeout(PATIENCE, sent).await {
            Ok(answer) => answer.map_err(|error| ApiError::of(&error)),
            Err(_) => Err(ApiError::silent(PATIENCE.as_secs())),
        }
    }
}

/// A text of which the beginning may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// The text; what is no UTF-8 is replaced.
    pub text: String,
    /// Whether its beginning was too much to keep.
    pub truncated: bool,
}

/// The end of a stream.
#[derive(Default)]
struct Tail {
    kept: Vec<u8>,
    truncated: bool,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        // Cut rarely: moving the rest costs.
        if self.kept.len() > 2 * KEPT {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let excess = self.kept.len().saturating_sub(KEPT);
        self.truncated |= excess > 0;
        self.kept.drain(..excess);
    }

    fn text(mut self) -> Text {
        self.cut();
        Text { text: String::from_utf8_lossy(&self.kept).into_owned(), truncated: self.truncated }
    }
}

pub(super) fn uri(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let encoded: Vec<String> = query.iter().map(|(key, value)| format!("{key}={}", encode(value))).collect();
    format!("{path}?{}", encoded.join("&"))
}

/// Everything but what RFC 3986 leaves alone.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
