//! How much an endpoint has to do: its calls in flight, times how slow it is for them; and how far it is trusted with more.
//!
//! An endpoint's *cost* is a moving average that jumps to each peak (Peak-EWMA): how many times longer it takes than is usual for
//! the methods it was asked for. One that takes as long as all others costs 1, whether its methods take a millisecond or
//! eight seconds. While no answer comes, the calls that wait for one count by the time they have waited: an endpoint that hangs
//! loses its calls to others before the first of them has ended.
//!
//! A fault never lowers the cost, however fast it came. But who fails fast has nothing in flight, and would draw all calls to
//! itself: so each fault halves the part of its share that the endpoint is *trusted* with, which answers and time give back.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::fault::Fault;

/// The load of one endpoint.
#[derive(Debug)]
pub(super) struct Load {
    epoch: Instant,
    in_flight: AtomicUsize,
    /// The sum of [`Burden::due`] of the calls in flight.
    due: AtomicU64,
    /// When it last answered, or was first asked after it had nothing to do; in nanoseconds from the epoch.
    heard: AtomicU64,
    /// A packed [`Level`], as the next.
    cost: AtomicU64,
    trust: AtomicU64,
}

/// What one call adds to a load; to be taken off again by [`Load::end`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) struct Burden {
    /// How many such calls are usually answered in 2^44 ns (five hours). Nothing where nobody knows what is usual.
    due: u64,
}

/// What a try came to, as far as it tells how slow its endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// A result: its time tells, short or long.
    Result,
    /// An exception: only a long time tells, for what fails may fail fast.
    Exception,
    /// A fault of the endpoint, however fast.
    Fault,
    /// No answer in time: the endpoint takes that long at least, if the method has ever been answered.
    Late,
}

impl Measure {
    /// What a fault tells; `None` if it tells nothing of the endpoint.
    pub(super) fn of(fault: &Fault) -> Option<Self> {
        match fault {
            Fault::Timeout { .. } => Some(Self::Late),
            Fault::Unreachable { refusal, .. } if !refusal.blames_endpoint() => None,
            Fault::Unreachable { .. }
            | Fault::Closed { .. }
            | Fault::Garbage { .. }
            | Fault::MissingResult { .. }
            | Fault::Failure { .. } => Some(Self::Fault),
            // What the caller did wrong is none of the endpoint's.
            Fault::Exception { .. } if fault.allows_stale() => Some(Self::Fault),
            Fault::Oversized { .. } | Fault::Exception { .. } => Some(Self::Exception),
            Fault::Down { .. }
            | Fault::Busy { .. }
            | Fault::Shed { .. }
            | Fault::Crowded { .. }
            | Fault::Session { .. }
            | Fault::Quarantined { .. }
            | Fault::Internal
            | Fault::Stopped
            | Fault::Untranslatable { .. } => None,
        }
    }
}

