//! What a flight does: it looks once more, then asks the shared tier, then a backend, and keeps what the rule says to keep.

use std::pin::pin;
use std::sync::Arc;

use tracing::{debug, info};

use super::Gateway;
use super::guard::guarded;
use super::landed::{Landed, Origin};
use super::route::{Cached, Keyed};
use super::turn::Turned;
use super::unkept::Left;
use crate::backend::Question;
use crate::cache::Lease;
use crate::call::{Answer, Call};
use crate::clock::Millis;
use crate::entry::{Ending, Entry};
use crate::flight::Flight;
use crate::mark::{Seal, Tick, Version};
use crate::metrics::{MethodCounts, Unkept};
use crate::need::Need;
use crate::rule::{Freshness, Keeping, ending};

/// When a call was sent to a backend: by the clock, and in the order of the marks.
#[derive(Clone, Copy, Debug)]
struct Sent {
    born: Millis,
    tick: Tick,
    version: Version,
}

impl Sent {
    fn now(gateway: &Gateway) -> Self {
        let marks = gateway.cache.marks();
        Self { born: gateway.clock.now(), tick: marks.latest(), version: marks.applied() }
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
        let caching = &cached.keyed.caching;
        // A flight that landed between the caller's look and this one's take-off has stored what is sought.
        let near = self.cache.near(caching.tiers, key);
        if let Some(entry) = near.filter(|entry| self.freshness(cached, entry, key) == Freshness::Fresh) {
            return Ok((entry, Origin::Local));
        }
        // Where nothing is kept, there is nothing to look for, and no other gateway to wait for.
        let looks = self.unkept.left(key) != Some(Left::Nothing);
        if looks && let Some(entry) = self.look(cached, key, flight).await {
            debug!(method = %cached.asking.counts.method(), "the shared tier has a fresh entry");
            return Ok((entry, Origin::Shared));
        }
        if cached.backup.is_some() {
            flight.has_looked();
        }
        // In boxes, so that a flight which ends here is small.
        let turned = match looks {
            true => Box::pin(self.turn(call, cached, key, flight)).await,
            false => Turned::Asks(None),
        };
        match turned {
            Turned::Brought(entry) => Ok((entry, Origin::Shared)),
            Turned::Asks(lease) => Box::pin(self.ask(call, cached, key, (flight, looks), lease)).await,
        }
    }

    /// Asks a backend, and keeps what the rule says to keep. `looks` says whether the shared tier was looked into before.
    async fn ask(
        &self,
        call: &Call,
        cached: &Cached,
        key: &[u8],
        (flight, looks): (&Flight<Landed>, bool),
        lease: Option<Lease>,
    ) -> Landed {
        let asking = &cached.asking;
        let sent = Sent::now(self);
        debug!(backend = %asking.backend().name(), method = %asking.counts.method(), "a backend is asked");
        // What the look into the shared tier took is not taken from the backend's time.
        let question = Question { key: Some(key), ..asking.question(call, flight.demand()) };
        let asked = asking.shared(question).await;
        let answer = match asked.map_err(|fault| asking.counts.met(fault)) {
            Ok(answer) => answer,
            Err(fault) if looks => return Err(fault),
            Err(fault) => {
                // By now another gateway may have kept something that answers instead.
                if let Some(entry) = self.look(cached, key, flight).await {
                    flight.finds(entry, Need::Spared);
                }
                return Err(fault);
            }
        };
        let (entry, kept) = self.learn(call, &answer, sent, (cached, key), lease);
        let Err(why) = kept else {
            self.unkept.forget(key);
            debug!(method = %asking.counts.method(), bytes = entry.body.len(), "the reply is kept");
            return Ok((entry, Origin::Backend));
        };
        tell_unkept(&asking.counts, why, &entry);
        if looks && why != Unkept::Unsettled {
            self.unkept.note(key, if flight.has_spare() { Left::Older } else { Left::Nothing });
        }
        Ok((entry, Origin::Passing))
    }

