//! [`Pace`]: how often a step tells how far it is.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// More often than this nobody can read, while a copy of a gigabyte would tell some 30,000 times.
const BETWEEN: Duration = Duration::from_millis(100);

/// When something was told last.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Option<(String, Instant)>>);

impl Pace {
    /// Whether it is time to tell of this phase again; a new phase is told at once.
    pub(super) fn allows(&self, phase: &str, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_some_and(|(told, at)| told == phase && now.duration_since(*at) < BETWEEN) {
            return false;
        }
        *last = Some((phase.to_owned(), now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_told_now_and_then_and_a_new_one_at_once() {
        let (pace, now) = (Pace::default(), Instant::now());
        let told = |phases: [&str; 3], now| phases.map(|phase| pace.allows(phase, now));
        assert_eq!(told(["copying", "copying", "waiting"], now), [true, false, true]);
        assert_eq!(told(["waiting", "waiting", "copying"], now + BETWEEN), [true, false, true]);
    }
}
