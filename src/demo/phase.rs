//! What happened in one phase of the demo, or in half a second of it: the gateway's figures beside the clients'.

use std::time::Duration;

use crate::outcome::Outcome;

use super::load::{Counted, Felt};
use super::scrape::Outcomes;

/// A part of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Backends answer.
    Up,
    /// They are dead.
    Outage,
    /// They answer again.
    Recovery,
}

impl Phase {
    /// All, in their order.
    pub(super) const ALL: [Self; 3] = [Self::Up, Self::Outage, Self::Recovery];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Outage => "OUTAGE",
            Self::Recovery => "recovery",
        }
    }
}

/// What happened in a time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Happened {
    /// How long it was.
    pub(super) time: Duration,
    /// What the gateway counted.
    pub(super) outcomes: Outcomes,
    /// What the clients counted.
    pub(super) counted: Counted,
    /// What the clients felt.
    pub(super) felt: Felt,
}

/// Where an answer came from, in words for people who do not know the gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `hit_local`, and what the gateway says of itself.
    Fresh,
    /// `hit_shared`
    Shared,
    /// `stale`
    Stale,
    /// `miss`, and what no rule caches.
    Backend,
    /// `coalesced`
    Coalesced,
    /// `stale_if_error` and fallbacks.
    Outage,
    /// `failed`
    Failed,
}

impl Source {
    /// All, in the order of the table.
    pub(super) const ALL: [Self; 7] =
        [Self::Fresh, Self::Shared, Self::Stale, Self::Backend, Self::Coalesced, Self::Outage, Self::Failed];

    /// The row's name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fresh => "this gateway's cache, fresh",
            Self::Shared => "Redis, fresh",
            Self::Stale => "cache, stale; refreshed meanwhile",
            Self::Backend => "a backend",
            Self::Coalesced => "a backend, asked by another client",
            Self::Outage => "cache, stale; the backends are down",
            Self::Failed => "nowhere: an exception",
        }
    }

    fn outcomes(self) -> &'static [Outcome] {
        match self {
            Self::Fresh => &[Outcome::HitLocal, Outcome::Own],
            Self::Shared => &[Outcome::HitShared],
            Self::Stale => &[Outcome::Stale, Outcome::StaleIfSlow],
            Self::Backend => &[
                Outcome::Miss,
                Outcome::Backup,
                Outcome::Passed,
                Outcome::PassedUnkeyable,
                Outcome::PassedRamp,
                Outcome::ObservedHit,
                Outcome::ObservedMiss,
                Outcome::Oneway,
            ],
            Self::Coalesced => &[Outcome::Coalesced],
            Self::Outage => &[Outcome::StaleIfError, Outcome::Fallback],
            Self::Failed => &[Outcome::Failed],
        }
    }
}

impl Happened {
    /// Calls a second.
    pub(super) fn rate(&self) -> f64 {
        let seconds = self.time.as_secs_f64();
        if seconds > 0.0 { self.counted.calls as f64 / seconds } else { 0.0 }
    }

    /// The calls that these sources answered.
    pub(super) fn from(&self, sources: &[Source]) -> u64 {
        sources.iter().map(|source| self.outcomes.sum(source.outcomes())).sum()
    }

    /// The percentage of calls that these sources answered.
    pub(super) fn share(&self, sources: &[Source]) -> f64 {
        let total = self.outcomes.total();
        if total == 0 { 0.0 } else { self.from(sources) as f64 * 100.0 / total as f64 }
    }

    /// Calls that got an exception, or no reply.
    pub(super) fn failed(&self) -> u64 {
        self.counted.known_failed + self.counted.strange_failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_one_source() {
        for outcome in Outcome::ALL {
            let sources = Source::ALL.iter().filter(|source| source.outcomes().contains(&outcome));
            assert_eq!(sources.count(), 1, "{outcome:?}");
        }
    }
}
