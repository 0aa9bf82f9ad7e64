//! [`Seal`]: what a journal may not tell and a later leg cannot read again (language.md, section 3).
//!
//! An event with a secret in it stands masked in the journal and as it is in here, under the same number. Only the
//! owner may read the file, it is on disk before the journal's next sync, and it is deleted when the run is final.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::JournalError;
use crate::event::EventKind;

const SEAL: &str = "seal";

/// The sealed events of a run that is written.
#[derive(Debug)]
pub(super) struct Seal {
    path: PathBuf,
    file: Option<File>,
    dirty: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    #[serde(flatten)]
    kind: &'a EventKind,
}

#[derive(Deserialize)]
struct Sealed {
    seq: u64,
    #[serde(flatten)]
    kind: EventKind,
}

impl Seal {
    /// The seal of a run's directory; the file is made with its first event.
    pub(super) fn of(directory: &Path) -> Self {
        Self { path: directory.join(SEAL), file: None, dirty: false }
    }

    /// Keeps an event as it is.
    pub(super) fn keep(&mut self, seq: u64, kind: &EventKind) -> Result<(), JournalError> {
        let failed = JournalError::io("write", &self.path);
        let mut line = serde_json::to_vec(&Line { seq, kind }).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            let file = options.append(true).create(true).mode(0o600).open(&self.path);
            self.file = Some(file.map_err(JournalError::io("create", &self.path))?);
        }
        if let Some(file) = &mut self.file {
            file.write_all(&line).map_err(JournalError::io("write", &self.path))?;
        }
        self.dirty = true;
        Ok(())
    }

    /// Puts everything that was kept on disk.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        if let Some(file) = self.file.as_ref().filter(|_| self.dirty) {
            file.sync_data().map_err(JournalError::io("sync", &self.path))?;
        }
        self.dirty = false;
        Ok(())
    }

    /// Nothing of the run needs it any more.
    pub(super) fn destroy(&mut self) {
        self.file = None;
        self.dirty = false;
        // One that cannot be deleted is as private as before.
        fs::remove_file(&self.path).ok();
    }
}

/// The sealed events of a run's directory, by their number; none where there is no seal. A line that was not written to
/// its end ends them.
pub(super) fn read(directory: &Path) -> Result<BTreeMap<u64, EventKind>, JournalError> {
    let path = directory.join(SEAL);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(JournalError::io("read", &path)(error)),
    };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    Ok(lines
        .map_while(|line| serde_json::from_str(&line).ok())
        .map(|sealed: Sealed| (sealed.seq, sealed.kind))
        .collect())
}
