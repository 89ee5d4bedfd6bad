//! Whether an endpoint takes calls: what connections and checks say of it, and the way out of rotation and back.
//!
//! ```text
//!                two strikes: refused, silent, unwell        checks are answered, or a call is
//!   Rotating --- two closes, the last one on a check ---> Ejected -----------------------------> Rotating, slowly
//!                calls of two methods fail, none answers   |     ^                               ^
//!                it says that it is starting or stopping   |     | fails again                   | a call is answered
//!                         checks can prove nothing more    +---> Tried --------------------------+
//! ```
//!
//! What is tried takes calls as if it were in rotation, few at first, and is told to be out until one is answered.
//! Whatever is suspicious has the endpoint checked at once, and again until the suspicion is gone: so one call a minute is enough to
//! find out. Out of rotation it is checked at a fixed interval, however long that lasts.

mod acquaintance;
mod ejected;
mod inner;
mod schedule;
mod seen;
mod word;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::finding::Finding;
use super::mood::AtomicMood;
use super::standing::{Effect, Standing, Why};
use acquaintance::{Acquaintance, Habit};
use ejected::Ejected;
use inner::Inner;
pub(super) use inner::UNPROBED;
pub(super) use schedule::Pace;
pub(super) use seen::Seen;

/// An endpoint's standing. One lock decides; it is not taken by calls while nothing is wrong.
#[derive(Debug)]
pub(super) struct Position {
    pace: ArcSwap<Pace>,
    /// What `inner` comes to, for readers that only want to go on.
    mood: AtomicMood,
    inner: Mutex<Inner>,
}

impl Position {
    pub(super) fn new(pace: Pace, now: Instant) -> Self {
        let inner = Inner::new(pace, now);
        let mood = AtomicMood::new(inner.mood());
        Self { pace: ArcSwap::from_pointee(pace), mood, inner: Mutex::new(inner) }
    }

    /// Has it checked as often as `pace` says.
    pub(super) fn obey(&self, pace: Pace, now: Instant) {
        self.pace.store(Arc::new(pace));
        self.change(|inner| {
            inner.checks.obey(pace, inner.need(), now);
            Effect::Unchanged
        });
    }

    pub(super) fn standing(&self) -> Standing {
        self.lock().standing()
    }

    /// Since when it is out.
    pub(super) fn out_since(&self) -> Option<Instant> {
        self.lock().ejection().map(|(_, since)| since)
    }

    /// Whether it is out because nothing comes from it.
    pub(super) fn is_silent(&self) -> bool {
        !self.is_rotating() && self.standing() == Standing::Ejected(Why::Silent)
    }

    /// Whether it closes connections on checks, and answers calls.
    pub(super) fn closes_on_checks(&self) -> bool {
        self.lock().closes_on_checks == Habit::Proven
    }

    /// What was seen of it since it last gave a sign of life.
    pub(super) fn seen(&self) -> Seen {
        let inner = self.lock();
        Seen { strikes: inner.strikes, closes: inner.closes, next_check: inner.checks.at() }
    }

    /// Whether anything is to be looked into.
    pub(super) fn is_uneasy(&self) -> bool {
        !self.mood.is_calm()
    }

    /// Whether it takes calls.
    #[inline]
    pub(super) fn is_rotating(&self) -> bool {
        !self.mood.is_out()
    }

    /// Whether it takes calls, and not only for one to find out whether it is back.
    pub(super) fn is_back(&self) -> bool {
        self.mood.is_in()
    }

    /// Whether it is out of rotation, and calls that have nothing else to answer with may go there all the same.
    pub(super) fn lets_pass(&self) -> bool {
        !self.is_rotating() && self.standing().why().is_some_and(Why::lets_pass)
    }

