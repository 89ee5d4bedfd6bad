//! The moments from which the bounds on a connection's time count.

use std::time::Duration;

use tokio::time::Instant;

use super::Settings;
use super::end::End;

/// Since when what is awaited, if it is.
#[derive(Debug)]
pub(super) struct Clocks {
    /// The client has begun a message, and nothing but the client holds it up.
    pub(super) message: Option<Instant>,
    /// The client takes nothing of what is written to it.
    pub(super) blocked: Option<Instant>,
    /// The client has ended its sending side, or was answered last after that, and calls are under way.
    pub(super) half_closed: Option<Instant>,
    /// The gateway stops.
    pub(super) draining: Option<Instant>,
    /// The connection waits for others to hold less.
    pub(super) crowded: Option<Instant>,
    /// Nothing is under way.
    pub(super) idle: Option<Instant>,
    /// The other end was looked at last, while neither reading nor writing tells of it.
    pub(super) looked: Option<Instant>,
}

/// What to do once a deadline has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// End the connection.
    End(End),
    /// Make room by ending whoever holds most.
    Relieve,
    /// Look at the other end.
    Look,
}

impl Clocks {
    /// A connection that begins at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            message: None,
            blocked: None,
            half_closed: None,
            draining: None,
            crowded: None,
            idle: Some(now),
            looked: None,
        }
    }

    /// The next deadline, if there is any.
    #[inline]
    pub(super) fn next(&self, settings: &Settings) -> Option<Instant> {
        self.deadlines(settings).into_iter().flatten().map(|(at, _)| at).min()
    }

    /// What to do at `now`, if a deadline has passed.
    pub(super) fn due(&self, settings: &Settings, now: Instant) -> Option<Due> {
        let passed = self.deadlines(settings).into_iter().flatten().filter(|(at, _)| *at <= now);
        passed.min_by_key(|(at, _)| *at).map(|(_, due)| due)
    }

    // Always, so that the next deadline is found without putting together what would be due.
    #[inline(always)]
    fn deadlines(&self, settings: &Settings) -> [Option<(Instant, Due)>; 6] {
        let after = |since: Option<Instant>, bound: Duration, due| since.map(|since| (since + bound, due));
        let held_up = |since: Option<Instant>, bound: Duration, end| match self.draining {
            None => after(since, bound, Due::End(end)),
            Some(draining) => after(since.map(|since| since.max(draining)), bound.min(DRAIN), Due::End(end)),
        };
        [
            held_up(self.message, settings.message_time, End::MessageTime),
            held_up(self.blocked, settings.write_time, End::WriteTime),
            after(self.half_closed, settings.half_closed_time, Due::End(End::HalfClosed)),
            after(self.crowded, settings.write_time, Due::Relieve),
            settings.idle_time.and_then(|bound| after(self.idle, bound, Due::End(End::Idle))),
            after(self.looked, LOOK, Due::Look),
        ]
    }
}

/// How long a gateway that stops waits for a client that takes nothing, or for the rest of a call: one that is not read whole has not begun.
const DRAIN: Duration = Duration::from_secs(1);
/// How often the other end is looked at.
const LOOK: Duration = Duration::from_secs(1);
