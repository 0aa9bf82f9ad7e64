//! From a [`Target`] to an authenticated connection: the order of hosts, addresses and encryptions that libpq has.

use std::error::Error as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::cancel::Canceller;
use super::connect_error::{ConnectError, Way};
use super::connector::{Connector, ConnectorError, ConnectorFor, Encryption, Refusal, Stream};
use super::notice::{Mailbox, Notice};
use super::query_error::{ServerError, describe};
use super::session::{Session, SessionOptions};
use super::target::{ChannelBinding, Host, LoadBalance, SessionAttributes, Target};
use super::tls::SslMode;
use super::wire::Wire;

/// PostgreSQL cuts longer names, with a NOTICE.
const LONGEST_NAME: usize = 63;

/// An authenticated connection, driven by a task of its own.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) driver: JoinSet<()>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) wire: Wire,
    pub(super) canceller: Canceller,
    /// The version as the server announces it, such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub(super) version: String,
}

/// Tries the hosts in order until one will do.
pub(super) async fn open(target: &Target, options: &SessionOptions) -> Result<Session, ConnectError> {
    let mut failures = Vec::new();
    for wanted in rounds(target.session_attributes) {
        failures.clear();
        for host in &ordered(&target.hosts, target.load_balance) {
            match (Attempt { target, options, host, wanted }).host().await {
                Ok(session) => return Ok(session),
                Err(error) => {
                    let last = !moves_on(&error);
                    failures.push(error);
                    if last {
                        return Err(combined(failures));
                    }
                }
            }
        }
    }
    Err(combined(failures))
}

/// `prefer-standby` asks everyone for a standby first, then takes anyone.
fn rounds(wanted: SessionAttributes) -> Vec<SessionAttributes> {
    match wanted {
        SessionAttributes::PreferStandby => vec![SessionAttributes::Standby, SessionAttributes::Any],
        wanted => vec![wanted],
    }
}

/// libpq's rule: a server that answered and refused ends the search, one that cannot answer yet does not.
fn moves_on(error: &ConnectError) -> bool {
    match error {
        ConnectError::Refused { error, .. } => error.sqlstate == "57P03",
        ConnectError::AllFailed { attempts } => attempts.iter().all(moves_on),
        error => error.is_transient(),
    }
}

fn combined(mut failures: Vec<ConnectError>) -> ConnectError {
    match failures.len() {
        1 => failures.remove(0),
        _ => ConnectError::AllFailed { attempts: failures },
    }
}

fn ordered<T: Clone>(items: &[T], order: LoadBalance) -> Vec<T> {
    let mut items = items.to_vec();
    if order == LoadBalance::Random {
        for index in (1..items.len()).rev() {
            // Without randomness the order as written is still a valid one.
            let random = getrandom::u32().unwrap_or_default() as usize;
            items.swap(index, random % (index + 1));
        }
    }
    items
}

/// One host to try, with all that stays the same while trying it.
struct Attempt<'a> {
    target: &'a Target,
    options: &'a SessionOptions,
    host: &'a Host,
    wanted: SessionAttributes,
}

