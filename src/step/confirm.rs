//! Kind `confirm`: a gate before what follows, answered by a person or beforehand.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bind::Binder;
use super::context::RunContext;
use super::error::{BindError, StepError};
use super::kind::{Anchor, CheckContext, Done, StepKind};
use super::templated::{Expr, Problem, Seconds, Text};
use crate::connect::{AnswerKind, Question};
use crate::diagnostic::{Code, Severity};
use crate::model::{Applied, Class, Effect, Failure, StoppedBy};

/// The kind.
#[derive(Debug)]
pub struct Confirm;

/// A question that must be answered before the steps below it run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmSpec {
    /// The question.
    message: Text,
    /// What to show above the question, such as `steps.targets.rows`.
    show: Option<Expr>,
    /// A text that must be typed, for what cannot be undone.
    #[serde(rename = "type")]
    typed: Option<Text>,
    /// The answers to choose from.
    choices: Option<Choices>,
    /// What Enter alone means: `no` or `yes`.
    #[serde(default)]
    default: YesNo,
    /// What a no means: `stop` declines the run, `continue` goes on with `answer` false.
    #[serde(default)]
    on_no: OnNo,
    /// How long to wait for an answer.
    timeout: Option<Seconds>,
    /// How long an answer stays good when the run is suspended and resumed.
    #[serde(default = "one_hour")]
    valid_for: Seconds,
    /// The answer must come from another account than the one that runs the runbook.
    #[serde(default)]
    second_person: bool,
    /// The answer where there is no terminal.
    unattended: Option<Value>,
}

fn one_hour() -> Seconds {
    Seconds::Fixed(3600.0)
}

/// What Enter alone means at a gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum YesNo {
    #[default]
    No,
    Yes,
}

impl<'de> Deserialize<'de> for YesNo {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(true) => Ok(Self::Yes),
            Value::Bool(false) => Ok(Self::No),
            Value::String(text) if text == "yes" => Ok(Self::Yes),
            Value::String(text) if text == "no" => Ok(Self::No),
            other => Err(serde::de::Error::custom(format!("expected `yes` or `no`, found `{other}`"))),
        }
    }
}

/// What a no means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum OnNo {
    /// The run is declined.
    #[default]
    Stop,
    /// The run goes on; steps below decide by `steps.<id>.answer`.
    Continue,
}

/// The answers to choose from.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
enum Choices {
    /// These values.
    List(Vec<Value>),
    /// One choice for each item of a list.
    From(ChoicesFrom),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChoicesFrom {
    /// The list, such as `steps.backups.rows`.
    from: Expr,
    /// The field of an item that is the answer; the whole item by default.
    value: Option<String>,
    /// The field of an item that is shown; the answer by default.
    label: Option<String>,
    /// Whether several may be chosen.
    #[serde(default)]
    many: bool,
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Array(values) => Ok(Self::List(values)),
            map @ Value::Object(_) => {
                serde_json::from_value(map).map(Self::From).map_err(serde::de::Error::custom)
            }
            _ => Err(serde::de::Error::custom("expected a list of answers, or a map with `from`")),
        }
    }
}

/// The question as it will be asked.
#[derive(Debug, Serialize)]
pub struct ConfirmInput {
    message: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    shown: Value,
    #[serde(skip)]
    answer: AnswerKind,
    #[serde(skip)]
    on_no: OnNo,
    #[serde(skip)]
    timeout: Option<f64>,
    #[serde(skip)]
    unattended: Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    second_person: bool,
}

/// The answer.
#[derive(Debug, Serialize)]
pub struct ConfirmOutput {
    answer: Value,
    by: String,
    at: String,
}

impl ConfirmSpec {
    /// Whether the gate can be passed without a person and without an answer given beforehand.
    pub fn has_unattended(&self) -> bool {
        self.unattended.is_some()
    }

    /// Whether `--yes` answers it: a plain yes-or-no question.
    pub fn is_plain(&self) -> bool {
        self.typed.is_none() && self.choices.is_none() && !self.second_person
    }

    /// How long an answer holds, in seconds, where the file alone says it.
    pub fn valid_for(&self) -> Option<f64> {
        self.valid_for.fixed()
    }

    /// How the gate is answered on the command line, for the list of open gates.
    pub fn answer_hint(&self) -> String {
        match (&self.typed, &self.choices) {
            (Some(text), _) => text.source().to_owned(),
            (None, Some(Choices::List(values))) => values.iter().map(plain).collect::<Vec<_>>().join("|"),
            (None, Some(Choices::From(_))) => "VALUE".to_owned(),
            (None, None) => "yes".to_owned(),
        }
    }

    /// The question as written.
    pub fn question(&self) -> &str {
        self.message.source()
    }

    fn answer_kind(&self, binder: &Binder<'_>) -> Result<AnswerKind, BindError> {
        if let Some(typed) = &self.typed {
            return Ok(AnswerKind::Typed { text: binder.text(typed)? });
        }
        match &self.choices {
            None => Ok(AnswerKind::YesNo { default: self.default == YesNo::Yes }),
            Some(Choices::List(values)) => {
                let choices = values.iter().map(|value| (plain(value), value.clone())).collect();
                Ok(AnswerKind::Choice { choices, many: false })
            }
            Some(Choices::From(from)) => from.choices(binder),
        }
    }
}

