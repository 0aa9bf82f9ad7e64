//! The file `head`: number and hash of the last line that was synced, so that lost last lines are noticed.
//!
//! It is written over in place, always at the same length and in one call, so a process that ends in between leaves
//! the old one or the new one. It is not synced itself: an older head after a power cut notices a little less, and costs
//! no second sync an effect. A new file for each effect would cost more than the sync of the journal.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::record::Hash;
use super::{JournalError, store::HEAD};

/// What `head` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Head {
    /// The last line that was synced.
    At(u64, Hash),
    /// The file is empty, which is how a file system may leave it after a power cut: it says nothing.
    Silent,
    /// It is not there, or makes no sense.
    Damaged(String),
}

#[derive(Deserialize)]
struct Written {
    seq: u64,
    hash: String,
}

/// Reads the head of a run's directory.
pub(super) fn read(directory: &Path) -> Result<Head, JournalError> {
    let path = directory.join(HEAD);
    match fs::read(&path) {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Head::Damaged("`head` is missing".to_owned()))
        }
        Err(error) => Err(JournalError::io("read", &path)(error)),
    }
}

fn parse(bytes: &[u8]) -> Head {
    if bytes.is_empty() {
        return Head::Silent;
    }
    serde_json::from_slice(bytes)
        .ok()
        .and_then(|head: Written| Some(Head::At(head.seq, Hash::parse(head.hash.as_bytes())?)))
        .unwrap_or_else(|| Head::Damaged("`head` is damaged".to_owned()))
}

/// The head of a run that is written.
#[derive(Debug)]
pub(super) struct HeadFile {
    file: File,
    path: PathBuf,
}

impl HeadFile {
    /// Opens the head of a run's directory; it is made if it is not there.
    pub(super) fn open(directory: &Path) -> Result<Self, JournalError> {
        let path = directory.join(HEAD);
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        Ok(Self { file: file.map_err(JournalError::io("open", &path))?, path })
    }

    /// Replaces what it says.
    pub(super) fn replace(&self, seq: u64, hash: &Hash) -> Result<(), JournalError> {
        // The blanks keep the length, and are none of a JSON reader's business.
        let head = format!("{{\"seq\":{seq:<20},\"hash\":\"{}\"}}\n", hash.as_str());
        self.file.write_all_at(head.as_bytes(), 0).map_err(JournalError::io("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_or_says_what_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(read(path).unwrap(), Head::Damaged("`head` is missing".to_owned()));
        let head = HeadFile::open(path).unwrap();
        head.replace(7, &Hash::GENESIS).unwrap();
        head.replace(8, &Hash::GENESIS).unwrap();
        assert_eq!(read(path).unwrap(), Head::At(8, Hash::GENESIS));
        for (bytes, expected) in [("", Head::Silent), ("{", Head::Damaged("`head` is damaged".to_owned()))] {
            fs::write(path.join(HEAD), bytes).unwrap();
            assert_eq!(read(path).unwrap(), expected);
        }
    }
}