impl Attempt<'_> {
    fn endpoint(&self) -> String {
        format!("{} on {} as {}", self.target.database, self.host, self.target.user)
    }

    /// Tries every address of the host, each under the whole time limit.
    async fn host(&self) -> Result<Session, ConnectError> {
        let Host::Tcp { name, address, port } = self.host else {
            return self.bounded(self.once(None, Encryption::Plain)).await;
        };
        // What leads there looks nothing up, and neither does it ask for the address.
        if self.target.via.is_some() {
            return self.bounded(self.address(IpAddr::V4(Ipv4Addr::LOCALHOST))).await;
        }
        let addresses = match address {
            Some(address) => vec![*address],
            None => self.bounded(self.look_up(name, *port)).await?,
        };
        let mut failures = Vec::new();
        for address in ordered(&addresses, self.target.load_balance) {
            match self.bounded(self.address(address)).await {
                Err(error) if moves_on(&error) => failures.push(error),
                outcome => return outcome,
            }
        }
        Err(combined(failures))
    }

    async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let bound = self.target.connect_timeout.unwrap_or(self.options.connect_timeout);
        let late = |_| Err(ConnectError::Timeout { endpoint: self.endpoint(), after: bound });
        timeout(bound, work).await.unwrap_or_else(late)
    }

    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<IpAddr>, ConnectError> {
        let unknown = |problem: String| ConnectError::UnknownHost { endpoint: self.endpoint(), problem };
        let found = lookup_host((name, port)).await.map_err(|error| unknown(error.to_string()))?;
        let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        addresses.dedup();
        if addresses.is_empty() { Err(unknown("no address".to_owned())) } else { Ok(addresses) }
    }

    /// Tries one address with each encryption that `sslmode` permits.
    async fn address(&self, address: IpAddr) -> Result<Session, ConnectError> {
        let (first, second) = self.encryptions();
        let error = match self.once(Some(address), first).await {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        let Some(second) = second.filter(|_| tries_otherwise(&error, self.target.tls.mode)) else {
            return Err(error);
        };
        self.once(Some(address), second).await.map_err(|other| {
            if other.to_string() == error.to_string() { error } else { combined(vec![error, other]) }
        })
    }

    fn encryptions(&self) -> (Encryption, Option<Encryption>) {
        let options = &self.target.tls;
        let Some(config) = &options.config else { return (Encryption::Plain, None) };
        let tls = |refusal| Encryption::Tls {
            rustls: MakeRustlsConnect::new((**config).clone()),
            negotiation: options.negotiation,
            refusal,
        };
        match options.mode {
            SslMode::Disable => (Encryption::Plain, None),
            SslMode::Allow => (Encryption::Plain, Some(tls(Refusal::Fail))),
            SslMode::Prefer => (tls(Refusal::Accept), Some(Encryption::Plain)),
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (tls(Refusal::Fail), None),
        }
    }

    /// One socket, one login, one set-up.
    async fn once(&self, address: Option<IpAddr>, encryption: Encryption) -> Result<Session, ConnectError> {
        let wire = Wire::new(self.target.allowed_authentication.clone());
        let connector = Connector { encryption, wire: wire.clone() };
        let config = self.config(address);
        let connected = match (&self.target.via, self.host.socket()) {
            (Some(via), _) => match via.dial(self.host.port()).await {
                Ok(pipe) => {
                    let tls = ConnectorFor::new(connector.clone(), self.host.name());
                    config
                        .connect_raw(pipe, tls)
                        .await
                        .map(|(client, link)| self.link(client, link, connector))
                }
                Err(error) => return Err(self.unreachable(&error)),
            },
            (None, Some(path)) => match UnixStream::connect(&path).await {
                Ok(socket) => {
                    let tls = ConnectorFor::new(connector.clone(), "localhost");
                    config
                        .connect_raw(socket, tls)
                        .await
                        .map(|(client, link)| self.link(client, link, connector))
                }
                Err(error) => return Err(self.unreachable(&error)),
            },
            (None, None) => config
                .connect(connector.clone())
                .await
                .map(|(client, link)| self.link(client, link, connector)),
        };
        let link = connected.map_err(|error| self.failure(&error, &wire))?;
        Session::start(link, self.options, self.wanted, &self.endpoint()).await
    }

    fn config(&self, address: Option<IpAddr>) -> Config {
        let target = self.target;
        let mut config = Config::new();
        config.user(&target.user).dbname(&target.database);
        config.application_name(self.application_name());
        // Our connector asks for TLS itself, or leaves it.
        config.ssl_mode(config::SslMode::Require).ssl_negotiation(config::SslNegotiation::Direct);
        config.channel_binding(match target.channel_binding {
            ChannelBinding::Disable => config::ChannelBinding::Disable,
            ChannelBinding::Prefer => config::ChannelBinding::Prefer,
            ChannelBinding::Require => config::ChannelBinding::Require,
        });
        if let Some(password) = target.password_for(self.host) {
            config.password(password.expose());
        }
        if let Some(options) = &target.options {
            config.options(options);
        }
        if let (Host::Tcp { name, port, .. }, Some(address)) = (self.host, address) {
            config.host(name).hostaddr(address).port(*port);
        }
        self.keepalives(&mut config);
        config
    }

    fn keepalives(&self, config: &mut Config) {
        let keepalives = self.target.keepalives;
        config.keepalives(keepalives.enabled);
        config.keepalives_idle(keepalives.idle).keepalives_interval(keepalives.interval);
        config.keepalives_retries(keepalives.count);
        if let Some(bound) = self.target.tcp_user_timeout {
            config.tcp_user_timeout(bound);
        }
    }

    fn application_name(&self) -> String {
        let name = self.target.application_name.as_ref().unwrap_or(&self.options.application_name);
        name[..name.floor_char_boundary(LONGEST_NAME)].to_owned()
    }

    fn link<S>(&self, client: Client, connection: Connection<S, Stream<S>>, connector: Connector) -> Link
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let version = connection.parameter("server_version").unwrap_or_default().to_owned();
        let mailbox = Arc::new(Mailbox::default());
        let mut driver = JoinSet::new();
        driver.spawn(drive(connection, Arc::clone(&mailbox)));
        let canceller = Canceller {
            token: client.cancel_token(),
            connector: connector.clone(),
            socket: self.host.socket(),
            via: self.target.via.clone().map(|via| (via, self.host.clone())),
            endpoint: self.endpoint(),
            asked: Arc::default(),
        };
        Link { client, driver, mailbox, wire: connector.wire, canceller, version }
    }

    fn unreachable(&self, error: &io::Error) -> ConnectError {
        ConnectError::Unreachable {
            endpoint: self.endpoint(),
            problem: error.to_string(),
            way: match (&self.target.via, self.host) {
                (Some(_), _) => Way::Pod,
                (None, Host::Socket { .. }) => Way::Socket,
                (None, Host::Tcp { .. }) => Way::Network,
            },
        }
    }

    /// The driver's error, told so that a person can act on it.
    fn failure(&self, error: &tokio_postgres::Error, wire: &Wire) -> ConnectError {
        let endpoint = self.endpoint();
        let method = wire.method();
        if let Some(problem) = wire.refused() {
            let help = "Change `require_auth`, or the server's `pg_hba.conf`.".to_owned();
            return ConnectError::Method { endpoint, problem, help };
        }
        if let Some(db) = error.as_db_error() {
            return self.refusal(ServerError::new(db, "", 0));
        }
        if let Some(tls) = error.source().and_then(|source| source.downcast_ref::<ConnectorError>()) {
            return tls_failure(endpoint, tls);
        }
        let asks = matches!(method, Some("password" | "md5" | "scram-sha-256"));
        if asks && self.target.password_for(self.host).is_none() {
            return ConnectError::NoPassword { endpoint, tried: self.target.password_sources() };
        }
        if let Some(method @ ("gss" | "sspi" | "oauth")) = method {
            return ConnectError::Method {
                endpoint,
                problem: format!("the server asks for `{method}`, which is not supported"),
                help: "Let `pg_hba.conf` admit the role by password, `scram-sha-256` or a certificate."
                    .to_owned(),
            };
        }
        self.broken(error, method.is_some())
    }

    fn refusal(&self, error: ServerError) -> ConnectError {
        let endpoint = self.endpoint();
        if error.sqlstate == "28P01" {
            return ConnectError::Authentication {
                endpoint,
                problem: error.message,
                tried: self.tried(),
                sqlstate: Some(error.sqlstate),
            };
        }
        ConnectError::Refused { endpoint, error: Box::new(error) }
    }

    fn tried(&self) -> String {
        self.target.password_sources()
    }

    fn broken(&self, error: &tokio_postgres::Error, authenticating: bool) -> ConnectError {
        let endpoint = self.endpoint();
        match io_error(error) {
            Some(io) => match rustls_error(io) {
                Some(tls) => tls_problem(endpoint, tls),
                None if error.to_string() == "error connecting to server" => self.unreachable(io),
                None => ConnectError::Broken { endpoint, problem: describe(error) },
            },
            None if authenticating && !error.is_closed() => ConnectError::Authentication {
                endpoint,
                problem: describe(error),
                tried: self.tried(),
                sqlstate: None,
            },
            None => ConnectError::Broken { endpoint, problem: describe(error) },
        }
    }
}

