//! [`History`]: a journal read back and verified.
//!
//! A journal is whole, or whole but for one torn last line (the process died while it wrote), or report-only. Zeros
//! behind what was synced were put there by the writer for lines that never came, or came in part.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::head::{self, Head};
use super::record::{self, Hash};
use super::{JournalError, store::JOURNAL};
use crate::event::Event;
use crate::model::RunId;

/// What a journal says.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The events up to the end or the first damage, each verified.
    pub events: Vec<Event>,
    /// Whether one torn last line was dropped.
    pub torn: bool,
    /// Whether the run may be continued from here.
    pub verdict: Verdict,
}

/// What a journal is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything: the run may be resumed or rolled back from it.
    Ok,
    /// Reading only, and why.
    ReportOnly(String),
}

/// A history and where its last good line ends.
pub(super) struct Reading {
    pub(super) history: History,
    pub(super) bytes: u64,
    pub(super) seq: u64,
    pub(super) hash: Hash,
    /// The hash of the line that `head` tells of.
    vouched: Option<Hash>,
}

/// Reads the journal in a run's directory.
pub(super) fn read(directory: &Path, run: &RunId) -> Result<Reading, JournalError> {
    // The head first: a living writer may add lines in between, and a head ahead of its lines would look like a loss.
    let head = head::read(directory)?;
    let path = directory.join(JOURNAL);
    let file = File::open(&path).map_err(JournalError::io("read", &path))?;
    let mut lines = BufReader::with_capacity(1 << 18, file);
    let mut reading = Reading::new(&head);
    let mut line = Vec::new();
    loop {
        line.clear();
        lines.read_until(b'\n', &mut line).map_err(JournalError::io("read", &path))?;
        if !reading.take(&line, run, &head) {
            break;
        }
    }
    reading.compare(&head);
    Ok(reading)
}

impl Reading {
    fn new(head: &Head) -> Self {
        Self {
            history: History { events: Vec::new(), torn: false, verdict: Verdict::Ok },
            bytes: 0,
            seq: 0,
            hash: Hash::GENESIS,
            vouched: matches!(head, Head::At(0, _)).then_some(Hash::GENESIS),
        }
    }

    /// Takes a line with its newline; whether there can be more.
    fn take(&mut self, line: &[u8], run: &RunId, head: &Head) -> bool {
        let synced = matches!(head, Head::At(seq, _) if *seq > self.seq);
        let whole = |content: &&[u8]| synced || !content.contains(&0);
        let Some(content) = line.strip_suffix(b"\n").filter(whole) else {
            self.history.torn = line.iter().any(|&byte| byte != 0);
            return false;
        };
        match record::decode(content, &self.hash).and_then(|found| self.fits(found, run)) {
            Ok((event, hash)) => {
                self.bytes += line.len() as u64;
                self.seq = event.seq;
                self.hash = hash;
                if matches!(head, Head::At(seq, _) if *seq == event.seq) {
                    self.vouched = Some(hash);
                }
                self.history.events.push(event);
                true
            }
            Err(reason) => {
                self.history.verdict = Verdict::ReportOnly(format!("line {} {reason}", self.seq + 1));
                false
            }
        }
    }

    fn fits(&self, (event, hash): (Event, Hash), run: &RunId) -> Result<(Event, Hash), String> {
        if event.run != *run {
            return Err(format!("belongs to run `{}`", event.run));
        }
        if event.seq != self.seq + 1 {
            return Err(format!("has number {}", event.seq));
        }
        Ok((event, hash))
    }

    /// Lines that were synced must be there, and be the same.
    fn compare(&mut self, head: &Head) {
        if self.history.verdict != Verdict::Ok {
            return;
        }
        let reason = match head {
            Head::Silent => return,
            // A run that died before it wrote anything.
            Head::Damaged(_) if self.seq == 0 => return,
            Head::Damaged(reason) => reason.clone(),
            Head::At(seq, _) if *seq > self.seq => {
                format!("it ends after line {}, and lines up to {seq} were on disk once", self.seq)
            }
            Head::At(_, hash) if self.vouched == Some(*hash) => return,
            Head::At(seq, _) => format!("line {seq} is not the one that `head` tells of"),
        };
        self.history.verdict = Verdict::ReportOnly(reason);
    }
}
