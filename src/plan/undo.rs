//! How a step would be undone, as far as that is known before it runs.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::frame::Frame;
use crate::model::{Effect, Redactor};
use crate::runbook::{Rollback, Step, StepBody};
use crate::step::{Input, RightNeeded};

/// How a step would be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedUndo {
    /// In words.
    pub means: String,
    /// What would be sent, with holes where that is known only once the step has run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// What it comes to.
    pub comes_to: UndoResult,
}

/// What the undo of a step comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoResult {
    /// The effect is taken back.
    Undone,
    /// There is nothing to take back.
    Nothing,
    /// It stays, and so does what came before it: a point of no return.
    NoReturn,
}

impl PlannedUndo {
    fn of(comes_to: UndoResult, means: impl Into<String>) -> Self {
        Self { means: means.into(), lines: Vec::new(), comes_to }
    }
}

/// How a step would be undone; nothing for one that has nothing to undo by its nature.
pub(super) fn planned(
    frame: &Frame,
    step: &Step,
    now: Timestamp,
    redactor: &Redactor,
) -> Option<PlannedUndo> {
    let StepBody::Kind(body, attempts) = &step.body else { return None };
    let changes = step.class.effect > Effect::Read;
    Some(match &attempts.rollback {
        Some(Rollback::Auto) => PlannedUndo::of(UndoResult::Undone, "undone from what was there before"),
        Some(Rollback::Nothing(why)) => {
            PlannedUndo::of(UndoResult::Nothing, format!("nothing to undo: {why}"))
        }
        Some(Rollback::Impossible(why)) => {
            PlannedUndo::of(UndoResult::NoReturn, format!("cannot be undone: {why}"))
        }
        Some(Rollback::Steps(hooks)) => {
            let titles: Vec<&str> =
                hooks.iter().filter_map(|hook| Some(hook.title.as_ref()?.source())).collect();
            let titles = if titles.is_empty() { String::new() } else { format!(" {}", titles.join("; ")) };
            let lines = hooks.iter().flat_map(|hook| hook_lines(frame, hook, now, redactor)).collect();
            PlannedUndo { lines, ..PlannedUndo::of(UndoResult::Undone, format!("undone by:{titles}")) }
        }
        None if !changes || body.leaves_nothing_to_undo() => return None,
        None => PlannedUndo::of(UndoResult::NoReturn, "cannot be undone: the runbook does not say how"),
    })
}

/// What a hook would send.
fn hook_lines(frame: &Frame, hook: &Step, now: Timestamp, redactor: &Redactor) -> Vec<String> {
    let StepBody::Kind(body, _) = &hook.body else { return vec![hook.heading()] };
    let bound = hook_input(frame, hook, now, redactor);
    bound.map_or_else(|| body.template_lines(), |input| input.lines())
}

/// The body of a hook, bound. What it reads of the step it undoes is not there yet.
fn hook_input(frame: &Frame, hook: &Step, now: Timestamp, redactor: &Redactor) -> Option<Box<dyn Input>> {
    let StepBody::Kind(body, _) = &hook.body else { return None };
    let frame = frame.of_hooks(json!({}), None);
    let scope = frame.scope(hook, None, now);
    let binder = frame.binder(&scope, redactor);
    let reads = hook.reads.iter().map(|placed| &placed.read);
    frame.compute_variables(reads, &binder).and_then(|_| body.bind(&binder)).ok()
}

/// The rights that the undo of a step needs, as far as they are known before it runs.
pub(super) fn rights(
    frame: &Frame,
    step: &Step,
    input: &dyn Input,
    now: Timestamp,
    redactor: &Redactor,
) -> Vec<RightNeeded> {
    match step.attempts().and_then(|attempts| attempts.rollback.as_ref()) {
        Some(Rollback::Auto) => input.rights_to_undo(),
        Some(Rollback::Steps(hooks)) => {
            let inputs = hooks.iter().filter_map(|hook| hook_input(frame, hook, now, redactor));
            inputs.flat_map(|input| input.rights()).collect()
        }
        _ => Vec::new(),
    }
}
