//! Counters of the last so many seconds, in slices that are used again.

use std::array::from_fn;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Millis;

/// So many counters over so many slices of time.
///
/// A slice that a new period takes over may lose the few counts that race with it: this is for people and checks, not for accounts.
#[derive(Debug)]
pub(super) struct Slices<const COUNTERS: usize, const SLICES: usize> {
    /// How long a slice is, in milliseconds.
    length: u64,
    slices: [Slice<COUNTERS>; SLICES],
}

#[derive(Debug)]
struct Slice<const COUNTERS: usize> {
    period: AtomicU64,
    counters: [AtomicU64; COUNTERS],
}

impl<const COUNTERS: usize, const SLICES: usize> Slices<COUNTERS, SLICES> {
    /// Slices of so many milliseconds, at least 1.
    pub(super) fn new(length: u64) -> Self {
        let slice = |_| Slice { period: AtomicU64::new(0), counters: from_fn(|_| AtomicU64::new(0)) };
        Self { length: length.max(1), slices: from_fn(slice) }
    }

    /// The counters of the slice that `now` belongs to.
    #[inline]
    pub(super) fn at(&self, now: Millis) -> Option<&[AtomicU64; COUNTERS]> {
        let period = now.0 / self.length;
        let slice = self.slices.get((period % SLICES as u64) as usize)?;
        if slice.period.load(Ordering::Relaxed) != period {
            slice.restart(period);
        }
        Some(&slice.counters)
    }

    /// The counters of the slices that are not over at `now`.
    pub(super) fn live(&self, now: Millis) -> impl Iterator<Item = [u64; COUNTERS]> {
        let period = now.0 / self.length;
        let live =
            move |slice: &&Slice<COUNTERS>| slice.period.load(Ordering::Relaxed) + SLICES as u64 > period;
        let counts =
            |slice: &Slice<COUNTERS>| slice.counters.each_ref().map(|one| one.load(Ordering::Relaxed));
        self.slices.iter().filter(live).map(counts)
    }
}

impl<const COUNTERS: usize> Slice<COUNTERS> {
    fn restart(&self, period: u64) {
        for counter in &self.counters {
            counter.store(0, Ordering::Relaxed);
        }
        self.period.store(period, Ordering::Relaxed);
    }
}
