//! What an endpoint does to connections that lie idle, learnt from those that it has closed: how long it lets them rest, and whether it
//! closes them after an exception.
//!
//! A connection is looked at when it is taken and when the idle ones are gone through. One that is found closed has rested for no less
//! than its server lets it.

use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Idle, Last};
use super::patience::{Patience, REMEMBERED, Terms};

/// What is learnt of an endpoint's idle connections.
#[derive(Debug)]
pub(super) struct Idling {
    rests: Patience,
    /// Connections in a row that were closed after an exception, and when the last was.
    after_exceptions: u32,
    excepted: Option<Instant>,
}

impl Idling {
    /// Of which nothing is known.
    pub(super) fn new() -> Self {
        Self { rests: Patience::new(RESTS), after_exceptions: 0, excepted: None }
    }

    /// Whether it is of interest what becomes of a connection that rested for `length`.
    pub(super) fn wants(length: Duration, last: Last) -> bool {
        length >= RESTS.shortest || last == Last::Exception
    }

    /// A connection was looked at that rested for `length`.
    pub(super) fn saw(&mut self, found: Idle, last: Last, length: Duration, now: Instant) {
        match (found, last) {
            (Idle::Unsolicited, _) => {}
            (Idle::Quiet, Last::Exception) => self.after_exceptions = 0,
            // It was not for its rest, as far as is known.
            (Idle::Closed, Last::Exception) if self.rests.is_allowed(length, now) => {
                (self.after_exceptions, self.excepted) = (self.after_exceptions + 1, Some(now));
            }
            (Idle::Closed, Last::Exception | Last::Reply) => self.rests.saw_closed(length, now),
            (Idle::Quiet, Last::Reply) => self.rests.saw_open(length, now),
        }
    }

    /// The rest after which connections are given up, because their server would close them soon.
    pub(super) fn longest(&self, now: Instant) -> Option<Duration> {
        self.rests.longest(now)
    }

    /// The same, once when it becomes known.
    pub(super) fn news(&mut self, now: Instant) -> Option<Duration> {
        self.rests.news(now)
    }

    /// Whether it closes connections after exceptions.
    pub(super) fn closes_after_exceptions(&self, now: Instant) -> bool {
        let is_of_late = self.excepted.is_some_and(|seen| now.duration_since(seen) < REMEMBERED);
        self.after_exceptions >= EXCEPTIONS && is_of_late
    }
}

/// Closes after shorter rests are no server's patience: it ended, or has answered as many calls as it wants to on one connection.
const RESTS: Terms = Terms { shortest: Duration::from_millis(100), late_by: 0 };
/// Closes after exceptions, none of which was left open, that are a habit.
const EXCEPTIONS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_closes_after_exceptions_are_a_habit_that_one_which_stays_open_ends() {
        let (mut idling, now) = (Idling::new(), Instant::now());
        idling.saw(Idle::Closed, Last::Exception, Duration::from_secs(3), now);
        for habit in [false, false, true] {
            idling.saw(Idle::Closed, Last::Exception, Duration::ZERO, now);
            assert_eq!(idling.closes_after_exceptions(now), habit);
        }
        assert!(!idling.closes_after_exceptions(now + REMEMBERED));
        assert_eq!(idling.longest(now), None);
        idling.saw(Idle::Quiet, Last::Exception, Duration::ZERO, now);
        assert!(!idling.closes_after_exceptions(now));
    }
}
