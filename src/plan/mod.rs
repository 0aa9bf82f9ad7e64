//! What will happen, before it happens.
//!
//! A [`Plan`] says of each step what it will do exactly, what is known only after another step, or why it cannot be
//! told. Making one writes nothing and asks nobody; live, it sends classified reads on read-only sessions and nothing
//! else.

mod frame;
mod graph;
mod look;
mod planner;
mod preflight;
mod reach;
mod records;
mod rights;
mod undo;

pub use frame::{Frame, Surroundings};
pub use graph::{Format, draw};
pub use planner::{PlanRequest, plan};
pub use preflight::{Preflight, TargetFacts, preflight};
pub use reach::absent_connection;
pub use records::{Record, Records, error_value, this, undone};
pub use rights::missing_rights;
pub use undo::{PlannedUndo, UndoResult};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::event::PinnedStep;
use crate::model::{Class, Effect, Failure, StepId};

/// What a run of a runbook would do.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// The runbook's name.
    pub runbook: String,
    /// Its title.
    pub title: String,
    /// The environment's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Whether no target was asked.
    pub offline: bool,
    /// The parameters; a secret is a mask.
    pub parameters: Map<String, Value>,
    /// The targets.
    pub targets: Vec<PlannedTarget>,
    /// What stands in the way of the run as a whole.
    pub problems: Vec<Failure>,
    /// Whether a run that fails is undone by itself, where nobody is asked.
    pub rolls_back: bool,
    /// The steps, in the order of the file; those of groups and included runbooks follow theirs.
    pub steps: Vec<PlannedStep>,
}

/// A target of a plan.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedTarget {
    /// The connection's name in the runbook.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Where it leads.
    pub target: String,
}

/// A step of a plan.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedStep {
    /// Its id.
    pub id: StepId,
    /// Its kind.
    pub kind: String,
    /// Its title, or what it does in a few words.
    pub title: String,
    /// How deep it stands inside groups and included runbooks.
    pub depth: usize,
    /// What it does to the world.
    pub class: Class,
    /// How much is known.
    pub knowledge: Knowledge,
    /// The steps it waits for.
    pub parents: Vec<PlannedEdge>,
    /// Its conditions, and whether they hold where that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// What will be sent or asked, with holes where that is not known.
    pub lines: Vec<String>,
    /// The children of a `for_each` whose list is known: key and lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub children: Option<Vec<PlannedChild>>,
    /// The locks it will ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<String>,
    /// What was learned: estimates, the last duration, the answer of a read that was run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// What stands in the way of this step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<String>,
    /// How it is undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<PlannedUndo>,
    /// Whether it waits for a person.
    pub gate: bool,
    /// How a gate is answered beforehand, when it must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Whether its result is shown in a run.
    pub show: bool,
}

/// An edge of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedEdge {
    /// The step that must be final first.
    pub step: StepId,
    /// Why.
    pub because: &'static str,
}

/// A condition of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// The expression.
    pub when: String,
    /// Whether it holds; nothing when that is known later.
    pub holds: Option<bool>,
}

/// One child of a `for_each` step.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedChild {
    /// Its key.
    pub key: String,
    /// What will be sent.
    pub lines: Vec<String>,
}

/// How much a plan knows of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "know", rename_all = "snake_case")]
pub enum Knowledge {
    /// It will do exactly this.
    Exactly,
    /// It is known after these steps.
    After {
        /// The steps whose output it needs.
        #[schemars(with = "Vec<String>")]
        steps: Vec<StepId>,
    },
    /// It cannot be told, because …
    CannotTell {
        /// The reason.
        because: String,
    },
    /// It is skipped.
    Skipped {
        /// The reason.
        because: String,
    },
}

impl Plan {
    /// How many steps have an effect, skipped ones left out.
    pub fn count(&self, effect: Effect) -> usize {
        self.leaves().filter(|step| step.class.effect == effect).count()
    }

    /// The steps that do something themselves: no groups, no included runbooks as such, none that are skipped.
    pub fn leaves(&self) -> impl Iterator<Item = &PlannedStep> {
        self.steps.iter().filter(|step| {
            !matches!(step.kind.as_str(), "steps" | "runbook")
                && !matches!(step.knowledge, Knowledge::Skipped { .. })
        })
    }

    /// Whether something stands in the way.
    pub fn is_blocked(&self) -> bool {
        !self.problems.is_empty() || self.steps.iter().any(|step| !step.blockers.is_empty())
    }

    /// The steps as the first record of a run has them.
    pub fn pinned_steps(&self) -> Vec<PinnedStep> {
        let pinned = |step: &PlannedStep| PinnedStep {
            id: step.id.clone(),
            kind: step.kind.clone(),
            title: step.title.clone(),
            effect: step.class.effect,
            needs: step.parents.iter().map(|edge| edge.step.clone()).collect(),
            show: step.show,
        };
        self.steps.iter().map(pinned).collect()
    }

    /// The gates that only a person or an answer given beforehand can pass.
    pub fn open_gates(&self) -> impl Iterator<Item = &PlannedStep> {
        self.leaves().filter(|step| step.gate && step.answer.is_some())
    }
}
