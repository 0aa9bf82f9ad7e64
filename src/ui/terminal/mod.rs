//! [`Terminal`]: what a person sees of a run: a block at the start, a line per finished step, what goes on now, an end.
//!
//! Where the cursor cannot be moved it writes plain lines: one when an effect begins, one when a step is final.
//! It folds events into words and knows nothing that they do not say; it reads no clock and asks nobody.

mod closing;
mod ledger;
mod live;
mod opening;
mod row;
mod screen;
mod step;
#[cfg(test)]
mod tests;
mod undo;

use serde_json::{Map, Value};

use self::ledger::Ledger;
use self::live::LiveStep;
use self::row::{Layout, beneath};
use self::step::Ending;
use super::out::Out;
use super::style::{Mark, Style, Tone};
use super::text::{one_line, wrap};
use crate::event::{Event, EventKind, Item, Place, RunStarted, RunState, Sink, SinkClosed};
use crate::model::{Effect, Failure, RunId, SkipReason, StepId, StepState};
use crate::report::{self, in_brief, in_line};
use crate::ui::{count, duration};

pub use screen::Screen;

/// The rows of a result drawn at most; the report has them all.
const MOST_ROWS: usize = 200;

/// A sink for people.
#[derive(Debug)]
pub struct Terminal {
    out: Out,
    style: Style,
    screen: Screen,
    ledger: Ledger,
}

impl Terminal {
    /// A display for one run, or one leg of a run.
    pub fn new(out: Out, style: Style) -> Self {
        let screen = Screen::new(out.clone(), style.clone());
        Self { out, style, screen, ledger: Ledger::default() }
    }

    /// The display, for whoever asks a person while the run goes on.
    pub fn screen(&self) -> Screen {
        self.screen.clone()
    }

    /// Begins in the middle: names the run again and says what earlier legs have done.
    pub fn catch_up(&mut self, run: &RunId, state: &RunState) {
        let Some(started) = &state.started else { return };
        self.ledger.start(started);
        for (place, node) in &state.nodes {
            self.ledger.attempts.insert(place.clone(), node.attempts);
            if node.state.is_final() {
                self.ledger.settle(place, node.state);
            }
        }
        for (at, items) in &state.items {
            self.ledger.list(&at.step, items.len());
        }
        self.open(run, started);
        let done = |state| matches!(state, StepState::Succeeded | StepState::Skipped);
        let done = state.nodes.iter().filter(|(place, node)| place.key.is_none() && done(node.state)).count();
        let done = count(done as u64, "step");
        self.say(&[format!("{} resuming: {done} done already", self.style.mark(Mark::Started))]);
    }

