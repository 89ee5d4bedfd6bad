//! How many tries a backend's calls may have beyond their first ones, so that retries never become the load that keeps a
//! backend down.
//!
//! The budget is a bucket of retries. Each call's first try puts in a part of one, time puts in one each second, and a
//! retry takes one out before it waits: retries that wait together have all been paid for. It holds no more than a burst,
//! so that what was saved up in good times is not spent at once in bad ones. Whatever happens, tries are at most
//! `(1 + part) * calls + seconds + burst`.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::doubling::Doubling;

/// A bucket of retries, counted in thousandths.
#[derive(Debug)]
pub(super) struct Budget {
    epoch: Instant,
    /// What a first try puts in.
    deposit: AtomicU32,
    most: AtomicU32,
    /// A packed [`Balance`].
    balance: AtomicU64,
}

/// The budget has not a whole retry left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent;

impl Budget {
    /// A full one. `percent` of first tries are put in; it holds `burst` retries.
    pub(super) fn new(percent: u32, burst: u32, now: Instant) -> Self {
        let balance = Balance { at: 0, left: burst.saturating_mul(RETRY) }.pack();
        let budget = Self {
            epoch: now,
            deposit: AtomicU32::default(),
            most: AtomicU32::default(),
            balance: AtomicU64::new(balance),
        };
        budget.obey(percent, burst);
        budget
    }

    /// Puts in another part of first tries and holds as many from here on; what it has it keeps as far as it may hold it.
    pub(super) fn obey(&self, percent: u32, burst: u32) {
        self.deposit.store(percent.saturating_mul(RETRY / 100), Ordering::Relaxed);
        self.most.store(burst.saturating_mul(RETRY), Ordering::Relaxed);
    }

    /// Puts in what a call's first try is good for. Free while nothing was taken out.
    pub(super) fn deposit(&self) {
        let (deposit, most) = (self.deposit.load(Ordering::Relaxed), self.most());
        let more = |packed: u64| {
            let Balance { at, left } = Balance::unpack(packed);
            let more = left.saturating_add(deposit).min(most);
            (more != left).then(|| Balance { at, left: more }.pack())
        };
        let _ = self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Takes one retry out.
    ///
    /// # Errors
    /// [`Spent`], and nothing is taken.
    pub(super) fn withdraw(&self, now: Instant) -> Result<(), Spent> {
        let at = self.millis(now);
        let less = |packed: u64| {
            let Balance { at, left } = self.refilled(Balance::unpack(packed), at);
            left.checked_sub(RETRY).map(|left| Balance { at, left }.pack())
        };
        match self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => Ok(()),
            Err(_) => Err(Spent),
        }
    }

    /// Retries left.
    pub(super) fn left(&self, now: Instant) -> f64 {
        let balance = Balance::unpack(self.balance.load(Ordering::Relaxed));
        f64::from(self.refilled(balance, self.millis(now)).left) / f64::from(RETRY)
    }

    /// With what time has put in: a thousandth in each millisecond.
    fn refilled(&self, before: Balance, at: u32) -> Balance {
        let passed = at.wrapping_sub(before.at);
        if passed > u32::MAX / 2 {
            return before;
        }
        Balance { at, left: before.left.saturating_add(passed).min(self.most()) }
    }

    fn most(&self) -> u32 {
        self.most.load(Ordering::Relaxed)
    }

    fn millis(&self, now: Instant) -> u32 {
        // Wraps around after 49 days. A budget that rested for longer than half of that is filled late, by one retry.
        now.saturating_duration_since(self.epoch).as_millis() as u32
    }
}

/// What is left at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Balance {
    /// In milliseconds from the epoch: what time puts in before it is in `left`.
    at: u32,
    /// In thousandths of a retry.
    left: u32,
}

impl Balance {
    fn pack(self) -> u64 {
        u64::from(self.at) << 32 | u64::from(self.left)
    }

    fn unpack(packed: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = packed.to_be_bytes();
        Self { at: u32::from_be_bytes([a, b, c, d]), left: u32::from_be_bytes([e, f, g, h]) }
    }
}

/// The longest pause before a call's `nth` retry, counted from 0: twice as long each time, within a bound. The pause itself is a random
/// part of it, so that calls that failed together are not tried again together.
pub(super) fn longest_pause(nth: u32) -> Duration {
    PAUSE.whole(nth)
}

/// One retry, in the budget's unit.
const RETRY: u32 = 1000;
/// The longest pauses before a call's retries.
const PAUSE: Doubling = Doubling { first: Duration::from_millis(25), most: Duration::from_millis(250) };

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn taken(budget: &Budget, now: Instant) -> usize {
        (0..1_000).take_while(|_| budget.withdraw(now).is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn it_holds_a_burst_and_no_more() {
        let now = Instant::now();
        let budget = Budget::new(20, 10, now);
        (0..100_000).for_each(|_| budget.deposit());
        assert_eq!(taken(&budget, now + 1_000 * SECOND), 10);
        assert_eq!(budget.withdraw(now + 1_000 * SECOND), Err(Spent));
    }

    #[tokio::test(start_paused = true)]
    async fn five_first_tries_are_good_for_one_retry() {
        let now = Instant::now();
        let budget = Budget::new(20, 10, now);
        taken(&budget, now);
        for _ in 0..7 {
            (0..4).for_each(|_| budget.deposit());
            assert_eq!(budget.withdraw(now), Err(Spent));
            budget.deposit();
            assert_eq!(taken(&budget, now), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_is_good_for_one_retry_whoever_looks_meanwhile() {
        let now = Instant::now();
        let budget = Budget::new(0, 10, now);
        taken(&budget, now);
        for millis in 1..1_000 {
            assert_eq!(budget.withdraw(now + Duration::from_millis(millis)), Err(Spent));
        }
        assert!((budget.left(now + SECOND / 2) - 0.5).abs() < 0.01);
        assert_eq!(taken(&budget, now + SECOND), 1);
        assert_eq!(taken(&budget, now + 4 * SECOND), 3);
        assert_eq!(taken(&budget, now + SECOND), 0, "a moment before the last one puts nothing in");
        assert!((budget.left(now + 3_600 * SECOND) - 10.0).abs() < 0.01);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_burst_there_is_no_retry() {
        let now = Instant::now();
        let budget = Budget::new(20, 0, now);
        (0..100).for_each(|_| budget.deposit());
        assert_eq!(budget.withdraw(now + 10 * SECOND), Err(Spent));
    }

    #[tokio::test(start_paused = true)]
    async fn another_burst_holds_from_then_on() {
        let now = Instant::now();
        let budget = Budget::new(0, 10, now);
        budget.obey(100, 3);
        assert_eq!(taken(&budget, now), 3);
        budget.obey(100, 5);
        assert_eq!(budget.withdraw(now), Err(Spent), "what it may hold it must be given first");
        (0..20).for_each(|_| budget.deposit());
        assert_eq!(taken(&budget, now), 5);
    }

    #[test]
    fn pauses_grow_within_their_bound() {
        let pauses = [0, 1, 2, 3, 4, 100].map(|nth| longest_pause(nth).as_millis());
        assert_eq!(pauses, [25, 50, 100, 200, 250, 250]);
    }
}
