//! A call that no entry answers at once: how it comes by a flight, how long it waits for it, and what answers instead.

use crate::dial::Address;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Gateway;
use super::landed::{Landed, Origin};
use super::reply::Reply;
use super::route::Cached;
use crate::call::Call;
use crate::clock::{Clock, Millis};
use crate::entry::Entry;
use crate::fault::Fault;
use crate::flight::{Ask, Course, Deserted, Joined, Waiter};
use crate::mark::{Marks, Standing, Tick};
use crate::need::Need;
use crate::outcome::Outcome;
use crate::rule::Freshness;

/// A call that no entry may answer at once.
pub(super) struct Seeker {
    pub(super) call: Call,
    pub(super) cached: Arc<Cached>,
    pub(super) key: Arc<[u8]>,
    /// An old entry of the local tier.
    spare: Option<Arc<Entry>>,
    pub(super) since: Instant,
    /// How long its caller waits, where it has said so. The flight goes on.
    pub(super) waits: Option<Duration>,
}

/// What becomes of a call without its flight.
pub(super) enum Instead {
    /// An old entry answers before it has landed.
    Reply(Reply),
    /// It brought nothing, or nobody waits for it any more.
    Failed(Failed),
}

/// Why a flight is of no use.
pub(super) struct Failed {
    pub(super) fault: Fault,
    /// The old entry that it found.
    found: Option<Arc<Entry>>,
    /// The endpoint that it asked last.
    pub(super) endpoint: Option<Address>,
}

/// A flight that a call waits for, and its course if it leads it.
pub(super) struct Awaited {
    flight: Waiter<Landed>,
    course: Option<Course<Landed>>,
}

/// What a flight brought to one who waited for it.
pub(super) struct Found {
    pub(super) entry: Arc<Entry>,
    pub(super) origin: Origin,
    /// The old entry that would have answered, had the flight failed.
    pub(super) spare: Option<Arc<Entry>>,
    /// The endpoint that was asked last.
    pub(super) endpoint: Option<Address>,
}

/// Why an old entry answers before the flight has landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Early {
    /// Every endpoint is known to fail.
    Down,
    /// It takes longer than its callers are to wait.
    Slow,
}

impl Seeker {
    /// A call that has come now.
    pub(super) fn new(call: Call, cached: &Arc<Cached>, key: &[u8], spare: Option<Arc<Entry>>) -> Self {
        let (cached, since) = (Arc::clone(cached), Instant::now());
        Self { call, cached, key: key.into(), spare, since, waits: None }
    }

    /// Whether its old entry may answer before the flight has looked for a younger one.
    fn is_settled(&self) -> bool {
        self.spare.as_ref().is_some_and(|spare| !self.cached.keyed.caching.yields(spare))
    }

    /// From when on an old entry answers, where the rule says so itself.
    pub(super) fn soft(&self) -> Option<Instant> {
        self.cached.keyed.caching.soft_timeout.map(|soft| self.since + soft)
    }

    /// From when on an old entry answers: as the rule says, else once the call takes far longer than others like it.
    fn patience(&self) -> Option<Instant> {
        let Self { call, cached, since, .. } = self;
        self.soft().or_else(|| cached.asking.far_longer(&call.name).map(|far| *since + far))
    }

    /// When its caller waits no longer.
    pub(super) fn given_up(&self) -> Option<Instant> {
        self.waits.map(|waits| self.since + waits)
    }

    /// Why it is not answered by a flight that its caller waits for no longer.
    fn late(&self, flight: Option<&Waiter<Landed>>) -> Failed {
        let asking = &self.cached.asking;
        let fault = asking.counts.met(asking.late(self.waits.unwrap_or_default()));
        let (found, endpoint) = flight.map(|flight| (flight.spare(), flight.endpoint())).unzip();
        Failed { fault, found: found.flatten(), endpoint: endpoint.flatten() }
    }

    /// The last mark that covers what it asks for, as far as the call tells.
    fn marked(&self, marks: &Marks) -> Tick {
        let Self { call, cached, key, .. } = self;
        let tags = cached.keyed.tags(call, None, key);
        marks.last(cached.keyed.covers(&tags.covers, key))
    }