    fn layout<'a>(&self, style: &'a Style) -> Layout<'a> {
        Layout { style, width: style.current_width(), label_width: self.ledger.label_width() }
    }

    /// Runs a pure function from a layout to lines, and shows them.
    fn show(&mut self, lines: impl FnOnce(Layout<'_>, &Ledger) -> Vec<String>) {
        let lines = lines(self.layout(&self.style), &self.ledger);
        self.say(&lines);
    }

    fn say(&self, lines: &[String]) {
        self.screen.lines(lines);
    }

    fn open(&mut self, run: &RunId, started: &RunStarted) {
        self.show(|layout, _| opening::opening(layout, run, started));
        self.screen.open();
        self.refresh();
    }

    /// Tells the live block what the ledger counts.
    fn refresh(&self) {
        let (finished, total, lists) =
            (self.ledger.finished(), self.ledger.total(), self.ledger.lists.clone());
        self.screen.update(|live| (live.finished, live.total, live.lists) = (finished, total, lists));
    }

    fn items_listed(&mut self, step: &StepId, items: &[Item]) {
        self.ledger.list(step, items.len());
        let at = Place::step(step);
        let words = count(items.len() as u64, "item");
        self.show(|layout, ledger| step::listed(layout, ledger.subject(&at), &words));
        self.ledger.block = Some(step.clone());
        self.refresh();
    }

    fn step_started(&mut self, at: &Place, attempt: u32, effect: Effect) {
        self.ledger.begin(at, attempt, effect);
        if !self.style.interactive && effect > Effect::Read {
            self.show(|layout, ledger| step::started(layout, ledger.subject(at)));
            self.ledger.leave_block(at);
        }
        let (since, title) = (self.screen.elapsed(), self.ledger.title(at).to_owned());
        self.screen.update(|live| {
            let step = live.running.entry(at.clone()).or_insert(LiveStep { since, ..LiveStep::default() });
            *step = LiveStep { since: step.since, title, ..LiveStep::default() };
        });
    }

    fn attempt_failed(&mut self, at: &Place, failure: &Failure, retry_in: f64) {
        self.show(|layout, ledger| step::retrying(layout, ledger.subject(at), failure, retry_in));
        self.ledger.leave_block(at);
        let phase = format!("waits {} for the next attempt", duration(retry_in));
        self.live(at, |step| *step = LiveStep { since: step.since, phase, ..LiveStep::default() });
    }

    fn step_finished(&mut self, at: &Place, output: &Value, ending: Ending<'_>) {
        self.forget(at);
        self.show(|layout, ledger| step::finished(layout, ledger.subject(at), ending));
        self.ledger.warnings += ending.warnings.len() as u64;
        self.ledger.settle(at, ending.state);
        self.ledger.leave_block(at);
        self.refresh();
        if self.ledger.shows(at) {
            self.show_result(at, output);
        }
    }

    /// Results are data: they go to stdout, under a heading that holds without the lines on stderr.
    fn show_result(&mut self, at: &Place, output: &Value) {
        let Some(text) = report::shown(output, self.style.current_width(), MOST_ROWS) else { return };
        let title = one_line(self.ledger.title(at));
        let heading = if title.is_empty() { at.to_string() } else { format!("{at}: {title}") };
        self.screen.data(&format!("{heading}\n{text}\n\n"));
        if output.get("truncated") == Some(&Value::Bool(true)) {
            let heading = format!("{} ", self.style.mark(Mark::Warning));
            let text = "the result was cut at `max_rows`: there are more rows";
            self.show(|layout, _| beneath(layout, &heading, Tone::Warning, text));
        }
    }

    /// A skipped group says it once for all of its steps.
    fn step_skipped(&mut self, at: &Place, reason: &SkipReason) {
        self.forget(at);
        if !matches!(reason, SkipReason::Group { .. }) {
            self.show(|layout, ledger| step::skipped(layout, ledger.subject(at), reason));
        }
        self.ledger.settle(at, StepState::Skipped);
        self.ledger.leave_block(at);
        self.refresh();
    }

    /// The line of a `confirm` tells its answer; other gates have no line of their own.
    fn answered(&mut self, at: &Place, question: &str, answer: &Value, by: &str, how: &str) {
        if self.ledger.is_confirm(at) {
            self.ledger.asked(at, question);
            return;
        }
        let mark = self.style.mark(Mark::Question);
        let text = format!("answered {}, by {by} ({how})", in_line(answer));
        self.say(&[format!("{mark} {at}  {}", one_line(&text))]);
        self.ledger.block = None;
    }

    fn blocked(&mut self, at: &Place, blockers: &[String]) {
        let blockers: Vec<String> = blockers.iter().map(|text| self.out.redact(text)).collect();
        // A log file hears of it once: the words change with every second that somebody waits.
        if !self.style.interactive && !blockers.is_empty() && self.ledger.blocked.insert(at.clone()) {
            self.show(|layout, ledger| {
                let subject = ledger.subject(at);
                blockers.iter().flat_map(|blocker| step::waiting(layout, subject, blocker)).collect()
            });
            self.ledger.leave_block(at);
        }
        self.live(at, |step| step.blockers = blockers);
    }

    fn live(&self, at: &Place, change: impl FnOnce(&mut LiveStep)) {
        self.screen.update(|live| {
            if let Some(step) = live.running.get_mut(at) {
                change(step);
            }
        });
    }

    fn forget(&self, at: &Place) {
        self.screen.update(|live| {
            live.running.shift_remove(at);
        });
    }

    fn remarked(&self, message: &str) {
        let lines = wrap(message, self.style.current_width().saturating_sub(4).max(20));
        let mark = self.style.mark(Mark::Remark);
        let line = |(index, line)| if index == 0 { format!("{mark} {line}") } else { format!("  {line}") };
        self.say(&lines.into_iter().enumerate().map(line).collect::<Vec<_>>());
    }

    /// What the runbook's `outputs` came to is data; lists are counted here, and whole in the report.
    fn outputs(&self, outputs: &Map<String, Value>) {
        for (name, value) in outputs {
            let value = match value {
                Value::Array(items) => count(items.len() as u64, "item"),
                Value::Object(fields) => count(fields.len() as u64, "field"),
                scalar => in_line(scalar),
            };
            self.screen.data(&format!("{name}: {value}\n"));
        }
    }
}

