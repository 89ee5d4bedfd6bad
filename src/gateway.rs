//! The decision: what answers a call.

mod again;
pub(crate) mod asking;
mod backing;
mod backup;
pub(crate) mod caller;
pub(crate) mod destination;
mod effect;
mod fetch;
mod guard;
mod identifying;
pub(crate) mod keepers;
pub(crate) mod landed;
mod leak;
pub(crate) mod named;
pub(crate) mod observed;
pub(crate) mod reply;
pub(crate) mod route;
mod seeker;
pub(crate) mod studies;
mod turn;
pub(crate) mod unkept;
pub(crate) mod verifying;
pub(crate) mod vitals;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use tokio::time::timeout;

use crate::backend::{Place, Session};
use crate::cache::Cache;
use crate::call::identity::{Identity, Secret};
use crate::call::{Call, CallRef};
use crate::clock::{Clock, Millis};
use crate::entry::Entry;
use crate::flight::Flights;
use crate::log::Lines;
use crate::metrics::ListenerCounts;
use crate::need::{Demand, Need};
use crate::outcome::Outcome;
use crate::rule::Freshness;
use crate::tap::Taps;
use crate::wire::Protocol;

use asking::Asking;
use backup::Asked;
use caller::{Caller, Scratch};
use effect::Effect;
use guard::guarded;
use landed::{Landed, Origin};
use observed::Observed;
use reply::Reply;
use route::{Cached, Decision, Keyed, Route, Routes};
use seeker::{Found, Instead, Seeker};
use studies::Studies;
use unkept::Unkept;
use verifying::Verification;
use vitals::Vitals;

/// What stands between the clients of one listener and their backends.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// What all gateways of the process keep.
    pub cache: Arc<Cache>,
    /// What all gateways of the process ask.
    pub flights: Arc<Flights<Landed>>,
    /// What observed rules would keep.
    pub observed: Observed,
    /// What is learnt of methods that rules observe.
    pub studies: Studies,
    /// The keys whose last reply was not kept.
    pub unkept: Unkept,
    /// What all gateways of the process say of it.
    pub vitals: Arc<Vitals>,
    /// What is verified of hits.
    pub verification: Verification,
    /// The only clock.
    pub clock: Clock,
    /// What is counted.
    pub counts: ListenerCounts,
    /// How many clients all gateways of the process have had: that tells them apart.
    pub clients: Arc<AtomicU64>,
    /// Bounds what is logged of calls.
    pub lines: Lines,
    /// Under which those are told apart who clients say they are.
    pub secret: Secret,
    /// Who watches the calls of all gateways of the process.
    pub taps: Arc<Taps>,
    /// The rules in force, by the method's name on the wire.
    pub routes: ArcSwap<Routes>,
}

/// What the calls of one read have in common: the rules and the time are looked up once for all of them.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The rules in force.
    pub routes: Arc<Routes>,
    /// The time.
    pub now: Millis,
}

/// A call, and as whom it is made where its client has said who it is.
type Made<'a> = (&'a CallRef<'a>, Option<&'a Arc<Identity>>);

/// An answer: at once, or later.
pub(crate) enum Turn {
    /// It is here.
    Now(Reply),
    /// It will be; the call is what was taken out of its client's buffer.
    Later(Call, Pin<Box<dyn Future<Output = Reply> + Send>>),
}

