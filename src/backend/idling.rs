//! What an endpoint does to connections that lie idle, learnt from those that it has closed: how long it lets them rest, and whether it
//! closes them after an exception.
//!
//! A connection is looked at when it is taken and when the idle ones are gone through. One that is found closed has rested for no less
//! than its server lets it, unless that was restarted, or had another reason. So it counts only if none rested longer of late and was
//! found open; and one close alone proves nothing.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Idle, Last};

/// What is learnt of an endpoint's idle connections.
#[derive(Debug, Default)]
pub(super) struct Idling {
    /// The longest rest after which one was found open.
    outlived: Option<Rest>,
    /// The last closes, the latest at the end.
    closes: VecDeque<Rest>,
    /// Connections in a row that were closed after an exception, and when the last was.
    after_exceptions: u32,
    excepted: Option<Instant>,
    /// Whether [`Idling::news`] has told what is known now.
    is_told: bool,
}

/// For how long a connection rested, and when that was seen.
#[derive(Clone, Copy, Debug)]
struct Rest {
    length: Duration,
    seen: Instant,
}

impl Rest {
    fn is_of_late(&self, now: Instant) -> bool {
        now.duration_since(self.seen) < REMEMBERED
    }
}

impl Idling {
    /// Whether it is of interest what becomes of a connection that rested for `length`.
    pub(super) fn wants(length: Duration, last: Last) -> bool {
        length >= SHORTEST || last == Last::Exception
    }

    /// A connection was looked at that rested for `length`.
    pub(super) fn saw(&mut self, found: Idle, last: Last, length: Duration, now: Instant) {
        match (found, last) {
            (Idle::Unsolicited, _) => {}
            (Idle::Quiet, Last::Exception) => self.after_exceptions = 0,
            // It was not for its rest, as far as is known.
            (Idle::Closed, Last::Exception) if self.is_allowed(length, now) => {
                (self.after_exceptions, self.excepted) = (self.after_exceptions + 1, Some(now));
            }
            (Idle::Closed, Last::Exception | Last::Reply) => self.closed(Rest { length, seen: now }, now),
            (Idle::Quiet, Last::Reply) => self.outlive(Rest { length, seen: now }, now),
        }
    }

    /// The rest after which connections are given up, because their server would close them soon.
    pub(super) fn longest(&self, now: Instant) -> Option<Duration> {
        if self.closes.len() < CLOSES || !self.closes.iter().all(|close| close.is_of_late(now)) {
            return None;
        }
        self.closes.iter().map(|close| close.length * KEPT_OF_TEN / 10).min()
    }

    /// The same, once when it becomes known.
    pub(super) fn news(&mut self, now: Instant) -> Option<Duration> {
        let longest = self.longest(now);
        let was_told = std::mem::replace(&mut self.is_told, longest.is_some());
        longest.filter(|_| !was_told)
    }

    /// Whether it closes connections after exceptions.
    pub(super) fn closes_after_exceptions(&self, now: Instant) -> bool {
        let is_of_late = self.excepted.is_some_and(|seen| now.duration_since(seen) < REMEMBERED);
        self.after_exceptions >= EXCEPTIONS && is_of_late
    }

    /// Whether a connection may rest for `length`, as far as is known.
    fn is_allowed(&self, length: Duration, now: Instant) -> bool {
        let outlived = self.outlived.filter(|outlived| outlived.is_of_late(now));
        length < SHORTEST || outlived.is_some_and(|outlived| outlived.length >= length)
    }

    fn closed(&mut self, close: Rest, now: Instant) {
        if self.is_allowed(close.length, now) {
            return;
        }
        match self.closes.back_mut() {
            // One cause closes many.
            Some(last) if now.duration_since(last.seen) < APART => {
                last.length = last.length.min(close.length)
            }
            Some(_) | None => self.closes.push_back(close),
        }
        if self.closes.len() > CLOSES {
            self.closes.pop_front();
        }
    }

