//! What one method's calls say of one endpoint: whether it should get more of them.
//!
//! ```text
//!              failures in a row, each sent after the one before        its time is over
//!  Answering --------------------------------------------------> Out ---------------------> one trial at a time
//!      ^                                                          ^                              |        |
//!      |                                                          +-- failed: twice the time ----+        |
//!      +--------------------------------------- answered -------------------------------------------------+
//! ```
//!
//! It is out, too, when nothing came for much longer than its answers took of late, although its calls are most of those that wait.
//!
//! Beside failures in a row, what counts is the share of answers over half a minute: an endpoint that fails too many of a method's
//! calls is passed by as long as another does better.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::doubling::Doubling;
use super::mood::{AtomicMood, Mood};
use crate::bounded::Bounded;

/// When a cell is out and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Consecutive failures.
    pub(super) failures: u32,
    /// How long, by the times in a row.
    pub(super) time: Doubling,
}

/// What one method's calls say of one endpoint.
#[derive(Debug)]
pub(super) struct Cell {
    /// What `inner` comes to, for calls that only want to go on.
    mood: AtomicMood,
    /// Calls that were sent and wait.
    in_flight: AtomicUsize,
    /// Since when they wait and nothing came, in microseconds since the window began.
    unheard: AtomicU64,
    /// Those of them that have nothing else to answer with while it is out.
    pub(super) passing: Bounded,
    /// When an answer last came, in microseconds since the window began; 0 if none did.
    answered: AtomicU64,
    window: Window,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// In a row.
    failures: u32,
    /// When the first of them was counted.
    failing_since: Option<Instant>,
    /// When the last failure was counted. What was sent before it tells nothing more.
    counted: Option<Instant>,
    out: Option<Out>,
    /// Times out in a row.
    times: u32,
}

#[derive(Clone, Copy, Debug)]
struct Out {
    since: Instant,
    until: Instant,
    trial: Trial,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    None,
    UnderWay,
}

/// A call that failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed {
    pub(super) sent: Instant,
    pub(super) now: Instant,
    /// Whether [`Cell::begin_trial`] has let it through.
    pub(super) is_trial: bool,
}

/// A call that waits for its answer; it does no longer when this is dropped.
#[derive(Debug)]
pub(super) struct Waits(Arc<Cell>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a call changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// Nothing that others would notice.
    No,
    /// It is out.
    Out {
        /// For how long.
        time: Duration,
        /// After so many failures in a row; none where it was silent.
        failures: u32,
    },
    /// It was out, did not answer who found out, and is out for this long again.
    StillOut(Duration),
    /// It answers again, and was out for this long.
    Back(Duration),
}

impl Cell {
    pub(super) fn new(now: Instant) -> Self {
        let inner = Mutex::default();
        Self {
            mood: AtomicMood::new(Mood::Calm),
            in_flight: AtomicUsize::new(0),
            unheard: AtomicU64::new(0),
            passing: Bounded::default(),
            answered: AtomicU64::new(0),
            window: Window::new(now),
            inner,
        }
    }

    /// Whether nothing is wrong with it.
    pub(super) fn is_calm(&self) -> bool {
        self.mood.is_calm()
    }

    /// Whether it gets calls as any other.
    #[inline]
    pub(super) fn is_in(&self) -> bool {
        !self.mood.is_out()
    }

    /// Whether it fails so many of its calls that another endpoint should have them.
    pub(super) fn is_poor(&self, now: Instant) -> bool {
        !self.mood.is_calm() && self.window.is_poor(now)
    }

    /// Since when nothing but failures came, if it is out.
    pub(super) fn failing_since(&self) -> Option<Instant> {
        if self.is_in() {
            return None;
        }
        self.lock().failing_since
    }

    /// Whether an answer came after `moment`.
    pub(super) fn answered_since(&self, moment: Instant) -> bool {
        self.answered.load(Ordering::Relaxed) > self.window.micros(moment)
    }

    /// Whether one call may find out whether it answers again, `patience` after the first moment it might.
    pub(super) fn is_due(&self, now: Instant, patience: Duration) -> bool {
        !self.is_in() && self.lock().out.is_some_and(|out| out.is_due(now, patience))
    }

    /// The same, and it is that call: to be ended by [`Cell::end_trial`].
    pub(super) fn begin_trial(&self, now: Instant, patience: Duration) -> bool {
        if self.is_in() {
            return false;
        }
        let mut inner = self.lock();
        match &mut inner.out {
            Some(out) if out.is_due(now, patience) => {
                out.trial = Trial::UnderWay;
                true
            }
            Some(_) | None => false,
        }
    }

    /// The call that was to find out has ended.
    pub(super) fn end_trial(&self) {
        if let Some(out) = &mut self.lock().out {
            out.trial = Trial::None;
        }
    }

    /// Calls that were sent and wait.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Begins anew.
    pub(super) fn forget(&self) {
        if self.mood.is_calm() {
            return;
        }
        let mut inner = self.lock();
        *inner = Inner::default();
        self.window.forget();
        self.mood.set(Mood::Calm);
    }

