//! [`Writer`]: appends the events of one run.
//!
//! It holds the run's lock as long as it lives, and in memory no more than the lines not yet written.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::JournalError;
use super::head::HeadFile;
use super::record::{self, Hash};
use super::seal::Seal;
use crate::event::{Event, EventKind, Place};
use crate::model::Effect;

/// Lines wait in memory up to this many bytes.
const BUFFERED: usize = 64 * 1024;

/// Zeros written ahead of the lines: a sync of bytes that already belong to the file writes these bytes alone, where a
/// file that has grown takes the file system's own journal along, at several times the cost.
static AHEAD: [u8; 256 * 1024] = [0; 256 * 1024];

/// Appends the events of one run; the run is locked while this lives.
///
/// A failed write takes back what it wrote in part and keeps the lines, so [`Writer::flush`] may be tried again once
/// there is space; the event must not be appended a second time. After a failed sync nobody knows what is on disk:
/// from then on the writer refuses everything.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    /// The bytes of lines in the file.
    written: u64,
    /// The bytes of the file; those behind the lines are zeros.
    length: u64,
    head: HeadFile,
    /// The last line, in the file or in the buffer.
    seq: u64,
    hash: Hash,
    /// The last line `head` tells of.
    vouched: u64,
    /// Reads under way: what becomes of them may wait in memory, since a lost read is only read again.
    reads: HashSet<Place>,
    seal: Seal,
    broken: Option<String>,
}

/// How far an event must have come when `append` returns.
enum Urgency {
    Memory,
    System,
    Disk,
}

impl Writer {
    /// Continues a locked file that ends, after `written` bytes, with the line of this number and hash.
    pub(super) fn new(
        file: File,
        path: &Path,
        head: HeadFile,
        seal: Seal,
        written: u64,
        (seq, hash): (u64, Hash),
    ) -> Self {
        Self {
            file,
            path: path.to_owned(),
            head,
            buffer: Vec::new(),
            written,
            length: written,
            seq,
            hash,
            vouched: seq,
            reads: HashSet::new(),
            seal,
            broken: None,
        }
    }

    /// Adds an event and makes it as durable as its kind asks for; transient events are passed over.
    pub fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        if !event.kind.is_durable() {
            return Ok(());
        }
        self.refuse_if_broken()?;
        self.encode(event)?;
        match self.urgency(&event.kind) {
            Urgency::Memory if self.buffer.len() < BUFFERED => Ok(()),
            Urgency::Memory | Urgency::System => self.flush(),
            Urgency::Disk => self.sync(),
        }
    }

    /// Keeps the event of this number as it is, beside the journal that has it masked.
    pub fn seal(&mut self, seq: u64, kind: &EventKind) -> Result<(), JournalError> {
        self.refuse_if_broken()?;
        self.seal.keep(seq, kind)
    }

    /// Deletes what was sealed: the run is final.
    pub fn unseal(&mut self) {
        self.seal.destroy();
    }

    /// Hands every line to the operating system: they survive the end of this process.
    pub fn flush(&mut self) -> Result<(), JournalError> {
        self.refuse_if_broken()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all_at(&self.buffer, self.written) {
            // A line written in part must not stand before the next one.
            if self.cut().is_err() {
                self.broken = Some(error.to_string());
            }
            return Err(JournalError::io("write", &self.path)(error));
        }
        self.written += self.buffer.len() as u64;
        self.length = self.length.max(self.written);
        self.buffer.clear();
        Ok(())
    }

    /// Makes the file end with its last line.
    fn cut(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.written)?;
        self.length = self.written;
        Ok(())
    }

    /// Makes the file longer than its lines, unless there is no space: then the lines alone may still fit.
    fn grow(&mut self) -> std::io::Result<()> {
        match self.file.write_all_at(&AHEAD, self.written) {
            Ok(()) => self.length = self.written + AHEAD.len() as u64,
            Err(_) => self.cut()?,
        }
        Ok(())
    }

    /// Puts every line on disk, then says so in `head`: they survive a power cut, and their loss would be noticed.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.flush()?;
        self.seal.sync()?;
        if self.vouched == self.seq {
            return Ok(());
        }
        // The first sync may be the last one, as in a run of nothing but reads.
        let grown = if self.vouched > 0 && self.length == self.written { self.grow() } else { Ok(()) };
        if let Err(error) = grown.and_then(|()| self.file.sync_data()) {
            // The kernel may have dropped the pages and call the next sync a success.
            self.broken = Some(error.to_string());
            return Err(JournalError::io("sync", &self.path)(error));
        }
        self.head.replace(self.seq, &self.hash)?;
        self.vouched = self.seq;
        Ok(())
    }

    fn refuse_if_broken(&self) -> Result<(), JournalError> {
        match &self.broken {
            Some(cause) => Err(JournalError::Broken { path: self.path.clone(), cause: cause.clone() }),
            None => Ok(()),
        }
    }

    fn encode(&mut self, event: &Event) -> Result<(), JournalError> {
        let unfit = |what| JournalError::Unfit { path: self.path.clone(), seq: event.seq, what };
        if event.seq != self.seq + 1 {
            return Err(unfit(format!("the next one is number {}", self.seq + 1)));
        }
        let hash = record::encode(event, &self.hash, &mut self.buffer).map_err(unfit)?;
        self.hash = hash;
        self.seq = event.seq;
        Ok(())
    }

    /// What becomes of an effect is written at once, so that only a power cut, no killed process, leaves it uncertain.
    fn urgency(&mut self, kind: &EventKind) -> Urgency {
        let memory = match kind {
            kind if kind.is_synced() => return Urgency::Disk,
            EventKind::StepStarted { at, effect: Effect::Read, .. } => {
                self.reads.insert(at.clone());
                true
            }
            EventKind::AttemptFailed { at, .. } => self.reads.contains(at),
            EventKind::StepFinished { at, .. } => self.reads.remove(at),
            EventKind::VariableComputed { .. }
            | EventKind::ItemsListed { .. }
            | EventKind::StepSkipped { .. } => true,
            _ => false,
        };
        if memory { Urgency::Memory } else { Urgency::System }
    }
}

impl Drop for Writer {
    /// A run that ends by an error still leaves what it knows. Zeros that stay do no harm: a reader passes them over.
    fn drop(&mut self) {
        self.flush().ok();
        if self.length > self.written {
            self.cut().ok();
        }
    }
}
