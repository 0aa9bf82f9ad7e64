//! [`Ended`]: how a program ended.

use super::output::Captured;
use crate::model::{Applied, Failure, StoppedBy};

/// How a program ended.
#[derive(Debug)]
pub(in crate::step) struct Ended {
    /// Its exit code; 128 and the signal's number where a signal ended it.
    pub(in crate::step) exit_code: i32,
    /// What it wrote to its standard error.
    pub(in crate::step) stderr: Captured,
    /// Whether its time was up.
    pub(in crate::step) out_of_time: bool,
}

impl Ended {
    /// Whether its exit code means success.
    pub(in crate::step) fn succeeded(&self, exit_codes: &[i32]) -> bool {
        exit_codes.contains(&self.exit_code)
    }

    /// The failure of a program whose exit code does not mean success.
    pub(in crate::step) fn failure(&self, program: &str) -> Failure {
        let tail: Vec<String> = self.stderr.text.lines().rev().take(10).map(str::to_owned).collect();
        let failure = Failure {
            details: tail.into_iter().rev().collect(),
            ..Failure::new(format!("`{program}` ended with exit code {}", self.exit_code))
        }
        .applied(Applied::Unknown);
        if self.out_of_time { failure.stopped_by(StoppedBy::Timeout) } else { failure }
    }
}
