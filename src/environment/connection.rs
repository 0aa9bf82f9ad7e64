//! What an environment says about a connection.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::connect::kubernetes::{KubernetesConfig, PodAddress, Source};
use crate::connect::postgres::Address;
use crate::connect::{ConnectionConfig, Expect, PodHost, Via};
use crate::model::{Failure, ProcessEnvironment, Secret};

/// A connection as an environment has it.
#[derive(Debug, Clone)]
pub enum ConnectionEntry {
    /// A PostgreSQL database.
    Postgres(Box<PostgresEntry>),
    /// A machine where programs run.
    Host(Box<HostEntry>),
    /// A Kubernetes cluster.
    Kubernetes(Box<KubernetesEntry>),
}

/// A PostgreSQL database.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresEntry {
    /// A connection URI or `key=value` string, as psql takes it.
    pub dsn: Option<String>,
    /// The host, when it is not in `dsn`.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The role.
    pub user: Option<String>,
    /// The database.
    pub database: Option<String>,
    /// How the connection is encrypted.
    pub sslmode: Option<String>,
    /// Other keywords of libpq.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Where the password comes from.
    pub password: Option<PasswordSource>,
    /// What must be true of the target, checked on every new session.
    #[serde(default)]
    pub expect: ExpectEntry,
    /// How the server is reached when not directly.
    pub via: Option<ViaEntry>,
}

/// A pod through which a database is reached.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ViaEntry {
    /// The kubernetes connection of this environment.
    pub kubernetes: String,
    /// The pod's name.
    pub pod: Option<String>,
    /// Labels that find the pod.
    pub selector: Option<String>,
    /// A service that leads to the pod; the port is the service's then.
    pub service: Option<String>,
    /// The namespace; the cluster's own by default.
    pub namespace: Option<String>,
}

/// What must be true of a target.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectEntry {
    /// The database's name.
    pub database: Option<String>,
    /// The role that logs in.
    pub role: Option<String>,
    /// Primary (`true`) or standby (`false`).
    pub primary: Option<bool>,
    /// The cluster's system identifier, in quotes.
    pub system_identifier: Option<String>,
}

/// A Kubernetes cluster: a context of a kubeconfig, or the account of the pod this runs in.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KubernetesEntry {
    /// A context of the kubeconfig; its current one by default.
    pub context: Option<String>,
    /// The kubeconfig; `$KUBECONFIG` or `~/.kube/config` by default.
    pub kubeconfig: Option<String>,
    /// Whether the account of the pod this runs in is used.
    #[serde(default)]
    pub in_cluster: bool,
    /// The namespace of steps that name none; the context's own by default.
    pub namespace: Option<String>,
    /// What must be true of the cluster.
    #[serde(default)]
    pub expect: ExpectClusterEntry,
}

/// What must be true of a cluster.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectClusterEntry {
    /// The UID of its namespace `kube-system`.
    pub uid: Option<String>,
}

/// Where a secret comes from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum PasswordSource {
    /// The first line of a file.
    File(String),
    /// An environment variable.
    Env(String),
}

/// Where programs run: the machine this runs on, or a container of a pod.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// The machine this runs on.
    pub local: Option<LocalHost>,
    /// The kubernetes connection of this environment that has the pod.
    pub kubernetes: Option<String>,
    /// The pod's name.
    pub pod: Option<String>,
    /// Labels that find the pod: the one that is ready.
    pub selector: Option<String>,
    /// The container; the pod's default one, or its first, when absent.
    pub container: Option<String>,
    /// The namespace; the cluster's own by default.
    pub namespace: Option<String>,
}

/// The machine this runs on has no settings.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalHost {}

impl PasswordSource {
    /// Reads the secret.
    pub fn read(&self, process: &ProcessEnvironment) -> Result<Secret, Failure> {
        match self {
            Self::File(path) => {
                let text = std::fs::read_to_string(process.directory.join(path)).map_err(|error| {
                    Failure::new(format!("cannot read the secret in {path}: {error}"))
                        .help("Check the path in the environment's file.")
                })?;
                Ok(Secret::new(text.lines().next().unwrap_or_default()))
            }
            Self::Env(name) => process.get(name).map(Secret::new).ok_or_else(|| {
                Failure::new(format!("the environment variable `{name}` is not set"))
                    .help("Set it, or name another source of the secret.")
            }),
        }
    }
}