impl Gateway {
    /// Answers one call. The README's promise is this function and `seek`, sentence by sentence:
    ///
    /// 1. A call that no rule caches goes to a backend, and its reply is not kept.
    /// 2. A fresh entry answers at once.
    /// 3. A stale entry answers at once too, while one call refreshes it.
    /// 4. Otherwise one call asks a backend, and all who ask the same meanwhile share its reply.
    /// 5. If that fails, an old entry answers where the rule allows it; else the rule's backup; else its fallback; else the fault does.
    pub(crate) fn answer(
        self: &Arc<Self>,
        call: &CallRef<'_>,
        route: &Arc<Route>,
        now: Millis,
        caller: &mut Caller,
    ) -> Turn {
        let Caller { scratch, sessions, place, .. } = caller;
        // 1. Is there a rule that caches, and does it give this call a key?
        let asking = route.asking(call.header.kind);
        let session = sessions.at(asking.backend());
        let own_way = session.is_private() || asking.is_silent();
        let cached = match &route.decision {
            Decision::Own(question) => {
                let said = self.vitals.answer(*question, call, &self.counts);
                return Turn::Now(Reply::own(call.protocol, said));
            }
            Decision::Refuse => return Turn::Now(Reply::unknown_method(call.protocol)),
            Decision::Cache(cached) if !own_way => cached,
            Decision::Identify(cached) if !session.is_private() => {
                return self.identify(call, route, cached, caller);
            }
            Decision::Observe(keyed) if !own_way => {
                let outcome = self.observe((call, session.identity()), keyed, now, scratch);
                return self.pass(call, asking, (session, *place), outcome);
            }
            Decision::Pass | Decision::Cache(_) | Decision::Observe(_) | Decision::Identify(_) => {
                return self.pass(call, asking, (session, *place), Outcome::Passed);
            }
        };
        let identity = session.identity();
        if cached.keyed.key(call, identity, scratch).is_err() {
            route.counts.unkeyable();
            return self.pass(call, asking, (session, *place), Outcome::PassedUnkeyable);
        }
        let (key, caching) = (scratch.key.as_slice(), &cached.keyed.caching);
        if !caching.ramp.takes(key) {
            return self.pass(call, asking, (session, *place), Outcome::PassedRamp);
        }

        let near = self.cache.near(caching.tiers, key);
        let spare = match near.inspect(|entry| self.translate(entry, key, call.protocol)) {
            None => None,
            Some(entry) => match cached.keyed.judge(&entry, key, now, self.cache.marks()) {
                // 2.
                Freshness::Fresh => {
                    self.verify(|| cached.keyed.shared((call, identity)), cached, key, &entry);
                    return Turn::Now(Reply::kept(entry, Outcome::HitLocal, now));
                }
                // 3. The refresh is a flight like any other, so a thousand callers start one.
                Freshness::StaleWhileRevalidate => {
                    self.refresh((call, identity), cached, key);
                    return Turn::Now(Reply::kept(entry, Outcome::Stale, now));
                }
                // 5. Nobody waits for a backend that is known to be down; the refresh finds out when it is back.
                Freshness::StaleIfError
                    if cached.asking.stale_is_next(call.header.name) && !caching.yields(&entry) =>
                {
                    self.refresh((call, identity), cached, key);
                    return Turn::Now(Reply::for_the_outage(entry, &cached.asking, now));
                }
                Freshness::StaleIfError => Some(entry),
                Freshness::Expired => None,
            },
        };
        let mut seeker = Seeker::new(cached.keyed.shared((call, identity)), cached, key, spare);
        seeker.waits = call.patience();
        Turn::Later(seeker.call.clone(), Box::pin(Arc::clone(self).seek(seeker)))
    }

    /// Sentences 4 and 5 of the promise, and 3 where no entry is held here.
    async fn seek(self: Arc<Self>, seeker: Seeker) -> Reply {
        // 3. Whoever refreshes a key has found what answers meanwhile.
        if let Some(entry) =
            self.flights.found(&seeker.key).and_then(|found| self.revalidated(&seeker, found))
        {
            return Reply::kept(entry, Outcome::Stale, self.clock.now());
        }
        match self.fly(&seeker).await {
            Ok(reply) => reply,
            // 5. Nobody who has an old entry waits for a backend that turns out to be down, or longer than the rule says.
            Err(Instead::Reply(reply)) => reply,
            Err(Instead::Failed(failed)) => {
                let endpoint = failed.endpoint.clone();
                Box::pin(self.instead(&seeker, failed)).await.asked_at(endpoint)
            }
        }
    }

    /// 4. The flight outlives this caller: a client that hangs up harms nobody who waits. Of large calls none flies for nobody.
    async fn fly(self: &Arc<Self>, seeker: &Seeker) -> Result<Reply, Instead> {
        let (flight, outcome) = self.join(seeker).await?;
        let Found { entry, origin, spare, endpoint } = self.wait(seeker, flight).await?;
        self.translate(&entry, &seeker.key, seeker.call.protocol);
        if origin == Origin::Shared {
            self.verify(|| seeker.call.clone(), &seeker.cached, &seeker.key, &entry);
        }
        Ok(Reply::kept(entry, origin.outcome(outcome), self.clock.now()).beside(spare).asked_at(endpoint))
    }

