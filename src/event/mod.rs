//! The vocabulary between the engine and everything else.
//!
//! Durable events change state and are journaled; transient ones tell a watcher what goes on and may be dropped.
//! These types are promises: journals and `--output json` carry them, so a change to one is a change of [`VERSION`].

mod sink;
mod state;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{Effect, Failure, RunId, RunOutcome, SkipReason, StepId, StepState};

pub use sink::{Sink, SinkClosed};
pub use state::{IllegalTransition, Node, RunState};

/// The version of the event format; part of every first record.
pub const VERSION: u32 = 1;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Numbers the durable events of a run from one; a transient event carries the number of the durable one before it.
    pub seq: u64,
    /// When it happened, RFC 3339 in UTC.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The run it happened in.
    #[schemars(with = "String")]
    pub run: RunId,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The first event: everything the run is pinned to.
    RunStarted(Box<RunStarted>),
    /// A variable of `vars` was computed, once, at its first use.
    VariableComputed {
        /// Its name; in an included runbook behind the id of the step that includes it.
        name: String,
        /// Its value; a secret is a mask.
        value: Value,
    },
    /// The list of a `for_each` was evaluated, once.
    ItemsListed {
        /// The step with the `for_each`; the key is that of the loop around it.
        #[serde(flatten)]
        at: Place,
        /// Key and item of each child, in order.
        items: Vec<Item>,
    },
    /// An attempt begins: the intent, on disk before an effect can become durable.
    StepStarted {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// Counted from one.
        attempt: u32,
        /// What the step does to the world.
        effect: Effect,
        /// The bound body, secrets masked.
        input: Value,
        /// What was there before, for undo.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        before: Value,
    },
    /// A durable fact inside a step: a transaction id, a statement done.
    StepTraced {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// The fact, in the words of the step's kind.
        trace: Value,
    },
    /// An attempt failed and another will follow.
    AttemptFailed {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// The attempt that failed.
        attempt: u32,
        /// What went wrong.
        failure: Failure,
        /// Seconds until the next attempt.
        retry_in: f64,
    },
    /// A gate was answered.
    AnswerGiven {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// The question as it was shown.
        question: String,
        /// The answer.
        answer: Value,
        /// Who answered.
        by: String,
        /// How: `terminal`, `flag`, `file`, or `default`.
        how: String,
    },
    /// A step or a child of one is final.
    StepFinished {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// How it ended.
        state: StepState,
        /// What it produced, secrets masked.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        output: Value,
        /// What went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// Warnings, as the other side worded them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
        /// Seconds from its first attempt to now; zero when it never started.
        seconds: f64,
    },
    /// A step or a child of one is skipped.
    StepSkipped {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// Why.
        reason: SkipReason,
    },
    /// What became of a step is open again: another leg, or a person, tries it once more.
    StepReopened {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// Why.
        why: String,
    },
    /// A person decided what a failed step means for the run.
    FailureDecided {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// What was chosen.
        choice: FailureChoice,
        /// Who chose.
        by: String,
    },
    /// What will be undone, the last effect first: from here on the run goes backwards.
    UndoPlanned {
        /// Why.
        why: String,
        /// Every step that took effect.
        steps: Vec<UndoStep>,
    },
    /// The undo of a step is over: it ran, or a person must finish it.
    StepUndone {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// `rolled_back` or `stuck`.
        state: StepState,
        /// Why a person must finish it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// Another process goes on with the run.
    RunResumed {
        /// Who, as `user@host`.
        operator: String,
        /// The version of the program.
        program: String,
        /// Whether it goes forward, or back.
        direction: Direction,
        /// The documents and steps that take the place of the first ones, where the operator adopted a changed file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        adopted: Option<Adopted>,
    },
    /// The leg ends here, the run does not.
    RunPaused {
        /// Why.
        reason: String,
    },
    /// The last event.
    RunFinished {
        /// How the run ended.
        outcome: RunOutcome,
        /// The process's exit code.
        exit_code: u8,
        /// What the runbook's `outputs` came to.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        outputs: Map<String, Value>,
        /// Seconds from the first event to this one.
        seconds: f64,
    },

    /// How far a running step is. Transient.
    Progressed {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// What it is doing now, such as `scanning heap`.
        phase: String,
        /// Zero to a hundred, where it can be known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<f64>,
        /// What it is working on, or how much it has done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// A running step waits for others. Transient.
    Blocked {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// Who blocks it, one line each.
        blockers: Vec<String>,
    },
    /// The server said something while a step runs. Transient.
    Noticed {
        /// Which step.
        #[serde(flatten)]
        at: Place,
        /// `NOTICE`, `WARNING`, `INFO`.
        severity: String,
        /// What it said.
        message: String,
    },
    /// Something the operator should know about the run itself. Transient.
    Remarked {
        /// The remark.
        message: String,
    },
}

/// A changed runbook that a run goes on with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Adopted {
    /// Every document, the runbook first.
    pub documents: Vec<PinnedDocument>,
    /// The steps.
    pub steps: Vec<PinnedStep>,
}

