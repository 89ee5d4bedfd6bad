//! This gateway among those that share a tier: it tells them its marks and hears theirs, and holds a lease while it has heard them all.
//!
//! Marks are made here at once and told as soon as can be; while nobody can be told they wait. With the lease ends what may be said of entries:
//! others may have made marks that this gateway has not heard. A mark is known to the fleet when all that hold a lease have heard it; who
//! does not hear it loses the lease first. So neither needs the other to be alive.

mod lease;
mod outbox;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::Keep;
use super::shared::Store;
use super::shared::feed::{Announcement, Evicts, Feed, Heard, Hello, Origin, Unheard};
use crate::bounded::Bounded;
use crate::clock::{Clock, Millis};
use crate::mark::{Audience, Mark, Marks, Reach, Standing, Version};

use lease::Lease;
use outbox::Outbox;
pub use outbox::Ticket;
pub(super) use outbox::decoded;

/// This gateway among the others.
#[derive(Debug)]
pub(super) struct Fleet {
    store: Arc<dyn Store>,
    clock: Clock,
    gateway: u64,
    keep: Arc<Keep>,
    state: Mutex<State>,
    /// Those who wait for a mark.
    waiting: Bounded,
    /// When there is something to tell.
    wake: Notify,
    /// When somebody who waits for a mark may see how far it has got.
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    outbox: Outbox,
    /// Whose mark lies where this gateway has come to.
    there: Origin,
    /// How far all gateways have come that hold a lease.
    fleet: Version,
    /// Nobody can tell whether the log still holds what lay before there.
    unsure: Version,
    /// The epoch in which this gateway told last what the log may have lost.
    told_again: u64,
    /// How many there are.
    gateways: usize,
    /// How often it has listened.
    listened: u64,
    /// What the store may lose unseen.
    evicts: Evicts,
}

/// What came of listening once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listened {
    /// All was heard before, and the others know that.
    Nothing,
    /// All is heard now, and the others do not know that yet.
    News,
    /// There is more.
    More,
}

impl Fleet {
    /// One gateway among those of `store`; `gateway` is a number that no other has.
    pub(super) fn new(store: Arc<dyn Store>, clock: Clock, gateway: u64, keep: Arc<Keep>) -> Self {
        let (state, waiting) = (Mutex::default(), Bounded::default());
        let (wake, moved) = (Notify::new(), Notify::new());
        Self { store, clock, gateway, keep, state, waiting, wake, moved }
    }

    /// Makes a mark here, and tells the others.
    pub(super) fn mark(&self, marks: &Marks, mark: Mark, now: Millis) -> Ticket {
        // Under the lock: what is heard of it must find it in the outbox.
        let mut state = self.state();
        if state.outbox.is_full() {
            tracing::error!(
                "the shared tier was away for so many marks that all entries are taken for invalidated"
            );
            marks.give_up_pending();
            marks.mark(&state.outbox.widen(), now, Audience::Fleet);
        }
        marks.mark(&mark, now, Audience::Fleet);
        let ticket = state.outbox.put(mark);
        drop(state);
        self.wake.notify_one();
        ticket
    }

    /// Waits until a mark has got so far, for at most `within`, and says how far it has.
    pub(super) async fn reaches(&self, ticket: Ticket, reach: Reach, within: Duration) -> Reach {
        if self.reach(ticket) >= reach {
            return self.reach(ticket);
        }
        // Until it is dropped, which whoever waits may be too.
        let _waits = self.waiting.join(usize::MAX);
        self.wake.notify_one();
        let known = async {
            loop {
                let moved = self.moved.notified();
                if self.reach(ticket) >= reach {
                    return;
                }
                moved.await;
            }
        };
        // How far it has got by then is told below.
        let _ = timeout(within, known).await;
        self.reach(ticket)
    }

    /// The place of a mark, once it was heard in the log.
    pub(super) fn place(&self, ticket: Ticket) -> Option<Version> {
        self.state().outbox.place(ticket)
    }

    fn reach(&self, ticket: Ticket) -> Reach {
        let state = self.state();
        match state.outbox.place(ticket) {
            None if state.outbox.is_said(ticket) => Reach::Shared,
            None => Reach::Gateway,
            Some(place) if state.is_known_to_all(place) => Reach::Fleet,
            Some(_) => Reach::Shared,
        }
    }

    /// Those marks, for a later process.
    pub(super) fn untold_bytes(&self) -> Vec<u8> {
        self.state().outbox.encode()
    }

    /// How many gateways were heard of lately, this one included.
    pub(super) fn gateways(&self) -> usize {
        self.state().gateways.max(1)
    }

    /// A number that nobody else has.
    pub(super) fn token(&self) -> u64 {
        self.gateway ^ self.state().outbox.number()
    }

    /// What is left of an entry at best whose marks are not there.
    pub(super) fn unmarked(&self) -> Standing {
        match self.state().evicts {
            Evicts::Nothing => Standing::Clear,
            // They may have been evicted.
            Evicts::Expiring | Evicts::Anything => Standing::Soft,
        }
    }

    /// Marks that the others have not been told.
    pub(super) fn untold(&self) -> usize {
        self.state().outbox.len()
    }

