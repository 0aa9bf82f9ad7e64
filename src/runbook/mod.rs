//! The validated model: once a [`Runbook`] exists, nothing below checks it again.

mod check;
mod cycle;
mod derived;
mod head;
mod include;
mod keys;
mod load;
mod order;
mod parameter;
mod reads;
mod schema;
mod step;
mod values;

pub use derived::derived;
pub use head::{
    Concurrency, ConnectionKind, ConnectionNeed, Defaults, OnFailurePolicy, PostgresNeeds, Schedule,
    parse_version,
};
pub use include::Include;
pub use keys::{AbortWhen, Backoff, ForEach, OnError, OnTimeout, OnWarning, Retry, Show, Until, Verify};
pub use load::{Library, SourceText, load};
pub use order::{Edge, Reason};
pub use parameter::{Bound, Parameter, ParameterType, Parameters, Unsuitable};
pub use schema::schema;
pub use step::{Attempts, PlacedRead, Rollback, Step, StepBody, StepIndex};

pub use values::{ValueProblem, ValueSources, resolve};

use indexmap::IndexMap;

use crate::event::PinnedDocument;
use crate::step::SecretNames;
use crate::step::templated::{Expr, Templated};
use crate::template::Read;

/// A runbook that was read, checked and resolved.
#[derive(Debug, Default)]
pub struct Runbook {
    /// Its name, which is also the stem of its file.
    pub name: String,
    /// One line that says what it is.
    pub title: String,
    /// What it does, and why.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// When it is due.
    pub schedule: Option<Schedule>,
    /// The environment variables it reads, with their defaults.
    pub environment: IndexMap<String, Option<String>>,
    /// What it must be given.
    pub params: Parameters,
    /// What is computed once, at first use, with what each reads.
    pub vars: IndexMap<String, (Templated, Vec<Read>)>,
    /// What it talks to.
    pub connections: IndexMap<String, ConnectionNeed>,
    /// Which runs exclude each other.
    pub concurrency: Concurrency,
    /// What steps have that do not say otherwise.
    pub defaults: Defaults,
    /// The steps, in the order of the file.
    pub steps: Vec<Step>,
    /// Steps that run after the undo of a failed run.
    pub on_failure: Vec<Step>,
    /// Steps that run when the run becomes final.
    pub finally: Vec<Step>,
    /// What the runbook gives to those who include it.
    pub outputs: IndexMap<String, (Expr, Vec<Read>)>,
    /// Which variables are secret.
    pub secrets: SecretNames,
    /// Its text and the text of everything it includes.
    pub documents: Vec<PinnedDocument>,
}

impl Runbook {
    /// The connection of steps that name none: the default, or the only one of its kind.
    pub fn default_connection(&self, kind: &str) -> Option<&str> {
        let of_kind = |name: &&String| self.connections[*name].kind_name() == kind;
        match &self.defaults.connection {
            Some(name) if self.connections.get(name).is_some_and(|need| need.kind_name() == kind) => {
                Some(name)
            }
            _ => {
                let mut candidates = self.connections.keys().filter(of_kind);
                let first = candidates.next()?;
                candidates.next().is_none().then_some(first.as_str())
            }
        }
    }

    /// The step that stands at a place of the list, or of a group in it.
    pub fn step_at(&self, at: StepIndex) -> Option<&Step> {
        let outer = self.steps.get(at.outer)?;
        match (at.inner, &outer.body) {
            (None, _) => Some(outer),
            (Some(inner), StepBody::Group(steps)) => steps.get(inner),
            (Some(_), _) => None,
        }
    }

    /// Every step, those of groups included, in the order of the file; included runbooks are one step here.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().flat_map(Step::with_inner)
    }
}