impl Load {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            in_flight: AtomicUsize::new(0),
            due: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            cost: AtomicU64::new(Level::USUAL.pack()),
            trust: AtomicU64::new(Level::USUAL.pack()),
        }
    }

    /// Calls in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Adds a call of a method whose answers usually take `usual`, if anybody knows.
    pub(super) fn begin(&self, usual: Option<Duration>, now: Instant) -> Burden {
        if self.in_flight() == 0 {
            self.heard.store(self.nanos(now), Ordering::Relaxed);
        }
        let due = usual.map_or(0, |usual| DUE_TIME / nanos(usual).max(1));
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.due.fetch_add(due, Ordering::Relaxed);
        Burden { due }
    }

    /// Takes a call off.
    pub(super) fn end(&self, burden: Burden) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.due.fetch_sub(burden.due, Ordering::Relaxed);
    }

    /// Takes into account what a call came to that was sent `took` ago, where answers usually take `usual`, if anybody knows.
    pub(super) fn note(&self, measure: Measure, took: Duration, usual: Option<Duration>, now: Instant) {
        let times = usual.map(|usual| ratio(took, usual).clamp(COST_LEAST, COST_MOST));
        let at = self.ticks(now);
        match measure {
            Measure::Result | Measure::Exception => {
                self.heard.store(self.nanos(now), Ordering::Relaxed);
                change(&self.trust, at, |trust| trust + (1.0 - trust) * TRUST_GAINED);
            }
            Measure::Fault | Measure::Late => {
                change(&self.trust, at, |trust| (trust * TRUST_LEFT).max(TRUST_LEAST));
            }
        }
        match (measure, times) {
            (Measure::Result, Some(times)) => self.mix(times, at),
            (Measure::Exception | Measure::Late, Some(times)) => {
                change(&self.cost, at, |cost| cost.max(times))
            }
            (Measure::Fault, _) | (_, None) => {}
        }
    }

    /// The part of its share that it is trusted with, never 0.
    pub(super) fn trust(&self, now: Instant) -> f32 {
        Level::unpack(self.trust.load(Ordering::Relaxed)).at(self.ticks(now)).value
    }

    /// The load with `more` calls than there are, of an endpoint that is to have `share` of the calls of an ordinary one: equal
    /// loads mean that each has as much as its share and its speed allow.
    pub(super) fn with(&self, more: usize, share: f32, now: Instant) -> f32 {
        let calls = (self.in_flight() + more) as f32;
        self.slowness(now) * (calls / share + 1.0)
    }

    /// How many times slower than usual it is, in whole times and at least once: less than that is noise, which would
    /// send all the calls of a quiet hour to one endpoint.
    fn slowness(&self, now: Instant) -> f32 {
        let cost = Level::unpack(self.cost.load(Ordering::Relaxed)).at(self.ticks(now)).value;
        cost.max(self.silence(now)).min(COST_MOST).floor().max(USUAL)
    }

    /// Takes a result into the average. A peak replaces it.
    fn mix(&self, times: f32, at: u32) {
        let next = |packed: u64| {
            let before = Level::unpack(packed);
            let kept = before.kept(at);
            let value = (times + (before.value - times) * kept).max(times);
            (kept < 1.0 || value > before.value).then(|| Level { at, value }.pack())
        };
        let _ = self.cost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// How many of their usual times the calls in flight have waited on average since the last answer.
    fn silence(&self, now: Instant) -> f32 {
        let (calls, due) = (self.in_flight(), self.due.load(Ordering::Relaxed));
        if calls == 0 || due == 0 {
            return 0.0;
        }
        let silent = self.nanos(now).saturating_sub(self.heard.load(Ordering::Relaxed));
        (silent as f64 / DUE_TIME as f64 * due as f64 / calls as f64) as f32
    }

    fn nanos(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.epoch))
    }

    fn ticks(&self, now: Instant) -> u32 {
        // Wraps around after five days; an endpoint that answered nothing for so long may be thought a little slower.
        (self.nanos(now) / TICK) as u32
    }
}

/// Something that is 1 as a rule, as it was at a moment, in ticks from the epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Level {
    at: u32,
    value: f32,
}

impl Level {
    const USUAL: Self = Self { at: 0, value: USUAL };

    /// What becomes of it until then if nothing happens: what is not known any more is thought usual.
    fn at(self, at: u32) -> Self {
        if self.value == USUAL {
            return Self { at, ..self };
        }
        Self { at, value: USUAL + (self.value - USUAL) * self.kept(at) }
    }

    /// What is left of a difference by then. Of two answers that overtake each other, the later one's time stands.
    fn kept(self, at: u32) -> f32 {
        let passed = at.wrapping_sub(self.at);
        if passed == 0 || passed > u32::MAX / 2 { 1.0 } else { (-(passed as f32) / DECAY_TICKS).exp() }
    }

    fn pack(self) -> u64 {
        u64::from(self.at) << 32 | u64::from(self.value.to_bits())
    }

