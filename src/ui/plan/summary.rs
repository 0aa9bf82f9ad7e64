//! The top of a plan: what it is, where it leads, what it amounts to, what stands in the way; and what to type next.

use serde_json::Value;

use super::Page;
use crate::model::{Effect, Failure, StepState};
use crate::plan::{Knowledge, Plan, PlannedStep, UndoResult};
use crate::report::in_line;
use crate::ui::count;
use crate::ui::style::{Mark, Tone};

impl Page<'_> {
    pub(super) fn heading(&mut self, plan: &Plan) {
        let title = if plan.title.is_empty() { &plan.runbook } else { &plan.title };
        let title = self.style.paint(Tone::Strong, &crate::ui::one_line(title));
        let mut facts = vec![plan.runbook.clone()];
        facts.extend(plan.environment.as_ref().map(|name| format!("environment {name}")));
        if plan.offline {
            facts.push("offline: no server was asked".to_owned());
        }
        let facts = facts.join(self.style.dot());
        self.line(&title);
        self.words(0, Some(Tone::Quiet), &facts);
        self.blank();
        for target in &plan.targets {
            self.words(2, None, &format!("{}: {}", target.name, target.target));
        }
        if !plan.parameters.is_empty() {
            let given: Vec<String> =
                plan.parameters.iter().map(|(name, value)| format!("{name}={}", argument(value))).collect();
            self.words(2, Some(Tone::Quiet), &format!("with {}", given.join(", ")));
        }
        self.blank();
    }

    pub(super) fn summary(&mut self, plan: &Plan) {
        self.words(0, None, &format!("{}: {}.", count(plan.leaves().count() as u64, "step"), effects(plan)));
        self.words(0, None, &known(plan));
        self.undo(plan);
        self.gates(plan);
        self.obstacles(plan);
    }

    /// What becomes of the effects of a run that fails.
    fn undo(&mut self, plan: &Plan) {
        let active = plan.leaves().filter(|step| !matches!(step.knowledge, Knowledge::Skipped { .. }));
        let effects: Vec<&PlannedStep> = active.filter(|step| step.class.effect > Effect::Read).collect();
        let comes_to = |wanted| {
            let is =
                move |step: &&&PlannedStep| step.undo.as_ref().is_some_and(|undo| undo.comes_to == wanted);
            effects.iter().rfind(is)
        };
        let text = match (comes_to(UndoResult::NoReturn), comes_to(UndoResult::Undone)) {
            (None, None) => return,
            (Some(_), None) => "If it fails, what it did stays: it cannot be undone.".to_owned(),
            _ if !plan.rolls_back => {
                "If it fails, nothing is undone by itself: `runbook rollback` does it.".to_owned()
            }
            (None, Some(_)) => "If it fails, it is undone, the last effect first.".to_owned(),
            (Some(step), Some(_)) => {
                format!("If it fails, undo goes back to `{}` and no further: that cannot be undone.", step.id)
            }
        };
        self.words(0, None, &text);
    }

    fn gates(&mut self, plan: &Plan) {
        let gates: Vec<&str> = plan.leaves().filter(|step| step.gate).map(|step| step.id.as_str()).collect();
        if gates.is_empty() {
            return;
        }
        self.words(0, None, &format!("It stops for a person at {}.", listed(&gates)));
        let answers: Vec<String> = plan
            .open_gates()
            .filter_map(|step| Some(format!("--answer {}={}", step.id, step.answer.as_ref()?)))
            .collect();
        if !answers.is_empty() {
            self.words(0, None, &format!("Without a terminal it wants {}.", answers.join(" ")));
        }
    }

    fn obstacles(&mut self, plan: &Plan) {
        let blocked: Vec<&str> =
            plan.steps.iter().filter(|step| !step.blockers.is_empty()).map(|step| step.id.as_str()).collect();
        for problem in &plan.problems {
            self.problem(problem);
        }
        if !blocked.is_empty() {
            self.bad(&format!("Something stands in the way of {}; see below.", listed(&blocked)));
        }
        if !plan.is_blocked() && !plan.offline {
            let mark = self.style.mark(Mark::State(StepState::Succeeded));
            self.line(&format!("{mark} Nothing that a plan can see stands in the way."));
        }
    }

    fn problem(&mut self, problem: &Failure) {
        self.bad(&problem.message);
        for detail in problem.details.iter().chain(&problem.help) {
            self.words(4, None, detail);
        }
    }

    fn bad(&mut self, text: &str) {
        let mark = self.style.mark(Mark::State(StepState::Failed));
        let lines = crate::ui::wrap(text, self.width.saturating_sub(4));
        for (number, line) in lines.iter().enumerate() {
            let before = if number == 0 { format!("{mark} ") } else { "    ".to_owned() };
            self.line(&(before + &self.style.paint(Tone::Bad, line)));
        }
    }

    pub(super) fn next(&mut self, plan: &Plan) {
        let environment = plan.environment.as_ref().map(|name| format!(" --env {name}")).unwrap_or_default();
        let again = format!("runbook plan {}{environment}", plan.runbook);
        let run = format!("runbook run {}{environment}", plan.runbook);
        let line = if plan.is_blocked() {
            format!("When that is put right: {again}")
        } else if plan.offline {
            format!("Ask the server: {again}")
        } else {
            format!("To do it: {run}")
        };
        self.line(&line);
    }
}

/// `9 read, 2 change, 1 disrupts`.
fn effects(plan: &Plan) -> String {
    let words = [
        (Effect::Read, "read only", "reads only"),
        (Effect::Change, "change something", "changes something"),
        (Effect::Disrupt, "disrupt others", "disrupts others"),
        (Effect::Destroy, "cannot be undone", "cannot be undone"),
    ];
    let parts: Vec<String> = words
        .into_iter()
        .filter_map(|(effect, many, one)| match plan.count(effect) {
            0 => None,
            1 => Some(format!("1 {one}")),
            number => Some(format!("{number} {many}")),
        })
        .collect();
    if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
}

/// How much the plan knows, counted.
fn known(plan: &Plan) -> String {
    let number = |wanted: fn(&Knowledge) -> bool| {
        plan.steps.iter().filter(|step| is_leaf(&step.kind) && wanted(&step.knowledge)).count()
    };
    let parts = [
        (number(|known| matches!(known, Knowledge::Exactly)), "will do exactly what is shown"),
        (number(|known| matches!(known, Knowledge::After { .. })), "known after another step"),
        (number(|known| matches!(known, Knowledge::CannotTell { .. })), "cannot be told"),
        (number(|known| matches!(known, Knowledge::Skipped { .. })), "skipped"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if parts.is_empty() { String::new() } else { format!("Known: {}.", parts.join(", ")) }
}

fn is_leaf(kind: &str) -> bool {
    !matches!(kind, "steps" | "runbook")
}

/// Names in backticks; many of them are counted.
pub(super) fn listed(names: &[&str]) -> String {
    const MANY: usize = 6;
    let shown: Vec<String> = names.iter().take(MANY).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(MANY);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// A parameter's value; one with blanks in quotes, so that it is seen where it ends.
fn argument(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains(char::is_whitespace) || text.is_empty() => {
            format!("\"{}\"", crate::ui::one_line(text))
        }
        Value::Bool(flag) => flag.to_string(),
        other => in_line(other),
    }
}
