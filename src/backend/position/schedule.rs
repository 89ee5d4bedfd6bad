//! When an endpoint is checked next.

use std::time::Duration;

use tokio::time::Instant;

use super::super::doubling::Doubling;
use super::super::finding::Kind;

/// How often an endpoint is checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) kind: Kind,
    /// While something about it is to be found out.
    pub(crate) interval: Duration,
    /// While nothing is wrong; never, if none.
    pub(crate) always: Option<Duration>,
    /// How long an endpoint stays out at least where checks cannot prove that it is back. For one that closes, or whose calls fail, by
    /// the times in a row.
    pub(crate) rest: Doubling,
}

/// The checks of one endpoint, one at a time.
#[derive(Debug)]
pub(super) struct Schedule {
    next: Next,
    /// When the last one was over.
    last: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Never,
    At(Instant),
    UnderWay,
}

/// Whether something about an endpoint is to be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Sought,
    Routine,
}

impl Schedule {
    pub(super) fn new(pace: Pace, now: Instant) -> Self {
        let next = pace.always.map_or(Next::Never, |always| Next::At(now + always));
        Self { next, last: None }
    }

    /// When the next check is; none while one is under way, and where none is wanted.
    pub(super) fn at(&self) -> Option<Instant> {
        match self.next {
            Next::Never | Next::UnderWay => None,
            Next::At(at) => Some(at),
        }
    }

    /// Whether a check is to be made now; then it is under way.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let due = self.at().is_some_and(|at| at <= now);
        if due {
            self.next = Next::UnderWay;
        }
        due
    }

    /// Makes the next check as soon as may be: at once, unless one is under way or has just been.
    pub(super) fn hasten(&mut self, pace: Pace, now: Instant) {
        let soon = self.last.map_or(now, |last| now.max(last + pace.interval));
        self.next = match self.next {
            Next::UnderWay => Next::UnderWay,
            Next::At(at) => Next::At(at.min(soon)),
            Next::Never => Next::At(soon),
        };
    }

    /// Makes the next check no later than `pace` says.
    pub(super) fn obey(&mut self, pace: Pace, need: Need, now: Instant) {
        self.next = match (self.next, Self::after(pace, need, now, 0.5)) {
            (Next::At(at), Next::At(next)) => Next::At(at.min(next)),
            (Next::Never, next) => next,
            (known @ (Next::At(_) | Next::UnderWay), _) => known,
        };
    }

    /// The check under way is over. `share` in 0..=1 places the next one around the interval.
    pub(super) fn end(&mut self, pace: Pace, need: Need, now: Instant, share: f64) {
        self.last = Some(now);
        self.next = Self::after(pace, need, now, share);
    }

    /// What was to be found out is known: unless a check is under way, the next one is a matter of routine.
    pub(super) fn relax(&mut self, pace: Pace, now: Instant) {
        if self.next != Next::UnderWay {
            self.next = Self::after(pace, Need::Routine, now, 0.5);
        }
    }

    fn after(pace: Pace, need: Need, now: Instant, share: f64) -> Next {
        let around = |time: Duration| Next::At(now + time.mul_f64(1.0 - JITTER + 2.0 * JITTER * share));
        match need {
            Need::Sought => around(pace.interval),
            Need::Routine => pace.always.map_or(Next::Never, around),
        }
    }
}

/// Checks come up to this part earlier or later, so that gateways do not check together.
const JITTER: f64 = 0.2;
