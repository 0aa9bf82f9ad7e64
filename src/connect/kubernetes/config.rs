//! Where a cluster is: a context of a kubeconfig, or the account of the pod this runs in.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::proxy;
use crate::model::{Failure, ProcessEnvironment};

/// How long the server may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// How to reach a cluster, and what must be true of it.
#[derive(Debug, Clone, Default)]
pub struct KubernetesConfig {
    /// Where the address and the account come from.
    pub source: Source,
    /// The namespace of steps that name none; the context's own by default.
    pub namespace: Option<String>,
    /// The UID of the namespace `kube-system`, by which a cluster is known again.
    pub uid: Option<String>,
}

/// Where the address of a cluster and the account come from.
#[derive(Debug, Clone, Default)]
pub enum Source {
    /// As kubectl does it: the current context, or the pod's own account where there is no kubeconfig.
    #[default]
    Ambient,
    /// A context of a kubeconfig.
    Context {
        /// Its name; the current one by default.
        name: Option<String>,
        /// The file; `$KUBECONFIG` or `~/.kube/config` by default.
        kubeconfig: Option<PathBuf>,
    },
    /// The account of the pod this runs in.
    InCluster,
}

/// A configuration that was found, in kube's terms.
pub(super) struct Found {
    pub(super) config: Config,
    /// For people: the context, or that it is the pod's own account.
    pub(super) context: String,
}

impl KubernetesConfig {
    /// Reads the kubeconfig. An exec plugin named in it is started only when the client is made.
    pub(super) async fn find(&self, process: &ProcessEnvironment) -> Result<Found, Failure> {
        let mut found = match &self.source {
            Source::InCluster => in_cluster()?,
            Source::Context { name, kubeconfig } => {
                let files = kubeconfig.clone().map_or_else(|| files(process), |file| vec![file]);
                from_files(&files, name.as_deref(), process).await?
            }
            Source::Ambient => match files(process) {
                files if files.iter().any(|file| file.exists()) => from_files(&files, None, process).await?,
                _ if process.get("KUBERNETES_SERVICE_HOST").is_some() => in_cluster()?,
                files => return Err(nothing_found(&files)),
            },
        };
        if let Some(namespace) = &self.namespace {
            found.config.default_namespace.clone_from(namespace);
        }
        harden(&mut found.config);
        Ok(found)
    }
}

/// kube retries writes after answers that a write may have preceded, never says who it is, and prefers a token that is
/// written out to one in a file, which may be newer.
fn harden(config: &mut Config) {
    config.default_retry = false;
    if config.auth_info.token_file.is_some() {
        config.auth_info.token = None;
    }
    config.connect_timeout = Some(CONNECT);
    let agent = concat!("runbook/", env!("CARGO_PKG_VERSION"));
    config.headers.push((HeaderName::from_static("user-agent"), HeaderValue::from_static(agent)));
}

fn in_cluster() -> Result<Found, Failure> {
    let config = Config::incluster().map_err(|error| {
        Failure::new(format!("the pod's own account cannot be used: {error}"))
            .help("Run it in a pod with a service account token, or name a context.")
    })?;
    Ok(Found { config, context: "the pod's own account".to_owned() })
}

/// The files kubectl would read, in its order.
fn files(process: &ProcessEnvironment) -> Vec<PathBuf> {
    match process.get("KUBECONFIG").filter(|paths| !paths.is_empty()) {
        Some(paths) => std::env::split_paths(paths)
            .filter(|path| !path.as_os_str().is_empty())
            .map(|path| process.directory.join(path))
            .collect(),
        None => process.home.iter().map(|home| home.join(".kube/config")).collect(),
    }
}

async fn from_files(
    files: &[PathBuf],
    context: Option<&str>,
    process: &ProcessEnvironment,
) -> Result<Found, Failure> {
    let mut merged: Option<Kubeconfig> = None;
    for file in files.iter().filter(|file| file.exists()) {
        let unreadable = |error: kube::config::KubeconfigError| {
            Failure::new(format!("the kubeconfig {} cannot be read: {error}", file.display()))
                .help("Check the file with `kubectl config view`.")
        };
        let next = Kubeconfig::read_from(file).map_err(unreadable)?;
        merged = Some(match merged {
            None => next,
            Some(first) => first.merge(next).map_err(unreadable)?,
        });
    }
    let kubeconfig = merged.ok_or_else(|| nothing_found(files))?;
    let contexts: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let name = context.map(str::to_owned).or_else(|| kubeconfig.current_context.clone()).unwrap_or_default();
    if !contexts.contains(&name) {
        return Err(no_context(&name, &contexts));
    }
    let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    let own_proxy = own_proxy(&kubeconfig, &name);
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| {
        Failure::new(format!("the context `{name}` cannot be used: {}", in_full(&error)))
            .help("Check its cluster and its user with `kubectl config view`, and NO_PROXY.")
    })?;
    config.proxy_url = match own_proxy {
        Some(text) => Some(proxy::parse(&text, "`proxy-url`")?),
        // kube holds NO_PROXY against the proxy, and not against the server.
        None => proxy::of_environment(&config.cluster_url, process)?,
    };
    Ok(Found { config, context: format!("context {name}") })
}

/// The proxy that the kubeconfig gives a context; `NO_PROXY` does not touch it.
fn own_proxy(kubeconfig: &Kubeconfig, context: &str) -> Option<String> {
    let named = kubeconfig.contexts.iter().find(|named| named.name == context)?;
    let cluster = &named.context.as_ref()?.cluster;
    let cluster = kubeconfig.clusters.iter().find(|named| named.name == *cluster)?.cluster.as_ref()?;
    cluster.proxy_url.clone().filter(|url| !url.is_empty())
}

/// An error with what caused it.
fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn no_context(name: &str, contexts: &[String]) -> Failure {
    let message = match name {
        "" => "the kubeconfig has no current context".to_owned(),
        name => format!("the kubeconfig has no context `{name}`"),
    };
    let help = match contexts {
        [] => "Add one with `kubectl config set-context`.".to_owned(),
        contexts => format!("It has: {}.", contexts.join(", ")),
    };
    Failure::new(message).help(help)
}

fn nothing_found(files: &[PathBuf]) -> Failure {
    let looked: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    Failure {
        details: looked.into_iter().map(|file| format!("looked for {file}")).collect(),
        ..Failure::new("there is no kubeconfig, and this is not a pod")
    }
    .help("Set KUBECONFIG, or name a context in the environment's connection.")
}