    /// For how long nothing came although calls wait. Zero where none does.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        if self.in_flight() == 0 {
            return Duration::ZERO;
        }
        Duration::from_micros(self.window.micros(now).saturating_sub(self.unheard.load(Ordering::Acquire)))
    }

    /// Something came, be it a failure.
    pub(super) fn heard(&self, now: Instant) {
        self.unheard.store(self.window.micros(now), Ordering::Release);
    }

    /// A call was sent whose answer is waited for.
    pub(super) fn wait(self: &Arc<Self>, now: Instant) -> Waits {
        if self.in_flight.fetch_add(1, Ordering::AcqRel) == 0 {
            self.heard(now);
        }
        Waits(Arc::clone(self))
    }

    /// A call that was sent at `sent` was answered. An answer from before it was out makes the next trial due at once.
    pub(super) fn answered(&self, sent: Instant, now: Instant) -> Turned {
        self.heard(now);
        self.window.note(now, true);
        self.answered.store(self.window.micros(now).max(1), Ordering::Relaxed);
        if self.mood.is_calm() {
            return Turned::No;
        }
        let mut inner = self.lock();
        if let Some(out) = inner.out.as_mut().filter(|out| sent < out.since) {
            out.until = now;
            return Turned::No;
        }
        let was_out = inner.out.take();
        (inner.failures, inner.failing_since, inner.times) = (0, None, 0);
        let mood = if self.window.is_poor(now) { Mood::Uneasy } else { Mood::Calm };
        self.mood.set(mood);
        was_out.map_or(Turned::No, |out| Turned::Back(now.saturating_duration_since(out.since)))
    }

    /// A call failed in a way that blames the method here. `share` in 0..=1 places the end of the time out between half and all of it.
    pub(super) fn failed(&self, failed: Failed, limits: Limits, share: impl FnOnce() -> f64) -> Turned {
        let Failed { sent, now, is_trial } = failed;
        self.window.note(now, false);
        let mut inner = self.lock();
        let finds_out = is_trial && inner.out.is_some_and(|out| out.since <= sent);
        // Of calls that were under way together one counts: they have one cause.
        if !finds_out && inner.counted.is_some_and(|counted| sent < counted) {
            return Turned::No;
        }
        inner.counted = Some(now);
        inner.failing_since.get_or_insert(now);
        inner.failures += 1;
        let turned = match inner.out {
            // Calls that have nothing else to answer with go on; only who was to find out has found out.
            Some(_) if !finds_out => Turned::No,
            None if inner.failures < limits.failures => Turned::No,
            Some(_) | None => inner.turn_out(limits, now, share()),
        };
        self.mood.set(if inner.out.is_some() { Mood::Out } else { Mood::Uneasy });
        turned
    }

    /// It is out, because nothing came for longer than its answers ever took.
    pub(super) fn silent(&self, now: Instant, limits: Limits, share: f64) -> Turned {
        let mut inner = self.lock();
        if inner.out.is_some() {
            return Turned::No;
        }
        inner.failing_since.get_or_insert(now);
        self.mood.set(Mood::Out);
        inner.turn_out(limits, now, share)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is one assignment after another of plain values: no panic leaves it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn turn_out(&mut self, limits: Limits, now: Instant, share: f64) -> Turned {
        let time = limits.time.time(self.times, share);
        self.times = self.times.saturating_add(1);
        let before = self.out;
        let since = before.map_or(now, |out| out.since);
        self.out = Some(Out { since, until: now + time, trial: Trial::None });
        match before {
            Some(_) => Turned::StillOut(time),
            None => Turned::Out { time, failures: self.failures },
        }
    }
}

impl Out {
    fn is_due(&self, now: Instant, patience: Duration) -> bool {
        self.trial == Trial::None && self.until + patience <= now
    }
}

/// Answers and failures of the last half minute, in buckets that expire by themselves: a burst of failures weighs what it is, unlike in
/// an average that decays (linkerd2's finding).
#[derive(Debug)]
struct Window {
    began: Instant,
    /// The bucket's number in the upper half, answers and failures in a quarter each.
    buckets: [AtomicU64; BUCKETS],
}

impl Window {
    fn new(began: Instant) -> Self {
        Self { began, buckets: Default::default() }
    }

    fn note(&self, now: Instant, answered: bool) {
        let number = self.number(now);
        let Some(bucket) = self.buckets.get(number as usize % BUCKETS) else { return };
        let one = if answered { 1 << 16 } else { 1 };
        let noted = |old: u64| {
            let old = if old >> 32 == number { old } else { number << 32 };
            let count = if answered { old >> 16 & 0xffff } else { old & 0xffff };
            // A full bucket has said enough.
            Some(if count == 0xffff { old } else { old + one })
        };
        let _ = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, noted);
    }

    fn is_poor(&self, now: Instant) -> bool {
        let number = self.number(now);
        let oldest = (number + 1).saturating_sub(BUCKETS as u64);
        let of_late = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let (answers, failures) =
            of_late.filter(|bucket| bucket >> 32 >= oldest).fold((0, 0), |(answers, failures), one| {
                (answers + (one >> 16 & 0xffff), failures + (one & 0xffff))
            });
        let samples = answers + failures;
        samples >= SAMPLES && answers * 100 < samples * ANSWERS_PERCENT
    }

    fn forget(&self) {
        self.buckets.iter().for_each(|bucket| bucket.store(0, Ordering::Relaxed));
    }

    fn micros(&self, moment: Instant) -> u64 {
        moment.saturating_duration_since(self.began).as_micros() as u64
    }

    fn number(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs() / BUCKET_SECONDS
    }
}

const BUCKETS: usize = 10;
const BUCKET_SECONDS: u64 = 3;
/// Finagle's and this product's numbers: below four answers of five, of at least ten calls.
const ANSWERS_PERCENT: u64 = 80;
const SAMPLES: u64 = 10;

#[cfg(test)]
mod tests;
