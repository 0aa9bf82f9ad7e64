//! What happened, on disk: append-only, versioned, hash-chained, one directory a run.
//!
//! ```text
//! runs/20261122-030000-ab12/journal.ndjson    one durable event a line (see `record`), locked while the run lives;
//!                                             until its end there may be zeros behind the lines (see `writer`)
//! runs/20261122-030000-ab12/head              number and hash of the last synced line, replaced after each sync
//! runs/20261122-030000-ab12/seal              the events that stand masked in the journal, as they were, until its end
//! ```
//!
//! [`Store`] knows where runs live, [`Writer`] appends to one, [`History`] is what was read back. This module never
//! reads a clock, never decides what an event means, and never holds a whole run in memory while it writes one.

mod durations;
mod error;
mod head;
mod reader;
mod record;
mod seal;
mod store;
mod summary;
mod tail;
mod writer;

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;

pub use error::JournalError;
pub use reader::{History, Verdict};
pub use store::Store;
pub use summary::{RunStatus, RunSummary};
pub use writer::Writer;
