//! The events with which a step begins and ends, and what is noted of it.

use jiff::Timestamp;
use serde_json::Value;

use super::halt::Reason;
use super::scheduler::{Scheduler, Standing};
use crate::event::{EventKind, Place};
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
        self.finish_after(standing, step, state, output, failure, &[], 0.0)
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one event, each of another kind")]
    pub(super) fn finish_after(
        &self,
        standing: Standing<'_>,
        step: &Step,
        state: StepState,
        output: Value,
        failure: Option<Failure>,
        warnings: &[String],
        seconds: f64,
    ) -> Record {
        let at = standing.place(step);
        let finished = |output| EventKind::StepFinished {
            at: at.clone(),
            state,
            output,
            failure: failure.clone(),
            warnings: warnings.to_vec(),
            seconds,
        };
        let recorded = if step.secret && !output.is_null() {
            let shown = finished(Redactor::MASK.into());
            self.dispatcher.record_hiding(finished(output.clone()), shown)
        } else {
            self.dispatcher.record(finished(output.clone()))
        };
        let unwritten = recorded.err();
        let failure = failure.or_else(|| unwritten.clone());
        let state =
            if unwritten.is_some() && state == StepState::Succeeded { StepState::Failed } else { state };
        let (began, ended) = self.times(&at);
        Record { failure, times: (began, ended), ..Record::ended(state, output) }
    }

    /// When a step began and ended, RFC 3339.
    fn times(&self, at: &Place) -> (Option<String>, Option<String>) {
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        self.dispatcher.state(|state| {
            state.nodes.get(at).map_or((None, None), |node| (text(node.started_at), text(node.finished_at)))
        })
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
        Reason::Excluded(why) => format!("not started: {why}"),
    };
    Failure::new(message)
}
