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
    /// Calls whose arguments make no key.
    pub unkeyable: u64,
    /// Calls that were to have no answer.
    pub silent: u64,
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
    let lifetimes = TTLS.iter().enumerate().map(|(at, ttl)| lifetime(learnt, (at, *ttl), answered, now));
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
        unkeyable,
        silent: learnt.silent,
        faults: learnt.faults,
        exceptions: learnt.exceptions,
        empty: learnt.empty,
        distinct: learnt.keys.distinct(),
        varied: learnt.replies.distinct() > 1.5,
        reply: learnt.bytes as f64 / (answered.max(1)) as f64,
        lifetimes: lifetimes.collect(),
        fields: fields.collect(),
    }
}

/// What the cache of one lifetime would have done. What the few keys did that have most of the calls is known; the others did what the sample did.
fn lifetime(learnt: &Learnt, (at, ttl): (usize, Duration), answered: u64, now: Millis) -> LifetimeSummary {
    let cold = || learnt.keys.each().filter(|(key, _)| !learnt.hot.has(*key)).map(|(_, known)| known);
    let (cold, hot) = (Counts::of(cold(), at), Counts::of(learnt.hot.each(), at));
    let rest = answered.saturating_sub(hot.calls) as f64;
    let hits = hot.hits as f64 + rest * cold.hits as f64 / cold.calls.max(1) as f64;
    let holds = |known: &&Lifetimes| known.caches.get(at).is_some_and(|cache| cache.holds(now, ttl));
    let entries = learnt.keys.each().filter(|(_, known)| holds(known)).count() as f64 / learnt.keys.rate();
    LifetimeSummary {
        ttl,
        hits: (hits / answered.max(1) as f64).clamp(0.0, 1.0),
        compared: hot.hits + cold.hits,
        wrong: hot.wrong + cold.wrong,
        risk: (hot.change_rate().max(cold.change_rate()) * ttl.as_secs_f64() / 2.0).min(1.0),
        entries,
    }
}

/// What happened to some keys together.
#[derive(Default)]
struct Counts {
    calls: u64,
    hits: u64,
    wrong: u64,
    changes: u64,
    span: Duration,
}

impl Counts {
    /// Changes of a reply in a second.
    fn change_rate(&self) -> f64 {
        if self.changes == 0 { 0.0 } else { self.changes as f64 / self.span.as_secs_f64().max(1.0) }
    }

    fn of<'a>(keys: impl Iterator<Item = &'a Lifetimes>, at: usize) -> Self {
        keys.fold(Self::default(), |sum, key| {
            let cache = key.caches.get(at).copied().unwrap_or_default();
            Self {
                calls: sum.calls + key.calls,
                hits: sum.hits + cache.hits,
                wrong: sum.wrong + cache.wrong,
                changes: sum.changes + key.changes,
                span: sum.span + key.span(),
            }
        })
    }
}
