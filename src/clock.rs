//! The only clock: wall-clock milliseconds that no step of the system's clock can move.

use std::time::Duration;

use tokio::time::Instant;

/// Tells the time. Clones tell the same time.
///
/// The wall clock is read once, at start, and time since then comes from tokio's monotonic clock. So a stepped
/// system clock neither revives nor expires an entry, and a paused runtime drives everything that asks the time.
#[derive(Debug, Clone)]
pub struct Clock {
    origin: Millis,
    started: Instant,
}

impl Clock {
    /// A clock that starts at the system's time.
    #[expect(clippy::disallowed_types, reason = "the one reading of the wall clock all time is derived from")]
    pub fn system() -> Self {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // A system that believes to be before 1970 gets the epoch: ages stay right, births look very old to others.
        Self::starting_at(Millis(whole_millis(since_epoch.unwrap_or_default())))
    }

    /// A clock that shows `origin` at this moment, for the simulation and for tests.
    pub fn starting_at(origin: Millis) -> Self {
        Self { origin, started: Instant::now() }
    }

    /// The time. Never goes back.
    pub fn now(&self) -> Millis {
        self.at(Instant::now())
    }

    /// The time at a moment that was noted already.
    pub fn at(&self, moment: Instant) -> Millis {
        self.origin.plus(moment.saturating_duration_since(self.started))
    }
}

/// A moment: milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// The time from `earlier` to this moment; zero if `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The moment `time` after this one, in whole milliseconds; the end of time rather than an overflow.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(time)))
    }
}

fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn paused_time_drives_the_clock() {
        let clock = Clock::starting_at(Millis(1_000));
        let copy = clock.clone();
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now(), Millis(1_250));
        assert_eq!(copy.now(), Millis(1_250));
    }

    #[test]
    fn time_since_a_later_moment_is_zero() {
        assert_eq!(Millis(5).since(Millis(9)), Duration::ZERO);
        assert_eq!(Millis(9).since(Millis(5)), Duration::from_millis(4));
        assert_eq!(Millis(9).plus(Duration::MAX), Millis(u64::MAX));
    }

    #[test]
    fn the_system_clock_is_past_2020() {
        assert!(Clock::system().now() > Millis(1_577_836_800_000));
    }
}
