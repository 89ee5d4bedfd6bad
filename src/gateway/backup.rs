//! What answers where a backend fails: an old entry, the rule's backup, its fallback, or the fault.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::Gateway;
use super::asking::{Asking, Backup};
use super::landed::Landed;
use super::reply::Reply;
use super::route::{Cached, Keyed};
use super::seeker::{Failed, Instead, Seeker};
use crate::backend::{Place, Session};
use crate::call::{Answer, Call};
use crate::clock::Millis;
use crate::entry::Entry;
use crate::fault::Fault;
use crate::flight::Waiter;
use crate::need::{Demand, Need};
use crate::outcome::Outcome;
use crate::rule::options::BackupWhen;
use crate::rule::{Freshness, Keeping};

/// What a backend said to a call that no rule caches.
pub(super) struct Asked {
    /// Nothing for a call that has no reply.
    pub(super) answer: Option<Answer>,
    /// What the usual backend met, where its backup has answered.
    pub(super) fault: Option<Fault>,
}

impl Gateway {
    /// What answers in place of a fault, where the fault and the rule allow it: an old entry or the backup, whichever the rule has first;
    /// else the fallback; else the fault does.
    pub(super) async fn instead(self: &Arc<Self>, seeker: &Seeker, failed: Failed) -> Reply {
        let old = self.old(seeker, &failed);
        let age_ms = old.as_ref().map(|old| self.clock.now().since(old.born).as_millis());
        let (method, fault) = (seeker.cached.asking.counts.method(), &failed.fault);
        debug!(%method, %fault, age_ms, "something else is to answer: an old entry of this age, a backup or a fallback");
        let mut theirs = None;
        if let Some((backup, cached)) = seeker.backup().filter(|_| failed.fault.allows_stale())
            && (old.is_none() || backup.when == BackupWhen::BeforeStale)
        {
            let soft = seeker.soft().filter(|_| old.is_some());
            match self.seek_at_backup(seeker, backup, cached, soft).await {
                Ok(reply) => return reply.because(failed.fault).beside(old),
                Err(old) => theirs = old,
            }
        }
        // What was at hand may have grown too old meanwhile.
        let (ours, now) = (self.old(seeker, &failed), self.clock.now());
        match (ours, theirs) {
            (Some(ours), theirs) if theirs.as_ref().is_none_or(|theirs| theirs.born <= ours.born) => {
                Reply::kept(ours, Outcome::StaleIfError, now).because(failed.fault)
            }
            (_, Some(theirs)) => {
                Reply::kept(theirs, Outcome::StaleIfError, now).by_backup().because(failed.fault)
            }
            (_, None) => {
                Reply::last(failed.fault, seeker.cached.asking.fallback.as_ref(), seeker.call.protocol)
            }
        }
    }

    /// What the backup answers, or has answered, in what is left of the call's time, and until `soft`: it is asked as if the call had come
    /// for it.
    ///
    /// # Errors
    /// If it fails, or is not done by then, with the old entry that it leaves.
    async fn seek_at_backup(
        self: &Arc<Self>,
        seeker: &Seeker,
        backup: &Backup,
        cached: &Arc<Cached>,
        soft: Option<Instant>,
    ) -> Result<Reply, Option<Arc<Entry>>> {
        self.find_out(seeker);
        let whole = backup.asking.timeout.map(|whole| seeker.since + whole);
        let until = [whole, soft, seeker.given_up()].into_iter().flatten().min();
        let key = cached.keyed.key_like(&seeker.cached.keyed, &seeker.key);
        let near = self.cache.near(cached.keyed.caching.tiers, &key);
        let old = near.filter(|entry| self.freshness(cached, entry, &key) != Freshness::Expired);
        let mut there = Seeker::new(seeker.call.clone(), cached, &key, old);
        (there.since, there.waits) = (seeker.since, seeker.waits);
        let sought = pin!(self.fly(&there));
        match within(until, sought).await {
            Some(Ok(reply) | Err(Instead::Reply(reply))) => Ok(reply.by_backup()),
            Some(Err(Instead::Failed(failed))) => Err(self.old(&there, &failed)),
            None => Err(self.youngest(&there, None, self.clock.now())),
        }
    }

