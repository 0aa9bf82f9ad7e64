//! [`Steps`]: every step that a run of a runbook may meet, by its full id.

use indexmap::IndexMap;

use crate::runbook::{Rollback, Runbook, Step, StepBody};
use crate::step::{TookEffect, Undo};

/// What a step is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is one of the steps.
    Main,
    /// It undoes another one.
    Hook,
    /// It runs when the run ends.
    Closing,
}

/// A step and its part in the runbook.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'r> {
    pub(super) step: &'r Step,
    pub(super) role: Role,
    /// Whether its attempts are repeated.
    pub(super) retried: bool,
}

impl Known<'_> {
    /// Whether a success is something to undo: an effect, or a read that says how it is undone.
    pub(super) fn is_undone(&self) -> bool {
        let rollback = self.step.attempts().and_then(|attempts| attempts.rollback.as_ref());
        matches!(rollback, Some(Rollback::Steps(_)))
    }

    /// Why its effect cannot be undone, where the runbook does not say so itself.
    pub(super) fn no_undo(&self, took_effect: &TookEffect<'_>) -> Option<String> {
        let StepBody::Kind(body, attempts) = &self.step.body else { return None };
        match &attempts.rollback {
            None => (!body.leaves_nothing_to_undo()).then(|| "the runbook does not say how".to_owned()),
            Some(Rollback::Auto) => match body.undo(took_effect) {
                Undo::Impossible(why) => Some(format!("`auto` cannot: {why}")),
                Undo::Steps(_) | Undo::Nothing(_) => None,
            },
            Some(Rollback::Steps(_) | Rollback::Nothing(_) | Rollback::Impossible(_)) => None,
        }
    }
}

/// Every step, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Steps<'r>(IndexMap<String, Known<'r>>);

impl<'r> Steps<'r> {
    /// The steps of a runbook and of those it includes.
    pub(super) fn of(runbook: &'r Runbook) -> Self {
        let mut steps = Self::default();
        steps.add_runbook(runbook, "");
        steps
    }

    /// A step by its id; the key of a child is left out.
    pub(super) fn get(&self, id: &str) -> Option<Known<'r>> {
        self.0.get(id.split('[').next().unwrap_or(id)).copied()
    }

    /// Whether an id is that of the undo which a kind derives by itself.
    pub(super) fn is_automatic_undo(&self, id: &str) -> bool {
        let undone = id.strip_suffix(".rollback.auto").and_then(|id| self.get(id));
        let attempts = undone.and_then(|known| known.step.attempts());
        matches!(attempts.and_then(|attempts| attempts.rollback.as_ref()), Some(Rollback::Auto))
    }

    /// The ids.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn add_runbook(&mut self, runbook: &'r Runbook, prefix: &str) {
        for (steps, role) in [
            (&runbook.steps, Role::Main),
            (&runbook.on_failure, Role::Closing),
            (&runbook.finally, Role::Closing),
        ] {
            self.add_list(runbook, steps, prefix, role);
        }
    }

    fn add_list(&mut self, runbook: &'r Runbook, steps: &'r [Step], prefix: &str, role: Role) {
        for step in steps {
            let id = format!("{prefix}{}", step.id);
            let own = step.attempts().and_then(|attempts| attempts.retry.as_ref());
            let retried = own.or(runbook.defaults.retry.as_ref()).is_some_and(|retry| retry.attempts > 1);
            self.0.insert(id.clone(), Known { step, role, retried });
            match &step.body {
                StepBody::Group(inner) => self.add_list(runbook, inner, prefix, role),
                StepBody::Include(include) => self.add_runbook(&include.runbook, &format!("{id}.")),
                StepBody::Kind(_, attempts) => {
                    if let Some(Rollback::Steps(hooks)) = &attempts.rollback {
                        self.add_list(runbook, hooks, prefix, Role::Hook);
                    }
                }
            }
        }
    }
}
