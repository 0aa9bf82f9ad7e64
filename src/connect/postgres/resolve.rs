//! [`resolve`]: from an [`Address`] to a [`Target`], by libpq's rules of precedence.
//!
//! Explicit settings, then the service, then the environment, then libpq's defaults. Reads service, password and
//! certificate files; never connects and never looks up a name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::connect_error::ConnectError;
use super::keyword::{KEYWORDS, Treatment, keyword};
use super::password_file::PasswordFile;
use super::source::Address;
use super::target::{ChannelBinding, Host, Keepalives, LoadBalance, SessionAttributes, Target};
use super::tls::{SslMode, SslNegotiation, TlsOptions, TlsSettings};
use super::{dsn, service};
use crate::model::{ProcessEnvironment, Secret};

const DEFAULT_PORT: u16 = 5432;
/// Where servers put their sockets: Debian and Red Hat, then PostgreSQL's own default.
const SOCKET_DIRECTORIES: &[&str] = &["/var/run/postgresql", "/tmp"];

/// Decides everything that is needed to connect.
pub fn resolve(address: &Address, environment: &ProcessEnvironment) -> Result<Target, ConnectError> {
    let settings = Settings::gather(address, environment)?;
    let notes = settings.check_treatments()?;
    let hosts = hosts(&settings)?;
    let user = settings.text("user").map_or_else(|| environment.user.clone(), str::to_owned);
    if user.is_empty() {
        return Err(ConnectError::Malformed {
            message: "no user is given and the operating system's user has no name".to_owned(),
            help: "Name the `user`.".to_owned(),
        });
    }
    let (password_file, note) = settings.password_file(environment);
    let application_name = settings.text("application_name").map(str::to_owned);
    Ok(Target {
        via: None,
        tls: tls(&settings, environment, &hosts)?,
        hosts,
        database: settings.text("dbname").unwrap_or(&user).to_owned(),
        user,
        password: settings.password(address),
        session_attributes: settings.choice("target_session_attrs", SESSION_ATTRIBUTES)?,
        load_balance: settings.choice("load_balance_hosts", LOAD_BALANCE)?,
        channel_binding: settings.choice("channel_binding", CHANNEL_BINDING)?,
        allowed_authentication: settings.allowed_authentication()?,
        connect_timeout: settings.seconds("connect_timeout")?,
        tcp_user_timeout: settings.number("tcp_user_timeout")?.filter(|n| *n > 0).map(Duration::from_millis),
        keepalives: settings.keepalives()?,
        options: settings.text("options").map(str::to_owned),
        application_name: application_name
            .or_else(|| settings.text("fallback_application_name").map(str::to_owned)),
        notes: notes.into_iter().chain(note).collect(),
        password_file,
    })
}

const SESSION_ATTRIBUTES: &[(&str, SessionAttributes)] = &[
    ("any", SessionAttributes::Any),
    ("read-write", SessionAttributes::ReadWrite),
    ("read-only", SessionAttributes::ReadOnly),
    ("primary", SessionAttributes::Primary),
    ("standby", SessionAttributes::Standby),
    ("prefer-standby", SessionAttributes::PreferStandby),
];
const LOAD_BALANCE: &[(&str, LoadBalance)] =
    &[("disable", LoadBalance::Disable), ("random", LoadBalance::Random)];
const CHANNEL_BINDING: &[(&str, ChannelBinding)] = &[
    ("prefer", ChannelBinding::Prefer),
    ("disable", ChannelBinding::Disable),
    ("require", ChannelBinding::Require),
];
const SSL_MODE: &[(&str, SslMode)] = &[
    ("disable", SslMode::Disable),
    ("allow", SslMode::Allow),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];
