//! Whether an endpoint takes calls: what connections and checks say of it, and the way out of rotation and back.
//!
//! ```text
//!                two strikes: refused, silent, unwell        checks are answered, or a call is
//!   Rotating --- two closes, the last one on a check ---> Ejected -----------------------------> Rotating, slowly
//!                calls of two methods fail, none answers
//!                it says that it is starting or stopping
//! ```
//!
//! Whatever is suspicious has the endpoint checked at once, and again until the suspicion is gone: so one call a minute is enough to
//! find out. Out of rotation it is checked at a fixed interval, however long that lasts.

mod acquaintance;
mod ejected;
mod schedule;
mod seen;
mod word;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::finding::{Finding, Kind};
use super::mood::{AtomicMood, Mood};
use super::standing::{Effect, Standing, Why};
use acquaintance::{Acquaintance, Habit};
use ejected::Ejected;
pub(super) use schedule::Pace;
use schedule::{Need, Schedule};
pub(super) use seen::Seen;
use word::Word;

/// An endpoint's standing. One lock decides; it is not taken by calls while nothing is wrong.
#[derive(Debug)]
pub(super) struct Position {
    pace: ArcSwap<Pace>,
    /// What `inner` comes to, for readers that only want to go on.
    mood: AtomicMood,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// What an operator says, whatever is seen, and since when.
    ordered: Option<Word>,
    ejected: Option<Ejected>,
    /// Refusals and failed checks since it last gave a sign of life.
    strikes: u32,
    /// Connections that it ended without an answer, since it last answered.
    closes: u32,
    /// Times that its calls took it out, or that it closed, since one was answered.
    times: u32,
    checks: Schedule,
    /// It says of itself that it is not quite well.
    warns: bool,
    /// It closes on checks, and answers calls.
    closes_on_checks: Habit,
    acquaintance: Acquaintance,
}

impl Position {
    pub(super) fn new(pace: Pace, now: Instant) -> Self {
        let inner = Inner {
            ordered: None,
            ejected: None,
            strikes: 0,
            closes: 0,
            times: 0,
            checks: Schedule::new(pace, now),
            warns: false,
            closes_on_checks: Habit::Unknown,
            acquaintance: Acquaintance::None,
        };
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

    /// Since when it takes no calls.
    pub(super) fn out_since(&self) -> Option<Instant> {
        self.lock().out().map(|(_, since)| since)
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
                Some(ejected) if sent < ejected.since => {
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

impl Inner {
    fn standing(&self) -> Standing {
        self.out().map_or(Standing::Rotating, |(why, _)| Standing::Ejected(why))
    }

    /// Why it takes no calls, and since when.
    fn out(&self) -> Option<(Why, Instant)> {
        match self.ordered {
            Some(word) => word.ordered.why().map(|why| (why, word.since)),
            None => self.ejected.as_ref().map(|ejected| (ejected.why, ejected.since)),
        }
    }

    fn mood(&self) -> Mood {
        let is_calm = (self.strikes, self.closes, self.times) == (0, 0, 0)
            && self.closes_on_checks != Habit::Likely
            && self.acquaintance == Acquaintance::Made;
        match self.standing() {
            Standing::Ejected(_) => Mood::Out,
            Standing::Rotating if is_calm && self.ejected.is_none() => Mood::Calm,
            Standing::Rotating => Mood::Uneasy,
        }
    }

    fn strike(&mut self, why: Why, now: Instant) -> Effect {
        self.strikes += 1;
        if let Some(ejected) = &mut self.ejected {
            ejected.passed = 0;
            // What is refused now lets nothing pass any more, and what fails has ended draining.
            let replaces = why == Why::Refused || ejected.why == Why::Draining;
            ejected.why = if replaces { why } else { ejected.why };
            return Effect::Unchanged;
        }
        if self.strikes < FALL { Effect::Unchanged } else { self.eject(why, now, Duration::ZERO) }
    }

    /// It answers, and asks for no further calls. That is no fault, and its own word is proof enough.
    fn drains(&mut self, now: Instant) -> Effect {
        (self.strikes, self.closes) = (0, 0);
        if let Some(ejected) = &mut self.ejected {
            (ejected.passed, ejected.why) = (0, Why::Draining);
        }
        self.eject(Why::Draining, now, Duration::ZERO)
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
                self.eject(Why::Closed, now, pace.rest.whole(self.times))
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
            | (Why::Closed | Why::Silent | Why::Unwell, Kind::Call | Kind::Fb303)
            | (Why::Draining | Why::Drained | Why::Ordered, _) => true,
            // That something accepts a connection says nothing of calls.
            (Why::Refused, Kind::Off) | (Why::Closed | Why::Silent | Why::Unwell, Kind::Tcp | Kind::Off) => {
                ejected.since + pace.rest.first <= now
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
        let Some(Ejected { why, since, .. }) = self.ejected.take() else { return Effect::Unchanged };
        (self.strikes, self.closes) = (0, 0);
        self.checks.relax(pace, now);
        Effect::Returned(why, now.saturating_duration_since(since))
    }

    /// Whether checks are to find something out: that it is back, or well again, or gone.
    fn need(&self) -> Need {
        let sought = self.ejected.is_some() || self.strikes > 0 || self.warns;
        if sought { Need::Sought } else { Need::Routine }
    }
}

/// Refusals, silences or closes that take an endpoint out, HAProxy's `fall`.
const FALL: u32 = 2;
/// Time without a call that finds out, after which checks are believed, and any call finds out.
pub(super) const UNPROBED: Duration = Duration::from_secs(2);
/// Answered checks that bring back what calls took out.
const RISE_AFTER_CALLS: u32 = 2;

#[cfg(test)]
mod tests;
