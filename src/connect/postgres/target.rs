//! [`Target`]: everything that is needed to connect, decided; the result of [`resolve`](super::resolve()).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::password_file::PasswordFile;
use super::tls::TlsOptions;
use crate::connect::tunnel::Dial;
use crate::model::Secret;

/// One place to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A network address.
    Tcp {
        /// The name or address as written; certificates are checked against it.
        name: String,
        /// The address to use without a look-up.
        address: Option<IpAddr>,
        /// The port.
        port: u16,
    },
    /// The directory of a Unix socket.
    Socket {
        /// The directory.
        directory: PathBuf,
        /// The port, which is part of the socket's name.
        port: u16,
    },
}

impl Host {
    /// The port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Tcp { port, .. } | Self::Socket { port, .. } => *port,
        }
    }

    /// The path of the socket, if it is one.
    pub fn socket(&self) -> Option<PathBuf> {
        match self {
            Self::Tcp { .. } => None,
            Self::Socket { directory, port } => Some(directory.join(format!(".s.PGSQL.{port}"))),
        }
    }

    /// The name that certificates are checked against.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Tcp { name, .. } => name,
            Self::Socket { .. } => "localhost",
        }
    }

    /// The name by which a password file knows it: the default socket directory is `localhost`.
    pub(super) fn name_in_password_file(&self) -> String {
        match self {
            Self::Tcp { name, .. } => name.clone(),
            Self::Socket { directory, .. } => match directory.to_str() {
                Some("/var/run/postgresql" | "/run/postgresql" | "/tmp") => "localhost".to_owned(),
                _ => directory.display().to_string(),
            },
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { name, port, .. } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Tcp { name, port, .. } => write!(f, "{name}:{port}"),
            Self::Socket { directory, port } => write!(f, "{}/.s.PGSQL.{port}", directory.display()),
        }
    }
}

/// Which of several servers will do: `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionAttributes {
    /// Any server.
    #[default]
    Any,
    /// One that takes writes.
    ReadWrite,
    /// One that refuses writes.
    ReadOnly,
    /// One that is not in recovery.
    Primary,
    /// One that is in recovery.
    Standby,
    /// One that is in recovery if there is one, else any.
    PreferStandby,
}

/// Whether to bind the login to the TLS channel: `channel_binding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// If both sides can.
    #[default]
    Prefer,
    /// Or fail.
    Require,
}

/// In which order hosts and their addresses are tried: `load_balance_hosts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadBalance {
    /// As written.
    #[default]
    Disable,
    /// At random.
    Random,
}

/// TCP keepalives; libpq's defaults are the kernel's, which notice a lost server after two hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalives {
    /// Whether any are sent.
    pub enabled: bool,
    /// Silence before the first.
    pub idle: Duration,
    /// Between two.
    pub interval: Duration,
    /// Unanswered ones until the connection counts as lost.
    pub count: u32,
}

impl Default for Keepalives {
    fn default() -> Self {
        Self { enabled: true, idle: Duration::from_mins(1), interval: Duration::from_secs(10), count: 6 }
    }
}

/// Where a session stands towards transactions, as the server last said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransactionStatus {
    /// Not in a transaction block.
    #[default]
    Idle,
    /// In a transaction block.
    Open,
    /// In a transaction block that has failed and only takes a rollback.
    Failed,
}

/// Everything that is needed to connect.
#[derive(Debug, Clone)]
pub struct Target {
    /// The hosts, in the order to try.
    pub hosts: Vec<Host>,
    /// The role.
    pub user: String,
    /// The database.
    pub database: String,
    /// The password, unless it comes from the password file or none is needed.
    pub password: Option<Secret>,
    /// Encryption and certificates.
    pub tls: TlsOptions,
    /// Which of the hosts will do.
    pub session_attributes: SessionAttributes,
    /// The order of hosts.
    pub load_balance: LoadBalance,
    /// Binding to the TLS channel.
    pub channel_binding: ChannelBinding,
    /// The authentication methods the server may ask for; nothing means any. `none` stands for no question at all.
    pub allowed_authentication: Option<BTreeSet<&'static str>>,
    /// The bound on connecting to one host; nothing means the default of the session's options.
    pub connect_timeout: Option<Duration>,
    /// How long sent data may stay unacknowledged.
    pub tcp_user_timeout: Option<Duration>,
    /// TCP keepalives.
    pub keepalives: Keepalives,
    /// Command-line options for the server process.
    pub options: Option<String>,
    /// The application's name, if the address gives one; otherwise the session's options do.
    pub application_name: Option<String>,
    /// What a person may want to know about how the address was found, such as an ignored password file.
    pub notes: Vec<String>,
    /// What leads to the host's port where this machine does not reach it.
    pub via: Option<Arc<dyn Dial>>,
    pub(super) password_file: PasswordFile,
}

impl Target {
    /// A few words that name the target without secrets: `wms_db on db1:5432 as wms_user`.
    pub fn describe(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        let via = self.via.as_ref().map_or_else(String::new, |via| format!(" through {}", via.describe()));
        format!("{} on {}{via} as {}", self.database, hosts.join(", "), self.user)
    }

    /// The target of a session that only holds a lock: its name says who holds it, whatever the address says, rivals
    /// meet on the one server that takes writes, and ways that forget silent connections hear from it in time.
    #[must_use]
    pub(crate) fn for_locking(mut self) -> Self {
        self.application_name = None;
        self.keepalives.idle = self.keepalives.idle.min(Duration::from_secs(30));
        if self.hosts.len() > 1 && self.session_attributes == SessionAttributes::Any {
            self.session_attributes = SessionAttributes::Primary;
        }
        self
    }

    /// The variables by which libpq's programs find the first host, and the line of a private password file.
    pub fn libpq_environment(&self) -> (BTreeMap<String, String>, Option<Secret>) {
        let mut variables = BTreeMap::from([
            ("PGUSER".to_owned(), self.user.clone()),
            ("PGDATABASE".to_owned(), self.database.clone()),
        ]);
        let Some(host) = self.hosts.first() else { return (variables, None) };
        variables.insert("PGPORT".to_owned(), host.port().to_string());
        let name = match host {
            Host::Tcp { name, .. } => name.clone(),
            Host::Socket { directory, .. } => directory.display().to_string(),
        };
        variables.insert("PGHOST".to_owned(), name);
        if matches!(host, Host::Tcp { .. }) {
            variables.insert("PGSSLMODE".to_owned(), self.tls.mode.as_str().to_owned());
        }
        let escape = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
        let line = self
            .password_for(host)
            .map(|password| Secret::new(format!("*:*:*:*:{}\n", escape(password.expose()))));
        (variables, line)
    }

    /// The same servers and login, another database.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// The same servers and database, another login. The password of the old login is never used for the new one.
    #[must_use]
    pub fn with_login(&self, user: &str, password: Option<Secret>) -> Self {
        Self { user: user.to_owned(), password, ..self.clone() }
    }

    /// The password for one host: the given one, else the password file's.
    pub(super) fn password_for(&self, host: &Host) -> Option<Secret> {
        let name = host.name_in_password_file();
        let given = self.password.clone();
        given.or_else(|| self.password_file.find(&name, host.port(), &self.database, &self.user))
    }

    /// Where a password was looked for, in words.
    pub(super) fn password_sources(&self) -> String {
        match (&self.password, self.password_file.path()) {
            (Some(_), _) => "the password given with the address".to_owned(),
            (None, Some(path)) => format!("password file `{path}`"),
            (None, None) => "no password given, no password file".to_owned(),
        }
    }
}
