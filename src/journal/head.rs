//! The file `head`: number and hash of the last line that was synced, so that lost last lines are noticed.
//!
//! It is replaced by a rename and not synced itself: an older head after a power cut notices a little less, and
//! costs no second sync an effect.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::record::Hash;
use super::{JournalError, store::HEAD};

/// What `head` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Head {
    /// The last line that was synced.
    At(u64, Hash),
    /// The file is empty, which is how some file systems leave a renamed file after a power cut: it says nothing.
    Silent,
    /// It is not there, or makes no sense.
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
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

/// Replaces the head of a run's directory: a reader sees the old one or the new one.
pub(super) fn replace(directory: &Path, seq: u64, hash: &Hash) -> Result<(), JournalError> {
    let path = directory.join(HEAD);
    let fresh = directory.join("head.new");
    write(&fresh, seq, hash).map_err(JournalError::io("write", &fresh))?;
    fs::rename(&fresh, &path).map_err(JournalError::io("replace", &path))
}

fn write(path: &Path, seq: u64, hash: &Hash) -> io::Result<()> {
    let head = serde_json::to_string(&Written { seq, hash: hash.as_str().to_owned() })?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{head}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_or_says_what_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(read(path).unwrap(), Head::Damaged("`head` is missing".to_owned()));
        replace(path, 7, &Hash::GENESIS).unwrap();
        replace(path, 8, &Hash::GENESIS).unwrap();
        assert_eq!(read(path).unwrap(), Head::At(8, Hash::GENESIS));
        for (bytes, expected) in [("", Head::Silent), ("{", Head::Damaged("`head` is damaged".to_owned()))] {
            fs::write(path.join(HEAD), bytes).unwrap();
            assert_eq!(read(path).unwrap(), expected);
        }
    }
}
