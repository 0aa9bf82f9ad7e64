//! Data files that a run reads and writes: written beside their name, synced, then renamed, so a half-written file
//! never carries the name of a whole one.

use std::io;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufWriter};

use crate::model::Failure;

/// COPY hands over a row at a time, and a call to the system for each would cost more than the server's work.
const BUFFER: usize = 1 << 20;

/// A file being written, under its name with `.part` added. Dropped without [`OutputFile::keep`], it is removed.
#[derive(Debug)]
pub struct OutputFile {
    file: BufWriter<File>,
    path: PathBuf,
    part: PartFile,
    digest: Sha256,
    bytes: u64,
    overwrite: bool,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

#[derive(Debug)]
struct PartFile(Option<PathBuf>);

impl Drop for PartFile {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // Where it cannot be removed it stays beside its name, as it would after a crash.
            std::fs::remove_file(path).ok();
        }
    }
}

impl OutputFile {
    /// Begins a file; an existing one is refused unless it may be overwritten.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self, Failure> {
        if !overwrite && path.exists() {
            return Err(exists(path));
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let mut options = std::fs::OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)
            .map_err(|error| cannot("write", &part, &error))?;
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER, File::from_std(file)),
            path: path.to_owned(),
            part: PartFile(Some(part)),
            digest: Sha256::new(),
            bytes: 0,
            overwrite,
        })
    }

    /// Appends everything a stream has, in constant memory, telling how many bytes there are so far.
    pub async fn fill(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Failure> {
        let mut chunk = vec![0; 256 << 10];
        loop {
            let count = stream.read(&mut chunk).await.map_err(|error| cannot("fill", &self.path, &error))?;
            if count == 0 {
                return Ok(());
            }
            let written = self.write_all(&chunk[..count]).await;
            written.map_err(|error| cannot("write", &self.path, &error))?;
            progress(self.bytes);
        }
    }

    /// Syncs the file and gives it its name.
    pub async fn keep(mut self) -> Result<KeptFile, Failure> {
        let Self { path, .. } = &self;
        let path = path.clone();
        self.file.flush().await.map_err(|error| cannot("write", &path, &error))?;
        self.file.get_ref().sync_all().await.map_err(|error| cannot("sync", &path, &error))?;
        if !self.overwrite && path.exists() {
            return Err(exists(&path));
        }
        if let Some(part) = self.part.0.take() {
            tokio::fs::rename(&part, &path).await.map_err(|error| cannot("rename", &part, &error))?;
        }
        let sha256 = hexadecimal(&self.digest.finalize());
        Ok(KeptFile { path, bytes: self.bytes, sha256 })
    }
}

impl AsyncWrite for OutputFile {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.file).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.digest.update(&bytes[..count]);
            self.bytes += count as u64;
        }
        written
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_shutdown(cx)
    }
}

/// Opens a data file to read.
pub async fn open_input(path: &Path) -> Result<File, Failure> {
    File::open(path).await.map_err(|error| {
        cannot("read", path, &error)
            .help("Data files are relative to `--files`, by default the working directory.")
    })
}

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

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn exists(path: &Path) -> Failure {
    Failure::new(format!("{} exists already", path.display()))
        .help("Choose another name, or say `overwrite: true`.")
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot {verb} {}: {error}", path.display()))
}
