//! [`Step`]: what stands in a list of steps.

use crate::diagnostic::Span;
use crate::model::{Class, StepId};
use crate::step::Body;
use crate::step::templated::{Expr, Seconds, Text};
use crate::template::Read;

use super::include::Include;
use super::keys::{AbortWhen, ForEach, OnError, OnWarning, Retry, Show, Until, Verify};
use super::order::Edge;

/// A step, a group of steps, or an included runbook.
#[derive(Debug)]
pub struct Step {
    /// Its id within the runbook; `group.inner` inside a group.
    pub id: StepId,
    /// Where the id stands.
    pub id_span: Span,
    /// What it is called.
    pub title: Option<Text>,
    /// What it is for.
    pub description: String,
    /// Conditions, all of which must be true; a `parallel` block adds its own.
    pub when: Vec<Expr>,
    /// What it waits for, as indexes into the list it stands in.
    pub parents: Vec<Edge>,
    /// Its list.
    pub for_each: Option<ForEach>,
    /// How long one attempt of one child may take; for a group, the whole of it.
    pub timeout: Option<Seconds>,
    /// What its failure means.
    pub on_error: OnError,
    /// What it does.
    pub body: StepBody,
    /// What it does to the world, judged from the file.
    pub class: Class,
    /// The variables it reads, hooks excluded.
    pub reads: Vec<PlacedRead>,
    /// Whether its output is secret.
    pub secret: bool,
}

/// What a step does.
#[derive(Debug)]
pub enum StepBody {
    /// One of the kinds.
    Kind(Box<dyn Body>, Box<Attempts>),
    /// Steps that run in order under one id.
    Group(Vec<Step>),
    /// Another runbook.
    Include(Box<Include>),
}

/// The keys about attempts, which only kinds have.
#[derive(Debug, Default)]
pub struct Attempts {
    /// When and how often it is repeated.
    pub retry: Option<Retry>,
    /// Repeats a read until something holds.
    pub until: Option<Until>,
    /// Did it take effect?
    pub verify: Option<Verify>,
    /// A side check.
    pub abort_when: Option<AbortWhen>,
    /// What warnings mean.
    pub on_warning: OnWarning,
    /// Whether it may be repeated although it took effect.
    pub idempotent: bool,
    /// What is shown of its result.
    pub show: Option<Show>,
    /// How it is undone.
    pub rollback: Option<Rollback>,
}

/// How a step is undone.
#[derive(Debug)]
pub enum Rollback {
    /// By these steps.
    Steps(Vec<Step>),
    /// By what its kind derives from what was there before.
    Auto,
    /// There is nothing to undo, and why.
    Nothing(String),
    /// It cannot be undone, and why.
    Impossible(String),
}

/// Where a step stands in the list of its runbook, or of a group in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepIndex {
    /// In the list.
    pub outer: usize,
    /// In the group.
    pub inner: Option<usize>,
}

/// A read of a variable, and where it stands.
#[derive(Debug, Clone)]
pub struct PlacedRead {
    /// The read.
    pub read: Read,
    /// Where it stands.
    pub span: Span,
}

impl Step {
    /// The step and, for a group, the steps inside.
    pub fn with_inner(&self) -> impl Iterator<Item = &Self> {
        let inner: &[Self] = match &self.body {
            StepBody::Group(steps) => steps,
            _ => &[],
        };
        std::iter::once(self).chain(inner)
    }

    /// The keyword of what it does.
    pub fn kind(&self) -> &'static str {
        match &self.body {
            StepBody::Kind(body, _) => body.kind(),
            StepBody::Group(_) => "steps",
            StepBody::Include(_) => "runbook",
        }
    }

    /// The keys about attempts, for a kind.
    pub fn attempts(&self) -> Option<&Attempts> {
        match &self.body {
            StepBody::Kind(_, attempts) => Some(attempts),
            _ => None,
        }
    }

    /// Its title, or what it does in a few words.
    pub fn heading(&self) -> String {
        match (&self.title, &self.body) {
            (Some(title), _) => title.source().to_owned(),
            (None, StepBody::Kind(body, _)) => body.summary(),
            (None, StepBody::Group(steps)) => format!("{} steps in order", steps.len()),
            (None, StepBody::Include(include)) => include.runbook.title.clone(),
        }
    }
}
