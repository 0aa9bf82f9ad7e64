//! [`TlsOptions`]: encryption as libpq understands it, read from settings and certificate files.
//!
//! Builds the rustls configuration with its provider named; never installs a process-wide one.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::connect_error::ConnectError;
use super::verify::{AcceptAny, CheckServer, Names};

/// How much encryption is wanted: `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Only if the server refuses without.
    Allow,
    /// If the server can.
    #[default]
    Prefer,
    /// Always; the certificate is checked only if there is a root certificate.
    Require,
    /// Always, with a certificate signed by a trusted root.
    VerifyCa,
    /// Also with a certificate for this very host.
    VerifyFull,
}

impl SslMode {
    /// The word that libpq uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// How TLS begins: `sslnegotiation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslNegotiation {
    /// After a question, as every version understands it.
    #[default]
    Postgres,
    /// At once; PostgreSQL 17 and later.
    Direct,
}

/// Encryption and certificates of a target.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// How much encryption is wanted.
    pub mode: SslMode,
    /// How it begins.
    pub negotiation: SslNegotiation,
    /// The rustls configuration; nothing when TLS can never be used.
    pub(super) config: Option<Arc<ClientConfig>>,
}

/// The settings that make a configuration, as text, and where default files are.
#[derive(Debug, Default)]
pub(super) struct TlsSettings {
    pub(super) mode: SslMode,
    pub(super) negotiation: SslNegotiation,
    pub(super) root: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
    pub(super) revoked: Option<String>,
    pub(super) send_certificate: bool,
    pub(super) server_name_indication: bool,
    pub(super) minimum_version: Option<String>,
    /// The directory of default files (`~/.postgresql`), if they may be used.
    pub(super) defaults: Option<PathBuf>,
    /// What relative paths start from.
    pub(super) directory: PathBuf,
}

impl TlsOptions {
    /// Reads the files and builds the configuration.
    pub(super) fn load(settings: &TlsSettings) -> Result<Self, ConnectError> {
        if settings.negotiation == SslNegotiation::Direct && settings.mode < SslMode::Require {
            return Err(ConnectError::Malformed {
                message: "`sslnegotiation=direct` needs `sslmode=require` or stronger".to_owned(),
                help: "Set `sslmode=require`, or leave `sslnegotiation` out.".to_owned(),
            });
        }
        let config = match settings.mode {
            SslMode::Disable => None,
            _ => Some(Arc::new(client_config(settings)?)),
        };
        Ok(Self { mode: settings.mode, negotiation: settings.negotiation, config })
    }

    /// No encryption, for a connection that never leaves the machine.
    pub fn disabled() -> Self {
        Self { mode: SslMode::Disable, ..Self::default() }
    }
}

fn client_config(settings: &TlsSettings) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(protocol_versions(settings)?)
        .map_err(|error| tls_setup(&error))?
        .dangerous();
    let builder = match trusted_roots(settings)? {
        Some(roots) => builder.with_custom_certificate_verifier(checker(settings, roots, provider)?),
        None => builder.with_custom_certificate_verifier(Arc::new(AcceptAny::new(&provider))),
    };
    let mut config = match client_certificate(settings)? {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| tls_setup(&error))?,
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = settings.server_name_indication;
    if settings.negotiation == SslNegotiation::Direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(config)
}

fn tls_setup(error: &rustls::Error) -> ConnectError {
    ConnectError::Malformed {
        message: format!("the TLS settings do not work: {error}"),
        help: "Check `sslcert`, `sslkey` and `ssl_min_protocol_version`.".to_owned(),
    }
}

const BOTH_VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const ONLY_TLS13: &[&SupportedProtocolVersion] = &[&TLS13];

fn protocol_versions(
    settings: &TlsSettings,
) -> Result<&'static [&'static SupportedProtocolVersion], ConnectError> {
    match settings.minimum_version.as_deref() {
        None | Some("" | "TLSv1" | "TLSv1.1" | "TLSv1.2") => Ok(BOTH_VERSIONS),
        Some("TLSv1.3") => Ok(ONLY_TLS13),
        Some(other) => Err(ConnectError::Malformed {
            message: format!("`{other}` is not a value of `ssl_min_protocol_version`"),
            help: "Use `TLSv1.2` or `TLSv1.3`.".to_owned(),
        }),
    }
}

/// Certificates that vouch for servers, with the bytes of each, or nothing when none are checked.
struct Roots {
    store: RootCertStore,
    pinned: Vec<CertificateDer<'static>>,
}

