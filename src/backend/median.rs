//! The median of a method's answer times, kept up with each answer at the price of one atomic exchange.
//!
//! The estimate stands on a scale of logarithms. An answer above it moves it up, one below it down: a little where answers
//! fall on both sides, and further with each answer on the same side, so that it follows a change of three orders of
//! magnitude within some forty answers. It holds no past answers and takes no lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A running median. It knows nothing before its eighth answer.
#[derive(Debug, Default)]
pub(super) struct Median(AtomicU64);

impl Median {
    /// Takes an answer's time into account. Of answers that come at the very same moment, one may not count.
    pub(super) fn note(&self, time: Duration) {
        let seen = self.0.load(Ordering::Relaxed);
        let next = State::unpack(seen).after(level(time)).pack();
        if next != seen {
            let _ = self.0.compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The median; `None` while too few answers have come to tell.
    pub(super) fn get(&self) -> Option<Duration> {
        let State { level, answers, .. } = State::unpack(self.0.load(Ordering::Relaxed));
        (answers >= ENOUGH).then(|| time(level))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    level: u32,
    /// Answers so far, up to [`ENOUGH`].
    answers: u8,
    /// Answers in a row on the same side, up to [`RUN_MOST`].
    run: u8,
    /// Whether that side was above.
    above: bool,
}

impl State {
    fn after(self, level: u32) -> Self {
        let answers = (self.answers + 1).min(ENOUGH);
        if self.answers == 0 || level == self.level {
            return Self { level, answers, run: 0, above: self.above };
        }
        let above = level > self.level;
        let run = if above == self.above { (self.run + 1).min(RUN_MOST) } else { 1 };
        let step = (STEP * u32::from(run)).min(level.abs_diff(self.level));
        let level = if above { self.level + step } else { self.level - step };
        Self { level, answers, run, above }
    }

    fn pack(self) -> u64 {
        u64::from(self.level)
            | u64::from(self.answers) << 32
            | u64::from(self.run) << 40
            | u64::from(self.above) << 48
    }

    fn unpack(packed: u64) -> Self {
        let [.., above, run, answers, a, b, c, d] = packed.to_be_bytes();
        Self { level: u32::from_be_bytes([a, b, c, d]), answers, run, above: above != 0 }
    }
}

/// A time's place on the scale: 256 places for each doubling from a nanosecond on.
fn level(time: Duration) -> u32 {
    let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
    let doublings = ns.ilog2();
    let aligned = ns << (63 - doublings) >> 55;
    let part = u32::try_from(aligned & 0xFF).unwrap_or(0);
    doublings << 8 | part
}

/// The time at a place of the scale.
fn time(level: u32) -> Duration {
    let aligned = u64::from(0x100 | level & 0xFF) << 55;
    Duration::from_nanos(aligned >> 63u32.saturating_sub(level >> 8))
}

/// Answers before the median is told to anybody: fewer are as good as chance.
const ENOUGH: u8 = 8;
/// The least step, a sixty-fourth of a doubling: what the estimate goes up and down by when nothing changes is 1 %.
const STEP: u32 = 4;
/// The longest run that lengthens a step, which is then a whole doubling.
const RUN_MOST: u8 = 64;

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::seed::Seed;

    fn ms(time: f64) -> Duration {
        Duration::from_secs_f64(time / 1e3)
    }

    /// Whether the median is within a fifth of `expected`.
    fn near(median: &Median, expected: Duration) -> bool {
        let ratio = median.get().unwrap().as_secs_f64() / expected.as_secs_f64();
        (0.8..1.25).contains(&ratio)
    }

    #[test]
    fn a_time_is_found_again_within_half_a_percent() {
        for time_ns in [1, 255, 256, 257, 1_000, 999_999, 8_000_000_000, 3_600_000_000_000, u64::MAX] {
            let found = u64::try_from(time(level(Duration::from_nanos(time_ns))).as_nanos()).unwrap();
            assert!(found <= time_ns && time_ns - found <= time_ns / 200, "{time_ns} {found}");
        }
        assert_eq!(level(Duration::ZERO), level(Duration::from_nanos(1)));
    }

    #[test]
    fn nothing_is_told_before_the_eighth_answer() {
        let median = Median::default();
        for _ in 0..7 {
            median.note(ms(3.0));
            assert_eq!(median.get(), None);
        }
        median.note(ms(3.0));
        assert!(near(&median, ms(3.0)));
    }

    #[test]
    fn it_is_the_median_and_not_the_mean() {
        let mut random: rand::rngs::StdRng = Seed::new(1).random();
        let median = Median::default();
        for _ in 0..2_000 {
            let time = match random.random_range(0..10) {
                0..6 => random.random_range(4.0..6.0),
                6..9 => random.random_range(0.1..1.0),
                _ => 8_000.0,
            };
            median.note(ms(time));
        }
        // Of ten, three lie below 4 and one far above: the median is a third of the way through the six between.
        assert!(near(&median, ms(4.7)), "{:?}", median.get());
    }

    #[test]
    fn it_follows_a_lasting_change_and_hardly_a_single_answer() {
        let median = Median::default();
        (0..20).for_each(|_| median.note(ms(1.0)));
        median.note(ms(8_000.0));
        assert!(near(&median, ms(1.0)));
        (0..45).for_each(|_| median.note(ms(1_000.0)));
        assert!(near(&median, ms(1_000.0)), "{:?}", median.get());
        (0..45).for_each(|_| median.note(ms(1.0)));
        assert!(near(&median, ms(1.0)), "{:?}", median.get());
    }
}