    /// Removes what the backup has said until the usual backend was asked, which has answered: what is older must not come after that.
    /// Where the answer is kept, this is for what is here of the backup's: a tombstone for each answer would cost too much.
    pub(super) fn supersede(&self, cached: &Cached, key: &[u8], born: Millis, keeping: Keeping) {
        let Some(backup) = &cached.backup else { return };
        let Keyed { caching, .. } = &backup.keyed;
        let key = backup.keyed.key_like(&cached.keyed, key);
        if keeping == Keeping::Remove || self.cache.near(caching.tiers, &key).is_some() {
            self.cache.remove(caching.tiers, &key, born, backup.asking.timeout);
        }
    }

    /// Has a refresh find out whether the usual backend is back, where one would get as far as an endpoint: nobody waits for it.
    fn find_out(self: &Arc<Self>, seeker: &Seeker) {
        let Seeker { call, cached, key, .. } = seeker;
        if cached.asking.is_due(&call.name) {
            let tick = self.cache.marks().latest();
            self.flights.refresh(key, tick, |key, flight| self.flight(call.clone(), cached, key, flight));
        }
    }
}

impl Seeker {
    /// Who is asked where the usual backend fails, and what holds for the call there.
    fn backup(&self) -> Option<(&Backup, &Arc<Cached>)> {
        self.cached.asking.backup.as_ref().zip(self.cached.backup.as_ref())
    }

    /// Waits until the usual backend is known to be out, and its flight has found whatever may answer before the backup does. Does not end
    /// where there is no backup.
    pub(super) async fn until_backup(&self, flight: &Waiter<Landed>) {
        if self.backup().is_none() {
            return pending().await;
        }
        // In a box, because few calls have one.
        Box::pin(self.cached.asking.until_out(&self.call.name)).await;
        flight.looked().await;
    }
}

impl Asking {
    /// Asks for a reply that is kept nowhere: the backend and, where that fails or is known to be out, the backup. What a backend knows of
    /// one client's connection no other does.
    pub(super) async fn ask(
        &self,
        session: &Session,
        (call, demand): (&Call, &Demand),
        place: Place,
    ) -> Result<Asked, Fault> {
        match self.backup.as_ref().filter(|_| !self.is_silent() && !session.is_private()) {
            None => {
                let question = self.question(call, demand);
                let asked = session.ask(self.backend(), question, self.timeout, place).await;
                asked.map(|answer| Asked { answer, fault: None })
            }
            Some(backup) => Box::pin(self.ask_both(backup, session, (call, demand), place)).await,
        }
    }

    async fn ask_both(
        &self,
        backup: &Backup,
        session: &Session,
        (call, demand): (&Call, &Demand),
        place: Place,
    ) -> Result<Asked, Fault> {
        let until = backup.asking.timeout.map(|whole| Instant::now() + whole);
        // Something else may answer: where the backend is out, or has too much to do, the call does not wait for it.
        demand.shrink(Need::Spared);
        let asked = tokio::select! {
            biased;
            asked = session.ask(self.backend(), self.question(call, demand), self.timeout, place) => asked,
            () = self.until_out(&call.name) => Err(self.down()),
        };
        let fault = match asked {
            Err(fault) if fault.allows_stale() => fault,
            asked => return asked.map(|answer| Asked { answer, fault: None }),
        };
        if self.is_due(&call.name) {
            self.find_out(call.clone());
        }
        demand.grow(Need::Bare);
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        match backup.asking.backend().ask(backup.asking.question(call, demand), left).await {
            Ok(answer) => Ok(Asked { answer: Some(answer), fault: Some(self.counts.met(fault)) }),
            Err(theirs) => {
                self.counts.met(theirs);
                Err(fault)
            }
        }
    }
}

/// What comes of something until a moment.
async fn within<T>(until: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match until {
        Some(until) => timeout_at(until, work).await.ok(),
        None => Some(work.await),
    }
}
