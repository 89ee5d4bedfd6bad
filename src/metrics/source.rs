//! What answers calls, in few words: for graphs and for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;

/// What a call's answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// A fresh entry of the local tier.
    Fresh,
    /// A fresh entry of the shared tier.
    Shared,
    /// An old entry.
    Stale,
    /// A backend.
    Backend,
    /// The rule's backup.
    Backup,
    /// The rule's fallback.
    Fallback,
    /// Nothing: a fault answered.
    Failed,
}

/// Calls by what answered them, in the order of [`Source::ALL`].
pub(crate) type Sources = [u64; Source::ALL.len()];

impl Source {
    /// All there are, the best first.
    pub(crate) const ALL: [Self; 7] =
        [Self::Fresh, Self::Shared, Self::Stale, Self::Backend, Self::Backup, Self::Fallback, Self::Failed];

    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Shared => "shared",
            Self::Stale => "stale",
            Self::Backend => "backend",
            Self::Backup => "backup",
            Self::Fallback => "fallback",
            Self::Failed => "failed",
        }
    }

    /// What answers a call of which this has become; nothing where no answer is expected, or it is about the gateway itself.
    pub(crate) fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::HitLocal => Some(Self::Fresh),
            Outcome::HitShared => Some(Self::Shared),
            Outcome::Stale | Outcome::StaleIfError | Outcome::StaleIfSlow => Some(Self::Stale),
            Outcome::Miss
            | Outcome::Coalesced
            | Outcome::Passed
            | Outcome::PassedUnkeyable
            | Outcome::PassedRamp
            | Outcome::ObservedHit
            | Outcome::ObservedMiss => Some(Self::Backend),
            Outcome::Backup => Some(Self::Backup),
            Outcome::Fallback => Some(Self::Fallback),
            Outcome::Failed => Some(Self::Failed),
            Outcome::Own | Outcome::Oneway => None,
        }
    }

    /// The calls of each outcome, in the order of [`Outcome::ALL`], by what answered them.
    pub(crate) fn sums(outcomes: &[u64; Outcome::ALL.len()]) -> Sources {
        let mut sums = Sources::default();
        for (outcome, calls) in Outcome::ALL.into_iter().zip(outcomes) {
            if let Some(sum) = Self::of(outcome).and_then(|source| sums.get_mut(source as usize)) {
                *sum += calls;
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_of_a_call_for_a_backend_with_a_reply_has_a_source() {
        let without: Vec<_> = Outcome::ALL.into_iter().filter(|one| Source::of(*one).is_none()).collect();
        assert_eq!(without, [Outcome::Own, Outcome::Oneway]);
        for (index, source) in Source::ALL.into_iter().enumerate() {
            assert_eq!(source as usize, index);
        }
    }

    #[test]
    fn the_outcomes_of_one_source_are_counted_together() {
        let sums = Source::sums(&Outcome::ALL.map(|_| 1));
        assert_eq!(sums, [1, 1, 3, 7, 1, 1, 1]);
    }
}
