//! How much of one backend's time verification may take.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::bounded::{Admitted, Bounded};

/// What verification may ask of one backend: [`AT_ONCE`] at a time, and one each [`APART`]. Each is up to three calls, one after the
/// other.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    under_way: Bounded,
    /// Before that none begins.
    next: Mutex<Option<Instant>>,
}

impl Allowance {
    /// One that begins now, if it may; it is under way until what is returned is dropped.
    pub(crate) fn admit(&self, now: Instant) -> Option<Admitted> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_some_and(|next| now < next) {
            return None;
        }
        let admitted = self.under_way.join(AT_ONCE)?;
        *next = Some(now + APART);
        Some(admitted)
    }
}

/// Verifications at a time.
const AT_ONCE: usize = 2;
/// Between the beginnings of two of them.
const APART: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn few_are_under_way_and_they_begin_apart() {
        let (allowance, now) = (Allowance::default(), Instant::now());
        let first = allowance.admit(now);
        assert!(first.is_some() && allowance.admit(now).is_none());
        let second = allowance.admit(now + APART);
        assert!(second.is_some() && allowance.admit(now + 10 * APART).is_none());
        drop(first);
        assert!(allowance.admit(now + 10 * APART).is_some());
    }
}