/// What a person can do about a failed step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureChoice {
    /// Try it once more.
    Retry,
    /// Leave it failed, and go on.
    Skip,
    /// Undo what took effect.
    RollBack,
    /// Stop here, to be resumed or rolled back later.
    Leave,
}

/// Where a leg of a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Through the steps that are not final.
    Forward,
    /// Back through the effects.
    Back,
}

/// A step that took effect, in the order of its undo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UndoStep {
    /// Which step.
    #[serde(flatten)]
    pub at: Place,
    /// How it is undone.
    #[serde(flatten)]
    pub means: UndoMeans,
    /// The steps whose undo must be over first: those that came after it and needed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Place>,
}

/// How a step is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "means", rename_all = "snake_case")]
pub enum UndoMeans {
    /// By the steps of its `rollback`.
    Hooks {
        /// How many.
        steps: usize,
    },
    /// By what was there before.
    Auto,
    /// There is nothing to undo.
    Nothing {
        /// Why.
        why: String,
    },
    /// It cannot be undone: automatic undo stops here.
    Impossible {
        /// Why.
        why: String,
    },
    /// It stays, because something after it cannot be undone.
    Beyond {
        /// The step that cannot be undone.
        point: Place,
    },
}

/// A step, or one child of a `for_each` step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The step.
    #[schemars(with = "String")]
    pub step: StepId,
    /// The key of the child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Place {
    /// The step itself.
    pub fn step(step: &StepId) -> Self {
        Self { step: step.clone(), key: None }
    }

    /// A child of the step.
    pub fn child(step: &StepId, key: impl Into<String>) -> Self {
        Self { step: step.clone(), key: Some(key.into()) }
    }
}

impl Place {
    /// Whether the step undoes another one.
    pub fn is_hook(&self) -> bool {
        self.step.as_str().split('.').any(|part| part == "rollback")
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.key {
            None => write!(f, "{}", self.step),
            Some(key) => write!(f, "{}[{key}]", self.step),
        }
    }
}

/// One child of a `for_each`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Unique in its list.
    pub key: String,
    /// The item.
    pub item: Value,
}

/// Everything a run is pinned to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunStarted {
    /// The version of the event format.
    pub version: u32,
    /// The version of the program.
    pub program: String,
    /// The runbook's name.
    pub runbook: String,
    /// The runbook's title.
    pub title: String,
    /// The environment's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Who runs it, as `user@host`.
    pub operator: String,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every document the run was made from, the runbook first.
    pub documents: Vec<PinnedDocument>,
    /// The parameters; a secret is a mask.
    pub parameters: Map<String, Value>,
    /// What the runbook talks to.
    pub connections: Vec<PinnedConnection>,
    /// The steps in the order they stand in the file.
    pub steps: Vec<PinnedStep>,
    /// What else a later leg needs to be the same.
    #[serde(default)]
    pub options: PinnedOptions,
}

/// What was said on the command line that a later leg keeps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PinnedOptions {
    /// The file of environments, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The folder that data files are relative to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub files: String,
    /// The steps that were excluded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// Whether warnings fail the run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

/// A document as it was when the run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PinnedDocument {
    /// Where it came from.
    pub name: String,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Its text.
    pub text: String,
}

/// A connection as it was when the run began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PinnedConnection {
    /// Its name in the runbook.
    pub name: String,
    /// `postgres`, `kubernetes` or `host`.
    pub kind: String,
    /// Where it leads, for people.
    pub target: String,
    /// What proves it is the same target: system identifier, database, role, version.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub identity: Value,
}

/// A step as the plan has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PinnedStep {
    /// Its id.
    #[schemars(with = "String")]
    pub id: StepId,
    /// Its kind, such as `sql`.
    pub kind: String,
    /// Its title, or what it does in a few words.
    pub title: String,
    /// What it does to the world.
    pub effect: Effect,
    /// The steps it waits for.
    #[schemars(with = "Vec<String>")]
    pub needs: Vec<StepId>,
    /// Whether its result is shown: not at all, as it is, or the value of an expression kept under `shown` in the output.
    #[serde(default)]
    pub show: bool,
}

impl EventKind {
    /// Whether the event changes state and belongs in the journal.
    pub fn is_durable(&self) -> bool {
        !matches!(
            self,
            Self::Progressed { .. } | Self::Blocked { .. } | Self::Noticed { .. } | Self::Remarked { .. }
        )
    }

    /// Whether the event must be on disk before the engine goes on: the intent of an effect, an answer, an end.
    pub fn is_synced(&self) -> bool {
        match self {
            Self::StepTraced { .. }
            | Self::AnswerGiven { .. }
            | Self::RunFinished { .. }
            | Self::RunPaused { .. } => true,
            // The intent of an effect is synced by its kind: before COMMIT, or before the first byte.
            _ => false,
        }
    }
}
