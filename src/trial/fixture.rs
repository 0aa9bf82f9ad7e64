//! A fixture as it is written: cases, canned results, and what is expected of them.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::model::{Applied, RunOutcome, StepState};

/// The cases that a runbook is tried on; lies beside it as `NAME.test.yaml`.
#[derive(Debug, JsonSchema)]
#[schemars(title = "Fixture", deny_unknown_fields)]
pub struct FixtureFile {
    /// The version of the format: 1.
    pub version: u32,
    /// The name of the runbook.
    pub runbook: String,
    /// The cases, each a run of its own.
    pub cases: Vec<Case>,
}

/// One run: what it is given, what the steps bring, and what must come of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case is about, in a few words.
    pub name: String,
    /// The parameters, as in a parameter file.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// The environment variables.
    #[serde(default)]
    pub env: IndexMap<String, String>,
    /// Facts of connections, such as `{ db: { version_num: 150004 } }`; `{ db: { present: false } }` for an absent one.
    #[serde(default)]
    pub connections: IndexMap<String, Map<String, Value>>,
    /// When the run begins, RFC 3339.
    #[serde(default = "some_day")]
    pub now: String,
    /// What steps bring, by id, or by id and key as in `vacuum[public.orders]`.
    #[serde(default)]
    pub steps: IndexMap<String, Results>,
    /// What must come of it.
    pub expect: Expect,
    /// Which faults are made in turn: `each`, or what each must leave undone.
    pub faults: Option<Faults>,
}

fn some_day() -> String {
    "2026-01-05T03:00:00Z".to_owned()
}

/// The results of a step.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum Results {
    /// The same each time.
    Same(Box<Canned>),
    /// One for each attempt or poll; the last one stays.
    InTurn(Vec<Canned>),
}

impl Results {
    /// What the `nth` time brings, counted from nothing.
    pub(super) fn at(&self, nth: usize) -> Option<&Canned> {
        match self {
            Self::Same(result) => Some(result),
            Self::InTurn(results) => results.get(nth).or(results.last()),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Canned] {
        match self {
            Self::Same(result) => std::slice::from_ref(result.as_ref()),
            Self::InTurn(results) => results,
        }
    }
}

impl<'de> Deserialize<'de> for Results {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Results;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a result or a list of results")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Results, A::Error> {
                Canned::deserialize(MapAccessDeserializer::new(map))
                    .map(|canned| Results::Same(Box::new(canned)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Results, A::Error> {
                let mut results = Vec::new();
                while let Some(result) = seq.next_element()? {
                    results.push(result);
                }
                Ok(Results::InTurn(results))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// What an attempt brings instead of doing anything.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Canned {
    /// It fails so.
    pub fail: Option<CannedFailure>,
    /// No answer comes, and why: nobody knows whether it took effect.
    pub cut: Option<String>,
    /// What was there before, for `rollback: auto` and `this.before`.
    pub before: Option<Value>,
    /// What the SQL of `verify` brings.
    pub verify: Option<Vec<Value>>,
    /// The output, by the names that templates read: `rows`, `row` or `value`; `object` or `items`; `stdout`; `answer`.
    #[serde(flatten)]
    pub output: Map<String, Value>,
}

/// How an attempt fails.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CannedFailure {
    /// What went wrong.
    pub message: String,
    /// The five characters of a PostgreSQL SQLSTATE.
    pub sqlstate: Option<String>,
    /// What the attempt left behind: `no`, `partly` or `yes`; `unknown` for a program that ended with a bad exit code.
    #[serde(default)]
    pub applied: Applied,
}

/// What must come of a case.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// How the run ends.
    pub outcome: RunOutcome,
    /// Where steps stand at the end.
    #[serde(default)]
    pub states: IndexMap<String, StepState>,
    /// Outputs of the runbook.
    #[serde(default)]
    pub outputs: Map<String, Value>,
    /// What steps send, exactly, blank space aside; the children of a `for_each` one after another.
    #[serde(default)]
    pub sent: IndexMap<String, Vec<String>>,
    /// Words that the failure or a warning of a step has in it.
    #[serde(default)]
    pub says: IndexMap<String, String>,
}

/// Which faults are made.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum Faults {
    /// Every effect fails, is cut, and is repeated, in turn.
    Each(Each),
    /// The same, and which steps must have been undone after one failed, the last effect first.
    Undone {
        /// By the step that failed.
        undone: IndexMap<String, Vec<String>>,
    },
}

/// The word for every fault.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Each {
    /// Every effect in turn.
    Each,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredUndo {
    undone: IndexMap<String, Vec<String>>,
}

impl<'de> Deserialize<'de> for Faults {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EachOrUndone;
        impl<'de> Visitor<'de> for EachOrUndone {
            type Value = Faults;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`each`, or a map with `undone`")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Faults, E> {
                let each = text == "each";
                each.then_some(Faults::Each(Each::Each))
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Faults, A::Error> {
                let declared = DeclaredUndo::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Faults::Undone { undone: declared.undone })
            }
        }
        deserializer.deserialize_any(EachOrUndone)
    }
}

impl Faults {
    /// The steps that must have been undone after this one failed, where the case says so.
    pub(super) fn undone_after(&self, step: &str) -> Option<&[String]> {
        match self {
            Self::Each(_) => None,
            Self::Undone { undone } => undone.get(step).map(Vec::as_slice),
        }
    }
}
