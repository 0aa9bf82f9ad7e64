//! [`Claim`] and [`Holder`]: who wants a key, and who has it.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::RunId;

/// Who wants which key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claim {
    /// The key.
    pub key: String,
    /// The runbook's name.
    pub runbook: String,
    /// The run.
    pub run: RunId,
    /// Who runs it, as `user@host`.
    pub operator: String,
}

/// Who holds a key, as far as whoever looks may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// The run, where the holder is one.
    pub run: Option<RunId>,
    /// Who it is beside that: a runbook, a person, an address.
    pub about: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// How long it must give no sign of life until the key counts as free; nothing while it shows some.
    pub silent: Option<Duration>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.run {
            Some(run) => write!(f, "run {run}")?,
            None => f.write_str("somebody")?,
        }
        if !self.about.is_empty() {
            write!(f, " {}", self.about)?;
        }
        if let Some(since) = self.since {
            write!(f, ", since {}", since.strftime("%Y-%m-%d %H:%M:%S UTC"))?;
        }
        Ok(())
    }
}
