//! Whether an endpoint takes calls: what connections and checks say of it, and the way out of rotation and back.
//!
//! ```text
//!                two strikes: refused, silent, unwell        checks are answered, or a call is
//!   Rotating --- two closes, the last one on a check ---> Ejected -----------------------------> Rotating, slowly
//!                calls of two methods fail, none answers
//! ```
//!
//! Whatever is suspicious has the endpoint checked at once, and again until the suspicion is gone: so one call a minute is enough to
//! find out. Out of rotation it is checked at a fixed interval, however long that lasts.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::cell::equal_jitter;
use super::finding::{Finding, Kind};
use super::standing::{Effect, Standing, Why};

/// How often an endpoint is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) kind: Kind,
    /// While it is suspected or out.
    pub(super) interval: Duration,
    /// While nothing is wrong; never, if none.
    pub(super) always: Option<Duration>,
    /// How long an endpoint stays out at least where checks cannot prove that it is back; one that closes, each further time in a row
    /// twice as long.
    pub(super) rest: Duration,
    /// For how long at most.
    pub(super) rest_max: Duration,
}

/// An endpoint's standing. One lock decides; it is not taken by calls while nothing is wrong.
#[derive(Debug)]
pub(super) struct Position {
    pace: Pace,
    /// What `inner` comes to, for readers that only want to go on.
    mood: AtomicU8,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    ejected: Option<Ejected>,
    /// Refusals and failed checks since it last gave a sign of life.
    strikes: u32,
    /// Connections that it ended without an answer, since it last answered.
    closes: u32,
    /// Times that its calls took it out, or that it closed, since one was answered.
    times: u32,
    check: Check,
    /// When the last check was over.
    checked: Option<Instant>,
    /// It closes on checks, and answers calls.
    closes_on_checks: Habit,
    acquaintance: Acquaintance,
}

/// Whether an endpoint was checked while it answered: what its checks are worth must be known before they are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acquaintance {
    None,
    Made,
}

#[derive(Debug)]
struct Ejected {
    why: Why,
    since: Instant,
    /// Where calls took it out: before this, checks do not bring it back. Where it closed: after this, a call may try.
    until: Instant,
    /// Checks that were answered, in a row.
    passed: u32,
    /// When a call last was on its way to find out.
    probed: Option<Instant>,
}

/// When the next check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Never,
    At(Instant),
    UnderWay,
}

/// What is known of a habit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    Unknown,
    /// It was seen once; a call that is answered now proves it.
    Likely,
    Proven,
}

impl Position {
    pub(super) fn new(pace: Pace, now: Instant) -> Self {
        let check = pace.always.map_or(Check::Never, |always| Check::At(now + always));
        let inner = Inner {
            ejected: None,
            strikes: 0,
            closes: 0,
            times: 0,
            check,
            checked: None,
            closes_on_checks: Habit::Unknown,
            acquaintance: Acquaintance::None,
        };
        let mood = if inner.is_calm() { CALM } else { UNEASY };
        Self { pace, mood: AtomicU8::new(mood), inner: Mutex::new(inner) }
    }

    pub(super) fn standing(&self) -> Standing {
        match &self.lock().ejected {
            None => Standing::Rotating,
            Some(ejected) => Standing::Ejected(ejected.why),
        }
    }

    /// Whether anything is to be looked into.
    pub(super) fn is_uneasy(&self) -> bool {
        self.mood.load(Ordering::Acquire) != CALM
    }

    /// How many times in a row calls took it out, and checks brought it back.
    pub(super) fn times(&self) -> u32 {
        self.lock().times
    }

    /// Whether it takes calls.
    #[inline]
    pub(super) fn is_rotating(&self) -> bool {
        self.mood.load(Ordering::Acquire) != OUT
    }

    /// Whether it is out of rotation, and calls that have nothing else to answer with may go there all the same.
    pub(super) fn lets_pass(&self) -> bool {
        !self.is_rotating() && self.lock().ejected.as_ref().is_some_and(|ejected| ejected.why.lets_pass())
    }