/// Whether the other encryption may help: after a failed handshake, or when `pg_hba.conf` has no line for this one.
fn tries_otherwise(error: &ConnectError, mode: SslMode) -> bool {
    match error {
        ConnectError::Tls { .. } => mode == SslMode::Prefer,
        ConnectError::Refused { error, .. } => error.sqlstate == "28000",
        _ => false,
    }
}

async fn drive<S>(mut connection: Connection<S, Stream<S>>, mailbox: Arc<Mailbox>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    loop {
        match std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => mailbox.push(Notice::from(&notice)),
            Some(Ok(_)) => {}
            Some(Err(error)) => return mailbox.end(describe(&error)),
            None => return,
        }
    }
}

fn io_error(error: &tokio_postgres::Error) -> Option<&io::Error> {
    error.source().and_then(|source| source.downcast_ref())
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn tls_failure(endpoint: String, error: &ConnectorError) -> ConnectError {
    let help = match error {
        ConnectorError::Handshake(io) => match rustls_error(io) {
            Some(error) => return tls_problem(endpoint, error),
            None => "Check that the server and this program share a TLS version.",
        },
        ConnectorError::NotOffered => "Turn `ssl` on in the server, or use `sslmode=prefer`.",
        ConnectorError::NotUnderstood | ConnectorError::Asking(_) => {
            "Check that a PostgreSQL server listens there."
        }
    };
    ConnectError::Tls { endpoint, problem: error.to_string(), help: help.to_owned() }
}

fn tls_problem(endpoint: String, error: &rustls::Error) -> ConnectError {
    use rustls::CertificateError as E;
    let (problem, help) = match error {
        rustls::Error::InvalidCertificate(E::UnknownIssuer) => (
            "the server's certificate is not signed by a trusted root".to_owned(),
            "Name the root that signed it in `sslrootcert`; a self-signed certificate is its own root.",
        ),
        rustls::Error::InvalidCertificate(E::NotValidForName | E::NotValidForNameContext { .. }) => (
            format!("the server's certificate is for another host: {error}"),
            "Use a host that the certificate names under `subjectAltName`, or `sslmode=verify-ca`.",
        ),
        rustls::Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => {
            (format!("the server's certificate has expired: {error}"), "Renew the server's certificate.")
        }
        rustls::Error::AlertReceived(_) => (
            format!("the server ended the TLS handshake: {error}"),
            "Check the client certificate in `sslcert` and the server's log.",
        ),
        other => (other.to_string(), "Check the certificates of both sides."),
    };
    ConnectError::Tls { endpoint, problem, help: help.to_owned() }
}

/// How long a session may take to say goodbye.
pub(super) const GOODBYE: Duration = Duration::from_secs(2);
