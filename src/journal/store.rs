//! [`Store`]: where runs live, who may write one, and how one is found.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::head::HeadFile;
use super::reader::{self, Reading};
use super::record::Hash;
use super::seal::{self, Seal};
use super::{History, JournalError, RunSummary, Verdict, Writer, durations, summary};
use crate::event::EventKind;
use crate::model::{ProcessEnvironment, RunId, StepId};

pub(super) const JOURNAL: &str = "journal.ndjson";
pub(super) const HEAD: &str = "head";

/// The directory that holds one directory for each run.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store of this user: `$RUNBOOK_STATE`, else `runbook/runs` under `$XDG_STATE_HOME` or `~/.local/state`.
    pub fn open(environment: &ProcessEnvironment) -> Self {
        if let Some(directory) = environment.get("RUNBOOK_STATE") {
            return Self::at(environment.directory.join(directory));
        }
        // The XDG specification says to ignore a relative path.
        let xdg = environment.get("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let state = xdg
            .or_else(|| environment.home.as_ref().map(|home| home.join(".local/state")))
            .unwrap_or_else(|| environment.directory.join(".runbook"));
        Self::at(state.join("runbook/runs"))
    }

    /// A store in this directory, which need not exist yet.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { root: directory.into() }
    }

    /// The folder of the locks that runs without a server hold; none of its names is a run's.
    pub fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// The directory of a run.
    pub fn directory(&self, run: &RunId) -> PathBuf {
        self.root.join(run.as_str())
    }

    /// Begins a run's journal: readable by its owner only, locked, and its directory entry on disk.
    pub fn create(&self, run: &RunId) -> Result<Writer, JournalError> {
        let directory = self.directory(run);
        self.create_directory(run, &directory)?;
        let path = directory.join(JOURNAL);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(JournalError::io("create", &path))?;
        lock(&file, run, &path)?;
        let head = HeadFile::open(&directory)?;
        head.replace(0, &Hash::GENESIS)?;
        for directory in [&directory, &self.root] {
            sync_directory(directory)?;
        }
        Ok(Writer::new(file, &path, head, Seal::of(&directory), 0, (0, Hash::GENESIS)))
    }

    /// Continues a run's journal after its last good line; refuses one that is only good for reading.
    pub fn resume(&self, run: &RunId) -> Result<(Writer, History), JournalError> {
        let directory = self.directory(run);
        let path = directory.join(JOURNAL);
        let file =
            OpenOptions::new().write(true).open(&path).map_err(|error| self.missing(run, &path, error))?;
        lock(&file, run, &path)?;
        let Reading { history, bytes, seq, hash, .. } = reader::read(&directory, run)?;
        if let Verdict::ReportOnly(reason) = history.verdict {
            return Err(JournalError::ReportOnly { run: run.clone(), reason });
        }
        file.set_len(bytes).map_err(JournalError::io("write", &path))?;
        file.sync_data().map_err(JournalError::io("sync", &path))?;
        let head = HeadFile::open(&directory)?;
        head.replace(seq, &hash)?;
        Ok((Writer::new(file, &path, head, Seal::of(&directory), bytes, (seq, hash)), history))
    }

    /// The events of a run that stand masked in its journal, as they were, by their number.
    pub fn sealed(&self, run: &RunId) -> Result<BTreeMap<u64, EventKind>, JournalError> {
        seal::read(&self.directory(run))
    }

    /// Reads a run back.
    pub fn read(&self, run: &RunId) -> Result<History, JournalError> {
        let directory = self.directory(run);
        if !directory.is_dir() {
            return Err(self.not_found(run.as_str())?);
        }
        Ok(reader::read(&directory, run)?.history)
    }

    /// Every run, newest first; a run that cannot be read is listed as damaged.
    pub fn list(&self) -> Result<Vec<RunSummary>, JournalError> {
        Ok(self.runs()?.into_iter().map(|run| summary::summarise(&self.directory(&run), run)).collect())
    }

    /// How long each step of a runbook took in its newest finished run; a step that did not succeed is left out.
    pub fn last_durations(&self, runbook: &str) -> BTreeMap<StepId, f64> {
        let directories = self.runs().unwrap_or_default().into_iter().map(|run| self.directory(&run));
        durations::of_newest(directories, runbook)
    }

    /// The run a person means by a full name, by `last`, or by how its name begins or ends.
    pub fn find(&self, text: &str) -> Result<RunId, JournalError> {
        let runs = self.runs()?;
        let mut meant: Vec<RunId> = match text {
            "" => Vec::new(),
            "last" => runs.into_iter().take(1).collect(),
            _ => runs.into_iter().filter(|run| begins_or_ends(run.as_str(), text)).collect(),
        };
        match (meant.pop(), meant.is_empty()) {
            (None, _) => Err(self.not_found(text)?),
            (Some(run), true) => Ok(run),
            (Some(run), false) => {
                meant.push(run);
                Err(JournalError::Ambiguous { text: text.to_owned(), runs: meant })
            }
        }
    }

    /// The runs there are, newest first; whatever else lies in the directory is none of ours.
    fn runs(&self) -> Result<Vec<RunId>, JournalError> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(JournalError::io("list", &self.root)(error)),
        };
        let mut runs: Vec<RunId> =
            entries.flatten().filter_map(|entry| RunId::parse(entry.file_name().to_str()?)).collect();
        runs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(runs)
    }

    fn create_directory(&self, run: &RunId, directory: &Path) -> Result<(), JournalError> {
        let private = |recursive| {
            let mut builder = DirBuilder::new();
            builder.recursive(recursive).mode(0o700);
            builder
        };
        private(true).create(&self.root).map_err(JournalError::io("create", &self.root))?;
        private(false).create(directory).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists if is_locked(directory) => JournalError::Locked { run: run.clone() },
            io::ErrorKind::AlreadyExists => JournalError::Exists { run: run.clone() },
            _ => JournalError::io("create", directory)(error),
        })
    }

    fn missing(&self, run: &RunId, path: &Path, error: io::Error) -> JournalError {
        if error.kind() == io::ErrorKind::NotFound {
            return self.not_found(run.as_str()).unwrap_or_else(|error| error);
        }
        JournalError::io("open", path)(error)
    }

    fn not_found(&self, text: &str) -> Result<JournalError, JournalError> {
        let mut runs = self.runs()?;
        let tail =
            |run: &RunId| run.as_str().rsplit('-').next().map_or(usize::MAX, |end| distance(end, text));
        runs.sort_by_cached_key(|run| tail(run).min(distance(run.as_str(), text)));
        runs.truncate(3);
        Ok(JournalError::NotFound { text: text.to_owned(), nearest: runs })
    }
}

fn begins_or_ends(run: &str, text: &str) -> bool {
    run.starts_with(text) || run.ends_with(text)
}

fn distance(a: &str, b: &str) -> usize {
    strsim::damerau_levenshtein(a, b)
}

/// Whether a living process writes the run in this directory.
pub(super) fn is_locked(directory: &Path) -> bool {
    // Shared, so that two who look at the same time do not take each other for a writer.
    File::open(directory.join(JOURNAL))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Takes the run's lock, with a little patience: `is_locked` in another process holds it for a moment.
fn lock(file: &File, run: &RunId, path: &Path) -> Result<(), JournalError> {
    for _ in 0..10 {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(JournalError::io("lock", path)(error)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    Err(JournalError::Locked { run: run.clone() })
}

fn sync_directory(path: &Path) -> Result<(), JournalError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(JournalError::io("sync", path))
}
