//! What would have answered a call, had its backend died when it came.

use super::reply::{Body, Reply};
use super::route::{Cached, Decision, Route};
use crate::call::Returns;
use crate::clock::Millis;
use crate::entry::{Ending, Entry};
use crate::metrics::Backing;
use crate::outcome::Outcome;
use crate::rule::Keeping;

impl Route {
    /// Counts what became of a call, and what would have answered it without the backend.
    #[inline]
    pub(crate) fn count(&self, reply: &Reply, now: Millis) {
        self.counts.call(reply.outcome, reply.age, now);
        match (&self.decision, &reply.body) {
            (Decision::Cache(cached) | Decision::Identify(cached), Body::Kept(entry)) => {
                self.counts.backed(backing(reply, entry, cached, now), now);
            }
            // Nobody waits for a reply, or none is the backend's.
            (_, Body::Silence) | (Decision::Refuse | Decision::Own(_), _) => {}
            (
                Decision::Cache(_) | Decision::Identify(_) | Decision::Pass | Decision::Observe(_),
                Body::Kept(_) | Body::Struct(..),
            ) => {
                self.counts.backed(Backing::Nothing, now);
            }
        }
    }
}

#[inline]
fn backing(reply: &Reply, entry: &Entry, cached: &Cached, now: Millis) -> Backing {
    let caching = &cached.keyed.caching;
    match reply.outcome {
        Outcome::HitLocal
        | Outcome::HitShared
        | Outcome::Stale
        | Outcome::StaleIfError
        | Outcome::StaleIfSlow => Backing::Kept(caching.left(entry, now)),
        Outcome::Miss | Outcome::Coalesced => match &reply.spare {
            Some(spare) => Backing::Kept(caching.left(spare, now)),
            None if is_kept(entry, cached) => Backing::Learnt(caching.left(entry, now)),
            None => Backing::Nothing,
        },
        Outcome::Backup => {
            reply.spare.as_ref().map_or(Backing::Nothing, |spare| Backing::Kept(caching.left(spare, now)))
        }
        Outcome::Fallback
        | Outcome::Passed
        | Outcome::PassedUnkeyable
        | Outcome::PassedRamp
        | Outcome::ObservedHit
        | Outcome::ObservedMiss
        | Outcome::Own
        | Outcome::Oneway
        | Outcome::Failed => Backing::Nothing,
    }
}

/// Whether what a backend answered was kept.
fn is_kept(entry: &Entry, cached: &Cached) -> bool {
    let is_nothing = entry.ending == Ending::Empty && cached.asking.terms.returns != Returns::Void;
    !is_nothing && cached.keyed.caching.keeping(entry) == Keeping::Keep
}
