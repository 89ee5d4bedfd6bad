//! When a server is left because it does not answer, or too many of its answers are errors or late.
//!
//! Only what says something of the server counts: see [`Failure::is_held_against`](super::failure::Failure::is_held_against).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The breaker of one server. It opens by telling so; closed again, it is a new one.
#[derive(Debug)]
pub(super) struct Breaker {
    began: Instant,
    window: Mutex<Window>,
}

/// What became of the calls of the last [`SLICES`] slices of time.
#[derive(Debug, Default)]
struct Window {
    slices: [Slice; SLICES],
    /// Bad ones since the last good one.
    row: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    /// Which slice of all time this is.
    number: u64,
    good: u32,
    bad: u32,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), window: Mutex::default() }
    }

    /// Counts a call that ended, and tells whether the server is to be left.
    pub(super) fn opens(&self, good: bool) -> bool {
        let number = self.began.elapsed().as_millis() / SLICE.as_millis();
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        // The counts are whole between any two statements, so a panic elsewhere cannot have left them half changed.
        self.window.lock().unwrap_or_else(PoisonError::into_inner).opens(number, good)
    }
}

impl Window {
    fn opens(&mut self, number: u64, good: bool) -> bool {
        let at = usize::try_from(number % SLICES as u64).unwrap_or_default();
        if let Some(slice) = self.slices.get_mut(at) {
            if slice.number != number {
                *slice = Slice { number, ..Slice::default() };
            }
            slice.good = slice.good.saturating_add(u32::from(good));
            slice.bad = slice.bad.saturating_add(u32::from(!good));
        }
        if good {
            self.row = 0;
            return false;
        }
        self.row = self.row.saturating_add(1);
        self.row >= ROW || self.too_many(number)
    }

    fn too_many(&self, now: u64) -> bool {
        let recent = self.slices.iter().filter(|slice| now.saturating_sub(slice.number) < SLICES as u64);
        let (good, bad) = recent.fold((0_u32, 0_u32), |(good, bad), slice| {
            (good.saturating_add(slice.good), bad.saturating_add(slice.bad))
        });
        good.saturating_add(bad) >= ENOUGH && bad >= good
    }
}

/// Bad ones in a row after which a server is left: one may be chance, and each costs a call its time.
const ROW: u32 = 3;
/// Calls in the window below which their share says nothing. Of so many, half must be bad.
const ENOUGH: u32 = 20;
/// The window is ten seconds, forgotten second by second.
const SLICES: usize = 10;
const SLICE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_bad_ones_in_a_row_open_it() {
        let mut window = Window::default();
        assert!(!window.opens(0, false) && !window.opens(0, false));
        assert!(!window.opens(0, true), "a good one begins the row anew");
        assert!(!window.opens(0, false) && !window.opens(0, false));
        assert!(window.opens(0, false));
    }

    #[test]
    fn half_of_enough_calls_open_it() {
        let mut window = Window::default();
        let opened = (1..=30).find(|_| window.opens(0, true) || window.opens(0, false));
        assert_eq!(opened, Some(ENOUGH / 2));
    }

    #[test]
    fn a_few_among_many_do_not() {
        let mut window = Window::default();
        for second in 0..100 {
            assert!(!window.opens(second, true) && !window.opens(second, true));
            assert!(!window.opens(second, false));
        }
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut window = Window::default();
        for second in [0, 1, 2] {
            for _ in 0..3 {
                assert!(!window.opens(second, false));
                assert!(!window.opens(second, true));
            }
        }
        // 18 calls are in the window, 9 of them bad; ten seconds later only the new ones count.
        for _ in 0..4 {
            assert!(!window.opens(12, false));
            assert!(!window.opens(12, true));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn its_seconds_are_those_that_pass() {
        let breaker = Breaker::new();
        let mut opened = false;
        for _ in 0..60 {
            tokio::time::advance(SLICE).await;
            opened |= breaker.opens(true) | breaker.opens(false);
        }
        assert!(opened, "two in a second are twenty in ten");
    }
}