    /// Refreshes `key` unless that is under way, or no endpoint would be asked: an outage costs no flight per stale key.
    fn refresh(self: &Arc<Self>, (call, identity): Made<'_>, cached: &Arc<Cached>, key: &[u8]) {
        if !cached.asking.is_worth_asking(call.header.name) {
            return;
        }
        let tick = self.cache.marks().latest();
        let shared = || cached.keyed.shared((call, identity));
        self.flights.refresh(key, tick, |key, flight| self.flight(shared(), cached, key, flight));
    }

    /// Has an entry that is to answer a client of another protocol kept in that too: so it is translated once, and not for each.
    #[inline]
    fn translate(&self, entry: &Arc<Entry>, key: &[u8], protocol: Protocol) {
        if entry.protocol != protocol && !entry.is_translated() {
            self.cache.local().translate(key, entry, protocol);
        }
    }

    /// What an observed rule would have done with the call.
    fn observe(
        &self,
        (call, identity): Made<'_>,
        keyed: &Keyed,
        now: Millis,
        scratch: &mut Scratch,
    ) -> Outcome {
        match keyed.key(call, identity, scratch) {
            Err(_) => Outcome::PassedUnkeyable,
            Ok(()) if self.observed.hit(&scratch.key, keyed.caching.ttl, now) => Outcome::ObservedHit,
            Ok(()) => Outcome::ObservedMiss,
        }
    }

    /// The rules and the time for the calls of one read.
    pub(crate) fn batch(&self, now: Millis) -> Batch {
        Batch { routes: self.routes.load_full(), now }
    }

    /// Sends the call through untouched.
    fn pass(
        self: &Arc<Self>,
        call: &CallRef<'_>,
        asking: &Arc<Asking>,
        (session, place): (&Arc<Session>, Place),
        outcome: Outcome,
    ) -> Turn {
        let (asking, session) = (Arc::clone(asking), Arc::clone(session));
        let patience = call.patience().filter(|_| !asking.is_silent());
        let call = call.to_call(session.identity());
        let taken = call.clone();
        let lesson = self.studies.begin(&asking, &call, &self.clock);
        let effects = asking.invalidation.is_some().then(|| Arc::clone(self));
        let reply = Box::pin(async move {
            let Asking { fallback, counts, .. } = &*asking;
            let effect = effects.and_then(|gateway| Effect::attempt(&gateway, &asking, &call));
            // Pinned where it lies: whoever takes it copies a pointer.
            let demand = Demand::new(Need::Bare);
            let asked = pin!(asking.ask(&session, (&call, &demand), place));
            let asked = guarded(counts, asked);
            let asked = match patience {
                None => asked.await,
                // A caller that has given up tells nothing of the endpoint.
                Some(patience) => {
                    timeout(patience, asked).await.unwrap_or_else(|_| Err(counts.met(asking.late(patience))))
                }
            };
            let asked = asked.and_then(|asked| asked.map_err(|fault| counts.met(fault)));
            let answer = asked.as_ref().map(|asked| asked.answer.as_ref());
            if let Some(lesson) = lesson {
                lesson.ended(studies::end(answer));
            }
            if let Some(effect) = effect {
                // In a box, because few calls change what is kept.
                Box::pin(effect.ended(answer)).await;
            }
            let reply = match asked {
                Ok(Asked { answer: Some(answer), fault: None }) => Reply::passed(answer, outcome),
                Ok(Asked { answer: Some(answer), fault: Some(fault) }) => {
                    Reply::passed(answer, outcome).by_backup().because(fault)
                }
                Ok(Asked { answer: None, .. }) => Reply::silence(None),
                Err(fault) if asking.is_silent() => Reply::silence(Some(fault)),
                Err(fault) => Reply::last(fault, fallback.as_ref(), call.protocol),
            };
            reply.asked_at(demand.endpoint())
        });
        Turn::Later(taken, reply)
    }
}
