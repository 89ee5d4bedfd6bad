//! Whether a reply that had to wait for its turn may still be written.

use super::Gateway;
use super::caller::Caller;
use super::route::{Decision, Route};
use crate::call::CallRef;
use crate::clock::Millis;
use crate::outcome::Outcome;
use crate::rule::Freshness;

use super::reply::{Body, By, Reply};

impl Gateway {
    /// Whether what was kept may still answer `call` at `now` in the way in which it was found to: as something fresh, as something stale
    /// that is refreshed, or in place of a fault or of what is not here yet. What a backend said to this very call always may.
    pub(crate) fn holds(
        &self,
        reply: &Reply,
        call: &CallRef<'_>,
        route: &Route,
        now: Millis,
        caller: &mut Caller,
    ) -> bool {
        let (Body::Kept(entry), Some(age)) = (&reply.body, reply.age) else { return true };
        let oldest = match reply.outcome {
            Outcome::HitLocal | Outcome::HitShared => Freshness::Fresh,
            Outcome::Stale => Freshness::StaleWhileRevalidate,
            Outcome::StaleIfError | Outcome::StaleIfSlow => Freshness::StaleIfError,
            Outcome::Miss
            | Outcome::Coalesced
            | Outcome::Backup
            | Outcome::Fallback
            | Outcome::Passed
            | Outcome::PassedUnkeyable
            | Outcome::PassedRamp
            | Outcome::ObservedHit
            | Outcome::ObservedMiss
            | Outcome::Own
            | Outcome::Oneway
            | Outcome::Failed => return true,
        };
        let Decision::Cache(cached) = &route.decision else { return true };
        let keyed = match (reply.by, &cached.backup) {
            (By::Backup, Some(backup)) => &backup.keyed,
            (By::Usual, _) | (By::Backup, None) => &cached.keyed,
        };
        let identity = caller.sessions.at(route.backend()).identity();
        now.since(entry.born) <= age
            || keyed.key(call, identity, &mut caller.scratch).is_ok()
                && keyed.judge(entry, &caller.scratch.key, now, self.cache.marks()) <= oldest
                && !self.cache.is_removed(&caller.scratch.key, entry.born)
    }
}
