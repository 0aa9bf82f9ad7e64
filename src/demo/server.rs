//! [`DemoServer`]: a PostgreSQL server of our own, on a Unix socket in a private directory, gone when it is dropped.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::account::Account;
use super::leftovers::{DemoDirectory, remove_leftovers};
use super::process::last_lines;
use super::{DemoError, Say, ServerBinaries, process};

/// Only part of the socket's name: the server listens on no network port.
const PORT: u16 = 5432;
const SUPERUSER: &str = "postgres";

/// Small enough for a few dozen idle sessions to fill the pool, large enough to look into it then.
const MAX_CONNECTIONS: u32 = 40;

/// A running throwaway server. Dropping it stops the server and removes its files; [`DemoServer::stop`] is kinder.
#[derive(Debug)]
pub struct DemoServer {
    /// The directory of the Unix socket, to be given as `host`.
    pub socket_dir: PathBuf,
    /// The port to be given with it.
    pub port: u16,
    /// The name of the superuser.
    pub superuser: String,
    /// The server's version.
    pub version: String,
    /// `None` only after the end.
    running: Option<(Child, DemoDirectory)>,
}

impl DemoServer {
    /// Removes what killed demos left, makes a new cluster and starts a server on it.
    pub async fn start(binaries: &ServerBinaries, say: Say<'_>) -> Result<Self, DemoError> {
        remove_leftovers(say).await;
        let account = Account::needed()?;
        let directory = DemoDirectory::create()?;
        let layout = Layout::prepare(&directory, account.as_ref())?;
        let who = account.as_ref().map_or(String::new(), |account| format!(" as `{}`", account.name));
        say(&format!(
            "starting PostgreSQL {} ({}){who} in {}",
            binaries.version,
            binaries.origin,
            layout.root.display()
        ));
        init(binaries, &layout, account.as_ref()).await?;
        let child = spawn(binaries, &layout, account.as_ref())?;
        let mut server = Self {
            socket_dir: layout.socket.clone(),
            port: PORT,
            superuser: SUPERUSER.to_owned(),
            version: binaries.version.clone(),
            running: Some((child, directory)),
        };
        server.wait_until_ready(&layout).await?;
        Ok(server)
    }

    /// A connection string for a user and a database; everyone is trusted on this socket.
    pub fn dsn(&self, user: &str, database: &str) -> String {
        let host = self.socket_dir.display().to_string();
        format!("host={} port={} user={} dbname={}", quote(&host), self.port, quote(user), quote(database))
    }

    /// Ends all sessions, stops the server and removes its files.
    pub async fn stop(mut self) -> Result<(), DemoError> {
        let Some((mut child, directory)) = self.running.take() else { return Ok(()) };
        signal(&child, Signal::INT);
        if tokio::time::timeout(Duration::from_secs(10), child.wait()).await.is_err() {
            signal(&child, Signal::QUIT);
            drop(tokio::time::timeout(Duration::from_secs(5), child.wait()).await);
        }
        directory.remove()
    }

    /// The server writes `ready` into its lock file; `pg_ctl` waits for the same word.
    async fn wait_until_ready(&mut self, layout: &Layout) -> Result<(), DemoError> {
        for _ in 0..600 {
            if layout.is_ready() {
                return Ok(());
            }
            if self.has_ended() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = fs::read_to_string(&layout.log).unwrap_or_default();
        Err(DemoError::NotReady { log: last_lines(&log, 5) })
    }

    fn has_ended(&mut self) -> bool {
        self.running.as_mut().is_none_or(|(child, _)| !matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for DemoServer {
    fn drop(&mut self) {
        let Some((mut child, directory)) = self.running.take() else { return };
        signal(&child, Signal::QUIT);
        // The files can go once the server has ended; it does so within milliseconds of this signal.
        for _ in 0..100 {
            if !matches!(child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // What cannot be removed now is removed by the next demo.
        drop(directory.remove());
    }
}

/// Where things are in the demo's directory.
struct Layout {
    root: PathBuf,
    data: PathBuf,
    socket: PathBuf,
    log: PathBuf,
}

impl Layout {
    fn prepare(directory: &DemoDirectory, account: Option<&Account>) -> Result<Self, DemoError> {
        let root = directory.path().to_path_buf();
        let (data, socket, log) = (root.join("data"), root.join("socket"), root.join("log"));
        if account.is_some() {
            directory.open_passage()?;
        }
        for folder in [&data, &socket] {
            DirBuilder::new().mode(0o700).create(folder).map_err(DemoError::file("create", folder))?;
            account.map_or(Ok(()), |account| account.own(folder))?;
        }
        Ok(Self { root, data, socket, log })
    }

    /// The eighth line of the lock file is the state.
    fn is_ready(&self) -> bool {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        text.lines().nth(7).is_some_and(|state| state.trim() == "ready")
    }
}

async fn init(
    binaries: &ServerBinaries,
    layout: &Layout,
    account: Option<&Account>,
) -> Result<(), DemoError> {
    let mut command = program(&binaries.bin.join("initdb"), &layout.root, account);
    command.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
    command.arg(format!("--username={SUPERUSER}")).arg("-D").arg(&layout.data);
    process::output(command, Duration::from_mins(2)).await.map(drop)
}

fn spawn(binaries: &ServerBinaries, layout: &Layout, account: Option<&Account>) -> Result<Child, DemoError> {
    let log = File::create(&layout.log).map_err(DemoError::file("create", &layout.log))?;
    let errors = log.try_clone().map_err(DemoError::file("write to", &layout.log))?;
    let mut command = program(&binaries.bin.join("postgres"), &layout.root, account);
    command.arg("-D").arg(&layout.data);
    for setting in settings(binaries, &layout.socket) {
        command.arg("-c").arg(setting);
    }
    // A group of its own: Ctrl-C at the terminal is for us, and we stop the server when it is time.
    command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(errors);
    let program = || binaries.bin.join("postgres").display().to_string();
    command.spawn().map_err(|error| DemoError::Program { program: program(), output: error.to_string() })
}

fn settings(binaries: &ServerBinaries, socket: &Path) -> Vec<String> {
    let mut settings = vec![
        "listen_addresses=".to_owned(),
        format!("unix_socket_directories={}", socket.display()),
        "unix_socket_permissions=0700".to_owned(),
        format!("port={PORT}"),
        format!("max_connections={MAX_CONNECTIONS}"),
        "cluster_name=runbook-demo".to_owned(),
        "shared_buffers=32MB".to_owned(),
        // Nothing here must survive a crash.
        "fsync=off".to_owned(),
        "synchronous_commit=off".to_owned(),
        "full_page_writes=off".to_owned(),
        "max_wal_size=1GB".to_owned(),
    ];
    if binaries.major() >= 14 {
        // A statement ends soon after its session was closed by us, not only when it is done.
        settings.push("client_connection_check_interval=1s".to_owned());
    }
    if binaries.has_extension("pg_stat_statements") {
        settings.push("shared_preload_libraries=pg_stat_statements".to_owned());
        // The workload runs in a loop inside one statement, and each of its queries is to be counted.
        settings.push("pg_stat_statements.track=all".to_owned());
    }
    settings
}

/// A server program with nothing of our environment, in a folder that the account may enter.
fn program(path: &Path, directory: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(path);
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
    command.current_dir(directory);
    if let Some(account) = account {
        account.run(&mut command);
    }
    command
}

fn signal(child: &Child, signal: Signal) {
    // Without an id it was waited for already; then the id may be someone else's.
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// A value of a connection string, quoted as libpq reads it.
fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests;
