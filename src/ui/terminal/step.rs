//! The lines about one step: started, finished, failed, skipped. Pure: values in, lines out.

use super::row::{Layout, Row, beneath};
use crate::event::Place;
use crate::model::{Applied, Effect, Failure, SkipReason, StepState, StoppedBy};
use crate::ui::duration;
use crate::ui::style::{Mark, Tone};
use crate::ui::text::one_line;

/// What the terminal knows of the step that a line is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) at: &'a Place,
    pub(super) title: &'a str,
    pub(super) effect: Effect,
    /// Whether the line above belongs to the same `for_each`, so the key says enough.
    pub(super) in_block: bool,
    pub(super) attempts: u32,
}

impl<'a> Subject<'a> {
    fn row(self, mark: Mark, word: &'a str) -> Row<'a> {
        let child = self.in_block && self.at.key.is_some();
        let label = match &self.at.key {
            Some(key) if child => key.clone(),
            _ => self.at.to_string(),
        };
        // Every child has the title of its step, so it says nothing about the child.
        let title = if self.at.key.is_some() { "" } else { self.title };
        Row { mark, word, label, title, result: String::new(), seconds: None, child }
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending<'a> {
    pub(super) state: StepState,
    pub(super) result: &'a str,
    pub(super) failure: Option<&'a Failure>,
    pub(super) warnings: &'a [String],
    pub(super) seconds: f64,
}

/// A step with an effect begins, where no live line shows it.
pub(super) fn started(layout: Layout<'_>, subject: Subject<'_>) -> Vec<String> {
    let mut row = subject.row(Mark::Started, "started");
    if subject.attempts > 1 {
        row.result = format!("attempt {}", subject.attempts);
    }
    vec![row.draw(layout)]
}

/// A `for_each` begins: its children follow.
pub(super) fn listed(layout: Layout<'_>, subject: Subject<'_>, items: &str) -> Vec<String> {
    let mut row = subject.row(Mark::Started, "");
    items.clone_into(&mut row.result);
    vec![row.draw(layout)]
}

/// A step is final.
pub(super) fn finished(layout: Layout<'_>, subject: Subject<'_>, ending: Ending<'_>) -> Vec<String> {
    let warned = ending.state == StepState::Succeeded && !ending.warnings.is_empty();
    let (mark, said) =
        if warned { (Mark::Warning, "warned") } else { (Mark::State(ending.state), word(ending.state)) };
    let mut row = subject.row(mark, said);
    row.seconds = (ending.seconds >= 0.05).then_some(ending.seconds);
    let mut lines = match ending.failure {
        Some(failure) => failed(layout, subject, &mut row, failure),
        None => succeeded(layout, subject, &mut row, ending.result),
    };
    let heading = format!("{} warning: ", layout.style.mark(Mark::Warning));
    lines.extend(ending.warnings.iter().flat_map(|text| beneath(layout, &heading, Tone::Warning, text)));
    lines
}

/// A step is skipped.
pub(super) fn skipped(layout: Layout<'_>, subject: Subject<'_>, reason: &SkipReason) -> Vec<String> {
    let mut row = subject.row(Mark::State(StepState::Skipped), "skipped");
    row.title = "";
    with_text(layout, row, &reason.describe())
}

/// A step waits for others, where no live line shows it.
pub(super) fn waiting(layout: Layout<'_>, subject: Subject<'_>, blocker: &str) -> Vec<String> {
    let mut row = subject.row(Mark::Warning, "waiting");
    row.title = "";
    with_text(layout, row, &format!("for {}", one_line(blocker)))
}

/// An attempt failed and another follows.
pub(super) fn retrying(
    layout: Layout<'_>,
    subject: Subject<'_>,
    failure: &Failure,
    retry_in: f64,
) -> Vec<String> {
    let mut row = subject.row(Mark::Retry, "retrying");
    row.title = "";
    let wait = duration(retry_in);
    let text = format!("attempt {} failed: {}; the next one in {wait}", subject.attempts, failure.message);
    with_text(layout, row, &text)
}

/// The state as a person would say it.
pub(super) fn word(state: StepState) -> &'static str {
    match state {
        StepState::Succeeded => "done",
        StepState::RolledBack => "undone",
        other => other.as_str(),
    }
}

fn succeeded(layout: Layout<'_>, subject: Subject<'_>, row: &mut Row<'_>, result: &str) -> Vec<String> {
    let plain_success = row.result.is_empty() && result.is_empty() && row.title.is_empty();
    if plain_success && layout.style.interactive { "done" } else { result }.clone_into(&mut row.result);
    if subject.attempts > 1 {
        let attempts = format!("after {} attempts", subject.attempts);
        let parts = [row.result.as_str(), &attempts];
        row.result = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(", ");
    }
    vec![row.draw(layout)]
}

/// Nothing of a failure is cut: the message moves beneath the row when it is too long for it.
fn failed(layout: Layout<'_>, subject: Subject<'_>, row: &mut Row<'_>, failure: &Failure) -> Vec<String> {
    row.title = "";
    row.result.clone_from(&failure.message);
    let mut lines = Vec::new();
    if !row.fits(layout) {
        row.result.clear();
        lines = beneath(layout, "", Tone::Strong, &failure.message);
    }
    lines.insert(0, row.draw(layout));
    lines.extend(failure.details.iter().flat_map(|detail| beneath(layout, "", Tone::Quiet, detail)));
    let facts = facts(subject, failure).join("; ");
    lines.extend(beneath(layout, "", Tone::Quiet, &facts));
    if let Some(help) = &failure.help {
        lines.extend(beneath(layout, "help: ", Tone::Active, help));
    }
    lines
}

fn facts(subject: Subject<'_>, failure: &Failure) -> Vec<String> {
    let sqlstate = failure.sqlstate.as_ref().map(|code| format!("SQLSTATE {code}"));
    let attempts = (subject.attempts > 1).then(|| format!("attempt {}", subject.attempts));
    let stopped = failure.stopped_by.map(|who| stopped_by(who).to_owned());
    let left = (subject.effect > Effect::Read).then(|| left_behind(failure.applied).to_owned());
    [sqlstate, attempts, stopped, left].into_iter().flatten().collect()
}

fn stopped_by(who: StoppedBy) -> &'static str {
    match who {
        StoppedBy::Timeout => "stopped by its timeout",
        StoppedBy::Operator => "stopped by the operator",
        StoppedBy::Shutdown => "stopped because the process had to end",
        StoppedBy::Neighbour => "stopped because another step failed",
        StoppedBy::AbortWhen => "stopped by `abort_when`",
        StoppedBy::Declined => "stopped at a gate",
        StoppedBy::Drift => "stopped because the target is another one",
    }
}

fn left_behind(applied: Applied) -> &'static str {
    match applied {
        Applied::No => "nothing was changed",
        Applied::Partly => "part of it took effect",
        Applied::Yes => "it took effect",
        Applied::Unknown => "nobody knows yet whether it took effect",
    }
}

fn with_text(layout: Layout<'_>, mut row: Row<'_>, text: &str) -> Vec<String> {
    text.clone_into(&mut row.result);
    if row.fits(layout) {
        return vec![row.draw(layout)];
    }
    row.result.clear();
    let mut lines = vec![row.draw(layout)];
    lines.extend(beneath(layout, "", Tone::Quiet, text));
    lines
}
