//! What became of a backend's calls in the last minute, and how old the oldest answer was.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Millis;
use crate::outcome::Outcome;

/// Counts of the last minute by outcome, in slices of ten seconds.
///
/// A slice that a new period takes over may lose the few counts that race with it: this is for people and checks, not for accounts.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    slices: [Slice; SLICES as usize],
}

/// Sums over the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    counts: [u64; Outcome::ALL.len()],
    /// The age of the oldest entry that answered.
    pub oldest: Duration,
}

#[derive(Debug, Default)]
struct Slice {
    period: AtomicU64,
    counts: [AtomicU64; Outcome::ALL.len()],
    oldest: AtomicU64,
}

impl Recent {
    /// Counts one call.
    #[inline]
    pub(crate) fn note(&self, outcome: Outcome, age: Duration, now: Millis) {
        let period = now.0 / SLICE_MS;
        let Some(slice) = self.slices.get((period % SLICES) as usize) else {
            return;
        };
        if slice.period.load(Ordering::Relaxed) != period {
            slice.restart(period);
        }
        if let Some(count) = slice.counts.get(outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        if age > slice.oldest.load(Ordering::Relaxed) {
            slice.oldest.fetch_max(age, Ordering::Relaxed);
        }
    }

    /// The sums at `now`.
    pub(crate) fn window(&self, now: Millis) -> Window {
        let period = now.0 / SLICE_MS;
        let live = |slice: &&Slice| slice.period.load(Ordering::Relaxed) + SLICES > period;
        self.slices.iter().filter(live).fold(Window::default(), Window::plus)
    }
}

impl Window {
    /// How long it is.
    pub(crate) const LENGTH: Duration = Duration::from_millis(SLICES * SLICE_MS);

    /// Calls of which this became.
    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        self.counts.get(outcome as usize).copied().unwrap_or_default()
    }

    /// All calls.
    pub(crate) fn calls(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn plus(mut self, slice: &Slice) -> Self {
        for (sum, count) in self.counts.iter_mut().zip(&slice.counts) {
            *sum += count.load(Ordering::Relaxed);
        }
        self.oldest = self.oldest.max(Duration::from_millis(slice.oldest.load(Ordering::Relaxed)));
        self
    }
}

impl Slice {
    fn restart(&self, period: u64) {
        for count in self.counts.iter().chain([&self.oldest]) {
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
    fn a_minute_is_remembered_by_outcome_and_no_more() {
        let recent = Recent::default();
        let start = Millis(1_000_000);
        recent.note(Outcome::HitLocal, Duration::ZERO, start);
        recent.note(Outcome::StaleIfError, Duration::from_secs(90), start);
        let later = start.plus(Duration::from_secs(40));
        recent.note(Outcome::HitLocal, Duration::from_secs(3), later);
        let window = recent.window(later);
        assert_eq!((window.calls(), window.oldest), (3, Duration::from_secs(90)));
        let counts = [Outcome::HitLocal, Outcome::StaleIfError, Outcome::Stale, Outcome::Failed];
        assert_eq!(counts.map(|outcome| window.count(outcome)), [2, 1, 0, 0]);
        assert_eq!(recent.window(start.plus(Window::LENGTH * 2)), Window::default());
    }
}
