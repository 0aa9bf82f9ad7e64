//! [`LockFile`]: a key as a locked file, for runs that only concern this machine.
//!
//! The system frees it when the process ends. The file stays: one that is removed could be locked twice.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Claim, Holder, Taken, hexadecimal};
use crate::model::Failure;

/// A key as a locked file.
#[derive(Debug)]
pub(super) struct LockFile {
    path: PathBuf,
    claim: Claim,
    file: Option<File>,
    now: fn() -> Timestamp,
}

/// What stands in the file of a key that is held.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    claim: Claim,
    since: Timestamp,
}

impl LockFile {
    pub(super) fn new(folder: &Path, claim: Claim, now: fn() -> Timestamp) -> Self {
        Self { path: folder.join(hexadecimal(&claim.key, 8)), claim, file: None, now }
    }

    pub(super) fn is_held(&self) -> bool {
        self.file.is_some()
    }

    pub(super) fn take(&mut self) -> Result<Taken, Failure> {
        if self.is_held() {
            return Ok(Taken::Held);
        }
        let mut file = self.open().map_err(|error| self.unusable(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Taken::Busy(self.holder())),
            Err(TryLockError::Error(error)) => return Err(self.unusable(&error)),
        }
        self.sign(&mut file).map_err(|error| self.unusable(&error))?;
        self.file = Some(file);
        Ok(Taken::Held)
    }

    pub(super) fn look(&self) -> Result<Option<Holder>, Failure> {
        match File::open(&self.path) {
            // Shared, so that two who look at the same time do not take each other for the holder.
            Ok(file) => match file.try_lock_shared() {
                Err(TryLockError::WouldBlock) => Ok(Some(self.holder())),
                _ => Ok(None),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unusable(&error)),
        }
    }

    fn open(&self) -> io::Result<File> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path)
    }

    fn sign(&self, file: &mut File) -> io::Result<()> {
        let entry = Entry { claim: self.claim.clone(), since: (self.now)() };
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&serde_json::to_vec(&entry)?)
    }

    /// Who holds it; a holder that has not signed yet is nobody known.
    fn holder(&self) -> Holder {
        let text = fs::read(&self.path).unwrap_or_default();
        let Ok(Entry { claim, since }) = serde_json::from_slice(&text) else { return Holder::default() };
        let about = format!("of {} by {}", claim.runbook, claim.operator);
        Holder { run: Some(claim.run), about, since: Some(since), silent: None }
    }

    fn unusable(&self, error: &io::Error) -> Failure {
        Failure::new(format!("the lock file {} cannot be used: {error}", self.path.display()))
    }
}
