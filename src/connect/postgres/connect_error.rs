//! [`ConnectError`]: why there is no session, and what a person can do about it.

use std::time::Duration;

use thiserror::Error;

use super::query_error::ServerError;

/// What leads to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A Unix socket.
    Socket,
    /// The network.
    Network,
    /// The API server of a cluster.
    Pod,
}

/// Why a target could not be resolved or a session not be opened.
///
/// `endpoint` reads like `wms_db on db1:5432 as wms_user`. No variant holds a secret.
#[derive(Debug, Clone, Error)]
pub enum ConnectError {
    /// A connection string, service file or field names a setting that does not exist.
    #[error("unknown setting `{name}` in {place}")]
    UnknownSetting {
        /// The name as written.
        name: String,
        /// Where it stands.
        place: String,
        /// The setting that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A setting, or the string that holds it, cannot be read.
    #[error("{message}")]
    Malformed {
        /// What is wrong.
        message: String,
        /// What to write instead.
        help: String,
    },
    /// A file that the address names cannot be used.
    #[error("{what} `{path}` cannot be used: {problem}")]
    File {
        /// What kind of file it is.
        what: &'static str,
        /// Its path.
        path: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        help: String,
    },
    /// No service file defines the service.
    #[error("service `{service}` is not defined")]
    ServiceNotFound {
        /// Its name.
        service: String,
        /// The files that were read.
        searched: Vec<String>,
    },
    /// libpq can do this, but this program cannot, and going on without it would be wrong.
    #[error("{what} is not supported")]
    Unsupported {
        /// What was asked for.
        what: String,
        /// What to do instead.
        help: String,
    },
    /// The name of a host has no address.
    #[error("cannot connect to {endpoint}: the host name has no address: {problem}")]
    UnknownHost {
        /// What was connected to.
        endpoint: String,
        /// What the resolver says.
        problem: String,
    },
    /// Nothing answers at the address.
    #[error("cannot connect to {endpoint}: {problem}")]
    Unreachable {
        /// What was connected to.
        endpoint: String,
        /// What the operating system says.
        problem: String,
        /// What leads there.
        way: Way,
    },
    /// Connecting took too long.
    #[error("cannot connect to {endpoint}: no session within {} s", .after.as_secs_f64())]
    Timeout {
        /// What was connected to.
        endpoint: String,
        /// The bound.
        after: Duration,
    },
    /// There is no encrypted connection, or the certificate does not fit.
    #[error("cannot connect to {endpoint}: {problem}")]
    Tls {
        /// What was connected to.
        endpoint: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        help: String,
    },
    /// The server wants a password and there is none.
    #[error("cannot connect to {endpoint}: the server asks for a password and there is none ({tried})")]
    NoPassword {
        /// What was connected to.
        endpoint: String,
        /// Where a password was looked for.
        tried: String,
    },
    /// The login failed.
    #[error("cannot connect to {endpoint}: {problem} (tried: {tried})")]
    Authentication {
        /// What was connected to.
        endpoint: String,
        /// What the server or the protocol says.
        problem: String,
        /// Where the password came from.
        tried: String,
        /// The SQLSTATE, if the server refused.
        sqlstate: Option<String>,
    },
    /// The server asks for an authentication method that is not allowed or not known here.
    #[error("cannot connect to {endpoint}: {problem}")]
    Method {
        /// What was connected to.
        endpoint: String,
        /// What was asked and what is allowed.
        problem: String,
        /// What to do.
        help: String,
    },
    /// The server refused for a reason of its own.
    #[error("cannot connect to {endpoint}: {error}")]
    Refused {
        /// What was connected to.
        endpoint: String,
        /// What the server says.
        error: Box<ServerError>,
    },
    /// The server is not the kind that `target_session_attrs` asks for.
    #[error("cannot use {endpoint}: {problem}")]
    WrongKind {
        /// What was connected to.
        endpoint: String,
        /// What it is instead.
        problem: String,
    },
    /// The connection ended or spoke another protocol.
    #[error("cannot connect to {endpoint}: {problem}")]
    Broken {
        /// What was connected to.
        endpoint: String,
        /// What happened.
        problem: String,
    },
    /// Every host failed.
    #[error("no host can be used: {}", .attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    AllFailed {
        /// One failure an attempt, in order.
        attempts: Vec<Self>,
    },
}

