//! Kind `assert`: an expectation about what earlier steps produced.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bind::Binder;
use super::context::RunContext;
use super::error::{BindError, StepError};
use super::kind::{Done, StepKind};
use super::templated::{Expr, Text};
use crate::model::{Applied, Class, Effect, Failure};

/// The kind.
#[derive(Debug)]
pub struct Assert;

/// One or several expressions that must be true.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssertSpec {
    /// What must be true: an expression, or a list of them.
    that: Expectations,
    /// What to say when it does not hold; by default the expression and the values in it.
    message: Option<Text>,
    /// What a breach means: `error` fails the step, `warn` only warns, `end` finishes the run here, succeeded.
    #[serde(default)]
    level: Level,
}

/// What a breach of an expectation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The step fails.
    #[default]
    Error,
    /// The step warns and succeeds.
    Warn,
    /// The run finishes here, succeeded; the rest is skipped with the message.
    End,
}

#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
enum Expectations {
    One(Expr),
    All(Vec<Expr>),
}

impl Expectations {
    fn iter(&self) -> std::slice::Iter<'_, Expr> {
        match self {
            Self::One(expr) => std::slice::from_ref(expr).iter(),
            Self::All(all) => all.iter(),
        }
    }
}

impl<'de> Deserialize<'de> for Expectations {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Expectations;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an expression or a list of expressions")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Expectations, E> {
                Ok(Expectations::One(Expr::parse(text)))
            }
            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Expectations, E> {
                Ok(Expectations::One(Expr::parse(if value { "true" } else { "false" })))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Expectations, A::Error> {
                let mut all = Vec::new();
                while let Some(expr) = seq.next_element()? {
                    all.push(expr);
                }
                Ok(Expectations::All(all))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// What the expectations came to.
#[derive(Debug, Serialize)]
pub struct AssertInput {
    checks: Vec<Checked>,
    message: Option<String>,
    level: Level,
}

#[derive(Debug, Serialize)]
struct Checked {
    that: String,
    holds: bool,
    values: Vec<(String, Value)>,
}

/// What an assert says.
#[derive(Debug, Serialize)]
pub struct AssertOutput {
    passed: bool,
    message: String,
}

impl StepKind for Assert {
    const NAME: &'static str = "assert";
    const ABOUT: &'static str = "States what must be true of what earlier steps produced.";
    const SHORT: Option<&'static str> = Some("that");
    type Spec = AssertSpec;
    type Input = AssertInput;
    type Output = AssertOutput;

    fn classify(_: &AssertSpec) -> Class {
        Class::known(Effect::Read)
    }

    fn summary(spec: &AssertSpec) -> String {
        spec.that.iter().map(Expr::source).collect::<Vec<_>>().join(" and ")
    }

    fn fields(_: &AssertSpec) -> &'static [&'static str] {
        &["passed", "message"]
    }

    fn bind(spec: &AssertSpec, binder: &Binder<'_>) -> Result<AssertInput, BindError> {
        let check = |expr: &Expr| {
            let holds = binder.truth(expr)?;
            let values = if holds { Vec::new() } else { expr.expression.operands(binder.scope) };
            Ok(Checked { that: expr.source().to_owned(), holds, values })
        };
        let checks: Vec<Checked> = spec.that.iter().map(check).collect::<Result<_, BindError>>()?;
        // The message is written for a breach, and may speak of what is only there then.
        let broken = checks.iter().any(|check| !check.holds);
        let message = binder.maybe_text(spec.message.as_ref().filter(|_| broken))?;
        Ok(AssertInput { checks, message, level: spec.level })
    }

    fn classify_bound(_: &AssertInput) -> Class {
        Class::known(Effect::Read)
    }

    fn lines(input: &AssertInput) -> Vec<String> {
        input
            .checks
            .iter()
            .map(|check| format!("{} ({})", check.that, if check.holds { "holds" } else { "does not hold" }))
            .chain(input.message.clone())
            .collect()
    }

    fn template_lines(spec: &AssertSpec) -> Vec<String> {
        spec.that.iter().map(|expr| expr.source().to_owned()).collect()
    }

    async fn run(input: &AssertInput, _: &RunContext<'_>) -> Result<Done<AssertOutput>, StepError> {
        let broken: Vec<&Checked> = input.checks.iter().filter(|check| !check.holds).collect();
        let passed = broken.is_empty();
        let message = input.message.clone().unwrap_or_else(|| default_message(input, &broken));
        let mut done = Done::with(AssertOutput { passed, message: message.clone() });
        match (passed, input.level) {
            (true, _) => {}
            (false, Level::Warn) => done.warnings.push(message),
            (false, Level::End) => done.ends_run = Some(message),
            (false, Level::Error) => return Err(breach(message, &broken).into()),
        }
        Ok(done)
    }
}

fn default_message(input: &AssertInput, broken: &[&Checked]) -> String {
    match broken.first() {
        Some(first) => format!("`{}` does not hold", first.that),
        None => input.checks.iter().map(|check| check.that.as_str()).collect::<Vec<_>>().join(" and "),
    }
}

/// The failure names every expression that does not hold and the values in it.
fn breach(message: String, broken: &[&Checked]) -> Failure {
    let details = broken
        .iter()
        .map(|check| {
            let values: Vec<String> =
                check.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            match values.len() {
                0 => format!("expected `{}`", check.that),
                _ => format!("expected `{}`, where {}", check.that, values.join(", ")),
            }
        })
        .collect();
    Failure { details, ..Failure::new(message) }.applied(Applied::No)
}
