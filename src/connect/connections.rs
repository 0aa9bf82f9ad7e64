//! [`Connections`]: everything a run talks to, looked up by the name the environment gives it.
//!
//! Sessions are opened on first use and kept: one for each connection, database, login and purpose, taken in turn;
//! steps that run at the same time get their own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use super::host::PodHost;
use super::kubernetes::{Access, Cluster, ClusterIdentity, KubernetesConfig, PodAddress, PodTunnel};
use super::postgres::{
    self, Address, ConnectError, Identity, QueryError, ResultLimits, Session, SessionOptions,
    StatementResult, Target,
};
use crate::model::{Failure, ProcessEnvironment, Secret, StoppedBy};
use crate::sql::{SessionSetting, quote_literal};

/// Where a connection leads.
#[derive(Debug, Clone)]
pub enum ConnectionConfig {
    /// A PostgreSQL database.
    Postgres {
        /// Its address.
        address: Box<Address>,
        /// What must be true of it, checked on every new session.
        expect: Expect,
        /// What leads to it where this machine does not reach it.
        via: Option<Box<Via>>,
    },
    /// The machine this runs on.
    LocalHost,
    /// A container where programs run.
    PodHost(Box<PodHost>),
    /// A Kubernetes cluster.
    Kubernetes(Box<KubernetesConfig>),
}

impl ConnectionConfig {
    /// The kind of connection, as `connections:` names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Postgres { .. } => "postgres",
            Self::LocalHost | Self::PodHost(_) => "host",
            Self::Kubernetes(_) => "kubernetes",
        }
    }
}

/// A pod of a cluster: one through which a database is reached, or in which programs run.
#[derive(Debug, Clone)]
pub struct Via {
    /// The environment's name of the cluster.
    pub name: String,
    /// The cluster.
    pub cluster: KubernetesConfig,
    /// The pod.
    pub address: PodAddress,
}

/// What must be true of a PostgreSQL target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expect {
    /// The database's name.
    pub database: Option<String>,
    /// The role that logs in.
    pub role: Option<String>,
    /// Primary (`true`) or standby (`false`).
    pub primary: Option<bool>,
    /// The cluster's system identifier.
    pub system_identifier: Option<String>,
}

impl Expect {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What differs, one line each.
    pub fn differences(&self, identity: &Identity) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, expected: Option<&String>, actual: Option<&String>| {
            if let Some(expected) = expected
                && actual != Some(expected)
            {
                let actual = actual.map_or("unknown", String::as_str);
                found.push(format!("{what} is `{actual}`, expected `{expected}`"));
            }
        };
        compare("the database", self.database.as_ref(), Some(&identity.database));
        compare("the role", self.role.as_ref(), Some(&identity.user));
        compare(
            "the system identifier",
            self.system_identifier.as_ref(),
            identity.system_identifier.as_ref(),
        );
        if let Some(primary) = self.primary
            && primary == identity.standby
        {
            let word = |primary: bool| if primary { "a primary" } else { "a standby" };
            found.push(format!("the server is {}, expected {}", word(!primary), word(primary)));
        }
        found
    }
}

/// Which session a step wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// The environment's name of the connection.
    pub connection: String,
    /// Another database than the connection's.
    pub database: Option<String>,
    /// Another role to log in as.
    pub login: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The steps of the run.
    Steps,
    /// Watching a step: progress and blockers.
    Watching,
    /// Asking about a step: whether it took effect, whether it may go on. Read-only, with the runbook's settings.
    Asking,
    /// A plan: read-only from the start.
    Planning,
    /// Holding the key of the run, and nothing else.
    Locking,
}

impl SessionKey {
    /// The ordinary session of a connection.
    pub fn of(connection: &str, purpose: Purpose) -> Self {
        Self { connection: connection.to_owned(), database: None, login: None, purpose }
    }
}