const SSL_NEGOTIATION: &[(&str, SslNegotiation)] =
    &[("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)];
/// The methods `require_auth` may name.
const METHODS: &[&str] = &["gss", "md5", "none", "oauth", "password", "scram-sha-256", "sspi"];

/// The settings of all sources, merged.
#[derive(Debug)]
struct Settings {
    values: BTreeMap<&'static str, String>,
    ambient: bool,
}

impl Settings {
    fn gather(address: &Address, environment: &ProcessEnvironment) -> Result<Self, ConnectError> {
        let mut values = BTreeMap::new();
        for (name, value) in &address.fields {
            values.insert(dsn::known(name, "the connection's fields")?.name, value.clone());
        }
        // Within one string the last of two equal names wins, hence the reversal.
        let written = address.dsn.as_deref().map(dsn::parse).transpose()?.unwrap_or_default();
        fill(&mut values, written.into_iter().rev());
        let ambient = address.ambient;
        let variable = |name: &str| environment.get(name).map(str::to_owned);
        let service = values.get("service").cloned();
        let service = service.or_else(|| if ambient { variable("PGSERVICE") } else { None });
        if let Some(service) = service.filter(|service| !service.is_empty()) {
            let file = values.get("servicefile").cloned().or_else(|| variable("PGSERVICEFILE"));
            fill(&mut values, service::lookup(&service, file.as_deref(), environment)?);
        }
        if ambient {
            fill(&mut values, KEYWORDS.iter().filter_map(|k| Some((k.name, variable(k.variable)?))));
        }
        Ok(Self { values, ambient })
    }

    /// The value, unless it is absent or empty.
    fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Refuses what would be unsafe to ignore; names what is ignored.
    fn check_treatments(&self) -> Result<Vec<String>, ConnectError> {
        let mut notes = Vec::new();
        for (name, value) in self.values.iter().filter(|(_, value)| !value.is_empty()) {
            match keyword(name).map(|keyword| keyword.treatment) {
                Some(Treatment::Refused { unless }) if !unless.contains(&value.as_str()) => {
                    return Err(ConnectError::Unsupported {
                        what: format!("the setting `{name}`"),
                        help: format!("Leave `{name}` out, or connect with another program."),
                    });
                }
                Some(Treatment::Ignored) => notes.push(format!("the setting `{name}` has no effect here")),
                _ => {}
            }
        }
        Ok(notes)
    }

    fn choice<T: Copy + Default>(
        &self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Result<T, ConnectError> {
        let Some(value) = self.text(name) else { return Ok(T::default()) };
        let found = choices.iter().find(|(word, _)| *word == value).map(|(_, choice)| *choice);
        found.ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            invalid(name, value, &format!("Use one of {}.", words.join(", ")))
        })
    }

    fn number(&self, name: &'static str) -> Result<Option<u64>, ConnectError> {
        let Some(value) = self.text(name) else { return Ok(None) };
        let number = value.trim().parse().map_err(|_| invalid(name, value, "Use a whole number."))?;
        Ok(Some(number))
    }

    /// Seconds; zero and negative values mean no bound, as for libpq.
    fn seconds(&self, name: &'static str) -> Result<Option<Duration>, ConnectError> {
        if self.text(name).is_some_and(|value| value.trim().starts_with('-')) {
            return Ok(None);
        }
        Ok(self.number(name)?.filter(|n| *n > 0).map(Duration::from_secs))
    }

    fn keepalives(&self) -> Result<Keepalives, ConnectError> {
        let default = Keepalives::default();
        let count = self.number("keepalives_count")?.filter(|count| *count > 0);
        Ok(Keepalives {
            enabled: self.number("keepalives")? != Some(0),
            idle: self.seconds("keepalives_idle")?.unwrap_or(default.idle),
            interval: self.seconds("keepalives_interval")?.unwrap_or(default.interval),
            count: count.map_or(default.count, |count| u32::try_from(count).unwrap_or(u32::MAX)),
        })
    }

    fn password(&self, address: &Address) -> Option<Secret> {
        let given = address.password.clone().filter(|password| !password.expose().is_empty());
        given.or_else(|| self.text("password").map(Secret::new))
    }

    fn password_file(&self, environment: &ProcessEnvironment) -> (PasswordFile, Option<String>) {
        let path = match self.text("passfile") {
            Some(path) => environment.directory.join(path),
            None => match &environment.home {
                Some(home) if self.ambient => home.join(".pgpass"),
                _ => return (PasswordFile::default(), None),
            },
        };
        PasswordFile::read(&path)
    }

    fn allowed_authentication(&self) -> Result<Option<BTreeSet<&'static str>>, ConnectError> {
        let name = "require_auth";
        let Some(value) = self.text(name) else { return Ok(None) };
        authentication_methods(value).map(Some).map_err(|help| invalid(name, value, &help))
    }
}

/// The methods that a value of `require_auth` allows; the error says what to write.
pub fn authentication_methods(value: &str) -> Result<BTreeSet<&'static str>, String> {
    let negated = value.starts_with('!');
    let mut named = BTreeSet::new();
    for word in value.split(',').map(str::trim) {
        let bare = word.strip_prefix('!').unwrap_or(word);
        match METHODS.iter().find(|method| **method == bare) {
            Some(method) if word.starts_with('!') == negated => named.insert(*method),
            Some(_) => return Err("Name either only methods to allow, or only to refuse.".to_owned()),
            None => return Err(format!("Use some of {}.", METHODS.join(", "))),
        };
    }
    if negated {
        named = METHODS.iter().copied().filter(|method| !named.contains(method)).collect();
    }
    Ok(named)
}

