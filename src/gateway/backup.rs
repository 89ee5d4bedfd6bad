//! What answers where a backend fails: an old entry, the rule's backup, its fallback, or the fault.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use super::Gateway;
use super::asking::{Asking, Backup};
use super::landed::Landed;
use super::reply::Reply;
use super::route::Cached;
use super::seeker::{Failed, Instead, Seeker};
use crate::backend::{Place, Session};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::flight::Waiter;
use crate::need::{Demand, Need};
use crate::outcome::Outcome;
use crate::rule::Freshness;
use crate::rule::options::BackupWhen;

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
        if let Some((backup, cached)) = seeker.backup().filter(|_| failed.fault.allows_stale())
            && (old.is_none() || backup.when == BackupWhen::BeforeStale)
            && let Some(reply) = self.seek_at_backup(seeker, backup, cached).await
        {
            return reply.because(failed.fault).beside(old);
        }
        // What was at hand may have grown too old meanwhile.
        match self.old(seeker, &failed) {
            Some(entry) => Reply::kept(entry, Outcome::StaleIfError, self.clock.now()).because(failed.fault),
            None => Reply::last(failed.fault, seeker.cached.asking.fallback.as_ref(), seeker.call.protocol),
        }
    }

    /// What the backup answers, or has answered, in what is left of the call's time: it is asked as if the call had come for it.
    async fn seek_at_backup(
        self: &Arc<Self>,
        seeker: &Seeker,
        backup: &Backup,
        cached: &Arc<Cached>,
    ) -> Option<Reply> {
        self.find_out(seeker);
        let until = backup.asking.timeout.map(|whole| seeker.since + whole);
        let key = cached.keyed.key_like(&seeker.cached.keyed, &seeker.key, seeker.call.protocol);
        let near = self.cache.near(cached.keyed.caching.tiers, &key);
        let old = near.filter(|entry| self.freshness(cached, entry, &key) != Freshness::Expired);
        let there = Seeker::new(seeker.call.clone(), cached, &key, old);
        let sought = pin!(self.fly(&there));
        match within(until, sought).await? {
            Ok(reply) | Err(Instead::Reply(reply)) => Some(reply.by_backup()),
            Err(Instead::Failed(_)) => None,
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
        self.cached.asking.until_out(&self.call.name).await;
        flight.looked().await;
    }
}

impl Asking {
    /// Asks for a reply that is kept nowhere: the backend and, where that fails or is known to be out, the backup. What a backend knows of
    /// one client's connection no other does.
    pub(super) async fn ask(&self, session: &Session, call: &Call, place: Place) -> Result<Asked, Fault> {
        match self.backup.as_ref().filter(|_| !self.is_silent() && !session.is_private()) {
            None => {
                let demand = Demand::new(Need::Bare);
                let question = self.question(call, &demand);
                let asked = session.ask(self.backend(), question, self.timeout, place).await;
                asked.map(|answer| Asked { answer, fault: None })
            }
            Some(backup) => Box::pin(self.ask_both(backup, session, call, place)).await,
        }
    }

    async fn ask_both(
        &self,
        backup: &Backup,
        session: &Session,
        call: &Call,
        place: Place,
    ) -> Result<Asked, Fault> {
        let until = backup.asking.timeout.map(|whole| Instant::now() + whole);
        // Something else may answer: where the backend is out, or has too much to do, the call does not wait for it.
        let demand = Demand::new(Need::Spared);
        let asked = tokio::select! {
            biased;
            asked = session.ask(self.backend(), self.question(call, &demand), self.timeout, place) => asked,
            () = self.until_out(&call.name) => Err(self.backend().down()),
        };
        let fault = match asked {
            Err(fault) if fault.allows_stale() => fault,
            asked => return asked.map(|answer| Asked { answer, fault: None }),
        };
        if self.is_due(&call.name) {
            self.find_out(call.clone());
        }
        let demand = Demand::new(Need::Bare);
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        match backup.asking.backend().ask(backup.asking.question(call, &demand), left).await {
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
