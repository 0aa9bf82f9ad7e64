//! [`Session`]: one connection to a server, set up so that results read the same everywhere.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::Client;

use super::argument::quote;
use super::cancel::Canceller;
use super::connect::{self, GOODBYE, Link};
use super::connect_error::ConnectError;
use super::notice::{Mailbox, Notice};
use super::query_error::{QueryError, QueryErrorKind, ServerError, describe};
use super::statement::ResultLimits;
use super::target::{SessionAttributes, Target, TransactionStatus};
use super::type_catalog::TypeCatalog;
use super::wire::Wire;

/// How a session is set up.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// The name the server shows, unless the address gives one; cut at 63 bytes.
    pub application_name: String,
    /// Whether transactions are read only unless they say otherwise. A seat belt, not a sandbox.
    pub read_only: bool,
    /// The bound on connecting to one address, unless the address gives one.
    pub connect_timeout: Duration,
    /// The bound on one statement; nothing leaves the server's own.
    pub statement_timeout: Option<Duration>,
    /// The bound on one wait for a lock; nothing leaves the server's own.
    pub lock_timeout: Option<Duration>,
    /// How long a transaction may sit idle before the server ends the session; nothing leaves the server's own.
    pub idle_in_transaction_timeout: Option<Duration>,
    /// The search path as SQL, such as `pg_catalog, public`; nothing leaves the server's own.
    pub search_path: Option<String>,
    /// The role to become after the login.
    pub role: Option<String>,
    /// More settings, in order.
    pub settings: Vec<(String, String)>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            application_name: "runbook".to_owned(),
            read_only: false,
            connect_timeout: Duration::from_secs(30),
            statement_timeout: None,
            lock_timeout: None,
            idle_in_transaction_timeout: Some(Duration::from_mins(1)),
            search_path: None,
            role: None,
            settings: Vec::new(),
        }
    }
}

impl SessionOptions {
    /// One message of several statements: all of them or none.
    fn set_up(&self) -> String {
        let mut sql = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'iso_8601'; \
                       SET extra_float_digits = 1; SET bytea_output = 'hex'; SET client_min_messages = notice"
            .to_owned();
        let mut add = |name: &str, value: &str| {
            // Lists such as a search path are only understood by this function, not by SET with one quoted text.
            let _ = write!(sql, "; SELECT pg_catalog.set_config({}, {}, false)", quote(name), quote(value));
        };
        let bounds = [
            ("statement_timeout", self.statement_timeout),
            ("lock_timeout", self.lock_timeout),
            ("idle_in_transaction_session_timeout", self.idle_in_transaction_timeout),
        ];
        for (name, bound) in bounds {
            if let Some(bound) = bound {
                add(name, &bound.as_millis().to_string());
            }
        }
        if self.read_only {
            add("default_transaction_read_only", "on");
        }
        if let Some(path) = &self.search_path {
            add("search_path", path);
        }
        if let Some(role) = &self.role {
            add("role", role);
        }
        for (name, value) in &self.settings {
            add(name, value);
        }
        sql
    }
}

/// What is known about the server since the session began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Such as `150018`.
    pub version_num: i32,
    /// Such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// Whether the server was in recovery.
    pub in_hot_standby: Option<bool>,
    /// Whether new transactions were read only before the session was set up.
    pub read_only: bool,
    /// The process that serves the session.
    pub backend_pid: i32,
}

/// One connection to a server. Statements run one after the other.
///
/// Dropping the future of a statement does not end the statement on the server: cancel it through
/// [`canceller`](Self::canceller) and keep waiting. Dropping the session closes the connection at once.
pub struct Session {
    pub(super) client: Client,
    pub(super) wire: Wire,
    /// The number of the next request, counted as the [`Wire`] counts answers.
    pub(super) next_request: u64,
    /// Whether a COPY was begun whose requests are not counted yet.
    pub(super) unaligned: bool,
    pub(super) types: TypeCatalog,
    pub(super) prepared: u64,
    /// The first value of the last statement in front that returned one.
    pub(super) front_value: Option<String>,
    pub(super) asked_to_cancel: Arc<AtomicBool>,
    driver: JoinSet<()>,
    mailbox: Arc<Mailbox>,
    canceller: Canceller,
    info: ServerInfo,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("endpoint", &self.canceller.endpoint)
            .field("server", &self.info)
            .finish_non_exhaustive()
    }
}

/// Asked before the set-up, which would hide whether the server itself refuses writes.
const ASK: &str = "SELECT pg_catalog.pg_backend_pid(), \
                   pg_catalog.current_setting('server_version_num')::pg_catalog.int4, \
                   pg_catalog.pg_is_in_recovery(), \
                   pg_catalog.current_setting('transaction_read_only') = 'on'";

/// Lets the server notice a vanished client during a long statement; a few platforms cannot, and refuse.
const CHECK_CLIENT: &str = "SET client_connection_check_interval = '10s'";

impl Session {
    /// Connects to the first host of the target that will do, and sets the session up.
    pub async fn open(target: &Target, options: &SessionOptions) -> Result<Self, ConnectError> {
        connect::open(target, options).await
    }

