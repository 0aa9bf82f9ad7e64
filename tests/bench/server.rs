//! A throwaway PostgreSQL server as it comes: it syncs every commit, unlike the demo's, since that is what is compared.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SUPERUSER: &str = "postgres";

/// A running server, stopped and removed when it is dropped.
pub(crate) struct Server {
    child: Child,
    folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        // A socket's path is short, so the folder is not below the build's.
        let folder = tempfile::Builder::new().prefix("rb").tempdir_in("/tmp").unwrap();
        set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let data = folder.path().join("data");
        let mut initdb = unprivileged("initdb", folder.path());
        initdb.args(["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-locale", "-D"]).arg(&data);
        assert!(initdb.stdout(Stdio::null()).status().unwrap().success(), "initdb failed");
        let mut postgres = unprivileged("postgres", folder.path());
        postgres
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "fsync=on", "-k"])
            .arg(folder.path());
        let child =
            postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, folder };
        server.wait_until_ready();
        server
    }

    /// The variables by which libpq's programs find it.
    pub(crate) fn environment(&self) -> [(&'static str, String); 3] {
        let host = self.folder.path().display().to_string();
        [("PGHOST", host), ("PGUSER", SUPERUSER.to_owned()), ("PGDATABASE", "postgres".to_owned())]
    }

    pub(crate) fn psql(&self, sql: &str) {
        let mut psql = Command::new(binary("psql"));
        let status = psql.args(["-Xq", "-c", sql]).env_clear().envs(self.environment()).status().unwrap();
        assert!(status.success(), "{sql}");
    }

    fn wait_until_ready(&self) {
        for _ in 0..300 {
            let mut ready = Command::new(binary("pg_isready"));
            if ready.arg("-q").envs(self.environment()).status().unwrap().success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the server was not ready within 30 s");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::INT).ok();
        drop(self.child.wait());
    }
}

/// Finds a program of PostgreSQL: in `PATH`, then where distributions install.
pub(crate) fn binary(name: &str) -> PathBuf {
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    installed.sort();
    folders.extend(installed.into_iter().rev());
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("`{name}` not found: install the PostgreSQL server and client"))
}

/// The server refuses to run as root, so there it runs as the account of its package.
fn unprivileged(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(binary(name));
    command.current_dir(folder);
    if rustix::process::geteuid().is_root() {
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
        let line =
            accounts.lines().find(|line| line.starts_with("postgres:")).expect("an account `postgres`");
        let ids: Vec<u32> = line.split(':').filter_map(|field| field.parse().ok()).collect();
        chown(folder, Some(ids[0]), Some(ids[1])).unwrap();
        command.uid(ids[0]).gid(ids[1]);
    }
    command
}
