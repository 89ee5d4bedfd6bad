//! An endpoint's standing behind its lock: what is seen of it, and where each of that moves it.

use std::time::Duration;

use tokio::time::Instant;

use super::acquaintance::{Acquaintance, Habit};
use super::ejected::Ejected;
use super::schedule::{Need, Pace, Schedule};
use super::word::Word;
use crate::backend::finding::Kind;
use crate::backend::mood::Mood;
use crate::backend::standing::{Effect, Standing, Why};

#[derive(Debug)]
pub(super) struct Inner {
    /// What an operator says, whatever is seen, and since when.
    pub(super) ordered: Option<Word>,
    pub(super) ejected: Option<Ejected>,
    /// Refusals and failed checks since it last gave a sign of life.
    pub(super) strikes: u32,
    /// Connections that it ended without an answer, since it last answered.
    pub(super) closes: u32,
    /// Times that its calls took it out, or that it closed, since one was answered.
    pub(super) times: u32,
    pub(super) checks: Schedule,
    /// It says of itself that it is not quite well.
    pub(super) warns: bool,
    /// It closes on checks, and answers calls.
    pub(super) closes_on_checks: Habit,
    pub(super) acquaintance: Acquaintance,
}

impl Inner {
    /// Of which nothing was seen yet.
    pub(super) fn new(pace: Pace, now: Instant) -> Self {
        Self {
            ordered: None,
            ejected: None,
            strikes: 0,
            closes: 0,
            times: 0,
            checks: Schedule::new(pace, now),
            warns: false,
            closes_on_checks: Habit::Unknown,
            acquaintance: Acquaintance::None,
        }
    }

    /// As it is told to others: what is only tried is out until a call is answered.
    pub(super) fn standing(&self) -> Standing {
        self.ejection().map_or(Standing::Rotating, |(why, _)| Standing::Ejected(why))
    }

    /// Why it is out, and since when.
    pub(super) fn ejection(&self) -> Option<(Why, Instant)> {
        match self.ordered {
            Some(word) => word.ordered.why().map(|why| (why, word.since)),
            None => self.ejected.as_ref().map(|ejected| (ejected.why, ejected.since)),
        }
    }

    /// The same, where it takes no calls.
    pub(super) fn out(&self) -> Option<(Why, Instant)> {
        self.ejection().filter(|_| !self.is_tried())
    }

    /// Whether it takes calls for one to find out whether it is back.
    fn is_tried(&self) -> bool {
        self.ordered.is_none() && self.ejected.as_ref().is_some_and(|ejected| !ejected.is_out())
    }

    pub(super) fn mood(&self) -> Mood {
        let is_calm = (self.strikes, self.closes, self.times) == (0, 0, 0)
            && self.closes_on_checks != Habit::Likely
            && self.acquaintance == Acquaintance::Made;
        match self.standing() {
            Standing::Ejected(_) if self.is_tried() => Mood::Tried,
            Standing::Ejected(_) => Mood::Out,
            Standing::Rotating if is_calm && self.ejected.is_none() => Mood::Calm,
            Standing::Rotating => Mood::Uneasy,
        }
    }

    pub(super) fn strike(&mut self, why: Why, now: Instant) -> Effect {
        self.strikes += 1;
        if let Some(ejected) = self.ejected.as_mut().filter(|ejected| ejected.is_out()) {
            ejected.passed = 0;
            // What is refused now lets nothing pass any more, and what fails has ended draining.
            let replaces = matches!(why, Why::Refused | Why::Untrusted) || ejected.why == Why::Draining;
            ejected.why = if replaces { why } else { ejected.why };
            return Effect::Unchanged;
        }
        if self.strikes < FALL { Effect::Unchanged } else { self.eject(why, now, Duration::ZERO) }
    }

    /// It answers, and asks for no further calls. That is no fault, and its own word is proof enough.
    pub(super) fn drains(&mut self, now: Instant) -> Effect {
        (self.strikes, self.closes) = (0, 0);
        if let Some(ejected) = &mut self.ejected {
            (ejected.passed, ejected.why) = (0, Why::Draining);
        }
        self.eject(Why::Draining, now, Duration::ZERO)
    }

