//! What answers a call in place of what a backend would: an old entry at hand, else the rule's fallback, else the fault.

use std::sync::Arc;

use super::Gateway;
use super::fetch::Landed;
use super::reply::Reply;
use super::route::Cached;
use crate::call::Call;
use crate::clock::Millis;
use crate::entry::Entry;
use crate::fault::Fault;
use crate::flight::Waiter;
use crate::outcome::Outcome;
use crate::rule::Freshness;

/// A call that no entry may answer at once.
pub(super) struct Seeker {
    pub(super) call: Call,
    pub(super) cached: Arc<Cached>,
    pub(super) key: Arc<[u8]>,
    /// An old entry of the local tier.
    pub(super) spare: Option<Arc<Entry>>,
}

impl Gateway {
    /// What answers in place of a fault: the youngest old entry that the rule allows, else the fallback, else the fault.
    pub(super) fn instead(&self, fault: Fault, seeker: &Seeker, found: Option<Arc<Entry>>) -> Reply {
        let now = self.clock.now();
        match self.youngest(seeker, found, now).filter(|_| fault.allows_stale()) {
            Some(entry) => Reply::kept(entry, Outcome::StaleIfError, now).because(fault),
            None => Reply::last(fault, seeker.cached.asking.fallback.as_ref(), seeker.call.protocol),
        }
    }

    /// What answers before the flight has landed: an old entry, here or found by the flight, as soon as every endpoint is known to
    /// fail. Does not end where there is none.
    pub(super) async fn released(&self, seeker: &Seeker, flight: &Waiter<Landed>) -> Reply {
        if seeker.spare.is_none() {
            flight.found().await;
        }
        self.backend.until_down().await;
        let now = self.clock.now();
        if let Some(entry) = self.youngest(seeker, flight.spare(), now) {
            return self.for_the_outage(entry, now);
        }
        // The one that was here is too old by now, or proved wrong. The flight may find a younger one.
        let found = flight.found().await;
        let now = self.clock.now();
        match self.youngest(seeker, Some(found), now) {
            Some(entry) => self.for_the_outage(entry, now),
            None => std::future::pending().await,
        }
    }

    /// An old entry's answer while the backend is down.
    pub(super) fn for_the_outage(&self, entry: Arc<Entry>, now: Millis) -> Reply {
        Reply::kept(entry, Outcome::StaleIfError, now).because(self.backend.down())
    }

    /// The youngest of the old entries at hand that may answer at `now`.
    fn youngest(&self, seeker: &Seeker, found: Option<Arc<Entry>>, now: Millis) -> Option<Arc<Entry>> {
        let Seeker { cached, key, spare, .. } = seeker;
        let servable = |entry: &Arc<Entry>| {
            cached.keyed.caching.judge(entry, key, now) != Freshness::Expired
                && !self.cache.is_removed(key, entry.born)
        };
        [spare.clone(), found].into_iter().flatten().filter(servable).max_by_key(|entry| entry.born)
    }
}
