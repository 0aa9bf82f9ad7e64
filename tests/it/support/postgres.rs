//! One throwaway PostgreSQL server per test process: Unix socket, loopback TCP with TLS, stopped at the end.
//!
//! Every test makes its own database, so tests never meet. A missing server is a failure that says what to install.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// A running server and the files to reach it with.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) directory: PathBuf,
    pub(crate) version: u32,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The password of the roles `scram_user` and `md5_user`.
pub(crate) const PASSWORD: &str = "correct horse";

/// The server of this test process; started by the first test that asks.
pub(crate) fn server() -> &'static Server {
    SERVER.get_or_init(start)
}

impl Server {
    /// Makes a new database and returns its name.
    pub(crate) fn database(&self) -> String {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
        name
    }

    /// Runs SQL as the superuser over the socket, beside the code under test.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(binary("psql"));
        psql.args(["-XAtqw", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", sql]);
        psql.arg("-h").arg(&self.directory).arg("-p").arg(self.port.to_string()).env_clear();
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Runs SQL as the superuser beside the test, until what is returned is dropped.
    pub(crate) fn background(&self, database: &str, sql: &str) -> Background {
        let mut psql = Command::new(binary("psql"));
        psql.args(["-XAtqw", "-U", "postgres", "-d", database, "-c", sql]).env_clear();
        psql.arg("-h").arg(&self.directory).arg("-p").arg(self.port.to_string());
        psql.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Background { psql: psql.spawn().unwrap(), sql: sql.to_owned() }
    }

    /// The path of a file in the server's directory.
    pub(crate) fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

/// A statement beside the test, ended on the server when it is dropped.
pub(crate) struct Background {
    psql: Child,
    sql: String,
}

impl Drop for Background {
    fn drop(&mut self) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query = ";
        server().psql("postgres", &format!("{end}'{}'", self.sql));
        let _ended = self.psql.wait();
    }
}

/// Finds a server program; on a Debian machine without it, root installs it, so that `cargo test` needs nothing else.
pub(crate) fn binary(name: &str) -> PathBuf {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let found = search(name).or_else(|| {
        INSTALLED.get_or_init(install);
        search(name)
    });
    found.unwrap_or_else(|| {
        panic!(
            "`{name}` not found: install the PostgreSQL server and its client (packages `postgresql` and \
             `postgresql-client`, or `postgresql-server`)"
        )
    })
}

fn install() {
    let apt = Path::new("/usr/bin/apt-get");
    if !rustix::process::geteuid().is_root() || !apt.exists() {
        return;
    }
    for arguments in [&["update"][..], &["install", "-y", "postgresql", "postgresql-client"]] {
        let mut command = Command::new(apt);
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        assert!(command.status().is_ok_and(|status| status.success()), "apt-get {arguments:?} failed");
    }
}

/// Looks in `PATH`, where `pg_config` says, then where distributions install.
#[allow(clippy::disallowed_methods, reason = "tests find the server's programs as a shell would")]
fn search(name: &str) -> Option<PathBuf> {
    let path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let mut directories: Vec<PathBuf> = path.into_iter().chain(configured).collect();
    for (parent, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .map(|entry| entry.path().join("bin"))
            .collect();
        found.sort();
        directories.extend(found.into_iter().rev());
    }
    directories.into_iter().map(|directory| directory.join(name)).find(|path| path.is_file())
}

/// A command that runs as an unprivileged user: the server refuses to run as root.
pub(crate) fn unprivileged(program: &Path, directory: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let (user, group) = owner();
    chown(directory, Some(user), Some(group)).unwrap();
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups", "--"]);
    command.arg(program);
    command
}

/// The user `postgres` if there is one, else `nobody`.
fn owner() -> (u32, u32) {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).expect("a user `postgres` or `nobody` to run the server as")
}

fn start() -> Server {
    let directory = tempfile::Builder::new().prefix("rb").tempdir_in("/tmp").unwrap().keep();
    std::fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    let data = directory.join("data");
    let mut initdb = unprivileged(&binary("initdb"), &directory);
    initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D"]);
    let output = initdb.arg(&data).current_dir(&directory).output().unwrap();
    assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    certificates(&directory);
    let port = free_port();
    configure(&data, &directory, port);
    let log = std::fs::File::create(directory.join("log")).unwrap();
    let mut postgres = unprivileged(&binary("postgres"), &directory);
    postgres.arg("-D").arg(&data).current_dir(&directory).stdin(Stdio::null());
    let child = postgres.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    watch(&child, &directory);
    let mut server = Server { port, directory, version: 0 };
    wait_until_ready(&server, child);
    server.psql(
        "postgres",
        &format!(
            "CREATE ROLE scram_user LOGIN PASSWORD '{PASSWORD}'; SET password_encryption = md5; \
         CREATE ROLE md5_user LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE tls_only LOGIN; \
         CREATE ROLE plain_only LOGIN; CREATE ROLE cert_user LOGIN"
        ),
    );
    server.version = server.psql("postgres", "SHOW server_version_num").parse().unwrap();
    server
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn configure(data: &Path, directory: &Path, port: u16) {
    let socket = directory.display();
    let settings = format!(
        "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{socket}'\nfsync = off\n\
         max_connections = 60\nssl = on\nssl_cert_file = '{socket}/server.crt'\nssl_key_file = '{socket}/server.key'\n\
         ssl_ca_file = '{socket}/root.crt'\nlog_statement = none\nmax_prepared_transactions = 5\n"
    );
    append(&data.join("postgresql.conf"), &settings);
    let rules = "hostssl all tls_only all trust\nhostnossl all plain_only all trust\n\
                 hostssl all cert_user all cert\nhost all tls_only,plain_only,cert_user all reject\n\
                 host all scram_user all scram-sha-256\nhost all md5_user all md5\n\
                 local all all trust\nhost all postgres all trust\n";
    std::fs::write(data.join("pg_hba.conf"), rules).unwrap();
}

fn append(path: &Path, text: &str) {
    let before = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, before + text).unwrap();
}

/// A root, a server certificate for `localhost`, a client certificate for `cert_user`, and a root nobody used.
fn certificates(directory: &Path) {
    let write = |name: &str, text: &str, mode: u32| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        if name == "server.key" && rustix::process::geteuid().is_root() {
            let (user, group) = owner();
            chown(&path, Some(user), Some(group)).unwrap();
        }
    };
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (root, stranger) = (authority("root"), authority("stranger"));
    write("root.crt", &root.pem(), 0o644);
    write("stranger.crt", &stranger.pem(), 0o644);
    for (file, name) in [("server", "localhost"), ("client", "cert_user")] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.signed_by(&key, &root).unwrap();
        write(&format!("{file}.crt"), &certificate.pem(), 0o644);
        write(&format!("{file}.key"), &key.serialize_pem(), 0o600);
    }
}