/// A session on loan, and the settings it carries.
#[derive(Debug)]
pub struct LentSession {
    /// The session.
    pub session: Session,
    /// Settings sent so far, by name.
    pub applied: BTreeMap<String, String>,
    /// How many of the runbook's own settings it has taken.
    replayed: usize,
    key: SessionKey,
}

/// Who else logs in, and how that must be proved.
#[derive(Debug, Clone)]
pub struct LoginProof {
    /// The password.
    pub password: Secret,
    /// The authentication methods the server may ask for.
    pub methods: BTreeSet<&'static str>,
}

/// Whose settings they are: a connection and a login.
type Owner = (String, Option<String>);

/// Everything a run talks to.
#[derive(Debug)]
pub struct Connections {
    configs: BTreeMap<String, ConnectionConfig>,
    process: ProcessEnvironment,
    idle: Mutex<HashMap<SessionKey, Vec<LentSession>>>,
    /// The runbook's own settings by connection and login, replayed on every later session.
    tracked: Mutex<HashMap<Owner, Vec<SessionSetting>>>,
    /// The clusters opened so far.
    clusters: tokio::sync::Mutex<BTreeMap<String, Cluster>>,
}

impl Connections {
    /// Connections that open nothing until they are used.
    pub fn new(configs: BTreeMap<String, ConnectionConfig>, process: ProcessEnvironment) -> Self {
        Self {
            configs,
            process,
            idle: Mutex::default(),
            tracked: Mutex::default(),
            clusters: tokio::sync::Mutex::default(),
        }
    }

    /// The configuration of a connection.
    pub fn config(&self, name: &str) -> Option<&ConnectionConfig> {
        self.configs.get(name)
    }

    /// Where a postgres connection leads, and through which pod; the cluster is opened for that.
    pub async fn reachable_target(&self, name: &str) -> Result<Target, Failure> {
        let mut target = self.target(name)?;
        if let Some(tunnel) = self.tunnel(name).await? {
            target.via = Some(Arc::new(tunnel));
        }
        Ok(target)
    }

    /// What leads to a postgres connection where this machine does not reach it.
    pub async fn tunnel(&self, name: &str) -> Result<Option<PodTunnel>, Failure> {
        let Some(ConnectionConfig::Postgres { via: Some(via), .. }) = self.configs.get(name) else {
            return Ok(None);
        };
        // Boxed: few sessions go this way, and each would carry the size of it otherwise.
        let cluster = Box::pin(self.cluster_at(&via.name, &via.cluster, Access::Read)).await?;
        Ok(Some(PodTunnel::new(cluster, via.address.clone())))
    }

    /// Where a postgres connection leads, by libpq's rules; nothing is opened.
    pub fn target(&self, name: &str) -> Result<Target, Failure> {
        match self.configs.get(name) {
            Some(ConnectionConfig::Postgres { address, .. }) => {
                postgres::resolve(address, &self.process).map_err(|error| refused(&error))
            }
            _ => Err(Failure::new(format!("the environment has no postgres connection `{name}`"))
                .help("Add it to the environment's `connections:`.")),
        }
    }

    /// A cluster, for somebody who may do this to it. It is opened, and known to be the expected one, once a run.
    pub async fn cluster(&self, name: &str, access: Access) -> Result<Cluster, Failure> {
        match self.configs.get(name) {
            Some(ConnectionConfig::Kubernetes(config)) => self.cluster_at(name, config, access).await,
            _ => Err(Failure::new(format!("the environment has no kubernetes connection `{name}`"))
                .help("Add it to the environment's `connections:`.")),
        }
    }

    pub(super) async fn cluster_at(
        &self,
        name: &str,
        config: &KubernetesConfig,
        access: Access,
    ) -> Result<Cluster, Failure> {
        let mut clusters = self.clusters.lock().await;
        if let Some(cluster) = clusters.get(name) {
            return Ok(cluster.with_access(access));
        }
        // Boxed: a client is made once, and every run would carry its size otherwise.
        let cluster = Box::pin(Cluster::open(config, &self.process)).await?;
        if let Some(expected) = &config.uid {
            let identity =
                cluster.identity().await.map_err(|error| error.failure("ask which cluster it is"))?;
            expect_cluster(name, expected, &identity)?;
        }
        clusters.insert(name.to_owned(), cluster.clone());
        Ok(cluster.with_access(access))
    }

