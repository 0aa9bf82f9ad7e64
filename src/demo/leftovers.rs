//! The demo's directory, its marker, and the removal of directories whose demo was killed.
//!
//! A demo holds a lock on its marker file as long as it lives. The lock, not the process id inside, tells whether it is
//! alive: the kernel drops it however the process ends, and no other process can inherit it by a reused id. Nothing is
//! removed that is not a real directory of ours with a marker whose lock is free.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

use super::{DemoError, Say, process};

/// Not `TMPDIR`, which is often too long: a socket's path is limited to about a hundred bytes.
const PARENT: &str = "/tmp";
const PREFIX: &str = "runbook-demo-";
const MARKER: &str = "runbook-demo";

/// A private directory for one demo, and the lock that says that the demo lives.
#[derive(Debug)]
pub(super) struct DemoDirectory {
    directory: TempDir,
    _marker: File,
}

impl DemoDirectory {
    /// Makes the directory, closed to everyone else.
    pub(super) fn create() -> Result<Self, DemoError> {
        Self::create_in(Path::new(PARENT))
    }

    fn create_in(parent: &Path) -> Result<Self, DemoError> {
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent);
        let directory = directory.map_err(DemoError::file("write to", parent))?;
        let marker = mark(directory.path()).map_err(DemoError::file("write to", directory.path()))?;
        Ok(Self { directory, _marker: marker })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Lets other accounts pass through, but not look: needed when the server runs as another account.
    pub(super) fn open_passage(&self) -> Result<(), DemoError> {
        let mode = fs::Permissions::from_mode(0o711);
        fs::set_permissions(self.path(), mode).map_err(DemoError::file("change mode of", self.path()))
    }

    /// Removes the directory and all in it.
    pub(super) fn remove(self) -> Result<(), DemoError> {
        let path = self.path().to_path_buf();
        self.directory.close().map_err(DemoError::file("remove", path))
    }
}

/// The marker gets its name only once it is locked, so no other demo ever sees it unlocked while we live.
fn mark(directory: &Path) -> std::io::Result<File> {
    let new = directory.join("marker.new");
    let mut marker = File::create_new(&new)?;
    marker.try_lock()?;
    writeln!(marker, "{}", std::process::id())?;
    fs::rename(new, directory.join(MARKER))?;
    Ok(marker)
}

/// Removes what demos that were killed have left: their servers, then their directories.
pub(super) async fn remove_leftovers(say: Say<'_>) {
    for directory in dead_demos(Path::new(PARENT)) {
        end_server(&directory.join("data")).await;
        if fs::remove_dir_all(&directory).is_ok() {
            say(&format!("removed {}, left by a demo that was killed", directory.display()));
        }
    }
}

fn dead_demos(parent: &Path) -> Vec<PathBuf> {
    let ours = rustix::process::geteuid().as_raw();
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let demos =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)));
    let paths = demos.map(|entry| entry.path());
    paths.filter(|path| is_own_directory(path, ours) && is_abandoned(path)).collect()
}

fn is_own_directory(path: &Path, uid: u32) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == uid)
}

fn is_abandoned(directory: &Path) -> bool {
    File::open(directory.join(MARKER)).is_ok_and(|marker| marker.try_lock().is_ok())
}

/// Ends the server of that data directory at once, if there is one, and waits for its end.
async fn end_server(data: &Path) {
    let Some(pid) = server_of(data).await else { return };
    let _ = kill_process(pid, Signal::QUIT);
    for _ in 0..50 {
        if test_kill_process(pid).is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The server that runs on a data directory: the process that its lock file names, if its command line agrees.
async fn server_of(data: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = text.lines().next()?.trim().parse().ok().and_then(Pid::from_raw)?;
    let command = command_line(pid).await?;
    command.contains(data.to_str()?).then_some(pid)
}

async fn command_line(pid: Pid) -> Option<String> {
    let id = pid.as_raw_nonzero().to_string();
    if let Ok(bytes) = fs::read(Path::new("/proc").join(&id).join("cmdline")) {
        return Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    let mut command = tokio::process::Command::new("ps");
    command.args(["-o", "command=", "-p", &id]);
    process::output(command, Duration::from_secs(5)).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dead_demos_are_leftovers() {
        let parent = tempfile::tempdir().unwrap();
        let alive = DemoDirectory::create_in(parent.path()).unwrap();
        fs::create_dir(parent.path().join("runbook-demo-foreign")).unwrap();
        fs::write(parent.path().join("runbook-demo-file"), "").unwrap();
        std::os::unix::fs::symlink(alive.path(), parent.path().join("runbook-demo-link")).unwrap();
        assert_eq!(dead_demos(parent.path()), Vec::<PathBuf>::new());

        let killed = parent.path().join("runbook-demo-killed");
        fs::create_dir(&killed).unwrap();
        fs::write(killed.join(MARKER), "1\n").unwrap();
        assert_eq!(dead_demos(parent.path()), [killed]);
        alive.remove().unwrap();
    }

    #[tokio::test]
    async fn a_process_that_does_not_serve_the_directory_is_left_alone() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(server_of(data.path()).await, None);
        fs::write(data.path().join("postmaster.pid"), format!("{}\n", std::process::id())).unwrap();
        assert_eq!(server_of(data.path()).await, None);
    }
}
