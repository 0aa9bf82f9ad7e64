//! The block at the end of a run or of a leg: how it ended, what that means, and what to type next. Pure.

use super::opening::field;
use super::row::Layout;
use super::step::word;
use crate::model::{RunId, RunOutcome, StepId, StepState};
use crate::ui::style::{Mark, Style, Tone};
use crate::ui::{count, duration};

/// The steps of a run by how they stand.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) states: Vec<(StepId, StepState)>,
    pub(super) warnings: u64,
}

/// The run is over.
pub(super) fn closing(
    layout: Layout<'_>,
    run: &RunId,
    outcome: RunOutcome,
    exit_code: u8,
    seconds: f64,
    tally: &Tally,
) -> Vec<String> {
    let mark = Mark::outcome(outcome);
    let mut lines = headline(layout.style, mark, outcome_words(outcome), Some(seconds));
    lines.extend(field(layout, "steps", &tally.describe(layout.style)));
    lines.extend(tally.unhappy().into_iter().flat_map(|(state, ids)| field(layout, word(state), &ids)));
    lines.extend(field(layout, "exit code", &format!("{exit_code}: {}", meaning(exit_code, outcome))));
    lines.extend(field(layout, "run", run.as_str()));
    lines.extend(next(layout, &next_commands(outcome, run)));
    lines
}

/// The leg is over, the run is not.
pub(super) fn paused(layout: Layout<'_>, run: &RunId, reason: &str, tally: &Tally) -> Vec<String> {
    let mark = Mark::State(StepState::Cancelled);
    let mut lines = headline(layout.style, mark, "paused", None);
    lines.extend(field(layout, "because", reason));
    lines.extend(field(layout, "steps", &tally.describe(layout.style)));
    lines.extend(field(layout, "run", run.as_str()));
    let commands = ["resume", "rollback"].map(|verb| format!("runbook {verb} {run}"));
    lines.extend(next(layout, &commands));
    lines
}

fn headline(style: &Style, mark: Mark, words: &str, seconds: Option<f64>) -> Vec<String> {
    let time = seconds.map(|seconds| format!(" in {}", duration(seconds))).unwrap_or_default();
    vec![String::new(), format!("{} {}{time}", style.mark(mark), style.paint(mark.tone(), words))]
}

fn next(layout: Layout<'_>, commands: &[String]) -> Vec<String> {
    let line = |(index, command): (usize, &String)| {
        field(layout, if index == 0 { "next" } else { "" }, &layout.style.paint(Tone::Strong, command))
    };
    commands.iter().enumerate().flat_map(line).collect()
}

impl Tally {
    /// `10 done, 1 failed, 2 not started, 1 warning`.
    fn describe(&self, style: &Style) -> String {
        const ORDER: [StepState; 9] = [
            StepState::Succeeded,
            StepState::Skipped,
            StepState::RolledBack,
            StepState::Failed,
            StepState::Uncertain,
            StepState::Stuck,
            StepState::Cancelled,
            StepState::Running,
            StepState::Pending,
        ];
        let number = |state| self.states.iter().filter(|(_, known)| *known == state).count();
        let part = |state: &StepState| {
            let word = if *state == StepState::Pending { "not started" } else { word(*state) };
            let number = number(*state);
            (number > 0).then(|| style.paint(Mark::State(*state).tone(), &format!("{number} {word}")))
        };
        let mut parts: Vec<String> = ORDER.iter().filter_map(part).collect();
        if self.warnings > 0 {
            parts.push(style.paint(Tone::Warning, &count(self.warnings, "warning")));
        }
        parts.join(", ")
    }

    /// The steps a person will want to look at.
    fn unhappy(&self) -> Vec<(StepState, String)> {
        let of = |state| {
            let ids = self.states.iter().filter(|(_, known)| *known == state).map(|(id, _)| id.as_str());
            (state, ids.collect::<Vec<_>>().join(", "))
        };
        let all = [StepState::Failed, StepState::Uncertain, StepState::Stuck].map(of);
        all.into_iter().filter(|(_, ids)| !ids.is_empty()).collect()
    }
}

fn outcome_words(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Succeeded => "succeeded",
        RunOutcome::Failed => "failed",
        RunOutcome::Declined => "declined",
        RunOutcome::Drifted => "stopped: the plan or the target has drifted",
        RunOutcome::Excluded => "stopped: another run holds the same key",
        RunOutcome::Interrupted => "interrupted",
        RunOutcome::RolledBack => "rolled back",
        RunOutcome::PartlyRolledBack => "rolled back in part: the rest stays",
        RunOutcome::Stuck => "stuck: a person must finish",
    }
}

/// What the exit code tells a script, as in the table of the README.
fn meaning(exit_code: u8, outcome: RunOutcome) -> &'static str {
    match exit_code {
        0 => "every step succeeded or was skipped",
        1 if outcome == RunOutcome::Succeeded => "there were warnings, and they count",
        1 => "a step failed",
        2 => "the runbook or its use is invalid",
        3 => "a step failed and every effect was undone",
        4 => "something is uncertain or only partly undone",
        5 => "a gate was declined or not answered",
        6 => "the plan or the target is not what it was",
        7 => "another run holds the same key",
        130 => "interrupted by the operator",
        _ => "unexpected",
    }
}

fn next_commands(outcome: RunOutcome, run: &RunId) -> Vec<String> {
    let report = format!("runbook report {run}");
    match outcome {
        RunOutcome::Stuck => vec![report, format!("runbook rollback {run}")],
        _ => vec![report],
    }
}