/// Adds what is not there yet.
fn fill(values: &mut BTreeMap<&'static str, String>, more: impl IntoIterator<Item = (&'static str, String)>) {
    for (name, value) in more {
        values.entry(name).or_insert(value);
    }
}

fn invalid(name: &str, value: &str, help: &str) -> ConnectError {
    ConnectError::Malformed {
        message: format!("`{value}` is not a value of `{name}`"),
        help: help.to_owned(),
    }
}

fn tls(
    settings: &Settings,
    environment: &ProcessEnvironment,
    hosts: &[Host],
) -> Result<TlsOptions, ConnectError> {
    let system = settings.text("sslrootcert") == Some("system");
    let mode = match settings.choice("sslmode", SSL_MODE)? {
        // libpq: with the system's roots anything weaker is pointless, so the default rises.
        SslMode::Prefer if system && settings.text("sslmode").is_none() => SslMode::VerifyFull,
        mode => mode,
    };
    if hosts.iter().all(|host| host.socket().is_some()) {
        // A socket never uses TLS, whatever `sslmode` says; so missing certificates do not matter either.
        return Ok(TlsOptions::disabled());
    }
    let owned = |name: &str| settings.text(name).map(str::to_owned);
    TlsOptions::load(&TlsSettings {
        mode,
        negotiation: settings.choice("sslnegotiation", SSL_NEGOTIATION)?,
        root: owned("sslrootcert"),
        certificate: owned("sslcert"),
        key: owned("sslkey"),
        revoked: owned("sslcrl"),
        send_certificate: settings.text("sslcertmode") != Some("disable"),
        server_name_indication: settings.text("sslsni") != Some("0"),
        minimum_version: owned("ssl_min_protocol_version"),
        defaults: default_certificates(settings, environment),
        directory: environment.directory.clone(),
    })
}

fn default_certificates(settings: &Settings, environment: &ProcessEnvironment) -> Option<PathBuf> {
    environment.home.as_ref().filter(|_| settings.ambient).map(|home| home.join(".postgresql"))
}

/// The hosts: `host`, `hostaddr` and `port` are parallel lists; a single port serves all.
fn hosts(settings: &Settings) -> Result<Vec<Host>, ConnectError> {
    let list = |name: &str| -> Vec<String> {
        settings
            .text(name)
            .map(|text| text.split(',').map(|item| item.trim().to_owned()).collect())
            .unwrap_or_default()
    };
    let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
        return Err(mismatch("hostaddr", addresses.len(), names.len()));
    }
    let count = names.len().max(addresses.len()).max(1);
    if ports.len() > 1 && ports.len() != count {
        return Err(mismatch("port", ports.len(), count));
    }
    (0..count)
        .map(|index| {
            let port = port(ports.get(if ports.len() == 1 { 0 } else { index }))?;
            host(names.get(index), addresses.get(index), port)
        })
        .collect()
}

fn mismatch(name: &str, found: usize, hosts: usize) -> ConnectError {
    ConnectError::Malformed {
        message: format!("there are {found} values of `{name}` for {hosts} hosts"),
        help: format!("Give one `{name}` for each host."),
    }
}

fn port(text: Option<&String>) -> Result<u16, ConnectError> {
    match text.map(String::as_str) {
        None | Some("") => Ok(DEFAULT_PORT),
        Some(text) => match text.parse() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(invalid("port", text, "Use a number from 1 to 65535.")),
        },
    }
}

fn host(name: Option<&String>, address: Option<&String>, port: u16) -> Result<Host, ConnectError> {
    let name = name.map(String::as_str).filter(|name| !name.is_empty());
    let address = address.map(String::as_str).filter(|address| !address.is_empty());
    if let Some(text) = address {
        let address: IpAddr = text
            .parse()
            .map_err(|_| invalid("hostaddr", text, "Use an IP address, and `host` for names."))?;
        return Ok(Host::Tcp { name: name.unwrap_or(text).to_owned(), address: Some(address), port });
    }
    match name {
        Some(name) if name.starts_with('/') => Ok(Host::Socket { directory: PathBuf::from(name), port }),
        Some(name) if name.starts_with('@') => Err(ConnectError::Unsupported {
            what: format!("the abstract socket `{name}`"),
            help: "Use a socket in a directory, or a host.".to_owned(),
        }),
        Some(name) => Ok(Host::Tcp { name: name.to_owned(), address: name.parse().ok(), port }),
        None => Ok(default_host(port)),
    }
}

