//! [`Ledger`]: what the terminal remembers of the events so far. It writes nothing.

use std::collections::{HashMap, HashSet};

use console::measure_text_width;
use indexmap::IndexMap;

use super::closing::Tally;
use super::step::Subject;
use crate::event::{PinnedStep, Place, RunStarted};
use crate::model::{Effect, StepId, StepState};

/// The columns that step ids get at most: a long one pushes only its own line.
const WIDEST_LABEL: usize = 28;

/// The events so far, as far as words need them.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    steps: IndexMap<StepId, PinnedStep>,
    /// Changed by `enter` alone, which counts the final ones.
    states: IndexMap<StepId, StepState>,
    finished: u64,
    /// Counted once: every line asks for it, and a run may have thousands of steps.
    label_width: usize,
    effects: HashMap<Place, Effect>,
    pub(super) attempts: HashMap<Place, u32>,
    /// How many children of a `for_each` are final, and how many there are.
    pub(super) lists: IndexMap<StepId, (u64, u64)>,
    /// The `for_each` whose lines are the last on the screen.
    pub(super) block: Option<StepId>,
    /// Who was said to be blocked.
    pub(super) blocked: HashSet<Place>,
    pub(super) warnings: u64,
}

impl Ledger {
    pub(super) fn start(&mut self, started: &RunStarted) {
        self.steps = started.steps.iter().map(|step| (step.id.clone(), step.clone())).collect();
        self.states = self.steps.keys().map(|id| (id.clone(), StepState::Pending)).collect();
        let widths = self.steps.keys().map(|id| measure_text_width(id.as_str()));
        self.label_width = widths.max().unwrap_or(0).min(WIDEST_LABEL);
    }

    fn enter(&mut self, at: &Place, state: StepState) {
        let before = self.states.insert(at.step.clone(), state).is_some_and(StepState::is_final);
        self.finished = self.finished + u64::from(state.is_final()) - u64::from(before);
    }

    pub(super) fn list(&mut self, step: &StepId, items: usize) {
        let done = self.lists.get(step).map_or(0, |(done, _)| *done);
        self.lists.insert(step.clone(), (done, items as u64));
    }

    pub(super) fn begin(&mut self, at: &Place, attempt: u32, effect: Effect) {
        self.attempts.insert(at.clone(), attempt);
        self.effects.insert(at.clone(), effect);
        self.blocked.remove(at);
        if at.key.is_none() && !at.is_hook() {
            self.enter(at, StepState::Running);
        }
    }

    pub(super) fn settle(&mut self, at: &Place, state: StepState) {
        if at.is_hook() {
            return;
        }
        if at.key.is_none() {
            self.enter(at, state);
        } else {
            self.lists.entry(at.step.clone()).or_default().0 += 1;
        }
    }

    /// The undo of a step is over.
    pub(super) fn undone(&mut self, at: &Place, state: StepState) {
        let whole = self.states.get(&at.step).is_some_and(|known| *known != StepState::Stuck);
        if at.key.is_none() || whole {
            self.enter(at, state);
        }
    }

    /// A line about `at` was written; unless it is a child of the open block, that block has ended.
    pub(super) fn leave_block(&mut self, at: &Place) {
        if at.key.is_none() || self.block.as_ref() != Some(&at.step) {
            self.block = None;
        }
    }

    pub(super) fn subject<'a>(&'a self, at: &'a Place) -> Subject<'a> {
        Subject {
            at,
            title: self.title(at),
            effect: self.effects.get(at).copied().unwrap_or_default(),
            in_block: self.block.as_ref() == Some(&at.step),
            attempts: self.attempts.get(at).copied().unwrap_or(0),
        }
    }

    /// The title, unless it only repeats the id.
    pub(super) fn title(&self, at: &Place) -> &str {
        let title = self.steps.get(&at.step).map_or("", |step| &step.title);
        if title == at.step.as_str() { "" } else { title }
    }

    /// A question as it was asked says more than the one with holes.
    pub(super) fn asked(&mut self, at: &Place, question: &str) {
        if let Some(step) = self.steps.get_mut(&at.step)
            && step.title.contains("{{")
        {
            question.clone_into(&mut step.title);
        }
    }

    pub(super) fn shows(&self, at: &Place) -> bool {
        self.steps.get(&at.step).is_some_and(|step| step.show)
    }

    pub(super) fn is_confirm(&self, at: &Place) -> bool {
        self.steps.get(&at.step).is_some_and(|step| step.kind == "confirm")
    }

    pub(super) fn finished(&self) -> u64 {
        self.finished
    }

    pub(super) fn total(&self) -> u64 {
        self.states.len() as u64
    }

    pub(super) fn label_width(&self) -> usize {
        self.label_width
    }

    pub(super) fn tally(&self) -> Tally {
        let states = self.states.iter().map(|(id, state)| (id.clone(), *state)).collect();
        Tally { states, warnings: self.warnings }
    }
}
