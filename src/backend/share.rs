//! Which share of the calls an endpoint is to have, beside others: its weight, and less while it is new or not quite well.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// An endpoint's share of the calls, as a multiple of an ordinary endpoint's.
#[derive(Debug)]
pub(super) struct Share {
    weight: AtomicU32,
    /// What an operator says instead; 0 where that is nothing.
    ordered: AtomicU32,
    halved: AtomicBool,
    /// In milliseconds.
    slow_start: AtomicU64,
    epoch: Instant,
    /// When it began slowly, in milliseconds from a millisecond before the epoch; 0 if it does not.
    begun: AtomicU64,
}

impl Share {
    /// That of an ordinary endpoint, whole from the first moment on.
    pub(super) fn new(slow_start: Duration, now: Instant) -> Self {
        Self {
            weight: AtomicU32::new(1),
            ordered: AtomicU32::new(0),
            halved: AtomicBool::new(false),
            slow_start: AtomicU64::new(slow_start.as_millis() as u64),
            epoch: now,
            begun: AtomicU64::new(0),
        }
    }

    /// Makes it begin slowly over this time, also where it has begun.
    pub(super) fn obey(&self, slow_start: Duration) {
        self.slow_start.store(slow_start.as_millis() as u64, Ordering::Relaxed);
    }

    /// Makes it that of so many ordinary endpoints.
    pub(super) fn weigh(&self, weight: u32) {
        self.weight.store(weight, Ordering::Relaxed);
    }

    /// Makes it that of so many ordinary endpoints by an operator's word, or again what it was configured to be.
    pub(super) fn order(&self, weight: Option<u32>) {
        self.ordered.store(weight.unwrap_or(0), Ordering::Relaxed);
    }

    /// Makes it a half, or the whole again. Whether it was otherwise before.
    pub(super) fn halve(&self, halved: bool) -> bool {
        self.halved.swap(halved, Ordering::Relaxed) != halved
    }

    /// Makes it a tenth, which grows to the whole within the time of a slow start.
    pub(super) fn begin_slowly(&self, now: Instant) {
        self.begun.store(self.millis(now), Ordering::Relaxed);
    }

    /// The share at this moment, never 0.
    pub(super) fn at(&self, now: Instant) -> f32 {
        let part = if self.halved.load(Ordering::Relaxed) { 0.5 } else { 1.0 };
        let weight = match self.ordered.load(Ordering::Relaxed) {
            0 => self.weight.load(Ordering::Relaxed),
            ordered => ordered,
        };
        let weight = weight as f32 * part;
        let begun = self.begun.load(Ordering::Relaxed);
        if begun == 0 {
            return weight;
        }
        let passed = Duration::from_millis(self.millis(now).saturating_sub(begun));
        let slow_start = Duration::from_millis(self.slow_start.load(Ordering::Relaxed));
        if passed >= slow_start {
            // Unless it has begun anew meanwhile.
            let _ = self.begun.compare_exchange(begun, 0, Ordering::Relaxed, Ordering::Relaxed);
            return weight;
        }
        weight * passed.div_duration_f32(slow_start).max(LEAST)
    }

    fn millis(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.epoch).as_millis();
        u64::try_from(passed).unwrap_or(u64::MAX - 1) + 1
    }
}

/// What an endpoint has of its share when it begins: enough to warm up by, where nobody else warms it.
const LEAST: f32 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_grows_from_a_tenth_to_the_whole_and_begins_anew_each_time() {
        let now = Instant::now();
        let share = Share::new(10 * SECOND, now);
        share.weigh(3);
        assert!((share.at(now) - 3.0).abs() < 0.01);
        for begun in [now, now + 100 * SECOND] {
            share.begin_slowly(begun);
            for (seconds, part) in [(0, 0.1), (1, 0.1), (2, 0.2), (5, 0.5), (9, 0.9), (10, 1.0), (60, 1.0)] {
                let found = share.at(begun + seconds * SECOND);
                assert!((found - 3.0 * part).abs() < 0.01, "{seconds} {found}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_operators_weight_stands_in_for_its_own() {
        let now = Instant::now();
        let share = Share::new(10 * SECOND, now);
        share.weigh(3);
        share.order(Some(7));
        share.weigh(4);
        assert!((share.at(now) - 7.0).abs() < 0.01);
        share.order(None);
        assert!((share.at(now) - 4.0).abs() < 0.01);
    }

    #[tokio::test(start_paused = true)]
    async fn it_can_be_halved_and_made_whole() {
        let now = Instant::now();
        let share = Share::new(10 * SECOND, now);
        share.weigh(3);
        assert_eq!(
            [true, true, false].map(|halved| (share.halve(halved), share.at(now))),
            [(true, 1.5), (false, 1.5), (true, 3.0)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_slow_start_it_is_whole_at_once() {
        let now = Instant::now();
        let share = Share::new(Duration::ZERO, now);
        share.begin_slowly(now);
        assert!((share.at(now) - 1.0).abs() < 0.01);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_start_under_way_takes_the_time_it_is_given() {
        let now = Instant::now();
        let share = Share::new(10 * SECOND, now);
        share.begin_slowly(now);
        for (slow_start, part) in [(10, 0.5), (50, 0.1), (5, 1.0)] {
            share.obey(slow_start * SECOND);
            assert!((share.at(now + 5 * SECOND) - part).abs() < 0.01, "{slow_start}");
        }
    }
}
