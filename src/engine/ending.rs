//! The events with which a step begins and ends, and what is noted of it.

use serde_json::Value;

use super::halt::Reason;
use super::scheduler::{Scheduler, Standing};
use crate::event::EventKind;
use crate::model::{Effect, Failure, Redactor, SkipReason, StepState};
use crate::plan::Record;
use crate::runbook::{Step, StepBody};

impl Scheduler<'_, '_> {
    pub(super) fn started(&self, standing: Standing<'_>, step: &Step) -> Result<(), Failure> {
        self.dispatcher.record(EventKind::StepStarted {
            at: standing.place(step),
            attempt: 1,
            effect: Effect::Read,
            input: Value::Null,
            before: Value::Null,
        })
    }

    pub(super) fn skip(&self, standing: Standing<'_>, step: &Step, reason: SkipReason) -> Record {
        if let StepBody::Group(inner) = &step.body
            && step.for_each.is_none()
        {
            let group = standing.frame.full_id(&step.id);
            for inner in inner {
                let reason = SkipReason::Group { group: group.clone(), reason: Box::new(reason.clone()) };
                let record = self.skip(standing, inner, reason);
                standing.frame.records.set(inner.id.as_str(), record);
            }
        }
        let kind = EventKind::StepSkipped { at: standing.place(step), reason };
        let _unwritten = self.dispatcher.record(kind);
        Record::ended(StepState::Skipped, Value::Null)
    }

    pub(super) fn cancel(&self, standing: Standing<'_>, step: &Step, reason: &Reason) -> Record {
        if let StepBody::Group(inner) = &step.body
            && step.for_each.is_none()
        {
            for inner in inner {
                let record = self.cancel(standing, inner, reason);
                standing.frame.records.set(inner.id.as_str(), record);
            }
        }
        self.finish(standing, step, StepState::Cancelled, Value::Null, Some(cancelled(reason)))
    }

    pub(super) fn finish(
        &self,
        standing: Standing<'_>,
        step: &Step,
        state: StepState,
        output: Value,
        failure: Option<Failure>,
    ) -> Record {
        self.finish_after(standing, step, state, output, failure, Vec::new(), 0.0)
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one event, each of another kind")]
    pub(super) fn finish_after(
        &self,
        standing: Standing<'_>,
        step: &Step,
        state: StepState,
        output: Value,
        failure: Option<Failure>,
        warnings: Vec<String>,
        seconds: f64,
    ) -> Record {
        let shown =
            if step.secret && !output.is_null() { Value::from(Redactor::MASK) } else { output.clone() };
        let kind = EventKind::StepFinished {
            at: standing.place(step),
            state,
            output: shown,
            failure: failure.clone(),
            warnings,
            seconds,
        };
        let unwritten = self.dispatcher.record(kind).err();
        let failure = failure.or_else(|| unwritten.clone());
        let state =
            if unwritten.is_some() && state == StepState::Succeeded { StepState::Failed } else { state };
        Record { failure, ..Record::ended(state, output) }
    }
}

pub(super) fn cancelled(reason: &Reason) -> Failure {
    let message = match reason {
        Reason::Failed(id) => format!("not started: `{id}` failed"),
        Reason::Uncertain(id) => format!("not started: `{id}` is uncertain"),
        Reason::Declined(id) => format!("not started: `{id}` was declined"),
        Reason::Ended(id, _) => format!("not started: `{id}` ended the run"),
        Reason::TimedOut => "not started: its group's timeout ran out".to_owned(),
        Reason::Interrupted => "not started: the run was interrupted".to_owned(),
        Reason::Journal => "not started: the journal cannot be written".to_owned(),
    };
    Failure::new(message)
}