    pub(super) fn closed_on_check(&mut self, pace: Pace, now: Instant) -> Effect {
        self.closes += 1;
        match (self.ejected.as_mut().filter(|ejected| ejected.is_out()), self.closes_on_checks) {
            // It may be one that closes on checks and answers calls, which only a call can tell.
            (Some(Ejected { why: Why::Closed, until, .. }), _) if *until <= now => self.try_it(pace, now),
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

    pub(super) fn alive(&mut self, pace: Pace, now: Instant) -> Effect {
        (self.strikes, self.closes) = (0, 0);
        self.closes_on_checks = Habit::Unknown;
        let Some(ejected) = &mut self.ejected else { return Effect::Unchanged };
        ejected.passed += 1;
        let may_be_tried = match (ejected.why, pace.kind) {
            (Why::Refused | Why::Untrusted, Kind::Call | Kind::Fb303 | Kind::Tcp)
            | (Why::Closed | Why::Silent | Why::Unwell, Kind::Call | Kind::Fb303)
            | (Why::Draining | Why::Drained | Why::Ordered, _) => return self.return_to_rotation(pace, now),
            // That something accepts a connection says nothing of calls.
            (Why::Refused | Why::Untrusted, Kind::Off)
            | (Why::Closed | Why::Silent | Why::Unwell, Kind::Tcp | Kind::Off) => {
                ejected.left + pace.rest.first <= now
            }
            // Nor do checks of what calls have found.
            (Why::Failing, _) => {
                let unprobed = ejected.probed.is_none_or(|probed| probed + UNPROBED <= now);
                ejected.passed >= RISE_AFTER_CALLS && ejected.until <= now && unprobed
            }
        };
        match ejected.tried {
            None if may_be_tried => self.try_it(pace, now),
            // No call has come that would find out.
            Some(tried) if tried + UNPROBED <= now => self.return_to_rotation(pace, now),
            None | Some(_) => Effect::Unchanged,
        }
    }

    pub(super) fn eject(&mut self, why: Why, now: Instant, time: Duration) -> Effect {
        let (before, effect) = match &self.ejected {
            Some(ejected) if ejected.is_out() => return Effect::Unchanged,
            Some(tried) => (tried.since, Effect::Failed(why)),
            None => (now, Effect::Ejected(why)),
        };
        self.ejected = Some(Ejected { since: before, ..Ejected::new(why, now, now + time) });
        self.times = self.times.saturating_add(u32::from(matches!(why, Why::Failing | Why::Closed)));
        effect
    }

    /// Has it take calls, for one to find out whether it is back.
    fn try_it(&mut self, pace: Pace, now: Instant) -> Effect {
        let Some(ejected) = &mut self.ejected else { return Effect::Unchanged };
        ejected.tried = Some(now);
        (self.strikes, self.closes) = (0, 0);
        self.checks.relax(pace, now);
        Effect::Tried(ejected.why)
    }

    pub(super) fn return_to_rotation(&mut self, pace: Pace, now: Instant) -> Effect {
        let Some(ejected) = self.ejected.take() else { return Effect::Unchanged };
        let (why, out) = (ejected.why, now.saturating_duration_since(ejected.since));
        if !ejected.is_out() {
            return Effect::Proven(why, out);
        }
        (self.strikes, self.closes) = (0, 0);
        self.checks.relax(pace, now);
        Effect::Returned(why, out)
    }

    /// Whether checks are to find something out: that it is back, or well again, or gone.
    pub(super) fn need(&self) -> Need {
        // What closes on checks is tried by calls alone.
        let is_out = |ejected: &Ejected| ejected.is_out() || ejected.why != Why::Closed;
        let sought = self.ejected.as_ref().is_some_and(is_out) || self.strikes > 0 || self.warns;
        if sought { Need::Sought } else { Need::Routine }
    }
}

/// Refusals, silences or closes that take an endpoint out, HAProxy's `fall`.
const FALL: u32 = 2;
/// Time without a call that finds out, after which checks are believed, and any call finds out.
pub(in crate::backend) const UNPROBED: Duration = Duration::from_secs(2);
/// Answered checks that bring back what calls took out.
const RISE_AFTER_CALLS: u32 = 2;
