//! What was learnt of a method, in the numbers that people decide by.

use std::time::Duration;

use super::Learnt;
use super::lifetimes::{Lifetimes, TTLS};
use crate::clock::Millis;

/// What is known of a method.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// For how long it was looked at.
    pub observed: Duration,
    /// Calls.
    pub calls: u64,
    /// Those that had an answer.
    pub answered: u64,
    /// Calls whose arguments make no key.
    pub unkeyable: u64,
    /// Calls that were not answered.
    pub faults: u64,
    /// Answers that were declared exceptions.
    pub exceptions: u64,
    /// Answers without a field.
    pub empty: u64,
    /// Different calls, within about 5 %.
    pub distinct: f64,
    /// Whether there were different replies.
    pub varied: bool,
    /// Bytes of a reply on average.
    pub reply: f64,
    /// What a cache of each lifetime would have done, the shortest first.
    pub lifetimes: Vec<LifetimeSummary>,
    /// What its argument fields do.
    pub fields: Vec<FieldSummary>,
}

/// What a cache would have done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LifetimeSummary {
    /// How long a reply would have been fresh.
    pub ttl: Duration,
    /// The share of calls that it would have answered: 0 to 1.
    pub hits: f64,
    /// Answers that were held against what the backend said.
    pub compared: u64,
    /// Those that would have been others.
    pub wrong: u64,
    /// The share of answers that would be wrong if replies change at any time as often as they were seen to: 0 to 1. What was compared may have been
    /// asked in step with the changes.
    pub risk: f64,
    /// Replies that it would hold now.
    pub entries: f64,
}

/// What one argument field does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldSummary {
    /// Its id.
    pub id: i16,
    /// Calls that differed in it alone from one before.
    pub others: u64,
    /// Those of them whose reply was another.
    pub differing: u64,
    /// Calls that differed in nothing.
    pub again: u64,
    /// The share of calls that bring a value of it which no call before has brought: 0 to 1.
    pub new_values: f64,
}

/// The numbers of what was learnt until `now`, out of so many calls and those of them without a key.
pub(super) fn summary(learnt: &Learnt, (calls, unkeyable): (u64, u64), now: Millis) -> Summary {
    let answered = calls.saturating_sub(learnt.faults + learnt.silent + unkeyable);
    let fields = learnt.fields.each().map(|(id, field)| FieldSummary {
        id,
        others: field.others,
        differing: field.differing,
        again: field.again,
        new_values: field.new_values(),
    });
    Summary {
        observed: now.since(learnt.began),
        calls,
        answered,
        unkeyable,
        faults: learnt.faults,
        exceptions: learnt.exceptions,
        empty: learnt.empty,
        distinct: learnt.keys.distinct(),
        varied: learnt.replies.distinct() > 1.5,
        reply: learnt.bytes as f64 / answered.max(1) as f64,
        lifetimes: lifetimes(learnt, answered, now),
        fields: fields.collect(),
    }
}

/// What the cache of each lifetime would have done with the calls that were answered. What the few keys did that have most of them is known; the
/// others did what the sample did.
fn lifetimes(learnt: &Learnt, answered: u64, now: Millis) -> Vec<LifetimeSummary> {
    let all: Vec<_> = learnt.keys.each().collect();
    let cold = all.iter().filter(|(key, _)| !learnt.hot.has(*key)).map(|(_, known)| *known);
    let (hot, cold) = (Stratum::new(learnt.hot.each().collect()), Stratum::new(cold.collect()));
    let rest = answered.saturating_sub(hot.calls) as f64 / cold.calls.max(1) as f64;
    let of = |(at, ttl): (usize, &Duration)| {
        let ((hot_hits, hot_wrong), (cold_hits, cold_wrong)) = (hot.of(at), cold.of(at));
        let hits = hot_hits as f64 + rest * cold_hits as f64;
        let holds = |known: &Lifetimes| known.caches.get(at).is_some_and(|cache| cache.holds(now, *ttl));
        let held = all.iter().filter(|(_, known)| holds(known)).count() as f64;
        LifetimeSummary {
            ttl: *ttl,
            hits: (hits / answered.max(1) as f64).clamp(0.0, 1.0),
            compared: hot_hits + cold_hits,
            wrong: hot_wrong + cold_wrong,
            risk: (hot.change_rate().max(cold.change_rate()) * ttl.as_secs_f64() / 2.0).min(1.0),
            entries: held / learnt.keys.rate(),
        }
    };
    TTLS.iter().enumerate().map(of).collect()
}

/// Keys that are counted together.
struct Stratum<'a> {
    keys: Vec<&'a Lifetimes>,
    calls: u64,
    changes: u64,
    span: Duration,
}

impl<'a> Stratum<'a> {
    fn new(keys: Vec<&'a Lifetimes>) -> Self {
        let (calls, changes) =
            (keys.iter().map(|key| key.calls).sum(), keys.iter().map(|key| key.changes).sum());
        let span = keys.iter().map(|key| key.span()).sum();
        Self { keys, calls, changes, span }
    }

    /// Hits of the caches of one lifetime, and those of them that were wrong.
    fn of(&self, at: usize) -> (u64, u64) {
        let caches = self.keys.iter().filter_map(|key| key.caches.get(at));
        caches.fold((0, 0), |(hits, wrong), cache| (hits + cache.hits, wrong + cache.wrong))
    }

    /// Changes of a reply in a second.
    fn change_rate(&self) -> f64 {
        if self.changes == 0 { 0.0 } else { self.changes as f64 / self.span.as_secs_f64().max(1.0) }
    }
}
