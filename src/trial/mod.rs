//! Trials: a runbook run on canned results, which the fixture beside it declares, and on faults made on purpose.
//!
//! The engine is the one of every run; only what lies beyond it is replaced. So a trial proves what the runbook
//! decides, binds and undoes, and nothing about the systems it talks to.

mod clock;
mod fault;
mod fixture;
mod judge;
mod load;
mod outside;
mod perform;
mod result;
mod steps;
mod verdict;

pub use fixture::FixtureFile;
pub use load::{Fixture, load};
pub use verdict::{CaseVerdict, Difference, Missing, Verdict};

use crate::model::Failure;

use fault::Fault;
use perform::{Stage, perform};
use steps::Steps;

/// Tries every case of a fixture, and every fault of those that asked for them.
pub async fn attempt(fixture: &Fixture) -> Result<Vec<CaseVerdict>, Failure> {
    let steps = Steps::of(&fixture.runbook);
    let mut verdicts = Vec::new();
    for case in &fixture.cases {
        let stage = Stage::new(fixture, case).await?;
        let ran = perform(&stage, None).await?;
        let verdict =
            Verdict { differences: judge::expected(&case.expect, &ran), missing: ran.missing.clone() };
        let mut faults = Vec::new();
        // What went wrong without a fault says nothing about faults.
        if let Some(wanted) = case.faults.as_ref().filter(|_| verdict.passed()) {
            for fault in Fault::all(&ran.state, &steps) {
                let hurt = perform(&stage, Some(&fault)).await?;
                let differences = judge::after(&fault, &ran, &hurt, &steps, wanted);
                faults.push((fault.to_string(), Verdict { differences, missing: hurt.missing }));
            }
        }
        verdicts.push(CaseVerdict { name: case.name.clone(), verdict, faults });
    }
    Ok(verdicts)
}