    fn unpack(packed: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = packed.to_be_bytes();
        Self { at: u32::from_be_bytes([a, b, c, d]), value: f32::from_be_bytes([e, f, g, h]) }
    }
}

/// Changes a level that has become what it is at this moment. Free where it is usual and stays so.
fn change(level: &AtomicU64, at: u32, change: impl Fn(f32) -> f32) {
    let next = |packed: u64| {
        let before = Level::unpack(packed);
        let now = before.at(at).value;
        let next = change(now);
        (next != before.value).then(|| Level { at, value: next }.pack())
    };
    let _ = level.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
}

fn ratio(took: Duration, usual: Duration) -> f32 {
    (took.as_secs_f64() / usual.as_secs_f64().max(1e-9)) as f32
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The cost of an endpoint that takes as long as all others, and of one of which nothing is known; and whole trust.
const USUAL: f32 = 1.0;
/// Bounds of a cost. The upper one lets a slow endpoint have a call in a few hundred; from there, a single slow answer is as
/// good as forgotten after 25 s.
const COST_LEAST: f32 = 0.1;
const COST_MOST: f32 = 20.0;
/// What a fault leaves of the trust in an endpoint, and the least there is: calls by which it shows whether it still fails.
const TRUST_LEFT: f32 = 0.5;
const TRUST_LEAST: f32 = 0.1;
/// What an answer gives back of what is missing: where one call in twenty fails, a half is missing.
const TRUST_GAINED: f32 = 0.05;
/// Nanoseconds in a tick of a level's time: 100 µs.
const TICK: u64 = 100_000;
/// After this time, 10 s, a third of a difference is left. Finagle's and linkerd's.
const DECAY_TICKS: f32 = 100_000.0;
/// The time, in nanoseconds, that answers are due in: so long that of a call of an hour one is.
const DUE_TIME: u64 = 1 << 44;

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A load after these answers of a method that usually takes 10 ms, all of them at its beginning.
    fn after(answers: &[(Measure, u32)]) -> (Load, Instant) {
        let now = Instant::now();
        let load = Load::new(now);
        for &(measure, took) in answers {
            load.note(measure, took * MS, Some(10 * MS), now);
        }
        (load, now)
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_costs_as_much_as_it_is_slower_than_its_methods() {
        let cases: &[(&[(Measure, u32)], f32)] = &[
            (&[], 1.0),
            (&[(Measure::Result, 10)], 1.0),
            (&[(Measure::Result, 60)], 6.0),
            (&[(Measure::Exception, 60)], 6.0),
            (&[(Measure::Result, 60), (Measure::Result, 10)], 6.0),
            (&[(Measure::Result, 80_000)], COST_MOST),
            (&[(Measure::Fault, 0)], 1.0),
            (&[(Measure::Late, 10)], 1.0),
            (&[(Measure::Late, 150)], 15.0),
            (&[(Measure::Result, 150), (Measure::Fault, 0)], 15.0),
        ];
        for (answers, cost) in cases {
            let (load, now) = after(answers);
            assert!((load.with(0, 1.0, now) - cost).abs() < 0.01, "{answers:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_of_eight_seconds_that_always_takes_them_costs_nothing() {
        let (load, now) = after(&[]);
        load.note(Measure::Result, 8_000 * MS, Some(8_000 * MS), now);
        assert!((load.with(0, 1.0, now) - 1.0).abs() < 0.01);
    }

    #[tokio::test(start_paused = true)]
    async fn no_fault_and_no_exception_lowers_the_cost_however_fast() {
        let (load, now) = after(&[(Measure::Result, 150)]);
        for second in 1..=5 {
            let later = now + Duration::from_secs(second);
            load.note(Measure::Exception, MS / 100, Some(10 * MS), later);
            let decayed = 1.0 + 14.0 * (-0.1 * second as f32).exp();
            assert!((load.with(0, 1.0, later) - decayed.floor()).abs() < 0.01);
            load.note(Measure::Fault, MS / 100, Some(10 * MS), now + Duration::from_secs(second));
            assert!(load.with(0, 1.0, later) >= decayed.floor());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn faults_halve_the_trust_and_answers_and_time_give_it_back() {
        let trusted = |faults: usize, answers: usize, seconds: u64| {
            let noted = [vec![(Measure::Fault, 1); faults], vec![(Measure::Exception, 1); answers]].concat();
            let (load, now) = after(&noted);
            load.trust(now + Duration::from_secs(seconds))
        };
        assert!((trusted(0, 5, 0) - 1.0).abs() < 0.001);
        assert!((trusted(1, 0, 0) - 0.5).abs() < 0.001);
        assert!((trusted(2, 0, 0) - 0.25).abs() < 0.001);
        assert!((trusted(100, 0, 0) - TRUST_LEAST).abs() < 0.001);
        assert!((trusted(1, 14, 0) - 0.75).abs() < 0.01);
        assert!((trusted(1, 0, 7) - 0.75).abs() < 0.01);
        assert!(trusted(100, 90, 0) > 0.98 && trusted(100, 0, 40) > 0.98);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peak_is_half_forgotten_in_seven_seconds_with_answers_or_without() {
        for answers in [0, 700] {
            let (load, now) = after(&[(Measure::Result, 190)]);
            for n in 1..=answers {
                load.note(Measure::Result, 10 * MS, Some(10 * MS), now + n * 10 * MS);
            }
            let half = now + Duration::from_secs(7);
            assert!((load.with(0, 1.0, half) - 9.0).abs() <= 1.0, "{}", load.with(0, 1.0, half));
            assert!(load.with(0, 1.0, now + Duration::from_secs(40)) < 1.5);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_knows_what_is_usual_nothing_is_told() {
        let (load, now) = after(&[]);
        for measure in [Measure::Result, Measure::Exception, Measure::Late] {
            load.note(measure, 8_000 * MS, None, now);
        }
        let waits = load.begin(None, now);
        assert!((load.with(0, 1.0, now + 60_000 * MS) - 2.0).abs() < 0.01);
        load.end(waits);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_wait_for_long_count_before_the_first_of_them_is_answered() {
        let (load, now) = after(&[]);
        let fast = load.begin(Some(10 * MS), now);
        let slow = load.begin(Some(1_000 * MS), now);
        assert!((load.with(0, 1.0, now + 15 * MS) - 3.0).abs() < 0.01);
        assert!(
            (load.with(0, 1.0, now + 100 * MS) - 15.0).abs() < 0.01,
            "{}",
            load.with(0, 1.0, now + 100 * MS)
        );
        load.note(Measure::Result, 10 * MS, Some(10 * MS), now + 100 * MS);
        load.end(fast);
        assert!((load.with(0, 1.0, now + 1_000 * MS) - 2.0).abs() < 0.01, "the other still has its time");
        load.end(slow);
        assert!((load.with(0, 1.0, now + 9_000 * MS) - 1.0).abs() < 0.01, "nothing is waited for");
        let next = load.begin(Some(10 * MS), now + 9_000 * MS);
        assert!((load.with(0, 1.0, now + 9_001 * MS) - 2.0).abs() < 0.01, "its time begins with it");
        load.end(next);
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_of_twice_the_share_has_the_same_load_with_twice_the_calls() {
        let (load, now) = after(&[]);
        let burdens: Vec<_> = (0..6).map(|_| load.begin(None, now)).collect();
        assert!((load.with(0, 2.0, now) - 4.0).abs() < 0.01);
        assert!((load.with(2, 2.0, now) - 5.0).abs() < 0.01);
        assert!((load.with(0, 1.0, now) - 7.0).abs() < 0.01);
        burdens.into_iter().for_each(|burden| load.end(burden));
        assert_eq!(load.in_flight(), 0);
    }
}
