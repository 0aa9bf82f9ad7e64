//! What is uncertain is settled, never guessed (language.md, section 6): the other side's word, then `verify`, then a
//! person.

use serde_json::{Map, Value, json};

use super::attempt::{Attempt, Effort};
use super::dispatcher::StepReporter;
use super::halt::{Halt, Role};
use super::scheduler::{Scheduler, Standing};
use crate::connect::{AnswerKind, Question};
use crate::event::{EventKind, Node};
use crate::model::{Applied, Failure, StepState};
use crate::runbook::{Step, StepBody};
use crate::step::{Done, Happened, Settled, StepError, StopSignal};

impl Scheduler<'_, '_> {
    /// Finds out what became of a step that was under way when the run stopped, and records it; nothing is repeated.
    pub(super) async fn settle_step(&self, standing: Standing<'_>, step: &Step, node: &Node) {
        let StepBody::Kind(body, attempts) = &step.body else { return };
        let halt = Halt::new(Role::Undo);
        if node.state == StepState::Uncertain {
            let why = "it was uncertain, and is settled before anything is undone".to_owned();
            self.dispatcher.record(EventKind::StepReopened { at: standing.place(step), why }).ok();
        }
        let now = node.started_at.unwrap_or_else(|| self.dispatcher.now());
        let scope = standing.frame.scope(step, standing.item, now);
        let binder = standing.frame.binder(&scope, self.redactor);
        let input = match self.prepare(standing, step, body.as_ref(), &binder) {
            Ok((input, _)) => input,
            Err(failure) => {
                let ended = Err(StepError::Uncertain(failure.applied(Applied::Unknown)));
                self.conclude(standing, step, &halt, ended, 0.0);
                return;
            }
        };
        let input = input.as_ref();
        let attempt =
            Attempt { scheduler: self, standing, step, attempts, input, scope: &scope, halt: &halt, now };
        let ended = attempt.found_out(node).await;
        let seconds = self.dispatcher.now().duration_since(now).as_secs_f64();
        self.conclude(standing, step, &halt, ended, seconds);
    }
}

impl Attempt<'_, '_, '_> {
    /// Goes on with an effect that another leg began: what became of it is found out first.
    pub(super) async fn again(&self, node: &Node, effort: &Effort) -> Result<Done<Value>, StepError> {
        match self.found_out(node).await {
            // Nothing of it is there, so it simply runs.
            Err(StepError::Failed(failure)) if failure.applied == Applied::No => {
                self.until_final(node.attempts + 1, effort).await
            }
            settled => settled,
        }
    }

    /// What became of an effect that another leg began.
    async fn found_out(&self, node: &Node) -> Result<Done<Value>, StepError> {
        if node.input != self.input.to_json() {
            let why =
                "it began with another input than it has now, so it can neither be settled nor repeated";
            return Err(StepError::Uncertain(Failure::new(why).applied(Applied::Unknown)));
        }
        let failure = Failure::new("the process that ran it ended before it did").applied(Applied::Unknown);
        self.settle(failure).await
    }

    /// Settles an attempt without an answer: a success, a failure that left nothing, or uncertain as before.
    pub(super) async fn settle(&self, failure: Failure) -> Result<Done<Value>, StepError> {
        let (word, why) = match self.other_side().await {
            Settled::Done(output) => (Some((true, output)), None),
            Settled::NotDone => (Some((false, Value::Null)), None),
            Settled::Partly(why) => {
                let failure = Failure { details: vec![why], ..failure };
                return Err(StepError::Failed(failure.applied(Applied::Partly)));
            }
            Settled::Unknown(why) => (None, Some(why)),
            Settled::AtWork(why) => return Err(StepError::Uncertain(explained(failure, Some(why)))),
        };
        let asked = match word {
            Some(word) => Some((word, "the other side says so")),
            None => match self.verified().await {
                Ok(Some(done)) => Some(((done, empty()), "`verify` says so")),
                _ => self
                    .person(&failure, why.as_deref())
                    .await
                    .map(|done| ((done, empty()), "a person says so")),
            },
        };
        match asked {
            Some(((true, output), by)) => {
                self.tell(&format!("it took effect: {by}"));
                Ok(Done::with(output))
            }
            Some(((false, _), by)) => {
                self.tell(&format!("it did not take effect: {by}"));
                Err(StepError::Failed(failure.applied(Applied::No)))
            }
            None => Err(StepError::Uncertain(explained(failure, why))),
        }
    }

    /// What the kind finds out by itself.
    async fn other_side(&self) -> Settled {
        let place = self.standing.place(self.step);
        let known = self.scheduler.dispatcher.state(|state| state.nodes.get(&place).cloned());
        let Some(node) = known else { return Settled::Unknown("nothing is known of it".to_owned()) };
        let happened =
            Happened { before: node.known_before(), traces: &node.traces, started_at: node.started_at };
        let name = self.application_name(&place);
        let reporter = StepReporter::new(self.scheduler.dispatcher, &place);
        let stop = StopSignal::default();
        let cx = self.context(&place, &name, &reporter, &stop);
        tokio::select! {
            settled = self.scheduler.outside.settle(self.input, &happened, &cx) => settled,
            () = self.second_interrupt() => Settled::Unknown("interrupted while it was found out".to_owned()),
        }
    }

    /// Who was interrupted already settles what that left; an interrupt that comes now ends the search.
    async fn second_interrupt(&self) {
        if self.scheduler.interrupt.reason().is_some() {
            return std::future::pending().await;
        }
        self.scheduler.interrupt.raised().await;
    }

    /// What a person says who looked; nothing without one.
    async fn person(&self, failure: &Failure, why: Option<&str>) -> Option<bool> {
        let prompter = self.scheduler.gate.prompter.filter(|_| self.halt.role != Role::Closing)?;
        let place = self.standing.place(self.step);
        let mut about = vec![failure.message.clone()];
        about.extend(why.map(str::to_owned));
        about.extend(self.input.lines());
        let choice = |label: &str, value: Value| (label.to_owned(), value);
        let question = Question {
            id: place.to_string(),
            message: format!("Did `{place}` take effect? Look at the target before you answer."),
            about,
            shown: Value::Null,
            answer: AnswerKind::Choice {
                choices: vec![
                    choice("nobody knows yet: stop here", Value::Null),
                    choice("yes, it took effect", json!(true)),
                    choice("no, nothing of it is there", json!(false)),
                ],
                many: false,
            },
            timeout: None,
        };
        let answer = prompter.ask(&question).await.ok()?;
        let given = EventKind::AnswerGiven {
            at: place,
            question: question.message,
            answer: answer.clone(),
            by: self.scheduler.gate.operator.to_owned(),
            how: "terminal".to_owned(),
        };
        self.scheduler.dispatcher.record(given).ok()?;
        answer.as_bool()
    }

    fn tell(&self, what: &str) {
        let message = format!("`{}` was uncertain: {what}", self.standing.place(self.step));
        self.scheduler.dispatcher.tell(EventKind::Remarked { message });
    }
}

fn empty() -> Value {
    Value::Object(Map::new())
}

fn explained(mut failure: Failure, why: Option<String>) -> Failure {
    failure.details.extend(why);
    failure.applied = Applied::Unknown;
    failure
}
