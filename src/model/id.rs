//! Names of runs and steps.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Names a run: when it began, to the second and in UTC, and four random characters; sorts by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Arc<str>);

impl RunId {
    /// Names a run that begins at `at`; `random` sets it apart from others of the same second.
    pub fn new(at: Timestamp, random: [u8; 4]) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let tail: String = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        Self(format!("{}-{tail}", at.strftime("%Y%m%d-%H%M%S")).into())
    }

    /// Takes a name as a person typed it or a directory carries it.
    pub fn parse(text: &str) -> Option<Self> {
        let shaped = text.len() == 20
            && text.bytes().enumerate().all(|(index, byte)| match index {
                8 | 15 => byte == b'-',
                0..=14 => byte.is_ascii_digit(),
                _ => byte.is_ascii_alphanumeric(),
            });
        shaped.then(|| Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a step: its id, after its group's or its included runbook's id and a dot where it stands in one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(Arc<str>);

impl StepId {
    /// Takes an id that was checked when the runbook was loaded.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a step inside this one.
    #[must_use]
    pub fn child(&self, id: &str) -> Self {
        Self(format!("{}.{id}", self.0).into())
    }

    /// The part after the last dot: what the author wrote.
    pub fn local(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_reads_back_and_sorts_by_time() {
        let at: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        let id = RunId::new(at, [0, 1, 2, 255]);
        assert_eq!(id.as_str(), "20261122-030000-abc9");
        assert_eq!(RunId::parse(id.as_str()), Some(id));
        for bad in ["", "20261122-030000", "20261122-030000-ab/.", "2026112203000000abc9"] {
            assert_eq!(RunId::parse(bad), None, "{bad}");
        }
    }
}
