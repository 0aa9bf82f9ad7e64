//! Name to runbook text: a path, `./runbooks`, `$RUNBOOK_PATH`, the user's folder, and the shipped runbooks, in this
//! order. Nothing is decoded here.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::diagnostic::Diagnostic;
use crate::model::{Failure, ProcessEnvironment};
use crate::yaml::{Limits, read_text};

/// The runbooks inside the binary.
static SHIPPED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/runbooks");

/// What the origin of a shipped runbook begins with.
pub const SHIPPED_PREFIX: &str = "shipped:";

/// What the name of a fixture ends in, in place of `.yaml`.
const FIXTURE_ENDING: &str = ".test.yaml";

/// Whether a file holds the fixture of a runbook, and no runbook.
pub fn is_fixture(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(FIXTURE_ENDING))
}

/// Where the fixture of a runbook is, there or not.
pub fn fixture_of(runbook: &str) -> String {
    let stem = runbook.strip_suffix(".yaml").or(runbook.strip_suffix(".yml"));
    format!("{}{FIXTURE_ENDING}", stem.unwrap_or(runbook))
}

/// Where the runbook of a fixture is.
pub fn runbook_of(fixture: &str) -> String {
    format!("{}.yaml", fixture.strip_suffix(FIXTURE_ENDING).unwrap_or(fixture))
}

/// A runbook that can be named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Where it is: a path, or `shipped:` and its file name.
    pub origin: String,
}

/// Why a runbook's text is not to be had.
#[derive(Debug)]
pub enum LookupError {
    /// No runbook has this name; names that exist.
    Unknown(Vec<String>),
    /// Its file cannot be read.
    Unreadable(Failure),
    /// Its file is no text.
    NotText(Box<Diagnostic>),
}

/// Where runbooks are found.
#[derive(Debug, Clone)]
pub struct Shelf {
    folders: Vec<PathBuf>,
    directory: PathBuf,
}

impl Shelf {
    /// The folders that the process environment names.
    pub fn new(process: &ProcessEnvironment) -> Self {
        let mut folders = vec![process.directory.join("runbooks")];
        folders.extend(process.get("RUNBOOK_PATH").into_iter().flat_map(std::env::split_paths));
        let config = process.get("XDG_CONFIG_HOME").map(PathBuf::from);
        let config = config.or_else(|| process.home.as_ref().map(|home| home.join(".config")));
        folders.extend(config.map(|config| config.join("runbook").join("runbooks")));
        Self { folders, directory: process.directory.clone() }
    }

    /// Every runbook that can be named; one that hides another of the same name stands alone.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let found = self.folders.iter().flat_map(|folder| in_folder(folder, &self.directory));
        let shipped = SHIPPED.files().filter(|file| !is_fixture(file.path())).filter_map(|file| {
            let path = file.path();
            Some(Entry { name: stem(path)?, origin: format!("{SHIPPED_PREFIX}{}", path.display()) })
        });
        for entry in found.chain(shipped) {
            if !entries.iter().any(|known| known.name == entry.name) {
                entries.push(entry);
            }
        }
        entries.sort();
        entries
    }

    /// The origin and text of a runbook, by name or path.
    pub fn find(&self, name: &str) -> Result<(String, String), LookupError> {
        if name.starts_with(SHIPPED_PREFIX) {
            return shipped(name).ok_or_else(|| LookupError::Unknown(Vec::new()));
        }
        if name.contains('/') || stem(Path::new(name)).is_some() {
            return read(&self.directory.join(name), name);
        }
        let entry = self.entries().into_iter().find(|entry| entry.name == name);
        let Some(entry) = entry else {
            return Err(LookupError::Unknown(self.entries().into_iter().map(|entry| entry.name).collect()));
        };
        shipped(&entry.origin).map_or_else(|| read(&self.directory.join(&entry.origin), &entry.origin), Ok)
    }

    /// A file beside a runbook. It must not lie above the runbook's folder.
    pub fn read_beside(&self, origin: &str, file: &str) -> Result<String, Failure> {
        let path = Path::new(file);
        let climbs = path.components().any(|part| matches!(part, std::path::Component::ParentDir));
        if path.is_absolute() || climbs {
            return Err(Failure::new(format!("`{file}` is outside the runbook's folder"))
                .help("Put the file beside the runbook, or in a folder below it."));
        }
        if let Some(shipped) = origin.strip_prefix(SHIPPED_PREFIX) {
            let beside = Path::new(shipped).parent().unwrap_or(Path::new("")).join(path);
            let found = SHIPPED.get_file(beside).and_then(include_dir::File::contents_utf8);
            return found
                .map(str::to_owned)
                .ok_or_else(|| Failure::new(format!("there is no file `{file}`")));
        }
        let beside = self.directory.join(origin).parent().unwrap_or(Path::new(".")).join(path);
        std::fs::read_to_string(&beside).map_err(|error| {
            Failure::new(format!("cannot read `{file}`: {error}"))
                .help("The path is relative to the runbook's file.")
        })
    }
}

/// The origin and text of a shipped runbook, by its origin.
fn shipped(origin: &str) -> Option<(String, String)> {
    let file = SHIPPED.get_file(origin.strip_prefix(SHIPPED_PREFIX)?)?;
    Some((origin.to_owned(), file.contents_utf8()?.to_owned()))
}

/// The runbooks of a folder; those below the working directory are named from there, as people do.
fn in_folder(folder: &Path, directory: &Path) -> Vec<Entry> {
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    files
        .filter_map(|file| {
            let path = file.ok()?.path();
            let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            let name = stem(&path).filter(|name| yaml && name != "runbook" && !is_fixture(&path))?;
            let shown = path.strip_prefix(directory).unwrap_or(&path);
            Some(Entry { name, origin: shown.display().to_string() })
        })
        .collect()
}

fn stem(path: &Path) -> Option<String> {
    let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    yaml.then(|| path.file_stem()?.to_str().map(str::to_owned)).flatten()
}

fn read(path: &Path, shown: &str) -> Result<(String, String), LookupError> {
    let unreadable = |error: &std::io::Error| {
        LookupError::Unreadable(
            Failure::new(format!("cannot read {shown}: {error}"))
                .help("Check the path, or give the name of a runbook: `runbook list` shows them."),
        )
    };
    let limits = Limits::default();
    let size = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    // A file far over the limit is refused before it is read.
    if size > limits.bytes as u64 * 64 {
        return Err(LookupError::Unreadable(Failure::new(format!("{shown} has {size} bytes, far too many"))));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let text = read_text(shown, bytes, &limits).map_err(|problem| LookupError::NotText(Box::new(problem)))?;
    Ok((shown.to_owned(), text))
}
