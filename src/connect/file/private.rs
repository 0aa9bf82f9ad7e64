//! [`PrivateFile`]: a file for a program that wants its secret in one.

use std::io;
use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::model::Failure;

/// A file that only its owner can read, removed when dropped.
#[derive(Debug)]
pub struct PrivateFile(NamedTempFile);

impl PrivateFile {
    /// Writes a private file.
    pub fn create(text: &str) -> Result<Self, Failure> {
        let refused = |error: io::Error| Failure::new(format!("cannot write a private file: {error}"));
        let mut file = NamedTempFile::with_prefix("runbook-").map_err(refused)?;
        file.write_all(text.as_bytes()).map_err(refused)?;
        Ok(Self(file))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}
