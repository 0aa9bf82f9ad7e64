//! [`Exclusion`]: the key that keeps rival runs out, looked at before each step. One that was lost is taken again; where
//! another run had it meanwhile, no new step starts.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::connect::{Connections, Lock, Taken};
use crate::model::Failure;
use crate::step::StopSignal;

/// How long a lost key is tried for while the server does not answer: about as long as one takes to start again.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long it waits between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// A key that is held.
#[derive(Debug)]
pub struct Exclusion {
    lock: tokio::sync::Mutex<Lock>,
    /// Why no new step may start.
    lost: OnceLock<String>,
    /// What the operator is to hear next.
    remark: Mutex<Option<String>>,
}

impl Exclusion {
    /// Watches over a key that was taken.
    pub fn of(lock: Lock) -> Self {
        Self { lock: tokio::sync::Mutex::new(lock), lost: OnceLock::new(), remark: Mutex::default() }
    }

    /// Gives the key back, at the end of a leg.
    pub async fn release(self) {
        self.lock.into_inner().release().await;
    }

    /// Why no new step may start, once that is so.
    pub(super) fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// What is to be said of the key since the last time.
    pub(super) fn remark(&self) -> Option<String> {
        self.remark.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Makes sure that the key is held. Steps that start at the same time wait for the one that takes it again.
    pub(super) async fn hold(&self, connections: &Connections, interrupt: &StopSignal) {
        let mut lock = self.lock.lock().await;
        if lock.is_held() || self.lost.get().is_some() {
            return;
        }
        // Boxed: few runs lose their key, and every step would carry the size of it otherwise.
        let words = match Box::pin(regain(&mut lock, connections, interrupt)).await {
            Ok(Taken::Held) => {
                let words = format!("the lock on `{}` was lost and taken again", lock.key());
                *self.remark.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
                return;
            }
            Ok(Taken::Busy(holder)) => {
                format!("the lock on `{}` was lost, and another run took it: {holder}", lock.key())
            }
            Err(failure) => {
                format!(
                    "the lock on `{}` was lost and cannot be taken again: {}",
                    lock.key(),
                    failure.message
                )
            }
        };
        // The first reason stays.
        self.lost.set(words).ok();
    }
}

/// Takes the key again; a server that does not answer is given its time.
async fn regain(
    lock: &mut Lock,
    connections: &Connections,
    interrupt: &StopSignal,
) -> Result<Taken, Failure> {
    let began = Instant::now();
    loop {
        match lock.take(connections).await {
            Err(failure) if failure.retryable && began.elapsed() < PATIENCE => {
                tokio::select! {
                    () = sleep(PAUSE) => {}
                    _ = interrupt.raised() => return Err(failure),
                }
            }
            taken => return taken,
        }
    }
}