impl ConnectError {
    /// A sentence that says what to do.
    pub fn help(&self) -> String {
        match self {
            Self::UnknownSetting { nearest: Some(nearest), .. } => format!("Did you mean `{nearest}`?"),
            Self::UnknownSetting { nearest: None, .. } => {
                "Use the names of libpq, such as `host`, `port`, `dbname`, `user` and `sslmode`.".to_owned()
            }
            Self::Malformed { help, .. }
            | Self::File { help, .. }
            | Self::Unsupported { help, .. }
            | Self::Method { help, .. }
            | Self::Tls { help, .. } => help.clone(),
            Self::ServiceNotFound { service, searched } => service_help(service, searched),
            Self::UnknownHost { .. } => "Check the spelling of the host and the name service.".to_owned(),
            Self::Unreachable { way, .. } => unreachable_help(*way).to_owned(),
            Self::Timeout { .. } => {
                "Check the host, the port and firewalls between, or raise `connect_timeout`.".to_owned()
            }
            Self::NoPassword { .. } => {
                "Give the password with the connection, in `PGPASSWORD`, or in the password file.".to_owned()
            }
            Self::Authentication { .. } => "Check the role's name and its password.".to_owned(),
            Self::Refused { error, .. } => refused_help(&error.sqlstate),
            Self::WrongKind { .. } => "Check the hosts and `target_session_attrs`.".to_owned(),
            Self::Broken { .. } => {
                "Check that a PostgreSQL server listens there, and read its log.".to_owned()
            }
            Self::AllFailed { attempts } => {
                attempts.last().map_or_else(|| "Name at least one host.".to_owned(), Self::help)
            }
        }
    }

    /// Whether the same attempt may succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::UnknownHost { .. }
            | Self::Timeout { .. }
            | Self::WrongKind { .. }
            | Self::Broken { .. } => true,
            // Starting or stopping, too many connections, out of memory or disk.
            Self::Refused { error, .. } => {
                ["57P", "53"].iter().any(|class| error.sqlstate.starts_with(class))
            }
            Self::AllFailed { attempts } => attempts.iter().any(Self::is_transient),
            _ => false,
        }
    }

    /// The server's SQLSTATE, if it gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Refused { error, .. } => Some(&error.sqlstate),
            Self::Authentication { sqlstate, .. } => sqlstate.as_deref(),
            Self::AllFailed { attempts } => attempts.last().and_then(Self::sqlstate),
            _ => None,
        }
    }
}

fn service_help(service: &str, searched: &[String]) -> String {
    if searched.is_empty() {
        return format!(
            "Add a section `[{service}]` to `~/.pg_service.conf`, or name a file in `PGSERVICEFILE`."
        );
    }
    format!("Add a section `[{service}]`; the files searched were {}.", searched.join(", "))
}

fn unreachable_help(way: Way) -> &'static str {
    match way {
        Way::Socket => {
            "Check that the server runs on this machine and which `unix_socket_directories` it uses, or give a `host`."
        }
        Way::Network => {
            "Check that the server runs and that `listen_addresses` and `port` match the address."
        }
        Way::Pod => {
            "Check the pod, the port on which PostgreSQL listens in it, and the right to forward ports."
        }
    }
}

fn refused_help(sqlstate: &str) -> String {
    match sqlstate {
        "3D000" => "Check the database's name; `psql -l` lists the databases of the server.",
        "28000" => "Check that the role exists and may log in, and that `pg_hba.conf` admits it from here.",
        "42501" => "Grant the role `CONNECT` on the database.",
        "53300" => "Wait until sessions end, end idle ones, or connect as a role with reserved connections.",
        "57P03" => "Wait until the server has started and try again.",
        "57P01" | "57P02" => "The server is stopping; try again when it is back.",
        "42704" | "22023" | "42602" => "Check the `options` of the connection.",
        _ => "Read the server's log for the details.",
    }
    .to_owned()
}