    /// What it asks for when it has waited so long behind another flight. One that began meanwhile is young enough; where marks may not have been
    /// heard that leave nothing, no other is.
    fn ask(&self, waited: Duration, marks: &Marks, clock: &Clock) -> Ask {
        let (tick, caching) = (marks.latest(), &self.cached.keyed.caching);
        let shares = caching.unvouched < Standing::Hard || marks.hears(clock.now());
        Ask {
            oldest: if shares { caching.ttl + waited } else { waited },
            deserted: deserted(self.call.body.len()),
            tick,
            since: if tick == Tick::default() { tick } else { self.marked(marks) },
            need: match (&self.spare, &self.cached.backup) {
                (None, None) => Need::Bare,
                (Some(_), _) | (_, Some(_)) => Need::Spared,
            },
        }
    }
}

impl Gateway {
    /// The flight that a call waits for, and what its reply would make of the call. Of two calls for one key that have an old entry to
    /// answer with when it takes too long, none asks beside the other.
    pub(super) async fn join(self: &Arc<Self>, seeker: &Seeker) -> Result<(Awaited, Outcome), Instead> {
        let Seeker { call, cached, key, .. } = seeker;
        let mut waited = Duration::ZERO;
        loop {
            let awaits = |found: Option<&Arc<Entry>>| self.awaits(seeker, found);
            let joined = self.flights.join(
                key,
                seeker.ask(waited, self.cache.marks(), &self.clock),
                awaits,
                |flight| self.flight(call.clone(), cached, key, flight),
            );
            let older = match joined {
                Joined::Led(flight, course) => {
                    return Ok((Awaited { flight, course: Some(course) }, Outcome::Miss));
                }
                Joined::Followed(flight) => {
                    return Ok((Awaited { flight, course: None }, Outcome::Coalesced));
                }
                Joined::Crowded(crowd) => {
                    let fault = cached.asking.counts.met(Fault::Crowded(crowd));
                    return Err(Instead::Failed(Failed { fault, found: None, endpoint: None }));
                }
                Joined::Behind(older) => older,
            };
            // In a box, because most calls wait behind no other flight.
            if let Some(reply) = Box::pin(self.wait_behind(seeker, older)).await {
                return Err(Instead::Reply(reply));
            }
            if seeker.given_up().is_some_and(|until| until <= Instant::now()) {
                return Err(Instead::Failed(seeker.late(None)));
            }
            waited = seeker.since.elapsed();
        }
    }

    /// Waits until another may fly. If something answers before, it is that.
    async fn wait_behind(&self, seeker: &Seeker, older: Waiter<Landed>) -> Option<Reply> {
        tokio::select! {
            biased;
            _ = older.land() => None,
            reply = self.early(seeker, &older) => {
                older.leave();
                Some(reply)
            }
            // What would have answered was proved wrong meanwhile.
            () = until(seeker.soft()) => None,
            () = until(seeker.given_up()) => None,
        }
    }

    /// What the flight brings or, where it fails or takes too long, what answers instead.
    pub(super) async fn wait(
        &self,
        seeker: &Seeker,
        Awaited { flight, course }: Awaited,
    ) -> Result<Found, Instead> {
        let landed = tokio::select! {
            biased;
            // It is bounded by the rule's timeout, so its waiters are. Only the end of the gateway keeps one from landing.
            landed = landed(&flight, course) => landed,
            reply = self.early(seeker, &flight) => {
                flight.leave();
                return Err(Instead::Reply(reply));
            }
            () = seeker.until_backup(&flight) => {
                let (fault, found, endpoint) = (seeker.cached.asking.down(), flight.spare(), flight.endpoint());
                flight.leave();
                return Err(Instead::Failed(Failed { fault, found, endpoint }));
            }
            () = until(seeker.given_up()) => {
                let late = seeker.late(Some(&flight));
                flight.leave();
                return Err(Instead::Failed(late));
            }
        };
        let landed = landed.unwrap_or_else(|| Err(seeker.cached.asking.counts.met(Fault::Stopped)));
        let endpoint = flight.endpoint();
        match landed {
            Ok((entry, origin)) => {
                let spare = self.youngest(seeker, flight.spare(), self.clock.now());
                Ok(Found { entry, origin, spare, endpoint })
            }
            Err(fault) => Err(Instead::Failed(Failed { fault, found: flight.spare(), endpoint })),
        }
    }

    /// The old entry that may answer in place of a fault.
    pub(super) fn old(&self, seeker: &Seeker, failed: &Failed) -> Option<Arc<Entry>> {
        let Failed { fault, found, endpoint: _ } = failed;
        self.youngest(seeker, found.clone(), self.clock.now()).filter(|_| fault.allows_stale())
    }

