//! How long a server leaves a connection open, learnt from those that it has closed.
//!
//! What was closed was left open for no longer than that, unless its server was restarted, or had another reason. So a close counts only if
//! none was left open for longer of late; and one close alone proves nothing.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// What is learnt of one time that a server may set: from a connection's last call, or from its opening.
#[derive(Debug)]
pub(super) struct Patience {
    terms: Terms,
    /// The longest time after which one was found open.
    outlived: Option<Span>,
    /// The last closes, the latest at the end.
    closes: VecDeque<Span>,
    /// Whether [`Patience::news`] has told what is known now.
    is_told: bool,
}

/// What may be a server's patience.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Closes after less are none.
    pub(super) shortest: Duration,
    /// By which part of its length, in hundredths, one may be left open for longer than another: a busy server's timers are late.
    pub(super) late_by: u32,
}

/// How long a connection was left open, and when that was seen.
#[derive(Clone, Copy, Debug)]
struct Span {
    length: Duration,
    seen: Instant,
}

impl Span {
    fn is_of_late(&self, now: Instant) -> bool {
        now.duration_since(self.seen) < REMEMBERED
    }
}

impl Patience {
    /// Of which nothing is known.
    pub(super) fn new(terms: Terms) -> Self {
        Self { terms, outlived: None, closes: VecDeque::new(), is_told: false }
    }

    /// A connection was found open after `length`.
    pub(super) fn saw_open(&mut self, length: Duration, now: Instant) {
        if !self.has_outlived(length, now) {
            self.outlived = Some(Span { length, seen: now });
        }
        let terms = self.terms;
        self.closes.retain(|close| terms.latest(close.length) > length);
    }

    /// A connection was closed by its server after `length`.
    pub(super) fn saw_closed(&mut self, length: Duration, now: Instant) {
        if self.is_allowed(length, now) {
            return;
        }
        let close = Span { length, seen: now };
        match self.closes.back_mut() {
            // One cause closes many.
            Some(last) if now.duration_since(last.seen) < APART => last.length = last.length.min(length),
            Some(_) | None => self.closes.push_back(close),
        }
        if self.closes.len() > CLOSES {
            self.closes.pop_front();
        }
    }

    /// Four fifths of what a server allows, as far as it is known to close what is open for longer.
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

    /// Whether a close after `length` is nobody's patience, as far as is known.
    pub(super) fn is_allowed(&self, length: Duration, now: Instant) -> bool {
        length < self.terms.shortest || self.has_outlived(self.terms.latest(length), now)
    }

    /// Whether one was found open of late after `length` or more.
    pub(super) fn has_outlived(&self, length: Duration, now: Instant) -> bool {
        self.outlived.is_some_and(|outlived| outlived.is_of_late(now) && outlived.length >= length)
    }
}

impl Terms {
    /// After how long a connection may be found open although others were closed after `length`.
    fn latest(self, length: Duration) -> Duration {
        length + length * self.late_by / 100
    }
}

/// Closes that show how long a server is patient. A restart is one.
const CLOSES: usize = 3;
/// Closes that are no further apart have one cause.
const APART: Duration = Duration::from_millis(500);
/// What was learnt holds for so long: who keeps to it sees no further closes.
pub(super) const REMEMBERED: Duration = Duration::from_secs(600);
/// A connection is left open for so many tenths of what its server lets it.
const KEPT_OF_TEN: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { shortest: Duration::from_millis(100), late_by: 0 };

    #[derive(Clone, Copy)]
    enum Look {
        Open(u64),
        Closed(u64),
    }
    use Look::{Closed, Open};

    fn secs(tenths: u64) -> Duration {
        Duration::from_millis(tenths * 100)
    }

    /// What is learnt from these, a second apart: how a connection was found, and after how many tenths of a second.
    fn learnt_by(terms: Terms, looks: &[Look]) -> Option<Duration> {
        let (mut patience, mut now) = (Patience::new(terms), Instant::now());
        for look in looks {
            now += secs(10);
            match look {
                Open(length) => patience.saw_open(secs(*length), now),
                Closed(length) => patience.saw_closed(secs(*length), now),
            }
        }
        patience.longest(now)
    }

    fn learnt(looks: &[Look]) -> Option<Duration> {
        learnt_by(TERMS, looks)
    }

    #[test]
    fn the_shortest_of_three_closes_is_what_a_server_allows() {
        assert_eq!(learnt(&[Closed(12), Closed(10)]), None);
        assert_eq!(learnt(&[Closed(12), Closed(10), Closed(11)]), Some(secs(8)));
        let further = [Closed(24), Closed(24), Closed(24), Closed(19), Closed(15), Open(9)];
        assert_eq!(learnt(&further), Some(secs(12)), "closer with each that comes too late");
    }

    #[test]
    fn what_was_left_open_for_longer_shows_that_a_close_had_another_reason() {
        assert_eq!(learnt(&[Open(20), Closed(10), Closed(10), Closed(10)]), None);
        assert_eq!(learnt(&[Closed(10), Closed(10), Closed(10), Open(20)]), None);
        assert_eq!(learnt(&[Open(9), Closed(10), Closed(10), Closed(10)]), Some(secs(8)));
        assert_eq!(learnt(&[Closed(0), Closed(0), Closed(0)]), None, "nobody's patience is so short");
    }

    #[test]
    fn timers_may_be_late() {
        let looks = [Closed(20), Open(21), Closed(20), Open(21), Closed(20)];
        assert_eq!(learnt(&looks), None);
        assert_eq!(learnt_by(Terms { late_by: 10, ..TERMS }, &looks), Some(secs(16)));
        assert_eq!(learnt_by(Terms { late_by: 10, ..TERMS }, &[&looks[..], &[Open(23)]].concat()), None);
    }

    #[test]
    fn closes_at_one_time_are_one_and_all_is_forgotten_after_a_while() {
        let (mut patience, began) = (Patience::new(TERMS), Instant::now());
        for _ in 0..5 {
            patience.saw_closed(secs(10), began);
        }
        assert_eq!(patience.longest(began), None);
        for later in [10, 20] {
            patience.saw_closed(secs(10), began + secs(later));
        }
        let last = began + REMEMBERED - secs(1);
        assert_eq!(patience.longest(last), Some(secs(8)));
        assert_eq!([patience.news(last), patience.news(last)], [Some(secs(8)), None]);
        assert_eq!((patience.longest(began + REMEMBERED), patience.news(began + REMEMBERED)), (None, None));
        assert_eq!(patience.news(last), Some(secs(8)), "it is known anew");
    }
}