    /// Lends a session, opening one when none is idle.
    pub async fn lend(
        &self,
        key: &SessionKey,
        proof: Option<&LoginProof>,
        application_name: &str,
    ) -> Result<LentSession, Failure> {
        while let Some(mut lent) = self.take_idle(key) {
            // One that broke while it was idle is replaced.
            if !lent.session.is_closed() && self.replay(&mut lent).await.is_ok() {
                return Ok(lent);
            }
        }
        let mut target = self.reachable_target(&key.connection).await?;
        if let Some(database) = &key.database {
            target = target.with_database(database);
        }
        if let Some(login) = &key.login {
            target = target.with_login(login, proof.map(|proof| proof.password.clone()));
            target.allowed_authentication = proof.map(|proof| proof.methods.clone());
        }
        if key.purpose == Purpose::Locking {
            target = target.for_locking();
        }
        let options = session_options(key, application_name);
        let mut session = Session::open(&target, &options).await.map_err(|error| refused(&error))?;
        if key.login.is_none() {
            self.check_target(&key.connection, key.database.is_some(), &mut session).await?;
        }
        let applied = BTreeMap::from([("application_name".to_owned(), quote_literal(application_name))]);
        let mut lent = LentSession { session, applied, replayed: 0, key: key.clone() };
        self.replay(&mut lent).await.map_err(|error| Failure::new(error.to_string()))?;
        Ok(lent)
    }

    /// Takes a session back; a broken one is dropped.
    pub fn give_back(&self, lent: LentSession) {
        if lent.session.is_closed() {
            return;
        }
        if let Ok(mut idle) = self.idle.lock() {
            idle.entry(lent.key.clone()).or_default().push(lent);
        }
    }

    /// Closes the idle sessions of a connection, before a statement that no session may watch.
    pub async fn close_idle(&self, connection: &str) {
        let mut closing = Vec::new();
        if let Ok(mut idle) = self.idle.lock() {
            for (key, sessions) in idle.iter_mut().filter(|(key, _)| key.connection == connection) {
                debug_assert_eq!(key.connection, connection);
                closing.append(sessions);
            }
        }
        for lent in closing {
            lent.session.close().await;
        }
    }

    /// Closes every idle session, at the end of a run.
    pub async fn close_all(&self) {
        for name in self.configs.keys() {
            self.close_idle(name).await;
        }
    }

    /// Remembers a setting of the runbook that a session has taken, for every later session of the same name.
    pub fn track(&self, lent: &mut LentSession, setting: &SessionSetting) {
        lent.overruled(setting);
        let Ok(mut tracked) = self.tracked.lock() else { return };
        let settings = tracked.entry(lent.owner()).or_default();
        // A session that reset everything must be set up again, so it takes that once more.
        if lent.replayed == settings.len() && setting.name != "all" {
            lent.replayed += 1;
        }
        settings.push(setting.clone());
    }

    /// The statements that lead from the settings a session carries to the wanted ones. A setting that is no longer
    /// wanted goes back to what the runbook has set it to.
    pub fn settings_to(&self, lent: &mut LentSession, wanted: BTreeMap<String, String>) -> Vec<String> {
        let tracked = self.tracked(lent);
        let own = |name: &str| {
            let last = tracked.iter().rfind(|setting| setting.name == name || setting.name == "all");
            last.filter(|setting| setting.name == name).map(|setting| setting.statement.clone())
        };
        let mut statements = Vec::new();
        for name in lent.applied.keys().filter(|name| !wanted.contains_key(*name)) {
            statements.push(format!("RESET {name}"));
            statements.extend(own(name));
        }
        let changed = wanted.iter().filter(|(name, value)| lent.applied.get(*name) != Some(value));
        statements.extend(changed.map(|(name, value)| format!("SET {name} = {value}")));
        lent.applied = wanted;
        statements
    }

