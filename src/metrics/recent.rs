//! What happened in the last minute: the share of calls served stale, and how old the oldest answer was.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Millis;
use crate::outcome::Outcome;

/// Counts of the last minute, in slices of ten seconds.
///
/// A slice that a new period takes over may lose the few counts that race with it: this is for people and checks, not for accounts.
#[derive(Debug, Default)]
pub struct Recent {
    slices: [Slice; SLICES as usize],
}

/// Sums over the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Calls answered.
    pub calls: u64,
    /// Those of them answered by a stale entry.
    pub stale: u64,
    /// Those of them answered by a fault.
    pub failed: u64,
    /// The age of the oldest entry that answered.
    pub oldest: Duration,
}

#[derive(Debug, Default)]
struct Slice {
    period: AtomicU64,
    calls: AtomicU64,
    stale: AtomicU64,
    failed: AtomicU64,
    oldest: AtomicU64,
}

impl Recent {
    /// Counts one call.
    #[inline]
    pub fn note(&self, outcome: Outcome, age: Duration, now: Millis) {
        let period = now.0 / SLICE_MS;
        let Some(slice) = self.slices.get((period % SLICES) as usize) else {
            return;
        };
        if slice.period.load(Ordering::Relaxed) != period {
            slice.restart(period);
        }
        slice.calls.fetch_add(1, Ordering::Relaxed);
        if outcome.is_stale() {
            slice.stale.fetch_add(1, Ordering::Relaxed);
        }
        if outcome == Outcome::Failed {
            slice.failed.fetch_add(1, Ordering::Relaxed);
        }
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        if age > slice.oldest.load(Ordering::Relaxed) {
            slice.oldest.fetch_max(age, Ordering::Relaxed);
        }
    }

    /// The sums at `now`.
    pub fn window(&self, now: Millis) -> Window {
        let period = now.0 / SLICE_MS;
        let live = |slice: &&Slice| slice.period.load(Ordering::Relaxed) + SLICES > period;
        self.slices.iter().filter(live).fold(Window::default(), |sum, slice| Window {
            calls: sum.calls + slice.calls.load(Ordering::Relaxed),
            stale: sum.stale + slice.stale.load(Ordering::Relaxed),
            failed: sum.failed + slice.failed.load(Ordering::Relaxed),
            oldest: sum.oldest.max(Duration::from_millis(slice.oldest.load(Ordering::Relaxed))),
        })
    }
}

impl Slice {
    fn restart(&self, period: u64) {
        for count in [&self.calls, &self.stale, &self.failed, &self.oldest] {
            count.store(0, Ordering::Relaxed);
        }
        self.period.store(period, Ordering::Relaxed);
    }
}

const SLICES: u64 = 6;
const SLICE_MS: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_remembered_and_no_more() {
        let recent = Recent::default();
        let start = Millis(1_000_000);
        recent.note(Outcome::HitLocal, Duration::ZERO, start);
        recent.note(Outcome::StaleIfError, Duration::from_secs(90), start);
        let window = recent.window(start.plus(Duration::from_secs(40)));
        assert_eq!((window.calls, window.stale, window.oldest), (2, 1, Duration::from_secs(90)));
        assert_eq!(recent.window(start.plus(Duration::from_secs(70))), Window::default());
    }
}
