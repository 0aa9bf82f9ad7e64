//! One step of a plan.

use super::Page;
use super::summary::listed;
use crate::model::{Certainty, Effect, StepState};
use crate::plan::{Knowledge, Plan, PlannedChild, PlannedStep};
use crate::ui::count;
use crate::ui::style::{Mark, Tone};

/// Lines of a read that are shown when not everything is; a read does no harm.
const READ_LINES: usize = 4;
/// Lines of a statement with an effect that are shown when not everything is.
const EFFECT_LINES: usize = 16;
/// Items of a loop that are shown when not everything is.
const CHILDREN: usize = 10;

impl Page<'_> {
    pub(super) fn step(&mut self, plan: &Plan, index: usize) {
        let step = &plan.steps[index];
        let indent = 5 + 2 * step.depth;
        self.blank();
        self.line(&self.header(index + 1, step));
        self.title(step, indent);
        if let Some(waits) = waits(plan, index) {
            self.words(indent, Some(Tone::Quiet), &waits);
        }
        for condition in &step.conditions {
            let verdict = match condition.holds {
                Some(true) => "holds now",
                Some(false) => "does not hold",
                None => "decided later",
            };
            self.words(indent, None, &format!("when {} ({verdict})", condition.when));
        }
        self.knowledge(step, indent);
        self.statements(step, indent);
        self.about(step, indent);
    }

    fn header(&self, number: usize, step: &PlannedStep) -> String {
        let effect = step.class.effect;
        let tone = Tone::from(effect);
        let mark = self.style.paint(tone, symbol(effect, self.style.unicode));
        let certainty = match step.class.certainty {
            Certainty::Known => "",
            Certainty::Declared => " (declared)",
            Certainty::Assumed => " (assumed)",
        };
        let gate = if step.gate { format!("{}a person answers", self.style.dot()) } else { String::new() };
        let effect = self.style.paint(tone, &format!("{}{certainty}", effect.as_str()));
        let id = self.style.paint(Tone::Strong, step.id.as_str());
        let indent = " ".repeat(2 * step.depth);
        format!("{number:>2} {indent}{mark} {id}  {}{}{effect}{gate}", step.kind, self.style.dot())
    }

    /// The title, unless it only repeats the first line of what is sent.
    fn title(&mut self, step: &PlannedStep, indent: usize) {
        let first = step.lines.first().map(|line| crate::ui::one_line(line)).unwrap_or_default();
        let title = crate::ui::one_line(&step.title);
        // A question is shown below with its holes filled, as far as that is known.
        let repeats = first.starts_with(title.trim_end_matches(['…', '.'])) || title.contains("{{");
        if !repeats || first.is_empty() {
            self.words(indent, None, &title);
        }
    }

    fn knowledge(&mut self, step: &PlannedStep, indent: usize) {
        match &step.knowledge {
            Knowledge::Exactly if matches!(step.kind.as_str(), "steps" | "runbook") => {}
            Knowledge::Exactly => {
                let times = match step.children.as_ref().map(Vec::len) {
                    None => ":".to_owned(),
                    Some(0) => " for each item of a list that is empty now: nothing".to_owned(),
                    Some(number) => format!(" for each of {}:", count(number as u64, "item")),
                };
                self.words(indent, Some(Tone::Quiet), &format!("will do exactly this{times}"));
            }
            Knowledge::After { steps } => {
                let names: Vec<&str> = steps.iter().map(crate::model::StepId::as_str).collect();
                self.words(indent, Some(Tone::Warning), &format!("known after {}", listed(&names)));
            }
            Knowledge::CannotTell { because } => {
                self.words(indent, Some(Tone::Warning), &format!("cannot tell: {because}"));
            }
            Knowledge::Skipped { because } => {
                let mark = self.style.mark(Mark::State(StepState::Skipped));
                self.words(indent, Some(Tone::Quiet), &format!("{mark} skipped: {because}"));
            }
        }
    }

    fn statements(&mut self, step: &PlannedStep, indent: usize) {
        if matches!(step.knowledge, Knowledge::Skipped { .. }) && !self.verbose {
            return;
        }
        match &step.children {
            Some(children) => self.children(step, children, indent),
            None => self.lines(telling(step), step.class.effect, indent + 2),
        }
    }

    fn lines(&mut self, lines: &[String], effect: Effect, indent: usize) {
        let lines: Vec<&str> = lines.iter().flat_map(|line| line.trim_end().lines()).collect();
        let limit = if effect == Effect::Read { READ_LINES } else { EFFECT_LINES };
        // One more line is shown rather than announced.
        let limit = if self.verbose || lines.len() <= limit + 1 { lines.len() } else { limit };
        for line in &lines[..limit] {
            // Of a read the gist is enough; what changes something is read to the last word.
            if effect == Effect::Read && !self.verbose {
                self.code(indent, line);
            } else {
                self.whole_code(indent, line);
            }
        }
        if let Some(more) = lines.len().checked_sub(limit).filter(|more| *more > 0) {
            let text = format!("{} {more} more lines", self.style.ellipsis());
            self.line(&(" ".repeat(indent) + &self.style.paint(Tone::Quiet, &text)));
        }
    }

    fn children(&mut self, step: &PlannedStep, children: &[PlannedChild], indent: usize) {
        let number = children.len();
        let shown = if self.verbose || number <= CHILDREN + 1 { number } else { CHILDREN };
        for child in &children[..shown] {
            let key = self.style.paint(Tone::Strong, &crate::ui::one_line(&child.key));
            self.line(&format!("{}[{key}]", " ".repeat(indent + 2)));
            self.lines(&child.lines, step.class.effect, indent + 4);
        }
        if number > shown {
            self.words(indent + 2, Some(Tone::Quiet), &format!("and {} more", number - shown));
        }
    }

    /// What else is known: why the effect is what it is, locks, facts, undo, and what stands in the way.
    fn about(&mut self, step: &PlannedStep, indent: usize) {
        if step.class.effect > Effect::Read {
            for reason in &step.class.reasons {
                self.words(indent, None, &format!("{}: {reason}", step.class.effect.as_str()));
            }
        }
        for lock in &step.locks {
            self.words(indent, None, &format!("lock: {lock}"));
        }
        for fact in &step.facts {
            self.words(indent, Some(Tone::Quiet), fact);
        }
        if let Some(undo) = step.undo.as_ref().filter(|_| step.class.effect > Effect::Read) {
            self.words(indent, Some(Tone::Quiet), &undo.means);
            self.lines(&undo.lines, Effect::Change, indent + 2);
        }
        for blocker in &step.blockers {
            let mark = self.style.mark(Mark::State(StepState::Failed));
            let mut lines = crate::ui::wrap(blocker, self.width.saturating_sub(indent + 11)).into_iter();
            let first = lines.next().unwrap_or_default();
            let painted = self.style.paint(Tone::Bad, &format!("blocked: {first}"));
            self.line(&format!("{}{mark} {painted}", " ".repeat(indent)));
            for line in lines {
                self.words(indent + 11, Some(Tone::Bad), &line);
            }
        }
    }
}

