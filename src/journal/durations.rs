//! How long each step took last time: a courtesy to the plan, so what cannot be read is passed over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::store::JOURNAL;
use super::tail;
use crate::model::{StepId, StepState};

/// No more than this many runs are looked at.
const RUNS: usize = 200;

/// The part of a line that tells how long a step took.
#[derive(Deserialize)]
struct Finish {
    event: String,
    #[serde(default)]
    step: Option<StepId>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    state: Option<StepState>,
    #[serde(default)]
    seconds: f64,
}

#[derive(Deserialize)]
struct Ends {
    event: String,
    #[serde(default)]
    runbook: String,
}

/// The durations of the first run, in this order, that is one of `runbook` and finished.
pub(super) fn of_newest(directories: impl Iterator<Item = PathBuf>, runbook: &str) -> BTreeMap<StepId, f64> {
    directories
        .take(RUNS)
        .map(|directory| directory.join(JOURNAL))
        .find(|path| is_finished(path, runbook))
        .and_then(|path| read(&path).ok())
        .unwrap_or_default()
}

fn is_finished(path: &Path, runbook: &str) -> bool {
    let Ok(Some((first, last))) = tail::first_and_last(path) else { return false };
    let ends = |line: &[u8]| serde_json::from_slice::<Ends>(line).ok();
    ends(&first).is_some_and(|line| line.runbook == runbook)
        && ends(&last).is_some_and(|line| line.event == "run_finished")
}

fn read(path: &Path) -> std::io::Result<BTreeMap<StepId, f64>> {
    let mut durations = BTreeMap::new();
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        let Ok(finish) = serde_json::from_slice::<Finish>(&line?) else { continue };
        if finish.event == "step_finished"
            && finish.key.is_none()
            && finish.state == Some(StepState::Succeeded)
        {
            durations.extend(finish.step.map(|step| (step, finish.seconds)));
        }
    }
    Ok(durations)
}