    /// Notes that a call that is to find out is on its way, if none was for an interval.
    pub(super) fn begin_probe(&self, now: Instant) -> bool {
        if self.is_rotating() {
            return false;
        }
        let mut inner = self.lock();
        let interval = self.pace().interval;
        let is_free = inner.ordered.is_none();
        match &mut inner.ejected {
            Some(ejected) if is_free && ejected.is_probe_due(now, interval) => {
                ejected.probed = Some(now);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whether [`Position::begin_probe`] would do so.
    pub(super) fn is_probe_due(&self, now: Instant) -> bool {
        if self.is_rotating() {
            return false;
        }
        let (inner, interval) = (self.lock(), self.pace().interval);
        let is_due = |ejected: &Ejected| ejected.is_probe_due(now, interval);
        inner.ordered.is_none() && inner.ejected.as_ref().is_some_and(is_due)
    }

    /// A call that was sent at `sent` was answered.
    pub(super) fn answered(&self, sent: Instant, now: Instant) -> Effect {
        if self.mood.is_calm() {
            return Effect::Unchanged;
        }
        self.change(|inner| {
            (inner.strikes, inner.closes, inner.times) = (0, 0, 0);
            if inner.closes_on_checks == Habit::Likely {
                inner.closes_on_checks = Habit::Proven;
            }
            if inner.acquaintance == Acquaintance::None {
                inner.acquaintance = Acquaintance::Made;
                inner.checks.hasten(self.pace(), now);
            }
            match &mut inner.ejected {
                None => Effect::Unchanged,
                // It goes on answering, and wants no more.
                Some(Ejected { why: Why::Draining, .. }) => Effect::Unchanged,
                // It was sent before: that it is there is for the next to find out, at once.
                Some(ejected) if sent < ejected.left => {
                    ejected.probed = None;
                    inner.checks.hasten(self.pace(), now);
                    Effect::Unchanged
                }
                Some(_) => inner.return_to_rotation(self.pace(), now),
            }
        })
    }

    /// No connection was had: it was refused, or nothing came back.
    pub(super) fn unreached(&self, why: Why, now: Instant) -> Effect {
        self.change(|inner| {
            inner.checks.hasten(self.pace(), now);
            inner.strike(why, now)
        })
    }

    /// It ended a connection without an answer.
    pub(super) fn closed(&self, now: Instant) -> Effect {
        self.change(|inner| {
            inner.closes += 1;
            inner.checks.hasten(self.pace(), now);
            Effect::Unchanged
        })
    }

    /// Something that a check should look into.
    pub(super) fn suspect(&self, now: Instant) {
        self.change(|inner| {
            inner.checks.hasten(self.pace(), now);
            Effect::Unchanged
        });
    }

    /// Its calls say that it should be out. `share` in 0..=1 places the end of the time for which it is, unless a call is answered.
    pub(super) fn failing(&self, now: Instant, share: f64) -> Effect {
        self.change(|inner| {
            let effect = inner.eject(Why::Failing, now, self.pace().rest.time(inner.times, share));
            inner.checks.hasten(self.pace(), now);
            effect
        })
    }

    /// Its silence says that it should be out.
    pub(super) fn silent(&self, now: Instant) -> Effect {
        self.change(|inner| {
            let effect = inner.eject(Why::Silent, now, Duration::ZERO);
            inner.checks.hasten(self.pace(), now);
            effect
        })
    }

    /// When the next check is; none while one is under way, and where none is wanted.
    pub(super) fn check_at(&self) -> Option<Instant> {
        self.lock().checks.at()
    }

    /// Whether a check is to be made now; then it is under way.
    pub(super) fn begin_check(&self, now: Instant) -> bool {
        self.lock().checks.begin(now)
    }

    /// What a check found. `share` in 0..=1 places the next one around the interval.
    pub(super) fn checked(&self, finding: Finding, now: Instant, share: f64) -> Effect {
        self.change(|inner| {
            let effect = match finding {
                Finding::Alive | Finding::Warning => {
                    inner.warns = finding == Finding::Warning;
                    inner.alive(self.pace(), now)
                }
                Finding::Draining => inner.drains(now),
                Finding::Refused => inner.strike(Why::Refused, now),
                Finding::Untrusted => inner.strike(Why::Untrusted, now),
                Finding::Late => inner.strike(Why::Silent, now),
                Finding::Unwell => inner.strike(Why::Unwell, now),
                Finding::Closed => inner.closed_on_check(self.pace(), now),
                Finding::Nothing => Effect::Unchanged,
            };
            inner.checks.end(self.pace(), inner.need(), now, share);
            effect
        })
    }

    fn pace(&self) -> Pace {
        **self.pace.load()
    }

    fn change(&self, change: impl FnOnce(&mut Inner) -> Effect) -> Effect {
        let mut inner = self.lock();
        let effect = change(&mut inner);
        self.mood.set(inner.mood());
        // What is seen of it goes on being noted, and changes nothing until the operator's word is taken back.
        if inner.ordered.is_some() { Effect::Unchanged } else { effect }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is one assignment after another of plain values: no panic leaves it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