    /// What the shared tier has for `key`, if it is fresh. What else may answer there, or here, is told to those who wait.
    pub(super) async fn look(
        &self,
        cached: &Cached,
        key: &[u8],
        flight: &Flight<Landed>,
    ) -> Option<Arc<Entry>> {
        let tiers = cached.keyed.caching.tiers;
        let far = self.cache.far(tiers, key).await.filter(|entry| !entry.seal.is_doubtful());
        if let Some(entry) = far {
            match self.freshness(cached, &entry, key) {
                Freshness::Fresh => return Some(entry),
                // It answers all who wait, and this is its refresh from here on.
                Freshness::StaleWhileRevalidate => flight.finds(entry, Need::Refresh),
                Freshness::StaleIfError => flight.finds(entry, Need::Spared),
                Freshness::Expired => {}
            }
        } else if let Some(entry) = self.cache.vetted(tiers, key).await
            && self.freshness(cached, &entry, key) != Freshness::Expired
        {
            // There is nothing younger for which it would have to wait.
            flight.finds(entry, Need::Spared);
        }
        None
    }

    /// Keeps an answer as the rule says, or forgets what it proves wrong. Where it is not kept, says why.
    fn learn(
        &self,
        call: &Call,
        answer: &Answer,
        Sent { born, tick, version }: Sent,
        (cached, key): (&Cached, &[u8]),
        lease: Option<Lease>,
    ) -> (Arc<Entry>, Result<(), Unkept>) {
        let Cached { keyed, asking, .. } = cached;
        let caching = &keyed.caching;
        let ending = ending(answer.said, asking.terms.returns);
        let body = answer.body.clone();
        let tags = keyed.tags(call, Some(answer.reply()), key);
        let entry = Entry {
            tags,
            version,
            seal: Seal::new(tick),
            ..Entry::new(born, ending.unwrap_or(Ending::Empty), answer.protocol, body)
        };
        let keeping = ending.map(|_| caching.keeping(&entry));
        let unkept = match keeping {
            // A write may have taken effect after it was asked.
            Some(Keeping::Keep) if !self.is_settled(keyed, &entry, key) => Unkept::Unsettled,
            Some(Keeping::Keep) => {
                self.supersede(cached, key, born, Keeping::Keep);
                // A body cut out of a read buffer would hold all of it in memory for as long as the entry is kept.
                let entry = Arc::new(entry.detached());
                self.cache.put(caching.tiers, key, &entry, caching.longest(), lease);
                self.witness(cached, key, call, &entry);
                return (entry, Ok(()));
            }
            Some(Keeping::Remove) => {
                self.supersede(cached, key, born, Keeping::Remove);
                self.cache.remove(caching.tiers, key, born, asking.timeout);
                if caching.lists(entry.ending) { Unkept::TooLarge } else { Unkept::Exception }
            }
            Some(Keeping::Leave) => Unkept::TooLarge,
            None => Unkept::Empty,
        };
        (Arc::new(entry), Err(unkept))
    }

    pub(super) fn freshness(&self, cached: &Cached, entry: &Entry, key: &[u8]) -> Freshness {
        cached.keyed.judge(entry, key, self.clock.now(), self.cache.marks())
    }

    fn is_settled(&self, keyed: &Keyed, entry: &Entry, key: &[u8]) -> bool {
        self.cache.marks().is_settled(keyed.covers(&entry.tags.covers, key), entry.born)
    }
}

/// Counts a reply that is not kept, and logs the first of its method.
fn tell_unkept(counts: &MethodCounts, why: Unkept, entry: &Entry) {
    if counts.unkept(why) {
        let (listener, method, bytes) = (counts.listener(), counts.method(), entry.body.len());
        let why = why.as_str();
        info!(%listener, %method, why, bytes, "a reply is not kept; further ones of this method are only counted");
    }
}
