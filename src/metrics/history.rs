//! What answered calls over the last hour, by listener and method. Counters are looked at now and then, so that calls pay nothing for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::source::Sources;
use crate::clock::Millis;

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
    slots: Vec<Sources>,
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
        self.slots = self.until(slot);
        self.latest = slot;
        if let Some(last) = self.slots.last_mut() {
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
    use crate::metrics::Source;

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
}
