//! What came of a trial, as people and programs are told.

use serde::Serialize;

/// Something that is not as it was declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What: `outcome`, `states.vacuum`, `undo of create`.
    pub what: String,
    /// As declared.
    pub expected: String,
    /// As it was.
    pub got: String,
}

/// A read that the fixture has no result for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The step, with the key of its child.
    pub step: String,
    /// What to write below `steps:`.
    pub example: String,
}

/// Whether a run was as declared.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verdict {
    /// What was not.
    pub differences: Vec<Difference>,
    /// Results that were asked for and are not there.
    pub missing: Vec<Missing>,
}

impl Verdict {
    /// Whether everything was.
    pub fn passed(&self) -> bool {
        self.differences.is_empty() && self.missing.is_empty()
    }
}

/// A case, and what each fault in it led to.
#[derive(Debug, Clone, Serialize)]
pub struct CaseVerdict {
    /// Its name.
    pub name: String,
    /// The run without a fault.
    pub verdict: Verdict,
    /// The runs with one, each by what it did.
    pub faults: Vec<(String, Verdict)>,
}

impl CaseVerdict {
    /// Every run of the case.
    pub fn all(&self) -> impl Iterator<Item = &Verdict> {
        std::iter::once(&self.verdict).chain(self.faults.iter().map(|(_, verdict)| verdict))
    }
}
