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
    /// Names a run that begins at `at`. Of two names the later one is the greater, also within a second; `random` sets
    /// it apart from another one of the same moment.
    pub fn new(at: Timestamp, random: u8) -> Self {
        // In the order of their bytes, so that names sort as numbers do.
        const ALPHABET: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";
        let moment = i64::from(at.subsec_nanosecond().max(0)) * 32_768 / 1_000_000_000;
        let digits = [moment / 1024, moment / 32, moment, i64::from(random)];
        let digit = |digit: i64| char::from(ALPHABET[usize::try_from(digit % 32).unwrap_or_default()]);
        let tail: String = digits.into_iter().map(digit).collect();
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
        let name = |at: &str, random| RunId::new(at.parse().unwrap(), random);
        let id = name("2026-11-22T03:00:00Z", 255);
        assert_eq!(id.as_str(), "20261122-030000-222z");
        assert_eq!(RunId::parse(id.as_str()), Some(id));
        let in_order = ["00.0001", "00.0002", "00.01", "00.5", "00.999999", "01"];
        let names = in_order.map(|seconds| name(&format!("2026-11-22T03:00:{seconds}Z"), 7));
        assert!(names.is_sorted(), "{names:?}");
        for bad in ["", "20261122-030000", "20261122-030000-ab/.", "2026112203000000abc9"] {
            assert_eq!(RunId::parse(bad), None, "{bad}");
        }
    }
}
