//! [`Halt`]: whether new steps may start, and when running ones must stop.

use std::sync::{Mutex, PoisonError};
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
    /// A person or a signal.
    Interrupted,
    /// The journal cannot be written.
    Journal,
}

/// Whether new steps may start, and when running ones must stop.
#[derive(Debug)]
pub(super) struct Halt {
    reason: Mutex<Option<Reason>>,
    raised: Notify,
    /// Told to every running attempt.
    pub(super) stop: StopSignal,
    interrupt: StopSignal,
}

impl Halt {
    pub(super) fn new(interrupt: StopSignal) -> Self {
        Self { reason: Mutex::default(), raised: Notify::new(), stop: StopSignal::default(), interrupt }
    }

    /// A halt of its own for steps inside another step; a stop still reaches them.
    pub(super) fn within(&self) -> Self {
        Self {
            reason: Mutex::default(),
            raised: Notify::new(),
            stop: self.stop.clone(),
            interrupt: self.interrupt.clone(),
        }
    }

    /// Lets no new step start. The first reason stays, but for an end, which anything worse replaces.
    pub(super) fn raise(&self, reason: Reason) {
        let mut current = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        if current.is_none() || matches!(&*current, Some(Reason::Ended(..))) {
            *current = Some(reason);
            self.raised.notify_waiters();
        }
    }

    /// Why no new step may start.
    pub(super) fn reason(&self) -> Option<Reason> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs beside the steps: stops them at once when a person wants it, and after their grace when another one failed.
    pub(super) async fn watch(&self, grace: Duration) {
        let interrupted = self.interrupt.raised();
        let failed = async {
            loop {
                let notified = self.raised.notified();
                match self.reason() {
                    None | Some(Reason::Ended(..)) => notified.await,
                    Some(_) => break,
                }
            }
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            by = interrupted => {
                self.raise(Reason::Interrupted);
                self.stop.raise(by);
            }
            () = failed => self.stop.raise(StoppedBy::Neighbour),
        }
        // A person may still interrupt the hooks that follow.
        std::future::pending::<()>().await;
    }
}