impl Sink for Terminal {
    fn take(&mut self, event: &Event) -> Result<(), SinkClosed> {
        match &event.kind {
            EventKind::RunStarted(started) => {
                self.ledger.start(started);
                self.open(&event.run, started);
            }
            EventKind::VariableComputed { .. }
            | EventKind::StepTraced { .. }
            | EventKind::StepReopened { .. }
            | EventKind::FailureDecided { .. }
            | EventKind::RunResumed { .. } => {}
            EventKind::UndoPlanned { why, steps } => {
                self.show(|layout, _| undo::planned(layout, why, steps));
                self.ledger.block = None;
            }
            EventKind::StepUndone { at, state, failure } => {
                self.show(|layout, ledger| {
                    undo::undone(layout, ledger.subject(at), *state, failure.as_ref())
                });
                self.ledger.undone(at, *state);
                self.ledger.block = None;
            }
            EventKind::ItemsListed { at, items } => self.items_listed(&at.step, items),
            EventKind::StepStarted { at, attempt, effect, .. } => self.step_started(at, *attempt, *effect),
            EventKind::AttemptFailed { at, failure, retry_in, .. } => {
                self.attempt_failed(at, failure, *retry_in);
            }
            EventKind::AnswerGiven { at, question, answer, by, how } => {
                self.answered(at, question, answer, by, how);
            }
            EventKind::StepFinished { at, state, output, failure, warnings, seconds } => {
                let (result, failure) = (&in_brief(output).unwrap_or_default(), failure.as_ref());
                let ending = Ending { state: *state, result, failure, warnings, seconds: *seconds };
                self.step_finished(at, output, ending);
            }
            EventKind::StepSkipped { at, reason } => self.step_skipped(at, reason),
            EventKind::RunPaused { reason } => {
                self.screen.close();
                self.show(|layout, ledger| closing::paused(layout, &event.run, reason, &ledger.tally()));
            }
            EventKind::RunFinished { outcome, exit_code, outputs, seconds } => {
                self.screen.close();
                self.outputs(outputs);
                self.show(|layout, ledger| {
                    closing::closing(layout, &event.run, *outcome, *exit_code, *seconds, &ledger.tally())
                });
            }
            EventKind::Progressed { at, phase, percent, detail } => {
                let (phase, detail) =
                    (self.out.redact(phase), detail.as_ref().map(|text| self.out.redact(text)));
                self.live(at, |step| (step.phase, step.percent, step.detail) = (phase, *percent, detail));
            }
            EventKind::Blocked { at, blockers } => self.blocked(at, blockers),
            EventKind::Noticed { at, severity, message } => {
                let words = format!("{}: {}", severity.to_lowercase(), self.out.redact(message));
                self.live(at, |step| step.detail = Some(words));
            }
            EventKind::Remarked { message } => self.remarked(message),
        }
        // With `| head` the results have no reader any more, but the person still sees the run.
        if self.out.stderr_closed() && self.out.stdout_closed() { Err(SinkClosed) } else { Ok(()) }
    }
}
