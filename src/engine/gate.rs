//! Answering gates: from flags and files, by `--yes`, by `unattended`, else by a person.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::dispatcher::Dispatcher;
use crate::connect::{AnswerKind, PromptError, Prompter, Question};
use crate::event::{EventKind, Place};
use crate::model::{Failure, StoppedBy};
use crate::step::{Gate, GateAnswer, StepError};

/// Answers that were given before the run.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// By id, from `--answer` and `--answers`.
    pub given: BTreeMap<String, String>,
    /// `--yes`: every plain gate.
    pub yes: bool,
}

/// Answers the gates of a run.
pub(super) struct GateKeeper<'a, 'd> {
    pub(super) answers: &'a Answers,
    pub(super) prompter: Option<&'a dyn Prompter>,
    pub(super) operator: &'a str,
    pub(super) dispatcher: &'a Dispatcher<'d>,
}

impl Gate for GateKeeper<'_, '_> {
    fn answer<'a>(
        &'a self,
        place: &'a Place,
        question: &'a Question,
        plain: bool,
        unattended: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<GateAnswer, StepError>> {
        Box::pin(async move {
            let (value, how) = self.find(place, question, plain, unattended).await?;
            let at = self.dispatcher.now();
            let given = EventKind::AnswerGiven {
                at: place.clone(),
                question: question.message.clone(),
                answer: value.clone(),
                by: self.operator.to_owned(),
                how: how.to_owned(),
            };
            self.dispatcher.record(given).map_err(StepError::Failed)?;
            Ok(GateAnswer { value, by: self.operator.to_owned(), at: at.to_string() })
        })
    }
}

impl GateKeeper<'_, '_> {
    async fn find(
        &self,
        place: &Place,
        question: &Question,
        plain: bool,
        unattended: Option<&Value>,
    ) -> Result<(Value, &'static str), StepError> {
        let by_id = self.answers.given.get(&place.to_string());
        if let Some(text) = by_id.or_else(|| self.answers.given.get(place.step.as_str())) {
            return accept(&question.answer, text).map(|value| (value, "flag")).map_err(|message| {
                let failure = Failure::new(message).stopped_by(StoppedBy::Declined);
                StepError::Cancelled(failure.help(format!("Answer with `--answer {place}=…`.")))
            });
        }
        if plain && self.answers.yes {
            return Ok((Value::Bool(true), "flag"));
        }
        let Some(prompter) = self.prompter else {
            let Some(value) = unattended else { return Err(unanswered(place, &PromptError::NoTerminal)) };
            return Ok((unattended_value(&question.answer, value), "unattended"));
        };
        prompter
            .ask(question)
            .await
            .map(|value| (value, "terminal"))
            .map_err(|error| unanswered(place, &error))
    }
}

fn unanswered(place: &Place, error: &PromptError) -> StepError {
    let by = if *error == PromptError::Interrupted { StoppedBy::Operator } else { StoppedBy::Declined };
    let failure = Failure::new(error.to_string()).stopped_by(by);
    StepError::Cancelled(failure.help(format!("Answer beforehand with `--answer {place}=…`.")))
}

fn unattended_value(kind: &AnswerKind, value: &Value) -> Value {
    match (kind, value) {
        (AnswerKind::YesNo { .. }, Value::String(text)) => Value::Bool(text == "yes"),
        _ => value.clone(),
    }
}

/// An answer given as text, as the question wants it.
pub(super) fn accept(kind: &AnswerKind, text: &str) -> Result<Value, String> {
    match kind {
        AnswerKind::YesNo { .. } => match text {
            "yes" | "y" | "true" => Ok(Value::Bool(true)),
            "no" | "n" | "false" => Ok(Value::Bool(false)),
            _ => Err(format!("`{text}` is neither yes nor no")),
        },
        AnswerKind::Typed { text: expected } if text == expected => Ok(Value::Bool(true)),
        AnswerKind::Typed { text: expected } => Err(format!("the answer is not `{expected}`")),
        AnswerKind::Choice { choices, many: false } => choose(choices, text),
        AnswerKind::Choice { choices, many: true } => text
            .split(',')
            .map(|one| choose(choices, one.trim()))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        AnswerKind::Text { .. } => Ok(Value::from(text)),
    }
}

fn choose(choices: &[(String, Value)], text: &str) -> Result<Value, String> {
    let is_value = |value: &Value| match value {
        Value::String(own) => own == text,
        Value::Number(_) | Value::Bool(_) => value.to_string().as_str() == text,
        _ => false,
    };
    let chosen = choices.iter().find(|(label, value)| label == text || is_value(value));
    chosen.map(|(_, value)| value.clone()).ok_or_else(|| {
        let labels: Vec<&str> = choices.iter().map(|(label, _)| label.as_str()).collect();
        format!("`{text}` is none of {}", labels.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_fit_their_question_or_are_refused() {
        let choice = AnswerKind::Choice {
            choices: vec![("first".into(), json!(1)), ("second".into(), json!(2))],
            many: true,
        };
        assert_eq!(accept(&AnswerKind::YesNo { default: false }, "yes"), Ok(json!(true)));
        assert!(accept(&AnswerKind::YesNo { default: false }, "maybe").is_err());
        assert!(accept(&AnswerKind::Typed { text: "wms_db".into() }, "wms").is_err());
        assert_eq!(accept(&choice, "first, second"), Ok(json!([1, 2])));
        assert_eq!(accept(&choice, "2"), Ok(json!([2])));
        assert!(accept(&choice, "third").is_err());
    }
}
