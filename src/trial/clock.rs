//! [`CannedClock`]: begins when the case says, and waits without waiting.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::engine::Clock;

/// A clock that moves only when somebody waits.
#[derive(Debug)]
pub(super) struct CannedClock {
    began: Timestamp,
    origin: Instant,
    passed: Mutex<Duration>,
}

impl CannedClock {
    pub(super) fn new(began: Timestamp, origin: Instant) -> Self {
        Self { began, origin, passed: Mutex::default() }
    }

    fn passed(&self) -> Duration {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for CannedClock {
    fn now(&self) -> Timestamp {
        self.began.checked_add(self.passed()).unwrap_or(Timestamp::MAX)
    }

    fn instant(&self) -> Instant {
        self.origin + self.passed()
    }

    fn wait(&self, time: Duration) -> BoxFuture<'_, ()> {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        *passed = passed.saturating_add(time);
        // Whoever runs beside it gets its turn, as it would while this one waits.
        tokio::task::yield_now().boxed()
    }
}
