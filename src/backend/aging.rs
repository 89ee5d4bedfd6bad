//! How old connections to an endpoint may become before they are given up: as the configuration says, and as the endpoint was seen to close
//! them whatever is under way.
//!
//! thriftpy2's asyncio server does so 3 s after a connection was opened, which is its `client_timeout`, also while calls follow one another
//! there. What it closes so takes a call along. So until one connection was seen to be open for longer, calls that may not be sent again
//! have younger ones.

use std::time::Duration;

use tokio::time::Instant;

use super::method::Method;
use super::patience::{Patience, Terms};
use crate::call::identity::Digest;

/// What is learnt of the age of an endpoint's connections.
#[derive(Debug)]
pub(super) struct Aging {
    ages: Patience,
    /// The configuration's bound.
    most: Option<Duration>,
}

/// Which of the connections that were used before a call may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit<'a> {
    /// For how long it rested at most.
    pub(super) rest: Duration,
    /// Whose call it is: for as long as that takes the connection should last.
    pub(super) method: &'a Method,
    /// Whether the call may be lost with it.
    pub(super) stake: Stake,
    /// Whose it is.
    pub(super) owner: &'a Digest,
}

/// What is at stake when a connection ends under a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stake {
    /// The call may be sent again.
    Time,
    /// It may not.
    Call,
}

impl Fit<'_> {
    /// For how long a connection should last.
    pub(super) fn lasts(&self) -> Duration {
        let lasts = match self.stake {
            Stake::Time => self.method.median.get(),
            Stake::Call => self.method.pace.slowest(),
        };
        lasts.unwrap_or_default()
    }
}

impl Aging {
    /// Of which nothing is known; `most` is the configuration's bound.
    pub(super) fn new(most: Option<Duration>) -> Self {
        Self { ages: Patience::new(AGES), most }
    }

    /// Obeys another bound.
    pub(super) fn obey(&mut self, most: Option<Duration>) {
        self.most = most;
    }

    /// Forgets what was learnt.
    pub(super) fn forget(&mut self) {
        self.ages = Patience::new(AGES);
    }

    /// A connection of this age was found open.
    pub(super) fn saw_open(&mut self, age: Duration, now: Instant) {
        self.ages.saw_open(age, now);
    }

    /// A connection of this age was closed under a call.
    pub(super) fn saw_closed(&mut self, age: Duration, now: Instant) {
        self.ages.saw_closed(age, now);
    }

    /// The age at which connections are given up, if at any.
    pub(super) fn oldest(&self, now: Instant) -> Option<Duration> {
        least(self.learnt(now), self.most)
    }

    /// The age below which a connection is given to a call, if there is a bound.
    pub(super) fn oldest_for(&self, stake: Stake, now: Instant) -> Option<Duration> {
        let is_known = stake == Stake::Time || self.ages.has_outlived(KNOWN, now);
        least(self.oldest(now), (!is_known).then_some(UNKNOWN))
    }

    /// The age at which connections are given up because their endpoint would close them soon.
    pub(super) fn learnt(&self, now: Instant) -> Option<Duration> {
        self.ages.longest(now)
    }

    /// The same, once when it becomes known.
    pub(super) fn news(&mut self, now: Instant) -> Option<Duration> {
        self.ages.news(now)
    }
}

/// The lesser of two bounds, of which there may be none.
fn least(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

/// Closes of younger ones have other reasons: an exception that the service does not declare, for one. Timers of a busy server are late.
const AGES: Terms = Terms { shortest: Duration::from_secs(1), late_by: 10 };
/// One that is open at this age shows that its server is none that closes after 3 s.
const KNOWN: Duration = Duration::from_millis(3300);
/// Up to this age connections are safe at servers of which that is not known.
const UNKNOWN: Duration = Duration::from_millis(2400);

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn what_may_not_be_lost_has_young_connections_until_an_old_one_was_open() {
        let (mut aging, now) = (Aging::new(None), Instant::now());
        let both = |aging: &Aging| [Stake::Time, Stake::Call].map(|stake| aging.oldest_for(stake, now));
        assert_eq!(both(&aging), [None, Some(UNKNOWN)]);
        aging.saw_open(secs(3.1), now);
        assert_eq!(both(&aging), [None, Some(UNKNOWN)], "its timer may be late");
        aging.saw_open(secs(3.4), now);
        assert_eq!(both(&aging), [None, None]);
        aging.forget();
        assert_eq!(both(&aging), [None, Some(UNKNOWN)]);
    }

    #[test]
    fn an_age_at_which_connections_are_closed_is_learnt_and_the_configuration_bounds_it() {
        let (mut aging, mut now) = (Aging::new(None), Instant::now());
        for _ in 0..3 {
            now += secs(1.0);
            aging.saw_open(secs(3.0), now);
            aging.saw_closed(secs(3.0), now);
            aging.saw_closed(secs(0.5), now);
        }
        assert_eq!((aging.learnt(now), aging.oldest(now)), (Some(secs(2.4)), Some(secs(2.4))));
        aging.obey(Some(secs(2.0)));
        assert_eq!((aging.learnt(now), aging.oldest(now)), (Some(secs(2.4)), Some(secs(2.0))));
        assert_eq!(aging.oldest_for(Stake::Call, now), Some(secs(2.0)));
    }
}
