//! [`Halt`]: whether new steps may start, and when running ones must stop.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::model::{StepId, StoppedBy};
use crate::step::StopSignal;

/// Why no new step starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// A step failed.
    Failed(StepId),
    /// A step's outcome is not known.
    Uncertain(StepId),
    /// A gate was declined or not answered.
    Declined(StepId),
    /// An `assert` of level `end` finished the run.
    Ended(StepId, String),
    /// The time of the group around the step ran out.
    TimedOut,
    /// A person or a signal.
    Interrupted,
    /// The journal cannot be written.
    Journal,
    /// The key of the run was lost, and how.
    Excluded(String),
}

/// What steps are there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The runbook's own: a person may decide what their failure means.
    Steps,
    /// They undo others.
    Undo,
    /// `on_failure` and `finally`: once, whatever becomes of them.
    Closing,
}

/// Whether new steps may start, and when running ones must stop.
#[derive(Debug)]
pub(super) struct Halt {
    /// What the steps are there for.
    pub(super) role: Role,
    own: Arc<Cause>,
    /// The causes of the steps around this one, the nearest first.
    outer: Vec<Arc<Cause>>,
    /// Told to every running attempt.
    pub(super) stop: StopSignal,
}

#[derive(Debug, Default)]
struct Cause {
    reason: Mutex<Option<Reason>>,
    raised: Notify,
}

impl Cause {
    fn get(&self) -> Option<Reason> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Halt {
    pub(super) fn new(role: Role) -> Self {
        Self { role, own: Arc::default(), outer: Vec::new(), stop: StopSignal::default() }
    }

    /// A halt of its own for steps inside another step: what halts the steps around them halts them too. Its
    /// [`relay`](Self::relay) must run beside them.
    pub(super) fn within(&self) -> Self {
        let outer = std::iter::once(&self.own).chain(&self.outer).cloned().collect();
        Self { role: self.role, own: Arc::default(), outer, stop: StopSignal::default() }
    }

    /// Lets no new step start. The first reason stays, but for an end, which anything worse replaces.
    pub(super) fn raise(&self, reason: Reason) {
        let mut current = self.own.reason.lock().unwrap_or_else(PoisonError::into_inner);
        if current.is_none() || matches!(&*current, Some(Reason::Ended(..))) {
            *current = Some(reason);
            self.own.raised.notify_waiters();
        }
    }

    /// Why no new step may start, here or further out.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.own_reason().or_else(|| self.outer.iter().find_map(|cause| cause.get()))
    }

    /// Why no new step may start here, whatever happens further out.
    pub(super) fn own_reason(&self) -> Option<Reason> {
        self.own.get()
    }

    /// Passes on what concerns the whole run, when the steps inside are done.
    pub(super) fn pass_on(&self, outer: &Self) {
        if let Some(
            reason @ (Reason::Ended(..) | Reason::Interrupted | Reason::Journal | Reason::Excluded(_)),
        ) = self.own_reason()
        {
            outer.raise(reason);
        }
    }

    /// Runs beside the steps: stops them at once when a person wants it, and after their grace when another one failed.
    pub(super) async fn watch(&self, interrupt: &StopSignal, grace: Duration) {
        tokio::select! {
            by = interrupt.raised() => {
                self.raise(Reason::Interrupted);
                self.stop.raise(by);
            }
            () = self.failed(grace) => self.stop.raise(StoppedBy::Neighbour),
        }
        // A person may still interrupt the hooks that follow.
        std::future::pending::<()>().await;
    }

    /// Runs beside the steps inside another step: passes a stop on to them, stops them after their grace when one of
    /// them failed, and at once when their time is over.
    pub(super) async fn relay(&self, outer: &Self, grace: Duration, limit: Option<Duration>) {
        let over = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            by = outer.stop.raised() => self.stop.raise(by),
            () = self.failed(grace) => self.stop.raise(StoppedBy::Neighbour),
            () = over => {
                self.raise(Reason::TimedOut);
                self.stop.raise(StoppedBy::Timeout);
            }
        }
        std::future::pending::<()>().await;
    }

    /// Waits until a step here failed and the others had their grace.
    async fn failed(&self, grace: Duration) {
        loop {
            let mut notified = std::pin::pin!(self.own.raised.notified());
            // Registered before the look, so that nothing is raised between the two unnoticed.
            notified.as_mut().enable();
            match self.own_reason() {
                None | Some(Reason::Ended(..)) => notified.await,
                Some(_) => break,
            }
        }
        tokio::time::sleep(grace).await;
    }
}