    fn outlive(&mut self, rest: Rest, now: Instant) {
        let stands = self.outlived.is_some_and(|known| known.is_of_late(now) && known.length > rest.length);
        if !stands {
            self.outlived = Some(rest);
        }
        self.closes.retain(|close| close.length > rest.length);
    }
}

/// Closes after shorter rests are no server's patience: it ended, or has answered as many calls as it wants to on one connection.
const SHORTEST: Duration = Duration::from_millis(100);
/// Closes that show how long a server is patient. A restart is one.
const CLOSES: usize = 3;
/// Closes that are no further apart have one cause.
const APART: Duration = Duration::from_millis(500);
/// What was learnt holds for so long: who keeps to it sees no further closes.
const REMEMBERED: Duration = Duration::from_secs(600);
/// A connection rests for so many tenths of what its server lets it.
const KEPT_OF_TEN: u32 = 8;
/// Closes after exceptions, none of which was left open, that are a habit.
const EXCEPTIONS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(tenths: u64) -> Duration {
        Duration::from_millis(tenths * 100)
    }

    /// What is learnt from these, a second apart: how a connection was found, and after how many tenths of a second.
    fn learnt(looks: &[(Idle, u64)]) -> Option<Duration> {
        let (mut idling, mut now) = (Idling::default(), Instant::now());
        for (found, length) in looks {
            now += secs(10);
            idling.saw(*found, Last::Reply, secs(*length), now);
        }
        idling.longest(now)
    }

    #[test]
    fn the_shortest_of_three_closes_is_what_a_server_allows() {
        use Idle::{Closed, Quiet, Unsolicited};
        assert_eq!(learnt(&[(Closed, 12), (Closed, 10)]), None);
        assert_eq!(learnt(&[(Closed, 12), (Closed, 10), (Closed, 11)]), Some(secs(8)));
        assert_eq!(learnt(&[(Closed, 12), (Closed, 10), (Unsolicited, 11)]), None);
        let further = [(Closed, 24), (Closed, 24), (Closed, 24), (Closed, 19), (Closed, 15), (Quiet, 9)];
        assert_eq!(learnt(&further), Some(secs(12)), "closer with each that comes too late");
    }

    #[test]
    fn what_rested_longer_and_is_open_shows_that_a_close_had_another_reason() {
        use Idle::{Closed, Quiet};
        assert_eq!(learnt(&[(Quiet, 20), (Closed, 10), (Closed, 10), (Closed, 10)]), None);
        assert_eq!(learnt(&[(Closed, 10), (Closed, 10), (Closed, 10), (Quiet, 20)]), None);
        assert_eq!(learnt(&[(Quiet, 9), (Closed, 10), (Closed, 10), (Closed, 10)]), Some(secs(8)));
        assert_eq!(learnt(&[(Closed, 0), (Closed, 0), (Closed, 0)]), None, "nobody's patience is so short");
    }

    #[test]
    fn closes_at_one_time_are_one_and_all_is_forgotten_after_a_while() {
        let (mut idling, began) = (Idling::default(), Instant::now());
        for _ in 0..5 {
            idling.saw(Idle::Closed, Last::Reply, secs(10), began);
        }
        assert_eq!(idling.longest(began), None);
        for later in [10, 20] {
            idling.saw(Idle::Closed, Last::Reply, secs(10), began + secs(later));
        }
        let last = began + REMEMBERED - secs(1);
        assert_eq!(idling.longest(last), Some(secs(8)));
        assert_eq!([idling.news(last), idling.news(last)], [Some(secs(8)), None]);
        assert_eq!((idling.longest(began + REMEMBERED), idling.news(began + REMEMBERED)), (None, None));
        assert_eq!(idling.news(last), Some(secs(8)), "it is known anew");
    }

    #[test]
    fn three_closes_after_exceptions_are_a_habit_that_one_which_stays_open_ends() {
        let (mut idling, now) = (Idling::default(), Instant::now());
        idling.saw(Idle::Closed, Last::Exception, secs(30), now);
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
