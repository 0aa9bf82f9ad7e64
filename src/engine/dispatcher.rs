//! [`Dispatcher`]: the single owner of a run's state. It numbers, stamps, redacts, applies, journals and publishes
//! events, in this order; executors share nothing else with each other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::clock::Clock;
use super::pace::Pace;
use crate::event::{Event, EventKind, Place, RunState, Sink};
use crate::journal::{JournalError, Writer};
use crate::model::{Failure, Redactor, RunId};
use crate::step::{StepError, StepEvents};

/// The owner of a run's state.
pub(super) struct Dispatcher<'a> {
    run: RunId,
    clock: &'a dyn Clock,
    redactor: &'a Redactor,
    inner: Mutex<Inner>,
}

struct Inner {
    state: RunState,
    journal: Writer,
    sinks: Vec<Box<dyn Sink>>,
    broken: Option<Failure>,
}

impl<'a> Dispatcher<'a> {
    /// A dispatcher for a run that stands as `state` says: a new one has no events yet.
    pub(super) fn new(
        run: RunId,
        state: RunState,
        journal: Writer,
        sinks: Vec<Box<dyn Sink>>,
        clock: &'a dyn Clock,
        redactor: &'a Redactor,
    ) -> Self {
        let inner = Inner { state, journal, sinks, broken: None };
        Self { run, clock, redactor, inner: Mutex::new(inner) }
    }

    /// The run's id.
    pub(super) fn run_id(&self) -> &RunId {
        &self.run
    }

    /// What waits, and measures.
    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock
    }

    /// The time, as events are stamped with it.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Applies, journals and publishes a durable event. An error means that the journal cannot be written: no new step
    /// may start.
    pub(super) fn record(&self, kind: EventKind) -> Result<(), Failure> {
        self.record_at(self.clock.now(), kind, None)
    }

    /// The same for an event of which the journal and the watchers get to see only a part.
    pub(super) fn record_hiding(&self, kind: EventKind, shown: EventKind) -> Result<(), Failure> {
        self.record_at(self.clock.now(), kind, Some(shown))
    }

    /// The same for an event that belongs to a time a moment ago.
    pub(super) fn record_at(
        &self,
        at: Timestamp,
        kind: EventKind,
        shown: Option<EventKind>,
    ) -> Result<(), Failure> {
        let mut inner = self.lock();
        if let Some(failure) = &inner.broken {
            return Err(failure.clone());
        }
        let seq = inner.state.seq + 1;
        let event = |kind| Event { seq, at, run: self.run.clone(), kind };
        let whole = event(kind);
        let shown = shown.map(event);
        let shown = self.masked(shown.as_ref().unwrap_or(&whole)).or(shown);
        let written = inner.write(&whole, shown.as_ref());
        if let Err(failure) = &written {
            inner.broken = Some(failure.clone());
            return written;
        }
        inner.publish(shown.as_ref().unwrap_or(&whole));
        Ok(())
    }

    /// Publishes a transient event.
    pub(super) fn tell(&self, kind: EventKind) {
        let mut inner = self.lock();
        let seq = inner.state.seq;
        let event = Event { seq, at: self.clock.now(), run: self.run.clone(), kind };
        inner.publish(self.masked(&event).as_ref().unwrap_or(&event));
    }

    /// Puts every record so far on disk.
    pub(super) fn sync(&self) -> Result<(), Failure> {
        let mut inner = self.lock();
        inner.journal.sync().map_err(|error| {
            let failure = unwritten(&error);
            inner.broken = Some(failure.clone());
            failure
        })
    }

    /// Deletes what was sealed: the run is final.
    pub(super) fn unseal(&self) {
        self.lock().journal.unseal();
    }

    /// Why the journal cannot be written any more.
    pub(super) fn broken(&self) -> Option<Failure> {
        self.lock().broken.clone()
    }

    /// Looks at the state.
    pub(super) fn state<T>(&self, look: impl FnOnce(&RunState) -> T) -> T {
        look(&self.lock().state)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event without the secrets in it; nothing where there are none.
    fn masked(&self, event: &Event) -> Option<Event> {
        if self.redactor.longest() == 0 {
            return None;
        }
        let value = serde_json::to_value(&event.kind).ok()?;
        let masked = mask(value.clone(), self.redactor);
        if masked == value {
            return None;
        }
        let kind = serde_json::from_value(masked).ok()?;
        Some(Event { kind, run: event.run.clone(), ..*event })
    }
}

impl Inner {
    /// The state knows everything, the journal what may be seen, and the seal what it hides.
    fn write(&mut self, whole: &Event, shown: Option<&Event>) -> Result<(), Failure> {
        self.state.apply(whole).map_err(|error| Failure::new(error.to_string()))?;
        if shown.is_some() && whole.kind.is_durable() {
            self.journal.seal(whole.seq, &whole.kind).map_err(|error| unwritten(&error))?;
        }
        self.journal.append(shown.unwrap_or(whole)).map_err(|error| unwritten(&error))
    }

    /// A sink that is gone is dropped; the run goes on.
    fn publish(&mut self, event: &Event) {
        self.sinks.retain_mut(|sink| sink.take(event).is_ok());
    }
}

fn mask(value: Value, redactor: &Redactor) -> Value {
    match value {
        Value::String(text) => Value::String(redactor.redact(&text)),
        Value::Array(items) => items.into_iter().map(|item| mask(item, redactor)).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (redactor.redact(&key), mask(value, redactor))).collect()
        }
        other => other,
    }
}

fn unwritten(error: &JournalError) -> Failure {
    let failure = Failure::new(format!("the journal cannot be written: {error}"));
    match error.help() {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// What one step tells the dispatcher.
pub(super) struct StepReporter<'a, 'd> {
    dispatcher: &'a Dispatcher<'d>,
    place: &'a Place,
    pace: Pace,
}

impl<'a, 'd> StepReporter<'a, 'd> {
    pub(super) fn new(dispatcher: &'a Dispatcher<'d>, place: &'a Place) -> Self {
        Self { dispatcher, place, pace: Pace::default() }
    }
}

impl StepEvents for StepReporter<'_, '_> {
    fn progress(&self, phase: &str, percent: Option<f64>, detail: Option<String>) {
        if !self.pace.allows(phase, Instant::now()) {
            return;
        }
        let at = self.place.clone();
        self.dispatcher.tell(EventKind::Progressed { at, phase: phase.to_owned(), percent, detail });
    }

    fn blocked(&self, blockers: Vec<String>) {
        self.dispatcher.tell(EventKind::Blocked { at: self.place.clone(), blockers });
    }

    fn noticed(&self, severity: &str, message: &str) {
        let (severity, message) = (severity.to_owned(), message.to_owned());
        self.dispatcher.tell(EventKind::Noticed { at: self.place.clone(), severity, message });
    }

    fn trace(&self, fact: Value) -> Result<(), StepError> {
        let kind = EventKind::StepTraced { at: self.place.clone(), trace: fact };
        self.dispatcher.record(kind).map_err(StepError::Failed)
    }

    fn trace_hiding(&self, fact: Value, shown: Value) -> Result<(), StepError> {
        let kind = |trace| EventKind::StepTraced { at: self.place.clone(), trace };
        self.dispatcher.record_hiding(kind(fact), kind(shown)).map_err(StepError::Failed)
    }

    fn now(&self) -> Timestamp {
        self.dispatcher.now()
    }

    fn sync_intent(&self) -> Result<(), StepError> {
        self.dispatcher.sync().map_err(StepError::Failed)
    }
}