    /// Asks what server this is, sets the session up, and checks that the server is of the wanted kind.
    pub(super) async fn start(
        link: Link,
        options: &SessionOptions,
        wanted: SessionAttributes,
        endpoint: &str,
    ) -> Result<Self, ConnectError> {
        let mut session = Self {
            next_request: link.wire.answered(),
            unaligned: false,
            client: link.client,
            wire: link.wire,
            types: TypeCatalog::default(),
            prepared: 0,
            front_value: None,
            asked_to_cancel: Arc::clone(&link.canceller.asked),
            driver: link.driver,
            mailbox: link.mailbox,
            canceller: link.canceller,
            info: ServerInfo {
                version_num: 0,
                version: link.version,
                in_hot_standby: None,
                read_only: false,
                backend_pid: 0,
            },
        };
        session.set_up(options).await.map_err(|error| match error.kind {
            QueryErrorKind::Server(error) => ConnectError::Refused { endpoint: endpoint.to_owned(), error },
            _ => ConnectError::Broken { endpoint: endpoint.to_owned(), problem: error.to_string() },
        })?;
        match unfit(&session.info, wanted) {
            None => Ok(session),
            Some(problem) => {
                session.close().await;
                Err(ConnectError::WrongKind { endpoint: endpoint.to_owned(), problem: problem.to_owned() })
            }
        }
    }

    async fn set_up(&mut self, options: &SessionOptions) -> Result<(), QueryError> {
        let limits = ResultLimits { max_rows: 1, ..ResultLimits::default() };
        let ask = self.send(ASK).await?;
        let set_up = self.send(&options.set_up()).await?;
        let major: u32 =
            self.info.version.split(['.', ' ', 'b', 'r']).next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let check = if major >= 14 { Some(self.send(CHECK_CLIENT).await?) } else { None };
        let answer = self.receive(ask, &limits).await?;
        self.receive(set_up, &limits).await?;
        if let Some(check) = check {
            // A platform that cannot check says so; the session works without.
            match self.receive(check, &limits).await {
                Err(error) if error.is_connection_lost() => return Err(error),
                _ => {}
            }
        }
        let result = self.decode(answer).await?;
        let row = result.rows.into_iter().next().unwrap_or_default();
        let [Value::Number(pid), Value::Number(version), Value::Bool(standby), Value::Bool(read_only)] =
            &row[..]
        else {
            return Err(QueryError::protocol(
                "the server does not say what it is; is this a pooler's console?",
            ));
        };
        let number =
            |n: &serde_json::Number| n.as_i64().and_then(|n| i32::try_from(n).ok()).unwrap_or_default();
        self.info.backend_pid = number(pid);
        self.info.version_num = number(version);
        self.info.in_hot_standby = Some(*standby);
        self.info.read_only = *read_only;
        Ok(())
    }

    /// Sets the session up once more, after everything was reset.
    pub async fn furnish(&mut self, options: &SessionOptions) -> Result<(), QueryError> {
        let limits = ResultLimits { max_rows: 1, ..ResultLimits::default() };
        let set_up = self.send(&options.set_up()).await?;
        self.receive(set_up, &limits).await.map(drop)
    }

    /// What is known about the server since the session began.
    pub fn server(&self) -> &ServerInfo {
        &self.info
    }

    /// Whether something between here and the server shares its sessions: what the start announces is then not the
    /// process that answers.
    pub fn is_pooled(&self) -> bool {
        self.wire.backend().is_some_and(|announced| announced != self.info.backend_pid)
    }

    /// Where the session stands towards transactions, after the last statement.
    pub fn transaction_status(&self) -> TransactionStatus {
        self.wire.status()
    }

    /// A handle that ends the running statement.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// The first value that a statement in front returned, in the last pipeline.
    pub fn front_value(&self) -> Option<&str> {
        self.front_value.as_deref()
    }

    /// The notices that came since they were last taken. Results take those of their own statement.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.mailbox.drain()
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Says goodbye and closes the connection.
    pub async fn close(self) {
        let Self { client, mut driver, .. } = self;
        drop(client);
        // A server that does not answer is left behind: dropping the task closes the socket.
        drop(timeout(GOODBYE, driver.join_next()).await);
    }

    /// Forgets an earlier request to cancel, which was not about what comes now.
    pub(super) fn forget_cancel(&self) {
        self.asked_to_cancel.store(false, Ordering::SeqCst);
    }

    /// The driver's error as ours. `text` is what was sent; `prefix` of its characters precede the statement.
    pub(super) async fn failure(
        &mut self,
        error: &tokio_postgres::Error,
        text: &str,
        prefix: usize,
    ) -> QueryError {
        if let Some(db) = error.as_db_error() {
            let cancelled = db.code().code() == "57014" && self.asked_to_cancel.load(Ordering::SeqCst);
            return QueryError::new(if cancelled {
                QueryErrorKind::Cancelled
            } else {
                QueryErrorKind::Server(Box::new(ServerError::new(db, text, prefix)))
            });
        }
        if error.is_closed() || self.client.is_closed() {
            return QueryError::lost(self.end_reason(error).await);
        }
        QueryError::protocol(describe(error))
    }

    /// Why the connection ended: the task that drives it learns the reason, a moment after the channel closes.
    async fn end_reason(&mut self, error: &tokio_postgres::Error) -> String {
        drop(timeout(GOODBYE, self.driver.join_next()).await);
        self.mailbox.end_reason().unwrap_or_else(|| describe(error))
    }
}

/// Why a server is not of the wanted kind.
fn unfit(server: &ServerInfo, wanted: SessionAttributes) -> Option<&'static str> {
    let standby = server.in_hot_standby == Some(true);
    let read_only = standby || server.read_only;
    let problem = match wanted {
        SessionAttributes::ReadWrite if read_only => "it refuses writes",
        SessionAttributes::ReadOnly if !read_only => "it takes writes",
        SessionAttributes::Primary if standby => "it is a standby",
        SessionAttributes::Standby if !standby => "it is not a standby",
        _ => return None,
    };
    Some(problem)
}
