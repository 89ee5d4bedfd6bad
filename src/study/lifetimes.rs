//! What a cache would have done with the calls of one key, for each of some lifetimes.

use std::time::Duration;

use crate::clock::Millis;

/// The lifetimes that are tried.
pub(crate) const TTLS: [Duration; 12] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(2 * 60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3_600),
    Duration::from_secs(6 * 3_600),
];

/// One key, as a cache of each lifetime would have had it.
#[derive(Debug, Default)]
pub(super) struct Lifetimes {
    /// Calls that were answered.
    pub(super) calls: u64,
    /// When the first was asked, and the last.
    first: Option<Millis>,
    asked: Millis,
    /// What the last was answered.
    said: Option<Said>,
    /// Answers that were others than the one before.
    pub(super) changes: u64,
    /// What happened in each cache.
    pub(super) caches: [Cache; TTLS.len()],
}

/// A cache of one lifetime, which holds this key alone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cache {
    /// Calls that it would have answered.
    pub(super) hits: u64,
    /// Those of them that the backend answered otherwise.
    pub(super) wrong: u64,
    held: Option<Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    born: Millis,
    reply: u64,
}

/// What a backend said to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A reply that may be kept, by its hash.
    Kept(u64),
    /// An answer that is not kept, and removes what was: an exception of the service.
    Removed,
}

impl Lifetimes {
    /// A call that was sent at `sent` was answered so.
    pub(super) fn answered(&mut self, sent: Millis, said: Said) {
        self.calls += 1;
        self.first.get_or_insert(sent);
        self.asked = self.asked.max(sent);
        self.changes += u64::from(self.said.replace(said).is_some_and(|before| before != said));
        for (cache, ttl) in self.caches.iter_mut().zip(TTLS) {
            cache.answered(sent, said, ttl);
        }
    }
}

impl Lifetimes {
    /// How long it was looked at.
    pub(super) fn span(&self) -> Duration {
        self.first.map_or(Duration::ZERO, |first| self.asked.since(first))
    }
}

impl Cache {
    fn answered(&mut self, sent: Millis, said: Said, ttl: Duration) {
        match (self.held, said) {
            (Some(held), said) if sent.since(held.born) < ttl => {
                self.hits += 1;
                self.wrong += u64::from(said != Said::Kept(held.reply));
            }
            (_, Said::Kept(reply)) => self.held = Some(Held { born: sent, reply }),
            (_, Said::Removed) => self.held = None,
        }
    }

    /// Whether it would hold something at `now`.
    pub(super) fn holds(&self, now: Millis, ttl: Duration) -> bool {
        self.held.is_some_and(|held| now.since(held.born) < ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(calls: &[(u64, Said)]) -> Lifetimes {
        let mut lifetimes = Lifetimes::default();
        for (second, said) in calls {
            lifetimes.answered(Millis(second * 1_000), *said);
        }
        lifetimes
    }

    fn outcome(lifetimes: &Lifetimes, ttl: u64) -> (u64, u64) {
        let at = TTLS.iter().position(|one| *one == Duration::from_secs(ttl)).unwrap();
        (lifetimes.caches[at].hits, lifetimes.caches[at].wrong)
    }

    #[test]
    fn each_lifetime_is_a_cache_of_its_own() {
        let calls: Vec<_> = (0..20).map(|second| (second, Said::Kept(second / 10))).collect();
        let lifetimes = after(&calls);
        assert_eq!(outcome(&lifetimes, 1), (0, 0));
        assert_eq!(
            outcome(&lifetimes, 2),
            (10, 0),
            "asked at 0, 2, ...: none of two seconds spans the change"
        );
        assert_eq!(outcome(&lifetimes, 5), (16, 0));
        assert_eq!(
            outcome(&lifetimes, 30),
            (19, 10),
            "what was asked first answers wrongly after the change"
        );
    }

    #[test]
    fn an_exception_is_not_kept_and_is_another_answer() {
        let lifetimes =
            after(&[(0, Said::Kept(1)), (1, Said::Removed), (40, Said::Removed), (41, Said::Kept(1))]);
        assert_eq!(outcome(&lifetimes, 30), (1, 1), "at 40 there is nothing, and nothing is kept of it");
        assert_eq!(outcome(&lifetimes, 60), (3, 2));
    }
}
