//! What became of a backend's calls in the last minute, and how old the oldest answer was.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::slices::Slices;
use crate::clock::Millis;
use crate::outcome::Outcome;

/// Counts of the last minute by outcome, and after them the age of the oldest entry that answered, in milliseconds.
#[derive(Debug)]
pub(crate) struct Recent {
    slices: Slices<COUNTERS, SLICES>,
}

/// Sums over the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    counts: [u64; OUTCOMES],
    /// The age of the oldest entry that answered.
    pub oldest: Duration,
}

impl Default for Recent {
    fn default() -> Self {
        Self { slices: Slices::new(SLICE_MS) }
    }
}

impl Recent {
    /// Counts one call.
    #[inline]
    pub(crate) fn note(&self, outcome: Outcome, age: Duration, now: Millis) {
        let Some([counts @ .., oldest]) = self.slices.at(now) else { return };
        if let Some(count) = counts.get(outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        if age > oldest.load(Ordering::Relaxed) {
            oldest.fetch_max(age, Ordering::Relaxed);
        }
    }

    /// The sums at `now`.
    pub(crate) fn window(&self, now: Millis) -> Window {
        self.slices.live(now).fold(Window::default(), Window::plus)
    }
}

impl Window {
    /// How long it is.
    pub(crate) const LENGTH: Duration = Duration::from_millis(SLICES as u64 * SLICE_MS);

    /// Calls of which this became.
    pub(crate) fn count(&self, outcome: Outcome) -> u64 {
        self.counts.get(outcome as usize).copied().unwrap_or_default()
    }

    /// All calls.
    pub(crate) fn calls(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn plus(mut self, slice: [u64; COUNTERS]) -> Self {
        let [counts @ .., oldest] = slice;
        for (sum, count) in self.counts.iter_mut().zip(counts) {
            *sum += count;
        }
        self.oldest = self.oldest.max(Duration::from_millis(oldest));
        self
    }
}

const OUTCOMES: usize = Outcome::ALL.len();
const COUNTERS: usize = OUTCOMES + 1;
const SLICES: usize = 6;
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