    /// Tells and hears. Never ends.
    pub(super) async fn attend(&self, marks: &Marks) {
        let mut lease = Lease::default();
        loop {
            let exchanged = self.exchange(marks).await;
            lease.look(marks.is_leased(self.clock.now()), self.untold());
            let pause = match exchanged {
                Ok(Listened::More | Listened::News) => Duration::ZERO,
                Ok(Listened::Nothing) if self.waiting.count() > 0 => IMPATIENT,
                Ok(Listened::Nothing) | Err(Unheard) => INTERVAL,
            };
            tokio::select! {
                biased;
                () = sleep(pause) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    async fn exchange(&self, marks: &Marks) -> Result<Listened, Unheard> {
        let feed = self.store.feed();
        // What is not told waits: perhaps there is no epoch yet, and listening opens one.
        let _ = self.tell(feed).await;
        let sent = Instant::now();
        let hello = self.hello(marks);
        let heard = feed.listen(&hello).await?;
        self.store.time().hear(sent, Instant::now(), heard.now);
        let listened = self.hear(marks, &hello, &heard);
        if listened != Listened::More {
            // It ends here before the others stop waiting, however differently the clocks run.
            marks.lease(self.clock.at(sent).plus(LEASE_HELD));
            self.tell_again(feed, marks).await?;
        }
        Ok(listened)
    }

    fn hello(&self, marks: &Marks) -> Hello {
        let mut state = self.state();
        let opens = Origin { gateway: self.gateway, number: state.outbox.number() };
        let (gateway, applied, there) = (self.gateway, marks.applied(), state.there);
        let asks = state.listened.is_multiple_of(ASKED_EVERY);
        state.listened += 1;
        Hello { gateway, applied, there, opens, lease: LEASE, asks }
    }

    /// Tells the marks that nobody was told.
    async fn tell(&self, feed: &dyn Feed) -> Result<(), Unheard> {
        loop {
            let said = self.state().outbox.next(self.gateway);
            if said.is_empty() {
                return Ok(());
            }
            feed.announce(&said, self.keep.longest()).await?;
            let mut state = self.state();
            said.iter().for_each(|said| state.outbox.said(said.origin.number));
            drop(state);
            self.moved.notify_waiters();
        }
    }

    /// Tells in each epoch once what the log may have lost where it began. Many know the same: what is known there already it refuses.
    async fn tell_again(&self, feed: &dyn Feed, marks: &Marks) -> Result<(), Unheard> {
        let epoch = marks.applied().epoch();
        if self.state().told_again == epoch {
            return Ok(());
        }
        for some in marks.before(epoch, AGAIN_MAX).chunks(AGAIN_AT_ONCE) {
            let again = some.iter().map(|(mark, place)| {
                let origin = Origin { gateway: self.gateway, number: self.state().outbox.number() };
                Announcement { origin, mark: mark.clone(), again: Some(*place) }
            });
            let again: Vec<_> = again.collect();
            feed.announce(&again, self.keep.longest()).await?;
        }
        self.state().told_again = epoch;
        Ok(())
    }

    fn hear(&self, marks: &Marks, hello: &Hello, heard: &Heard) -> Listened {
        let mut state = self.state();
        (state.fleet, state.gateways) = (heard.fleet, heard.gateways);
        state.hears_of_eviction(heard.evicts);
        marks.go_on(heard.first, hello.applied, heard.last);
        if !heard.goes_on {
            marks.begin_again();
            state.unsure = heard.last;
            return Listened::More;
        }
        for (version, said) in &heard.marks {
            if let Some(place) = said.again {
                marks.apply_again(&said.mark, place, self.clock.now());
            } else if said.origin.gateway == self.gateway {
                state.told(marks, said, *version);
            } else {
                marks.apply(&said.mark, *version, self.clock.now());
            }
            marks.advance(*version);
            state.there = said.origin;
        }
        if heard.marks.last().is_none_or(|(last, _)| *last >= heard.last) {
            state.outbox.heard_all();
        }
        drop(state);
        self.moved.notify_waiters();
        match heard.marks.last() {
            None => Listened::Nothing,
            Some((last, _)) if *last < heard.last => Listened::More,
            Some(_) => Listened::News,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What it holds is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hears_of_eviction(&mut self, evicts: Option<Evicts>) {
        let Some(evicts) = evicts else { return };
        if evicts == Evicts::Anything && self.evicts != evicts {
            tracing::warn!(
                "the shared tier's Redis may evict any key (maxmemory-policy allkeys-*), marks included: no mark is \
                 known to the fleet there; use noeviction or volatile-lru"
            );
        }
        self.evicts = evicts;
    }

    fn is_known_to_all(&self, place: Version) -> bool {
        self.unsure <= place && place <= self.fleet && self.evicts != Evicts::Anything
    }

    /// A mark of this gateway lies there.
    fn told(&mut self, marks: &Marks, said: &Announcement, place: Version) {
        let was_pending = self.outbox.told(said.origin.number, place);
        marks.announced(&said.mark, place, was_pending);
    }
}

/// Once in so many times it is asked whether marks are safe.
const ASKED_EVERY: u64 = 256;
/// How often the others are heard where nothing is to be told.
const INTERVAL: Duration = Duration::from_millis(50);
/// The same while somebody waits for a mark to be known to all.
const IMPATIENT: Duration = Duration::from_millis(5);
/// Covers whose marks a gateway tells again in a new epoch, the latest: more than are made in the second that a failover may lose.
const AGAIN_MAX: usize = 4_096;
/// So many at once: less than a millisecond of Redis' time.
const AGAIN_AT_ONCE: usize = 256;
/// For how long the others wait for a gateway that is not heard of.
const LEASE: Duration = Duration::from_secs(1);
/// For how long it is worth waiting for a mark to be known to all: longer than for a gateway that has died.
pub(super) const WAIT_MAX: Duration = Duration::from_millis(1_500);
/// For how long a gateway holds its lease, from when it asked for it: less by more than clocks may differ in rate in that time, and
/// than calls may be judged late that were read together.
const LEASE_HELD: Duration = Duration::from_millis(900);

#[cfg(test)]
mod tests;
