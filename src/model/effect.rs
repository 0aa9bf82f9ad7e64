//! [`Effect`]: what a step does to the world, and [`Class`], which says how sure that is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a step does to the world; ordered, so the effect of many is the maximum of each.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, Default,
)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Changes nothing.
    #[default]
    Read,
    /// Changes data, definitions or settings, and can be undone.
    Change,
    /// Blocks others, restarts something, or ends sessions.
    Disrupt,
    /// Cannot be undone.
    Destroy,
}

impl Effect {
    /// The word used in files, plans and journals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Change => "change",
            Self::Disrupt => "disrupt",
            Self::Destroy => "destroy",
        }
    }
}

/// How an effect is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Follows from what will be sent.
    #[default]
    Known,
    /// The author's `effect:` says so, and nothing contradicts it.
    Declared,
    /// Cannot be known, so it counts as [`Effect::Change`].
    Assumed,
}

/// An effect, how it is known, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Class {
    /// The effect.
    pub effect: Effect,
    /// How it is known.
    pub certainty: Certainty,
    /// Short reasons in the order found, such as `VACUUM FULL rewrites the table`.
    pub reasons: Vec<String>,
}

impl Class {
    /// A known effect without a reason worth telling.
    pub fn known(effect: Effect) -> Self {
        Self { effect, ..Self::default() }
    }

    /// A known effect with its reason.
    pub fn because(effect: Effect, reason: impl Into<String>) -> Self {
        Self { effect, certainty: Certainty::Known, reasons: vec![reason.into()] }
    }

    /// What cannot be known counts as a change.
    pub fn assumed(reason: impl Into<String>) -> Self {
        Self { effect: Effect::Change, certainty: Certainty::Assumed, reasons: vec![reason.into()] }
    }

    /// Whether this, the class of what was bound, is above the planned one. What cannot be known does not contradict
    /// what the author declared: there the server is the judge.
    pub fn exceeds(&self, planned: &Self) -> bool {
        let trusted = planned.certainty == Certainty::Declared && self.certainty == Certainty::Assumed;
        self.effect > planned.effect && !trusted
    }

    /// The class of both together: the higher effect, the lesser certainty.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.effect = self.effect.max(other.effect);
        self.certainty = self.certainty.max(other.certainty);
        self.reasons.extend(other.reasons);
        self.reasons.dedup();
        self
    }
}
