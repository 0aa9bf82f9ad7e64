//! [`find`]: looks for an installed PostgreSQL server, without changing anything.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{package, process};
use crate::model::ProcessEnvironment;

/// The oldest major version that the shipped runbooks support.
const OLDEST_MAJOR: u32 = 12;

/// A PostgreSQL server that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBinaries {
    /// The folder that holds `postgres` and `initdb`.
    pub bin: PathBuf,
    /// The folder with the extensions' control files; does not exist where it could not be found out.
    pub share: PathBuf,
    /// The version as the server tells it, such as `15.18`.
    pub version: String,
    /// How it was found: `PATH`, `pg_config`, a folder, or `downloaded`.
    pub origin: String,
}

impl ServerBinaries {
    /// The major version, such as 15.
    pub fn major(&self) -> u32 {
        major_in(&self.version).unwrap_or_default()
    }

    /// Whether the extension is installed beside the server.
    pub fn has_extension(&self, name: &str) -> bool {
        self.share.join("extension").join(format!("{name}.control")).is_file()
    }
}

/// Finds a server: in `PATH`, by `pg_config`, in the folders of distributions, in the user's cache.
pub async fn find(environment: &ProcessEnvironment) -> Option<ServerBinaries> {
    for (folder, origin) in candidates(environment).await {
        if let Some(found) = examine(&folder, &origin).await {
            return Some(found);
        }
    }
    None
}

/// The folder as a server, if it holds one that runs and is new enough.
pub(super) async fn examine(folder: &Path, origin: &str) -> Option<ServerBinaries> {
    if !folder.join("initdb").is_file() || !folder.join("postgres").is_file() {
        return None;
    }
    let mut command = tokio::process::Command::new(folder.join("postgres"));
    command.arg("--version");
    let answer = process::output(command, Duration::from_secs(10)).await.ok()?;
    let version = version_of(&answer)?;
    let share = share_folder(folder, &version).await;
    Some(ServerBinaries { bin: folder.to_path_buf(), share, version, origin: origin.to_owned() })
}

async fn candidates(environment: &ProcessEnvironment) -> Vec<(PathBuf, String)> {
    let mut found: Vec<(PathBuf, String)> =
        in_path(environment).into_iter().map(|folder| (folder, "PATH".to_owned())).collect();
    found.extend(by_pg_config(environment).await.map(|folder| (folder, "pg_config".to_owned())));
    found.extend(
        distribution_folders().into_iter().map(|folder| (folder.clone(), folder.display().to_string())),
    );
    found.extend(package::cached(environment).into_iter().map(|folder| (folder, "downloaded".to_owned())));
    found
}

/// The folders of `PATH` that name a server, symbolic links followed to where its other programs are.
fn in_path(environment: &ProcessEnvironment) -> Vec<PathBuf> {
    let servers = process::search_path(environment).into_iter().flat_map(|folder| {
        ["postgres", "initdb"].map(|name| folder.join(name).canonicalize().ok()).into_iter().flatten()
    });
    let mut folders: Vec<PathBuf> = servers.filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
    folders.dedup();
    folders
}

async fn by_pg_config(environment: &ProcessEnvironment) -> Option<PathBuf> {
    pg_config(&process::which(environment, "pg_config")?, "--bindir").await
}

async fn pg_config(program: &Path, question: &str) -> Option<PathBuf> {
    let mut command = tokio::process::Command::new(program);
    command.arg(question);
    let answer = process::output(command, Duration::from_secs(10)).await.ok()?;
    Some(PathBuf::from(answer.trim())).filter(|folder| folder.is_dir())
}

/// Where distributions put servers, the newest version of each first.
fn distribution_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
        ("/usr/lib", "postgresql"),
    ] {
        folders.extend(versioned(Path::new(parent), prefix));
    }
    folders.push(PathBuf::from("/usr/local/pgsql/bin"));
    folders
}

fn versioned(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
    names.sort_by_key(|name| Reverse(major_in(&name[prefix.len()..])));
    names.into_iter().map(|name| parent.join(name).join("bin")).filter(|bin| bin.is_dir()).collect()
}

/// The number in a folder's name, such as 16 in `@16`; none sorts last.
fn major_in(name: &str) -> Option<u32> {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version_of(answer: &str) -> Option<String> {
    let version = answer.split_once("(PostgreSQL)")?.1.split_whitespace().next()?;
    major_in(version).filter(|major| *major >= OLDEST_MAJOR)?;
    Some(version.to_owned())
}

/// The shared folder: what the server's own `pg_config` says, else the usual places relative to it.
async fn share_folder(bin: &Path, version: &str) -> PathBuf {
    if let Some(folder) = pg_config(&bin.join("pg_config"), "--sharedir").await {
        return folder;
    }
    let root = bin.parent().unwrap_or(bin);
    let major = major_in(version).unwrap_or_default();
    let usual = [
        root.join("share/postgresql"),
        root.join(format!("share/postgresql@{major}")),
        root.join("share"),
        PathBuf::from(format!("/usr/share/postgresql/{major}")),
    ];
    let found = usual.iter().find(|folder| folder.join("extension").is_dir());
    found.unwrap_or(&usual[0]).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_old_ones_refused() {
        let check = |answer: &str, expected: Option<&str>| {
            assert_eq!(version_of(answer).as_deref(), expected, "{answer}");
        };
        check("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some("15.18"));
        check("postgres (PostgreSQL) 19beta1", Some("19beta1"));
        check("postgres (PostgreSQL) 12.22", Some("12.22"));
        check("postgres (PostgreSQL) 9.6.24", None);
        check("something else", None);
        check("", None);
    }

    #[test]
    fn newer_folders_come_first() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["9.6", "15", "18", "common"] {
            fs::create_dir_all(parent.path().join(name).join("bin")).unwrap();
        }
        let found = versioned(parent.path(), "");
        let expected = ["18", "15", "9.6", "common"].map(|name| parent.path().join(name).join("bin"));
        assert_eq!(found, expected);
        assert_eq!(versioned(&parent.path().join("nowhere"), ""), Vec::<PathBuf>::new());
    }

    #[tokio::test]
    async fn a_folder_counts_only_with_a_server_that_runs() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let program = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        };
        assert_eq!(examine(folder.path(), "here").await, None);
        program("initdb", "#!/bin/sh\n");
        program("postgres", "#!/bin/sh\nexit 1\n");
        assert_eq!(examine(folder.path(), "here").await, None);
        program("postgres", "#!/bin/sh\necho 'postgres (PostgreSQL) 17.2'\n");
        let found = examine(folder.path(), "here").await.unwrap();
        assert_eq!((found.version.as_str(), found.origin.as_str()), ("17.2", "here"));
        assert!(!found.has_extension("amcheck"));
    }
}