impl ChoicesFrom {
    fn choices(&self, binder: &Binder<'_>) -> Result<AnswerKind, BindError> {
        let list = binder.value(&self.from)?;
        let refuse = |message: String| BindError {
            message,
            source: self.from.source().to_owned(),
            help: Some("`from` must be a list of items, each with the named fields.".to_owned()),
        };
        let items = list.as_array().ok_or_else(|| refuse("the choices are not a list".to_owned()))?;
        let field = |item: &Value, name: &Option<String>| match name {
            None => Ok(item.clone()),
            Some(name) => {
                item.get(name).cloned().ok_or_else(|| refuse(format!("a choice has no field `{name}`")))
            }
        };
        let choices = items
            .iter()
            .map(|item| {
                let value = field(item, &self.value)?;
                let label = match &self.label {
                    None => plain(&value),
                    label => plain(&field(item, label)?),
                };
                Ok((label, value))
            })
            .collect::<Result<Vec<_>, BindError>>()?;
        if choices.is_empty() {
            return Err(refuse("there is nothing to choose from".to_owned()));
        }
        Ok(AnswerKind::Choice { choices, many: self.many })
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl StepKind for Confirm {
    const NAME: &'static str = "confirm";
    const ABOUT: &'static str = "Asks a person before the steps below it run.";
    const SHORT: Option<&'static str> = Some("message");
    type Spec = ConfirmSpec;
    type Input = ConfirmInput;
    type Output = ConfirmOutput;

    fn check(spec: &mut ConfirmSpec, cx: &mut CheckContext<'_>) {
        let mut problem = |key, message: &str, help: &str| {
            cx.problems.push((
                Anchor::Key(key),
                Problem {
                    code: Code::CONFIRM_CONFLICT,
                    severity: Severity::Error,
                    message: message.to_owned(),
                    range: None,
                    help: Some(help.to_owned()),
                },
            ));
        };
        if spec.typed.is_some() && spec.choices.is_some() {
            problem("choices", "`type` and `choices` exclude each other", "Keep one of the two.");
        }
        if spec.second_person && spec.unattended.is_some() {
            problem(
                "unattended",
                "a gate for a second person cannot answer itself",
                "Remove `unattended`, or `second_person`.",
            );
        }
    }

    fn classify(_: &ConfirmSpec) -> Class {
        Class::known(Effect::Read)
    }

    fn summary(spec: &ConfirmSpec) -> String {
        spec.message.source().to_owned()
    }

    fn fields(_: &ConfirmSpec) -> &'static [&'static str] {
        &["answer", "by", "at"]
    }

    fn bind(spec: &ConfirmSpec, binder: &Binder<'_>) -> Result<ConfirmInput, BindError> {
        Ok(ConfirmInput {
            message: binder.text(&spec.message)?,
            shown: spec.show.as_ref().map(|expr| binder.value(expr)).transpose()?.unwrap_or(Value::Null),
            answer: spec.answer_kind(binder)?,
            on_no: spec.on_no,
            timeout: binder.maybe_seconds(spec.timeout.as_ref())?,
            unattended: spec.unattended.clone(),
            second_person: spec.second_person,
        })
    }

    fn classify_bound(_: &ConfirmInput) -> Class {
        Class::known(Effect::Read)
    }

    fn lines(input: &ConfirmInput) -> Vec<String> {
        let how = match &input.answer {
            AnswerKind::Typed { text } => format!("to be answered by typing `{text}`"),
            AnswerKind::Choice { choices, .. } => {
                let labels: Vec<&str> = choices.iter().map(|(label, _)| label.as_str()).collect();
                format!("to be answered with one of {}", labels.join(", "))
            }
            _ => "to be answered with yes or no".to_owned(),
        };
        vec![input.message.clone(), how]
    }

    fn template_lines(spec: &ConfirmSpec) -> Vec<String> {
        vec![spec.message.source().to_owned()]
    }

    async fn run(input: &ConfirmInput, cx: &RunContext<'_>) -> Result<Done<ConfirmOutput>, StepError> {
        if input.second_person {
            return Err(needs_somebody_else());
        }
        let question = Question {
            id: cx.place.to_string(),
            message: input.message.clone(),
            about: Vec::new(),
            shown: input.shown.clone(),
            answer: input.answer.clone(),
            timeout: input.timeout.map(Duration::from_secs_f64),
        };
        let plain = matches!(input.answer, AnswerKind::YesNo { .. });
        let given = cx.gate.answer(cx.place, &question, plain, input.unattended.as_ref()).await?;
        if given.value == Value::Bool(false) && input.on_no == OnNo::Stop {
            let failure = Failure::new(format!("declined by {}", given.by))
                .applied(Applied::No)
                .stopped_by(StoppedBy::Declined);
            return Err(StepError::Cancelled(failure));
        }
        Ok(Done::with(ConfirmOutput { answer: given.value, by: given.by, at: given.at }))
    }
}

/// Whoever runs the runbook cannot answer for somebody else, so the gate stays shut.
fn needs_somebody_else() -> StepError {
    let failure = Failure::new("the answer of a second person is needed, and this version cannot take it")
        .help("Run it with somebody beside you, and exclude the gate with `--skip` and `--reason`.")
        .stopped_by(StoppedBy::Declined);
    StepError::Cancelled(failure)
}