    fn take_idle(&self, key: &SessionKey) -> Option<LentSession> {
        self.idle.lock().ok()?.get_mut(key)?.pop()
    }

    async fn check_target(
        &self,
        name: &str,
        other_database: bool,
        session: &mut Session,
    ) -> Result<(), Failure> {
        let Some(ConnectionConfig::Postgres { expect, .. }) = self.configs.get(name) else { return Ok(()) };
        let expect =
            if other_database { Expect { database: None, ..expect.clone() } } else { expect.clone() };
        if expect.is_empty() {
            return Ok(());
        }
        let identity = postgres::identity(session).await.map_err(|error| Failure::new(error.to_string()))?;
        match expect.differences(&identity) {
            differences if differences.is_empty() => Ok(()),
            differences => Err(wrong_target(name, differences)),
        }
    }

    fn tracked(&self, lent: &LentSession) -> Vec<SessionSetting> {
        let tracked = self.tracked.lock().ok();
        tracked.and_then(|tracked| tracked.get(&lent.owner()).cloned()).unwrap_or_default()
    }

    /// Gives a session the settings of the runbook that it has not taken yet.
    async fn replay(&self, lent: &mut LentSession) -> Result<(), QueryError> {
        if !matches!(lent.key.purpose, Purpose::Steps | Purpose::Asking) {
            return Ok(());
        }
        for setting in self.tracked(lent).into_iter().skip(lent.replayed) {
            lent.session.run(&setting.statement, &ResultLimits::default()).await?;
            lent.replayed += 1;
            lent.overruled(&setting);
            if setting.name == "all" {
                lent.session.furnish(&session_options(&lent.key, "runbook")).await?;
            }
        }
        Ok(())
    }
}

fn session_options(key: &SessionKey, application_name: &str) -> SessionOptions {
    SessionOptions {
        application_name: application_name.to_owned(),
        read_only: key.purpose != Purpose::Steps,
        ..SessionOptions::default()
    }
}

fn expect_cluster(name: &str, expected: &str, identity: &ClusterIdentity) -> Result<(), Failure> {
    match identity.uid.as_deref() {
        Some(uid) if uid == expected => Ok(()),
        Some(uid) => {
            Err(wrong_target(name, vec![format!("the cluster's UID is `{uid}`, expected `{expected}`")]))
        }
        None => {
            let unknown = "the namespace `kube-system`, whose UID is expected, may not be read".to_owned();
            Err(wrong_target(name, vec![unknown]))
        }
    }
}

fn wrong_target(name: &str, differences: Vec<String>) -> Failure {
    Failure {
        details: differences,
        ..Failure::new(format!("connection `{name}` leads to another target than expected"))
    }
    .help("Check the environment's address and its `expect:`.")
    .stopped_by(StoppedBy::Drift)
}

/// A connection that could not be opened, as a failure: nothing was done yet, so a second attempt is harmless.
fn refused(error: &ConnectError) -> Failure {
    let failure =
        Failure { sqlstate: error.sqlstate().map(str::to_owned), ..Failure::new(error.to_string()) }
            .help(error.help());
    if error.is_transient() { failure.retryable() } else { failure }
}

impl LentSession {
    fn owner(&self) -> Owner {
        (self.key.connection.clone(), self.key.login.clone())
    }

    /// A setting that was set by other means is not what `applied` says.
    fn overruled(&mut self, setting: &SessionSetting) {
        match setting.name.as_str() {
            "all" => self.applied.clear(),
            name => drop(self.applied.remove(name)),
        }
    }

    /// Runs one statement and takes all of its result, up to the limits.
    pub async fn query(
        &mut self,
        statement: &str,
        limits: &ResultLimits,
    ) -> Result<StatementResult, QueryError> {
        self.session.run(statement, limits).await
    }
}