fn wait_until_ready(server: &Server, mut child: Child) {
    for _ in 0..300 {
        let mut ready = Command::new(binary("pg_isready"));
        ready.arg("-q").arg("-h").arg(&server.directory).arg("-p").arg(server.port.to_string());
        if ready.status().unwrap().success() {
            return;
        }
        if let Some(status) = child.try_wait().unwrap() {
            let log = std::fs::read_to_string(server.directory.join("log")).unwrap_or_default();
            panic!("the server ended with {status}: {log}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the server was not ready within 30 s");
}

/// Stops the server and removes its files once this process is gone, however it ends: statics are never dropped,
/// and a killed test run must leave nothing behind either.
#[allow(clippy::zombie_processes, reason = "the watcher outlives this process; that is its purpose")]
fn watch(server: &Child, directory: &Path) {
    let script = "while kill -0 \"$1\" 2>/dev/null; do sleep 0.2; done; kill -QUIT \"$2\" 2>/dev/null; \
                  for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 \"$2\" 2>/dev/null || break; sleep 0.2; done; rm -rf \"$3\"";
    let mut watcher = Command::new("sh");
    watcher.args(["-c", script, "sh", &std::process::id().to_string(), &server.id().to_string()]);
    watcher.arg(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    watcher.spawn().unwrap();
}
