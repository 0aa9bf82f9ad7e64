//! [`InputFile`]: a data file that a run reads.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncRead, BufReader, ReadBuf};

use super::{cannot, hexadecimal};
use crate::model::Failure;

/// Who sends takes little at a time, and each call to the system has to change threads.
const BUFFER: usize = 1 << 20;

/// A file being read, whose bytes are counted and summed up on their way.
#[derive(Debug)]
pub struct InputFile {
    file: BufReader<File>,
    length: u64,
    mode: u32,
    digest: Sha256,
    bytes: u64,
}

impl InputFile {
    /// Opens a file; a directory is none.
    pub async fn open(path: &Path) -> Result<Self, Failure> {
        let file = open_input(path).await?;
        let metadata = file.metadata().await.map_err(|error| cannot("read", path, &error))?;
        if !metadata.is_file() {
            return Err(Failure::new(format!("{} is not a file", path.display()))
                .help("Name a file; a wildcard takes all files of a folder."));
        }
        Ok(Self {
            file: BufReader::with_capacity(BUFFER, file),
            length: metadata.len(),
            mode: metadata.permissions().mode() & 0o777,
            digest: Sha256::new(),
            bytes: 0,
        })
    }

    /// How long it was when it was opened.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Who may do what with it, as `chmod` takes it.
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// How much of it was read, and the SHA-256 of that in hexadecimal.
    pub fn finish(self) -> (u64, String) {
        (self.bytes, hexadecimal(&self.digest.finalize()))
    }
}

impl AsyncRead for InputFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.file).poll_read(cx, buffer))?;
        let read = &buffer.filled()[before..];
        self.digest.update(read);
        self.bytes += read.len() as u64;
        Poll::Ready(Ok(()))
    }
}

/// Opens a data file to read.
pub async fn open_input(path: &Path) -> Result<File, Failure> {
    File::open(path).await.map_err(|error| {
        cannot("read", path, &error)
            .help("Data files are relative to `--files`, by default the working directory.")
    })
}
