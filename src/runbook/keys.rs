//! The keys that every step has, whatever its kind.

use std::fmt;
use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use crate::step::templated::{Expr, Seconds, SqlText};

/// What a failed step means for the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// Nothing new starts.
    #[default]
    Stop,
    /// The run goes on, and ends with exit code 1.
    Continue,
}

/// What the server's warnings mean for a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnWarning {
    /// They fail the step.
    Error,
    /// They are shown and counted.
    #[default]
    Warn,
    /// They are kept with the result and otherwise ignored.
    Ignore,
}

/// One node with a keyed child for each item of a list.
#[derive(Debug, Clone)]
pub struct ForEach {
    /// The list.
    pub list: Expr,
    /// The key of a child; the item itself when it is a text, a number or a boolean.
    pub key: Option<Expr>,
    /// How many children run at once.
    pub max_parallel: usize,
    /// Whether the children after a failed one still run.
    pub on_error: OnError,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ForEachMap {
    /// The list.
    #[serde(rename = "in")]
    list: Expr,
    /// The key of a child, read from `item`.
    key: Option<Expr>,
    /// How many children run at once.
    #[serde(default = "one")]
    max_parallel: NonZeroUsize,
    /// Whether the children after a failed one still run.
    #[serde(default)]
    on_error: OnError,
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

impl<'de> Deserialize<'de> for ForEach {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ForEach;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an expression, or a map with `in`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ForEach, E> {
                Ok(ForEach { list: Expr::parse(text), key: None, max_parallel: 1, on_error: OnError::Stop })
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<ForEach, A::Error> {
                let map = ForEachMap::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let ForEachMap { list, key, max_parallel, on_error } = map;
                Ok(ForEach { list, key, max_parallel: max_parallel.get(), on_error })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for ForEach {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ForEach".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let expression = generator.subschema_for::<Expr>();
        let map = generator.subschema_for::<ForEachMap>();
        schemars::json_schema!({ "anyOf": [expression, map] })
    }
}

/// When and how often a failed attempt is repeated.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How many attempts there are at most, the first included.
    pub attempts: u32,
    /// The time before the second attempt.
    #[serde(default = "one_second")]
    pub delay: Seconds,
    /// How the time grows from attempt to attempt.
    #[serde(default)]
    pub backoff: Backoff,
    /// The longest time between two attempts.
    #[serde(default = "one_minute")]
    pub max_delay: Seconds,
    /// Which failures are repeated, read from `this.error`; all that can be when absent.
    pub when: Option<Expr>,
}

fn one_second() -> Seconds {
    Seconds::Fixed(1.0)
}

fn one_minute() -> Seconds {
    Seconds::Fixed(60.0)
}

/// How the time between attempts grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// It does not.
    #[default]
    Fixed,
    /// It doubles.
    Exponential,
}

impl Retry {
    /// The seconds before the attempt after this one, counted from one.
    pub fn delay_after(&self, attempt: u32, delay: f64, max_delay: f64) -> f64 {
        let doubled = match self.backoff {
            Backoff::Fixed => delay,
            Backoff::Exponential => {
                delay * 2_f64.powi(i32::try_from(attempt.saturating_sub(1)).unwrap_or(30).min(30))
            }
        };
        doubled.min(max_delay)
    }
}

/// Repeats a read until something holds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// What must hold, read from `this`.
    pub that: Expr,
    /// The time between two looks.
    #[serde(default = "five_seconds")]
    pub every: Seconds,
    /// How long to go on.
    pub timeout: Option<Seconds>,
    /// How long it must hold without a break.
    #[serde(default = "no_time")]
    pub hold: Seconds,
    /// What running out of time means.
    #[serde(default)]
    pub on_timeout: OnTimeout,
}

fn five_seconds() -> Seconds {
    Seconds::Fixed(5.0)
}

fn no_time() -> Seconds {
    Seconds::Fixed(0.0)
}

/// What running out of time means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnTimeout {
    /// The step fails.
    #[default]
    Fail,
    /// The step succeeds with the last answer, and warns.
    Continue,
}

/// Did the step take effect?
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// What must hold, read from `this`; with `sql`, `this` is the answer.
    pub that: Expr,
    /// A read that is asked first.
    pub sql: Option<SqlText>,
    /// Where it is asked; the step's own connection by default.
    pub connection: Option<String>,
}

/// A side check while the step runs; a breach cancels it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AbortWhen {
    /// The time between two looks.
    #[serde(default = "five_seconds")]
    pub every: Seconds,
    /// A read that is asked on a session of its own.
    pub sql: SqlText,
    /// The breach, read from `this`, which is the answer.
    pub that: Expr,
    /// Where it is asked; the step's own connection by default.
    pub connection: Option<String>,
}

/// What is shown of a result.
#[derive(Debug, Clone)]
pub enum Show {
    /// The result itself.
    Result,
    /// The value of an expression.
    Expression(Expr),
}

/// `show:` as written: `true`, `false`, or an expression.
#[derive(Debug, Clone)]
pub(super) struct ShowKey(pub(super) Option<Show>);

impl<'de> Deserialize<'de> for ShowKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(true) => Ok(Self(Some(Show::Result))),
            Value::Bool(false) => Ok(Self(None)),
            Value::String(text) => Ok(Self(Some(Show::Expression(Expr::parse(&text))))),
            _ => Err(de::Error::custom("expected `true`, `false` or an expression")),
        }
    }
}

impl JsonSchema for ShowKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Show".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["boolean", "string"],
            "description": "`true` shows the result; an expression shows its value.",
        })
    }
}