/// What is worth showing of a step. The last line of an assert says what is wrong, which nothing is while it holds.
fn telling(step: &PlannedStep) -> &[String] {
    let holds = step.kind == "assert" && step.facts.iter().any(|fact| fact == "holds now");
    match step.lines.as_slice() {
        [conditions @ .., message] if holds && !message.ends_with("(holds)") => conditions,
        lines => lines,
    }
}

/// What a step waits for, when it is not simply the step above it.
fn waits(plan: &Plan, index: usize) -> Option<String> {
    let step = &plan.steps[index];
    let above = plan.steps[..index]
        .iter()
        .rev()
        .take_while(|above| above.depth >= step.depth)
        .find(|above| above.depth == step.depth);
    match (step.parents.as_slice(), above) {
        ([], Some(_)) => Some("starts at once, beside the steps above".to_owned()),
        ([], None) => None,
        ([only], Some(above)) if only.step == above.id => None,
        (parents, _) => {
            let names: Vec<&str> = parents.iter().map(|edge| edge.step.as_str()).collect();
            Some(format!("after {}", listed(&names)))
        }
    }
}

/// The sign before a step; the word beside it says the same.
fn symbol(effect: Effect, unicode: bool) -> &'static str {
    match (effect, unicode) {
        (Effect::Read, true) => "○",
        (Effect::Change, true) => "●",
        (Effect::Disrupt, true) => "▲",
        (Effect::Destroy, true) => "✖",
        (Effect::Read, false) => "-",
        (Effect::Change, false) => "+",
        (Effect::Disrupt, false) => "!",
        (Effect::Destroy, false) => "X",
    }
}