impl ConnectionEntry {
    /// The configuration to connect with.
    ///
    /// `others` are the connections of the same environment: a database may be reached through one of them.
    pub fn config(
        &self,
        name: &str,
        others: &IndexMap<String, Self>,
        process: &ProcessEnvironment,
    ) -> Result<ConnectionConfig, Failure> {
        match self {
            Self::Postgres(entry) => {
                let via = entry.via.clone().map(|via| via.resolve(name, others, process)).transpose()?;
                entry.config(via, process)
            }
            Self::Host(entry) => entry.config(name, others, process),
            Self::Kubernetes(entry) => {
                entry.config(name, process).map(|config| ConnectionConfig::Kubernetes(Box::new(config)))
            }
        }
    }
}

impl KubernetesEntry {
    fn config(&self, name: &str, process: &ProcessEnvironment) -> Result<KubernetesConfig, Failure> {
        let Self { context, kubeconfig, in_cluster, namespace, expect } = self.clone();
        if in_cluster && (context.is_some() || kubeconfig.is_some()) {
            let message = format!("connection `{name}` is both a context and the pod's own account");
            return Err(Failure::new(message).help("Keep `context` or `in_cluster`."));
        }
        let kubeconfig = kubeconfig.map(|path| process.directory.join(path));
        let source =
            if in_cluster { Source::InCluster } else { Source::Context { name: context, kubeconfig } };
        Ok(KubernetesConfig { source, namespace, uid: expect.uid })
    }
}

impl HostEntry {
    fn config(
        &self,
        name: &str,
        others: &IndexMap<String, ConnectionEntry>,
        process: &ProcessEnvironment,
    ) -> Result<ConnectionConfig, Failure> {
        let Self { local, kubernetes, pod, selector, container, namespace } = self.clone();
        let kubernetes = match (local, kubernetes) {
            (None, Some(kubernetes)) => kubernetes,
            (Some(_), None) if self.names_no_pod() => return Ok(ConnectionConfig::LocalHost),
            _ => {
                let message = format!("the host `{name}` is neither this machine nor a pod, or both");
                return Err(Failure::new(message)
                    .help("Write `host: { local: {} }` or `host: { kubernetes: cluster, pod: … }`."));
            }
        };
        if pod.is_some() == selector.is_some() {
            let message = format!("the host `{name}` names no pod, or more than one");
            return Err(Failure::new(message).help("Write one of `pod` and `selector`."));
        }
        let cluster = cluster_of(name, &kubernetes, others, process)?;
        let address = PodAddress { pod, selector, service: None, namespace };
        let pod = Via { name: kubernetes, cluster, address };
        Ok(ConnectionConfig::PodHost(Box::new(PodHost { pod, container })))
    }

    fn names_no_pod(&self) -> bool {
        [&self.pod, &self.selector, &self.container, &self.namespace].into_iter().all(Option::is_none)
    }
}

impl ViaEntry {
    fn resolve(
        self,
        name: &str,
        others: &IndexMap<String, ConnectionEntry>,
        process: &ProcessEnvironment,
    ) -> Result<Via, Failure> {
        let Self { kubernetes, pod, selector, service, namespace } = self;
        if [&pod, &selector, &service].into_iter().flatten().count() != 1 {
            let message = format!("`via` of connection `{name}` names no pod, or more than one");
            return Err(Failure::new(message).help("Write one of `pod`, `selector` and `service`."));
        }
        let cluster = cluster_of(name, &kubernetes, others, process)?;
        Ok(Via { name: kubernetes, cluster, address: PodAddress { pod, selector, service, namespace } })
    }
}

/// The cluster that a connection is reached through.
fn cluster_of(
    name: &str,
    kubernetes: &str,
    others: &IndexMap<String, ConnectionEntry>,
    process: &ProcessEnvironment,
) -> Result<KubernetesConfig, Failure> {
    let Some(ConnectionEntry::Kubernetes(entry)) = others.get(kubernetes) else {
        let message =
            format!("connection `{name}` is reached through `{kubernetes}`, which is no cluster here");
        return Err(Failure::new(message).help("Name a kubernetes connection of the same environment."));
    };
    entry.config(kubernetes, process)
}

impl PostgresEntry {
    fn config(&self, via: Option<Via>, process: &ProcessEnvironment) -> Result<ConnectionConfig, Failure> {
        let mut fields = self.options.clone();
        let own = [
            ("host", self.host.clone()),
            ("port", self.port.map(|port| port.to_string())),
            ("user", self.user.clone()),
            ("dbname", self.database.clone()),
            ("sslmode", self.sslmode.clone()),
        ];
        fields.extend(own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        let address = Address {
            dsn: self.dsn.clone(),
            fields,
            password: self.password.as_ref().map(|source| source.read(process)).transpose()?,
            ambient: false,
        };
        let ExpectEntry { database, role, primary, system_identifier } = self.expect.clone();
        let expect = Expect { database, role, primary, system_identifier };
        Ok(ConnectionConfig::Postgres { address: Box::new(address), expect, via: via.map(Box::new) })
    }
}
