//! [`Exit`]: every exit code of the command, in one place.

use std::process::ExitCode;

use crate::model::RunOutcome;

/// How the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It did what was asked.
    Success,
    /// A step failed, a plan found a blocker, or a warning counts under `--strict`.
    Failed,
    /// The command line or the runbook is wrong; nothing was started.
    Usage,
    /// The run failed and every effect was undone.
    Undone,
    /// The run is stuck, uncertain or undone in part: a person must finish.
    Stuck,
    /// A gate was declined or left unanswered.
    Declined,
    /// The plan or the target is not what it was.
    Drifted,
    /// Another run holds the same key.
    Excluded,
    /// The operator interrupted it.
    Interrupted,
}

impl Exit {
    /// Every way to end, in the order of the codes.
    pub const ALL: [Self; 9] = [
        Self::Success,
        Self::Failed,
        Self::Usage,
        Self::Undone,
        Self::Stuck,
        Self::Declined,
        Self::Drifted,
        Self::Excluded,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Undone => 3,
            Self::Stuck => 4,
            Self::Declined => 5,
            Self::Drifted => 6,
            Self::Excluded => 7,
            Self::Interrupted => 130,
        }
    }

    /// What it means, for help and manual.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Success => "everything that was asked is done",
            Self::Failed => "a step failed, or a plan found a blocker; with --strict also warnings",
            Self::Usage => "the command line or the runbook is wrong; nothing was started",
            Self::Undone => "the run failed, and every effect was undone",
            Self::Stuck => "stuck, uncertain or undone in part: a person must finish",
            Self::Declined => "a gate was declined or left unanswered",
            Self::Drifted => "the plan or the target is not what it was",
            Self::Excluded => "another run holds the same key",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<RunOutcome> for Exit {
    fn from(outcome: RunOutcome) -> Self {
        match outcome {
            RunOutcome::Succeeded => Self::Success,
            RunOutcome::Failed => Self::Failed,
            RunOutcome::RolledBack => Self::Undone,
            RunOutcome::Stuck | RunOutcome::PartlyRolledBack => Self::Stuck,
            RunOutcome::Declined => Self::Declined,
            RunOutcome::Drifted => Self::Drifted,
            RunOutcome::Excluded => Self::Excluded,
            RunOutcome::Interrupted => Self::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_for_one_thing() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 130]);
    }
}