fn trusted_roots(settings: &TlsSettings) -> Result<Option<Roots>, ConnectError> {
    let verifying = settings.mode >= SslMode::VerifyCa;
    if settings.root.as_deref() == Some("system") {
        return system_roots(settings.mode).map(Some);
    }
    let path = match &settings.root {
        Some(path) => settings.directory.join(path),
        None => match &settings.defaults {
            Some(directory) => directory.join("root.crt"),
            None if verifying => return Err(no_root("none is named")),
            None => return Ok(None),
        },
    };
    // libpq: a root certificate that exists is used by every mode; one that is missing matters to verify-* only.
    if !path.exists() {
        let missing = format!("`{}` does not exist", path.display());
        return if verifying { Err(no_root(&missing)) } else { Ok(None) };
    }
    let pinned = read_certificates("root certificate file", &path)?;
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(pinned.iter().cloned());
    Ok(Some(Roots { store, pinned }))
}

fn no_root(problem: &str) -> ConnectError {
    ConnectError::Malformed {
        message: format!("the server's certificate cannot be checked: root certificate file: {problem}"),
        help: "Name the file in `sslrootcert`, use `sslrootcert=system` with `sslmode=verify-full`, or a weaker \
               `sslmode`."
            .to_owned(),
    }
}

fn system_roots(mode: SslMode) -> Result<Roots, ConnectError> {
    if mode != SslMode::VerifyFull {
        return Err(ConnectError::Malformed {
            message: "`sslrootcert=system` needs `sslmode=verify-full`".to_owned(),
            help: "Set `sslmode=verify-full`: any public authority signs certificates for anyone.".to_owned(),
        });
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err(no_root("this system has no trusted roots"));
    }
    Ok(Roots { store, pinned: Vec::new() })
}

fn checker(
    settings: &TlsSettings,
    roots: Roots,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<CheckServer>, ConnectError> {
    let names = if settings.mode == SslMode::VerifyFull { Names::Checked } else { Names::Ignored };
    let mut builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots.store), provider);
    if let Some(path) = revocation_file(settings) {
        let lists = read_pem("certificate revocation list", &path)?;
        builder = builder
            .with_crls(lists.into_iter().map(|list: CertificateRevocationListDer<'static>| list))
            .allow_unknown_revocation_status();
    }
    let chain = builder.build().map_err(|error| no_root(&error.to_string()))?;
    Ok(Arc::new(CheckServer { chain, pinned: roots.pinned, names }))
}

fn revocation_file(settings: &TlsSettings) -> Option<PathBuf> {
    let named = settings.revoked.as_ref().map(|path| settings.directory.join(path));
    named.or_else(|| default_file(settings, "root.crl"))
}

fn default_file(settings: &TlsSettings, name: &str) -> Option<PathBuf> {
    settings.defaults.as_ref().map(|directory| directory.join(name)).filter(|path| path.exists())
}

type ClientCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_certificate(settings: &TlsSettings) -> Result<Option<ClientCertificate>, ConnectError> {
    if !settings.send_certificate {
        return Ok(None);
    }
    let certificate = match &settings.certificate {
        Some(path) => settings.directory.join(path),
        None => match default_file(settings, "postgresql.crt") {
            Some(path) => path,
            None => return Ok(None),
        },
    };
    let key = match &settings.key {
        Some(path) => settings.directory.join(path),
        None => match default_file(settings, "postgresql.key") {
            Some(path) => path,
            None => return Err(no_key(&certificate)),
        },
    };
    let chain = read_certificates("client certificate", &certificate)?;
    check_key_mode(&key)?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(|error| {
        let help = "Use an unencrypted key in PEM format.";
        unusable("private key file", &key, &error.to_string(), help)
    })?;
    Ok(Some((chain, key)))
}

fn no_key(certificate: &Path) -> ConnectError {
    unusable(
        "client certificate",
        certificate,
        "there is no private key for it",
        "Name the key's file in `sslkey`, or set `sslcertmode=disable`.",
    )
}

/// libpq's rule: nobody but the owner, or root's group when root owns it.
fn check_key_mode(path: &Path) -> Result<(), ConnectError> {
    let metadata = std::fs::metadata(path).map_err(|error| {
        unusable("private key file", path, &error.to_string(), "Name an existing file in `sslkey`.")
    })?;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        let problem = "group or others have access to it";
        return Err(unusable("private key file", path, problem, "Set its mode to 0600 or less."));
    }
    Ok(())
}

fn read_certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let certificates = read_pem(what, path)?;
    if certificates.is_empty() {
        return Err(unusable(what, path, "it holds no certificate", "Name a file in PEM format."));
    }
    Ok(certificates)
}

fn read_pem<T: rustls::pki_types::pem::PemObject>(
    what: &'static str,
    path: &Path,
) -> Result<Vec<T>, ConnectError> {
    let items = T::pem_file_iter(path).and_then(Iterator::collect);
    items.map_err(|error| unusable(what, path, &error.to_string(), "Name a readable file in PEM format."))
}

fn unusable(what: &'static str, path: &Path, problem: &str, help: &str) -> ConnectError {
    ConnectError::File {
        what,
        path: path.display().to_string(),
        problem: problem.to_owned(),
        help: help.to_owned(),
    }
}
