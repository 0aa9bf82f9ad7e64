//! A step failed, and a person is there: retry, skip, roll back or leave. Without one the runbook's policy decides.

use serde_json::{Value, json};

use super::halt::Halt;
use super::halt::Role;
use super::scheduler::{Scheduler, Standing};
use crate::connect::{AnswerKind, Question};
use crate::event::{EventKind, FailureChoice, Node, Place};
use crate::model::{StepState, StoppedBy};
use crate::plan::Record;
use crate::runbook::{OnError, Step};

impl Scheduler<'_, '_> {
    /// Asks what the failure of a step means, where somebody can be asked and it matters.
    pub(super) async fn decide(
        &self,
        standing: Standing<'_>,
        step: &Step,
        halt: &Halt,
        record: &Record,
    ) -> Option<FailureChoice> {
        let prompter = self.gate.prompter?;
        let failure = record.failure.as_ref().filter(|_| record.state == Some(StepState::Failed))?;
        let stopped = failure.was_interrupted() || failure.stopped_by == Some(StoppedBy::Neighbour);
        let stops = step.for_each.as_ref().map_or(step.on_error, |list| list.on_error) == OnError::Stop;
        if halt.role != Role::Steps || stopped || !stops || halt.reason().is_some() {
            return None;
        }
        let place = standing.place(step);
        let question = Question {
            id: place.to_string(),
            message: format!("`{place}` failed. What now?"),
            about: self.about(),
            shown: Value::Null,
            answer: AnswerKind::Choice { choices: choices(), many: false },
            timeout: None,
        };
        let answer = prompter.ask(&question).await;
        // Whoever interrupts the question, or leaves the terminal, leaves the run as it is.
        let choice = answer.ok().and_then(|answer| serde_json::from_value(answer).ok());
        let choice = choice.unwrap_or(FailureChoice::Leave);
        let by = self.gate.operator.to_owned();
        self.dispatcher.record(EventKind::FailureDecided { at: place.clone(), choice, by }).ok()?;
        if choice == FailureChoice::Retry {
            let why = "a person tries it again".to_owned();
            self.dispatcher.record(EventKind::StepReopened { at: place, why }).ok()?;
        }
        Some(choice)
    }

    /// What undo would do; the error and its hint stand on the screen already.
    fn about(&self) -> Vec<String> {
        let undo = self.outlook();
        let heading = match undo.len() {
            0 => "nothing took effect so far",
            _ => "to roll back would mean, the last effect first:",
        };
        let lines = undo.into_iter().map(|line| format!("  {line}"));
        std::iter::once(heading.to_owned()).chain(lines).collect()
    }

    /// Whether a person lets the run go on although the step failed, or all of its children that failed.
    pub(super) fn passed_over(&self, standing: Standing<'_>, step: &Step) -> bool {
        let own = standing.place(step);
        let concerns = |place: &Place, node: &Node| {
            *place == own
                || (step.for_each.is_some() && place.step == own.step && node.state == StepState::Failed)
        };
        self.dispatcher.state(|state| {
            let mut choices = state
                .nodes
                .iter()
                .filter(|(place, node)| concerns(place, node) && node.attempts > 0)
                .map(|(_, node)| node.choice)
                .peekable();
            choices.peek().is_some() && choices.all(|choice| choice == Some(FailureChoice::Skip))
        })
    }
}

fn choices() -> Vec<(String, Value)> {
    [
        ("try it again", FailureChoice::Retry),
        ("skip it: it stays failed, and the run goes on", FailureChoice::Skip),
        ("roll back: undo what took effect", FailureChoice::RollBack),
        ("leave everything as it is, to be resumed or rolled back later", FailureChoice::Leave),
    ]
    .map(|(label, choice)| (label.to_owned(), json!(choice)))
    .to_vec()
}
