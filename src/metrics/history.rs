//! What answered calls over the last hour, by listener and method. Counters are looked at now and then, so that calls pay nothing for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Millis;
use crate::outcome::Outcome;

/// What a call's answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Whose calls: a listener's, of one method's label.
pub(crate) type Whose = (Arc<str>, Arc<str>);

/// The last hour.
#[derive(Debug, Default)]
pub(crate) struct History {
    tracks: Mutex<BTreeMap<Whose, Track>>,
}

/// The calls of one method.
#[derive(Clone, Debug, Default)]
struct Track {
    /// Its counters when they were last looked at.
    seen: Sources,
    /// The slot of the last of `slots`.
    latest: u64,
    slots: VecDeque<Sources>,
}

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

    /// What answers a call of which this has become; nothing where no answer is expected.
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
            Outcome::Oneway => None,
        }
    }
}

impl History {
    /// How long a slot is.
    pub(crate) const SLOT: Duration = Duration::from_secs(30);
    /// Slots of an hour.
    pub(crate) const SLOTS: usize = 120;

    /// Takes down how far the counters of each method have come by `now`. What has come since they were last looked at belongs to the slot
    /// of `now`, so whoever looks once a slot at least is right to a slot.
    pub(crate) fn note(&self, counters: impl IntoIterator<Item = (Whose, Sources)>, now: Millis) {
        let slot = slot(now);
        let mut tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        for (whose, counters) in counters {
            if counters != Sources::default() {
                tracks.entry(whose).or_default().note(counters, slot);
            }
        }
    }

    /// The calls of each method that had any in the hour before `now`, the oldest slot first; the last is the slot of `now`.
    pub(crate) fn read(&self, now: Millis) -> Vec<(Whose, Vec<Sources>)> {
        let slot = slot(now);
        let tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        let all = tracks.iter().map(|(whose, track)| (whose.clone(), track.until(slot)));
        all.filter(|(_, slots)| slots.iter().flatten().any(|calls| *calls > 0)).collect()
    }
}

impl Track {
    fn note(&mut self, counters: Sources, slot: u64) {
        self.slots = self.until(slot).into();
        self.latest = slot;
        if let Some(last) = self.slots.back_mut() {
            for ((calls, counter), seen) in last.iter_mut().zip(counters).zip(self.seen) {
                *calls += counter.saturating_sub(seen);
            }
        }
        self.seen = counters;
    }

    /// The slots of an hour of which `slot` is the last.
    fn until(&self, slot: u64) -> Vec<Sources> {
        let mut slots = vec![Sources::default(); History::SLOTS];
        // A clock that was set back finds what it had already told in its last slot.
        let ago = usize::try_from(slot.saturating_sub(self.latest)).unwrap_or(usize::MAX);
        for (to, from) in slots.iter_mut().rev().skip(ago).zip(self.slots.iter().rev()) {
            *to = *from;
        }
        slots
    }
}

fn slot(now: Millis) -> u64 {
    now.0 / History::SLOT.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(method: &str) -> Whose {
        ("users".into(), method.into())
    }

    fn fresh(calls: u64) -> Sources {
        let mut sources = Sources::default();
        sources[Source::Fresh as usize] = calls;
        sources
    }

    fn at(seconds: u64) -> Millis {
        Millis(seconds * 1_000)
    }

    fn told(history: &History, now: Millis) -> Vec<(usize, u64)> {
        let read = history.read(now);
        let slots = read.iter().flat_map(|(_, slots)| slots.iter().rev().enumerate());
        slots.map(|(ago, sources)| (ago, sources[0])).filter(|(_, calls)| *calls > 0).collect()
    }

    #[test]
    fn calls_belong_to_the_slot_in_which_they_were_seen() {
        let history = History::default();
        for (calls, seconds) in [(5, 30), (7, 45), (7, 61), (10, 300)] {
            history.note([(whose("get"), fresh(calls))], at(seconds));
        }
        assert_eq!(told(&history, at(300)), [(0, 3), (9, 7)]);
        assert_eq!(told(&history, at(330)), [(1, 3), (10, 7)]);
    }

    #[test]
    fn what_is_older_than_an_hour_is_forgotten() {
        let history = History::default();
        history.note([(whose("get"), fresh(5)), (whose("none"), fresh(0))], at(0));
        assert_eq!(told(&history, at(3_599)), [(119, 5)]);
        assert_eq!(history.read(at(3_600)), []);
        history.note([(whose("get"), fresh(6))], at(10_000));
        assert_eq!(told(&history, at(10_000)), [(0, 1)]);
    }

    #[test]
    fn a_clock_that_is_set_back_loses_nothing() {
        let history = History::default();
        history.note([(whose("get"), fresh(5))], at(600));
        history.note([(whose("get"), fresh(6))], at(300));
        assert_eq!(told(&history, at(300)), [(0, 6)]);
    }

    #[test]
    fn each_outcome_of_a_call_with_a_reply_has_a_source() {
        let without: Vec<_> = Outcome::ALL.into_iter().filter(|one| Source::of(*one).is_none()).collect();
        assert_eq!(without, [Outcome::Oneway]);
        for (index, source) in Source::ALL.into_iter().enumerate() {
            assert_eq!(source as usize, index);
        }
    }
}
