//! What a flight does: it looks once more, then asks the shared tier, then a backend, and keeps what the rule says to keep.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;

use super::Gateway;
use super::guard::guarded;
use super::route::{Cached, Keyed};
use crate::backend::Question;
use crate::call::{Answer, Call};
use crate::clock::Millis;
use crate::entry::{Ending, Entry};
use crate::fault::Fault;
use crate::flight::{Flight, Landing};
use crate::mark::{Seal, Tick};
use crate::need::Need;
use crate::outcome::Outcome;
use crate::rule::tagging::Said;
use crate::rule::{Freshness, Keeping, ending};

/// What a flight brought.
pub(crate) type Landed = Result<(Arc<Entry>, Origin), Fault>;

/// Where a flight found its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In the local tier: a flight before had just landed.
    Local,
    /// In the shared tier.
    Shared,
    /// At a backend.
    Backend,
}

impl Landing for Landed {
    /// An old entry of the shared tier.
    type Spare = Arc<Entry>;

    fn failed(&self) -> bool {
        self.is_err()
    }
}

impl Gateway {
    /// The flight that seeks an entry for `key`.
    pub(super) fn flight(
        self: &Arc<Self>,
        call: Call,
        cached: &Arc<Cached>,
        key: &Arc<[u8]>,
        flight: Flight<Landed>,
    ) -> impl Future<Output = Landed> + use<> {
        let (this, cached, key) = (Arc::clone(self), Arc::clone(cached), Arc::clone(key));
        async move {
            // Whoever waits must hear of a panic at once.
            let fetch = pin!(this.fetch(&call, &cached, &key, &flight));
            guarded(&cached.asking.counts, fetch).await.unwrap_or_else(Err)
        }
    }

    /// What a flight does: looks once more, then asks the shared tier, then a backend, and keeps what the rule says to keep.
    async fn fetch(&self, call: &Call, cached: &Cached, key: &[u8], flight: &Flight<Landed>) -> Landed {
        let Cached { keyed: Keyed { caching, .. }, asking, .. } = cached;
        // A flight that landed between the caller's look and this one's take-off has stored what is sought.
        let near = self.cache.near(caching.tiers, key);
        if let Some(entry) = near.filter(|entry| self.freshness(cached, entry, key) == Freshness::Fresh) {
            return Ok((entry, Origin::Local));
        }
        if let Some(entry) = self.cache.far(caching.tiers, key).await {
            match self.freshness(cached, &entry, key) {
                Freshness::Fresh => return Ok((entry, Origin::Shared)),
                // It answers all who wait, and this is its refresh from here on.
                Freshness::StaleWhileRevalidate => flight.finds(entry, Need::Refresh),
                Freshness::StaleIfError => flight.finds(entry, Need::Spared),
                Freshness::Expired => {}
            }
        } else if let Some(entry) = self.cache.near(caching.tiers, key)
            && self.freshness(cached, &entry, key) != Freshness::Expired
        {
            // There is nothing younger for which it would have to wait.
            flight.finds(entry, Need::Spared);
        }
        if cached.backup.is_some() {
            flight.has_looked();
        }
        let (since, born) = (self.cache.marks().latest(), self.clock.now());
        // What the look into the shared tier took is not taken from the backend's time.
        let question = Question { key: Some(key), ..asking.question(call, flight.demand()) };
        let asked = asking.backend().ask(question, asking.timeout).await;
        let answer = asked.map_err(|fault| asking.counts.met(fault))?;
        Ok((self.learn(call, &answer, (born, since), cached, key), Origin::Backend))
    }

    /// Keeps an answer as the rule says, or forgets what it proves wrong.
    fn learn(
        &self,
        call: &Call,
        answer: &Answer,
        (born, since): (Millis, Tick),
        cached: &Cached,
        key: &[u8],
    ) -> Arc<Entry> {
        let Cached { keyed, asking, .. } = cached;
        let caching = &keyed.caching;
        let ending = ending(answer.said, asking.terms.returns);
        // A body cut out of a read buffer would hold all of it in memory for as long as the entry is kept.
        let body = Bytes::copy_from_slice(&answer.body);
        let said = Said { protocol: call.protocol, call: &call.body, reply: Some(&body) };
        let tags = caching.tagging.of(said);
        let entry = Entry {
            tags,
            seal: Seal::new(since),
            ..Entry::new(born, ending.unwrap_or(Ending::Empty), call.protocol, body)
        };
        let entry = Arc::new(entry);
        match ending.map(|_| caching.keeping(&entry)) {
            // A write may have taken effect after it was asked.
            Some(Keeping::Keep) if !self.is_settled(keyed, &entry, key) => {}
            Some(Keeping::Keep) => self.cache.put(caching.tiers, key, &entry, caching.longest()),
            Some(Keeping::Remove) => {
                self.cache.remove(caching.tiers, key, born, asking.timeout);
                // Nor may the backup's word from before that stand in for what is not kept any more.
                if let Some(backup) = &cached.backup {
                    let key = backup.keyed.key_like(keyed, key, call.protocol);
                    self.cache.remove(caching.tiers, &key, born, asking.timeout);
                }
            }
            Some(Keeping::Leave) | None => {}
        }
        entry
    }

    pub(super) fn freshness(&self, cached: &Cached, entry: &Entry, key: &[u8]) -> Freshness {
        cached.keyed.judge(entry, key, self.clock.now(), self.cache.marks())
    }

    fn is_settled(&self, keyed: &Keyed, entry: &Entry, key: &[u8]) -> bool {
        self.cache.marks().is_settled(keyed.covers(&entry.tags.covers, key), entry.born)
    }
}

impl Origin {
    /// The outcome for a caller who would have caused `asked` had a backend been asked.
    pub(super) fn outcome(self, asked: Outcome) -> Outcome {
        match self {
            Self::Local => Outcome::HitLocal,
            Self::Shared => Outcome::HitShared,
            Self::Backend => asked,
        }
    }
}
