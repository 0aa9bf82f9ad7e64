//! [`OutputFile`]: a data file that a run writes.

use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufWriter};

use super::{cannot, hexadecimal};
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

/// A file that is whole and on disk, still under its name with `.part` added. Dropped without [`SealedFile::keep`], it
/// is removed.
#[derive(Debug)]
pub struct SealedFile {
    kept: KeptFile,
    part: PartFile,
    overwrite: bool,
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
    pub async fn keep(self) -> Result<KeptFile, Failure> {
        self.seal().await?.keep().await
    }

    /// Syncs the file and closes it. Its name it gets later, together with those of other files.
    pub async fn seal(mut self) -> Result<SealedFile, Failure> {
        let cannot = |verb, error| cannot(verb, &self.path, &error);
        self.file.flush().await.map_err(|error| cannot("write", error))?;
        self.file.get_ref().sync_all().await.map_err(|error| cannot("sync", error))?;
        let sha256 = hexadecimal(&self.digest.finalize());
        let kept = KeptFile { path: self.path, bytes: self.bytes, sha256 };
        Ok(SealedFile { kept, part: self.part, overwrite: self.overwrite })
    }
}

impl SealedFile {
    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.kept.bytes
    }

    /// The SHA-256 of its bytes, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.kept.sha256
    }

    /// Gives the file its name.
    pub async fn keep(mut self) -> Result<KeptFile, Failure> {
        let path = &self.kept.path;
        if !self.overwrite && path.exists() {
            return Err(exists(path));
        }
        if let Some(part) = &self.part.0 {
            tokio::fs::rename(part, path).await.map_err(|error| cannot("rename", part, &error))?;
        }
        self.part.0 = None;
        Ok(self.kept)
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

fn exists(path: &Path) -> Failure {
    Failure::new(format!("{} exists already", path.display()))
        .help("Choose another name, or say `overwrite: true`.")
}