    /// What answers before the flight has landed. Does not end where nothing does.
    async fn early(&self, seeker: &Seeker, flight: &Waiter<Landed>) -> Reply {
        // Before that, nothing does.
        if !seeker.is_settled() {
            flight.found().await;
        }
        // In a box, because most flights land before they find anything.
        let answer = async {
            tokio::select! {
                biased;
                found = self.refreshed(seeker, flight) => Reply::kept(found, Outcome::Stale, self.clock.now()),
                reply = self.spared(seeker, flight) => reply,
            }
        };
        Box::pin(answer).await
    }

    /// An old entry's answer, here or found by the flight, as soon as there is a cause. Does not end where there is none.
    async fn spared(&self, seeker: &Seeker, flight: &Waiter<Landed>) -> Reply {
        loop {
            let early = cause(seeker).await;
            let (found, now) = (flight.spare(), self.clock.now());
            let was_found = found.is_some();
            match (self.youngest(seeker, found, now), early) {
                (Some(entry), Early::Down) => {
                    return Reply::for_the_outage(entry, &seeker.cached.asking, now);
                }
                (Some(entry), Early::Slow) => return Reply::kept(entry, Outcome::StaleIfSlow, now),
                (None, Early::Down | Early::Slow) if was_found => pending().await,
                // What was here is too old by now, or proved wrong. The flight may find something younger.
                (None, Early::Down | Early::Slow) => _ = flight.found().await,
            }
        }
    }

    /// The stale entry of the shared tier that the flight refreshes: it answers meanwhile. Does not end where there is none.
    async fn refreshed(&self, seeker: &Seeker, flight: &Waiter<Landed>) -> Arc<Entry> {
        let found = flight.found().await;
        match self.revalidated(seeker, found) {
            Some(found) => found,
            None => pending().await,
        }
    }

    /// What a flight has found, if it may answer while that flight refreshes it.
    pub(super) fn revalidated(&self, seeker: &Seeker, found: Arc<Entry>) -> Option<Arc<Entry>> {
        let Seeker { cached, key, .. } = seeker;
        let freshness = cached.keyed.judge(&found, key, self.clock.now(), self.cache.marks());
        let answers = freshness <= Freshness::StaleWhileRevalidate && !self.cache.is_removed(key, found.born);
        answers.then_some(found)
    }

    /// Whether a flight that is too old to be shared is waited for all the same: by who has an old entry that will answer soon.
    fn awaits(&self, seeker: &Seeker, found: Option<&Arc<Entry>>) -> bool {
        // What that flight brings will not be kept for who comes after it.
        if self.unkept.left(&seeker.key).is_some() {
            return false;
        }
        let ahead = seeker.soft().filter(|soft| *soft > Instant::now());
        ahead.is_some_and(|soft| self.youngest(seeker, found.cloned(), self.clock.at(soft)).is_some())
    }

    /// The youngest of the old entries at hand that may answer at `now`.
    pub(super) fn youngest(
        &self,
        seeker: &Seeker,
        found: Option<Arc<Entry>>,
        now: Millis,
    ) -> Option<Arc<Entry>> {
        let Seeker { cached, key, spare, .. } = seeker;
        let servable = |entry: &Arc<Entry>| {
            cached.keyed.judge(entry, key, now, self.cache.marks()) != Freshness::Expired
                && !self.cache.is_removed(key, entry.born)
        };
        [spare.clone(), found].into_iter().flatten().filter(servable).max_by_key(|entry| entry.born)
    }
}

/// What a flight brings, or `None` if it ends without landing. Who leads it moves it on meanwhile.
async fn landed(flight: &Waiter<Landed>, course: Option<Course<Landed>>) -> Option<Landed> {
    if let Some(mut course) = course {
        course.fly().await;
    }
    flight.land().await
}

/// Why an old entry answers, as soon as one may. Does not end where none does.
async fn cause(seeker: &Seeker) -> Early {
    let asking = &seeker.cached.asking;
    tokio::select! {
        biased;
        () = asking.until_stale_is_next(&seeker.call.name) => Early::Down,
        () = until(seeker.patience()) => Early::Slow,
    }
}

/// What becomes of the flight of a call of so many bytes.
fn deserted(size: usize) -> Deserted {
    match size {
        small if small <= ALONE_MAX => Deserted::Lands,
        large => Deserted::Ends(large),
    }
}

/// Waits until a moment, for ever without one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

/// The longest call whose flight goes on when its callers have gone: what calls hold is counted at their clients' connections.
const ALONE_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flight_of_a_large_call_ends_with_its_callers() {
        let whole = [0, ALONE_MAX, ALONE_MAX + 1].map(deserted);
        assert_eq!(whole, [Deserted::Lands, Deserted::Lands, Deserted::Ends(ALONE_MAX + 1)]);
    }
}