    /// Notes that a call that is to find out is on its way, if none was for an interval.
    pub(super) fn begin_probe(&self, now: Instant) -> bool {
        let mut inner = self.lock();
        let interval = self.pace.interval;
        match &mut inner.ejected {
            Some(ejected) if ejected.is_probe_due(now, interval) => {
                ejected.probed = Some(now);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whether [`Position::begin_probe`] would do so.
    pub(super) fn is_probe_due(&self, now: Instant) -> bool {
        let interval = self.pace.interval;
        !self.is_rotating()
            && self.lock().ejected.as_ref().is_some_and(|ejected| ejected.is_probe_due(now, interval))
    }

    /// A call that was sent at `sent` was answered.
    pub(super) fn answered(&self, sent: Instant, now: Instant) -> Effect {
        if self.mood.load(Ordering::Acquire) == CALM {
            return Effect::Unchanged;
        }
        self.change(|inner| {
            (inner.strikes, inner.closes, inner.times) = (0, 0, 0);
            if inner.closes_on_checks == Habit::Likely {
                inner.closes_on_checks = Habit::Proven;
            }
            if inner.acquaintance == Acquaintance::None {
                inner.acquaintance = Acquaintance::Made;
                inner.look_into(self.pace, now);
            }
            match &mut inner.ejected {
                None => Effect::Unchanged,
                // It was sent before: that it is there is for the next to find out, at once.
                Some(ejected) if sent < ejected.since => {
                    ejected.probed = None;
                    inner.look_into(self.pace, now);
                    Effect::Unchanged
                }
                Some(_) => inner.return_to_rotation(self.pace, now),
            }
        })
    }

    /// No connection was had: it was refused, or nothing came back.
    pub(super) fn unreached(&self, why: Why, now: Instant) -> Effect {
        self.change(|inner| {
            inner.look_into(self.pace, now);
            inner.strike(why, now)
        })
    }

    /// It ended a connection without an answer.
    pub(super) fn closed(&self, now: Instant) -> Effect {
        self.change(|inner| {
            inner.closes += 1;
            inner.look_into(self.pace, now);
            Effect::Unchanged
        })
    }

    /// Something that a check should look into.
    pub(super) fn suspect(&self, now: Instant) {
        self.change(|inner| {
            inner.look_into(self.pace, now);
            Effect::Unchanged
        });
    }

    /// Its calls, or its silence, say that it should be out. Where its calls do, it stays out for `time` unless a call is answered.
    pub(super) fn eject(&self, why: Why, now: Instant, time: Duration) -> Effect {
        self.change(|inner| {
            let effect = inner.eject(why, now, time);
            inner.look_into(self.pace, now);
            effect
        })
    }

    /// When the next check is; none while one is under way, and where none is wanted.
    pub(super) fn check_at(&self) -> Option<Instant> {
        match self.lock().check {
            Check::Never | Check::UnderWay => None,
            Check::At(at) => Some(at),
        }
    }

    /// Whether a check is to be made now; then it is under way.
    pub(super) fn begin_check(&self, now: Instant) -> bool {
        let mut inner = self.lock();
        let due = matches!(inner.check, Check::At(at) if at <= now);
        if due {
            inner.check = Check::UnderWay;
        }
        due
    }

    /// What a check found. `share` in 0..=1 places the next one around the interval.
    pub(super) fn checked(&self, finding: Finding, now: Instant, share: f64) -> Effect {
        self.change(|inner| {
            let effect = match finding {
                Finding::Alive => inner.alive(self.pace, now),
                Finding::Refused => inner.strike(Why::Refused, now),
                Finding::Late => inner.strike(Why::Silent, now),
                Finding::Unwell => inner.strike(Why::Unwell, now),
                Finding::Closed => inner.closed_on_check(self.pace, now),
                Finding::Nothing => Effect::Unchanged,
            };
            inner.checked = Some(now);
            inner.check = inner.next_check(self.pace, now, share);
            effect
        })
    }

    fn change(&self, change: impl FnOnce(&mut Inner) -> Effect) -> Effect {
        let mut inner = self.lock();
        let effect = change(&mut inner);
        let mood = match &inner.ejected {
            Some(_) => OUT,
            None if inner.is_calm() => CALM,
            None => UNEASY,
        };
        self.mood.store(mood, Ordering::Release);
        effect
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is one assignment after another of plain values: no panic leaves it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_calm(&self) -> bool {
        (self.strikes, self.closes, self.times) == (0, 0, 0)
            && self.closes_on_checks != Habit::Likely
            && self.acquaintance == Acquaintance::Made
    }

    /// Makes the next check as soon as may be: at once, unless one is under way or has just been.
    fn look_into(&mut self, pace: Pace, now: Instant) {
        let soon = self.checked.map_or(now, |checked| now.max(checked + pace.interval));
        self.check = match self.check {
            Check::UnderWay => Check::UnderWay,
            Check::At(at) => Check::At(at.min(soon)),
            Check::Never => Check::At(soon),
        };
    }

    fn strike(&mut self, why: Why, now: Instant) -> Effect {
        self.strikes += 1;
        if let Some(ejected) = &mut self.ejected {
            ejected.passed = 0;
            // What is refused now lets nothing pass any more.
            ejected.why = if why == Why::Refused { why } else { ejected.why };
            return Effect::Unchanged;
        }
        if self.strikes < FALL { Effect::Unchanged } else { self.eject(why, now, Duration::ZERO) }
    }

    fn closed_on_check(&mut self, pace: Pace, now: Instant) -> Effect {
        self.closes += 1;
        match (&mut self.ejected, self.closes_on_checks) {
            // It may be one that closes on checks and answers calls, which only a call can tell.
            (Some(Ejected { why: Why::Closed, until, .. }), _) if *until <= now => {
                self.return_to_rotation(pace, now)
            }
            (Some(ejected), _) => {
                ejected.passed = 0;
                Effect::Unchanged
            }
            (None, Habit::Proven) => Effect::Unchanged,
            (None, Habit::Unknown | Habit::Likely) => {
                self.closes_on_checks = Habit::Likely;
                if self.closes < FALL {
                    return Effect::Unchanged;
                }
                let time = equal_jitter(pace.rest, pace.rest_max, self.times, 1.0);
                self.eject(Why::Closed, now, time)
            }
        }
    }

    fn alive(&mut self, pace: Pace, now: Instant) -> Effect {
        (self.strikes, self.closes) = (0, 0);
        self.closes_on_checks = Habit::Unknown;
        let Some(ejected) = &mut self.ejected else { return Effect::Unchanged };
        ejected.passed += 1;
        let proven = match (ejected.why, pace.kind) {
            (Why::Refused, Kind::Call | Kind::Fb303 | Kind::Tcp)
            | (Why::Closed | Why::Silent | Why::Unwell, Kind::Call | Kind::Fb303) => true,
            // That something accepts a connection says nothing of calls.
            (Why::Refused, Kind::Off) | (Why::Closed | Why::Silent | Why::Unwell, Kind::Tcp | Kind::Off) => {
                ejected.since + pace.rest <= now
            }
            // Nor do checks of what calls have found.
            (Why::Failing, _) => {
                let unprobed = ejected.probed.is_none_or(|probed| probed + UNPROBED <= now);
                ejected.passed >= RISE_AFTER_CALLS && ejected.until <= now && unprobed
            }
        };
        if proven { self.return_to_rotation(pace, now) } else { Effect::Unchanged }
    }

    fn eject(&mut self, why: Why, now: Instant, time: Duration) -> Effect {
        if self.ejected.is_some() {
            return Effect::Unchanged;
        }
        self.ejected = Some(Ejected { why, since: now, until: now + time, passed: 0, probed: None });
        self.times = self.times.saturating_add(u32::from(matches!(why, Why::Failing | Why::Closed)));
        Effect::Ejected(why)
    }

    fn return_to_rotation(&mut self, pace: Pace, now: Instant) -> Effect {
        let Some(Ejected { why, .. }) = self.ejected.take() else { return Effect::Unchanged };
        (self.strikes, self.closes) = (0, 0);
        self.check = match self.check {
            Check::UnderWay => Check::UnderWay,
            Check::Never | Check::At(_) => self.next_check(pace, now, 0.5),
        };
        Effect::Returned(why)
    }

    fn next_check(&self, pace: Pace, now: Instant, share: f64) -> Check {
        let around = |time: Duration| now + time.mul_f64(1.0 - JITTER + 2.0 * JITTER * share);
        if self.ejected.is_some() || self.strikes > 0 {
            return Check::At(around(pace.interval));
        }
        pace.always.map_or(Check::Never, |always| Check::At(around(always)))
    }
}

impl Ejected {
    fn is_probe_due(&self, now: Instant, interval: Duration) -> bool {
        self.why != Why::Refused && self.probed.is_none_or(|probed| probed + interval <= now)
    }
}

/// In rotation, and nothing was seen.
const CALM: u8 = 0;
/// In rotation, and something was.
const UNEASY: u8 = 1;
/// Out of rotation.
const OUT: u8 = 2;
/// Refusals, silences or closes that take an endpoint out, HAProxy's `fall`.
const FALL: u32 = 2;
/// Time without a call that finds out, after which checks are believed, and any call finds out.
pub(super) const UNPROBED: Duration = Duration::from_secs(2);
/// Answered checks that bring back what calls took out.
const RISE_AFTER_CALLS: u32 = 2;
/// Checks come up to this part earlier or later, so that gateways do not check together.
const JITTER: f64 = 0.2;

#[cfg(test)]
mod tests;