/// A socket that is there, else this machine by TCP.
fn default_host(port: u16) -> Host {
    let found = SOCKET_DIRECTORIES
        .iter()
        .map(|directory| Host::Socket { directory: Path::new(directory).into(), port });
    let mut found = found.filter(|host| host.socket().is_some_and(|path| path.exists()));
    found.next().unwrap_or_else(|| Host::Tcp { name: "localhost".to_owned(), address: None, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> ProcessEnvironment {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ProcessEnvironment {
            variables: variables.collect(),
            home: None,
            user: "os_user".to_owned(),
            directory: "/".into(),
        }
    }

    fn target(dsn: &str, variables: &[(&str, &str)]) -> Result<Target, ConnectError> {
        let address = Address { dsn: Some(dsn.to_owned()), ambient: true, ..Address::default() };
        resolve(&address, &environment(variables))
    }

    fn check(dsn: &str, variables: &[(&str, &str)], expected: &str) {
        assert_eq!(target(dsn, variables).unwrap().describe(), expected, "{dsn} {variables:?}");
    }

    fn refuse(dsn: &str, expected: &str) {
        assert_eq!(target(dsn, &[]).unwrap_err().to_string(), expected, "{dsn}");
    }

    #[test]
    fn explicit_beats_environment_beats_defaults() {
        check("host=h", &[], "os_user on h:5432 as os_user");
        check("host=h user=u", &[], "u on h:5432 as u");
        check("", &[("PGHOST", "e"), ("PGPORT", "1"), ("PGUSER", "u"), ("PGDATABASE", "d")], "d on e:1 as u");
        check("postgresql://u@h/d", &[("PGHOST", "e"), ("PGPORT", "1"), ("PGUSER", "x")], "d on h:1 as u");
        check("host=h dbname=''", &[("PGDATABASE", "d")], "os_user on h:5432 as os_user");
        check("host=h host=i", &[], "os_user on i:5432 as os_user");
        check("only_a_name", &[("PGHOST", "e")], "only_a_name on e:5432 as os_user");
    }

    #[test]
    fn fields_beat_the_dsn_and_nothing_ambient_is_used_unasked() {
        let address = Address {
            dsn: Some("host=h dbname=d".to_owned()),
            fields: BTreeMap::from([("dbname".to_owned(), "f".to_owned())]),
            ..Address::default()
        };
        let target = resolve(&address, &environment(&[("PGUSER", "e"), ("PGPORT", "1")])).unwrap();
        assert_eq!(target.describe(), "f on h:5432 as os_user");
    }

    #[test]
    fn several_hosts() {
        check("host=a,b port=1,2", &[], "os_user on a:1, b:2 as os_user");
        check("host=a,b,/s port=7", &[], "os_user on a:7, b:7, /s/.s.PGSQL.7 as os_user");
        check("host=a,b port=1,", &[], "os_user on a:1, b:5432 as os_user");
        check("hostaddr=::1 port=1", &[], "os_user on [::1]:1 as os_user");
        refuse("host=a,b port=1,2,3", "there are 3 values of `port` for 2 hosts");
        refuse("host=a,b hostaddr=::1", "there are 1 values of `hostaddr` for 2 hosts");
        refuse("hostaddr=localhost", "`localhost` is not a value of `hostaddr`");
        refuse("host=a port=0", "`0` is not a value of `port`");
        refuse("host=a port=65536", "`65536` is not a value of `port`");
    }

    #[test]
    fn another_login_never_reuses_the_password() {
        let target = target("host=h user=u password=hidden dbname=d", &[]).unwrap();
        assert!(!format!("{target:?}").contains("hidden"));
        assert_eq!(target.with_database("x").describe(), "x on h:5432 as u");
        let other = target.with_login("v", None);
        assert_eq!((other.describe().as_str(), other.password), ("d on h:5432 as v", None));
    }

    #[test]
    fn values_are_checked() {
        refuse("host=h sslmode=maybe", "`maybe` is not a value of `sslmode`");
        refuse("host=h connect_timeout=soon", "`soon` is not a value of `connect_timeout`");
        refuse("host=h require_auth=md5,!none", "`md5,!none` is not a value of `require_auth`");
        refuse("host=h requirepeer=postgres", "the setting `requirepeer` is not supported");
        refuse("host=h sslnegotiation=direct", "`sslnegotiation=direct` needs `sslmode=require` or stronger");
        let timeout = |text| target(&format!("host=h connect_timeout={text}"), &[]).unwrap().connect_timeout;
        assert_eq!((timeout("3"), timeout("0"), timeout("-1")), (Some(Duration::from_secs(3)), None, None));
        let notes = target("host=h client_encoding=latin1", &[]).unwrap().notes;
        assert_eq!(notes, ["the setting `client_encoding` has no effect here"]);
    }
}
