//! [`Instance`]: a PostgreSQL server of a test's own, which may be stopped, restarted, followed and promoted.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::postgres::{binary, free_port, unprivileged};

/// A server with a data directory of its own; ended and removed when it is dropped.
pub(crate) struct Instance {
    directory: PathBuf,
    pub(crate) port: u16,
    postmaster: Option<Child>,
}

impl Instance {
    /// A new primary.
    pub(crate) fn primary() -> Self {
        let mut instance = Self::empty();
        instance.tool(
            "initdb",
            &["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D", "data"],
        );
        instance.start();
        instance
    }

    /// A standby that follows a primary.
    pub(crate) fn standby_of(primary: &Self) -> Self {
        let mut instance = Self::empty();
        let port = primary.port.to_string();
        let source = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres"];
        let rest = ["-D", "data", "-R", "-X", "stream", "-c", "fast", "--no-sync"];
        instance.tool("pg_basebackup", &[&source[..], &rest].concat());
        instance.start();
        instance
    }

    fn empty() -> Self {
        let directory = tempfile::Builder::new().prefix("rb").tempdir_in("/tmp").unwrap().keep();
        std::fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        Self { directory, port: free_port(), postmaster: None }
    }

    fn tool(&self, program: &str, arguments: &[&str]) {
        let mut command = unprivileged(&binary(program), &self.directory);
        let output = command.args(arguments).current_dir(&self.directory).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&mut self) {
        let mut command = unprivileged(&binary("postgres"), &self.directory);
        let port = self.port.to_string();
        command.args(["-D", "data", "-p", &port, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        command.args(["-c", "unix_socket_directories=", "-c", "log_statement=none"]);
        let log = std::fs::File::create(self.directory.join("log")).unwrap();
        command.current_dir(&self.directory).stdin(Stdio::null());
        self.postmaster = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        self.wait("SELECT true");
    }

    /// Stops it at once, as a crash does.
    pub(crate) fn crash(&mut self) {
        if let Some(mut postmaster) = self.postmaster.take() {
            let id = rustix::process::Pid::from_raw(postmaster.id().cast_signed()).unwrap();
            rustix::process::kill_process(id, rustix::process::Signal::QUIT).unwrap();
            postmaster.wait().unwrap();
        }
    }

    /// Makes a standby a primary.
    pub(crate) fn promote(&self) {
        self.psql("SELECT pg_promote()");
        self.wait("SELECT NOT pg_is_in_recovery()");
    }

    /// Runs SQL beside the program.
    pub(crate) fn psql(&self, sql: &str) -> String {
        self.try_psql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Waits until a query says `t`.
    pub(crate) fn wait(&self, sql: &str) {
        for _ in 0..400 {
            if self.try_psql(sql).is_ok_and(|answer| answer == "t") {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        panic!("never true: {sql}\n{log}");
    }

    fn try_psql(&self, sql: &str) -> Result<String, String> {
        let mut psql = Command::new(binary("psql"));
        psql.args(["-XAtqw", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-c", sql]);
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).env_clear();
        let output = psql.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.crash();
        std::fs::remove_dir_all(&self.directory).ok();
    }
}
