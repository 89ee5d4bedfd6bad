//! Who may use a connection to an endpoint: a bounded number of permits, and the line for them.
//!
//! While nothing is wrong, whoever comes waits in turn for as long as his call may. What keeps one from taking what others need:
//!
//! - clients take turns, and first tries go before retries, and all calls before refreshes ([`Queue`]);
//! - refreshes take a quarter of what the endpoint was seen to handle at once;
//! - where several methods are asked, none takes the last quarter of the permits: one that hangs leaves some for others;
//! - of an endpoint, or a method there, that had too much or is just back, fewer calls may be out (`limit.rs`), and fewer misses where what
//!   was kept is lost. Whoever has an old entry does not wait for that: it answers. A miss that could not be answered in its time is shed.
//!
//! Calls that find out whether something is back pass by all of this but the number of permits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;
use tokio::time::Instant;

use super::deadline::within;
use super::queue::{Among, Place, Queue, Rank, Waiter, Wish};
use super::room::{Held, Room};
use super::wary::Heard;
use crate::call::ClientId;
use crate::need::{Demand, Need};

/// Permits, and the line for them.
#[derive(Debug)]
pub(super) struct Line(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Whether there is any limit but that of misses: while there is none, answers need not look.
    limited: AtomicBool,
    /// Whether misses are limited.
    misses_limited: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting_max: usize,
    room: Room,
    queue: Queue<oneshot::Sender<Verdict>>,
}

/// The right to use one connection.
#[derive(Debug)]
pub(super) struct Permit {
    line: Arc<Shared>,
    held: Held,
}

/// Why somebody got no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unserved {
    /// So many wait; others need it more, or the line did not move in time.
    Full(usize),
    /// It is a miss, of which no more can be answered in their time: so many wait.
    Shed(usize),
    /// Whoever waits is to ask elsewhere.
    Moved,
}

/// What somebody in the line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Served(Held),
    Displaced,
    Late,
    Moved,
}

/// Somebody in the line.
struct Standing<'a> {
    line: &'a Arc<Shared>,
    rank: Rank,
    among: Among,
    place: Place,
    verdict: oneshot::Receiver<Verdict>,
}

impl Line {
    /// So many permits, for which so many may wait.
    pub(super) fn new(permits: usize, waiting_max: usize) -> Self {
        let room = Room::new(permits, Instant::now());
        let state = Mutex::new(State { waiting_max, room, queue: Queue::default() });
        let [limited, misses_limited] = [false, true].map(AtomicBool::new);
        Self(Arc::new(Shared { limited, misses_limited, state }))
    }

    /// How many permits there are, those that are out included.
    pub(super) fn size(&self) -> usize {
        self.0.lock().room.permits
    }

    /// Makes it as many, for which so many may wait. Who holds a permit keeps it: if that are more, there are fewer as they come back.
    pub(super) fn resize(&self, permits: usize, waiting_max: usize) {
        let mut state = self.0.lock();
        (state.room.permits, state.waiting_max) = (permits, waiting_max);
        state.serve();
    }

    /// Gives out nothing any more: whoever is in the line leaves it at once.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        (state.room.permits, state.waiting_max) = (0, 0);
        state.move_on(|_, _| true);
    }

    /// A permit, if one may be had without waiting.
    pub(super) fn take(&self, wish: Wish<'_>) -> Option<Permit> {
        let mut state = self.0.lock();
        let State { room, .. } = &mut *state;
        if wish.rank == Rank::Refresh {
            room.refreshing_max = wish.refreshing_max;
        }
        // Nobody in the line fits, or he would have been served.
        if !room.fits(wish.rank, wish.among) {
            return None;
        }
        let held = room.take(wish.rank, wish.among);
        Some(Permit { line: Arc::clone(&self.0), held })
    }

    /// One for a check, which is counted as nobody's.
    pub(super) fn spare(&self) -> Option<Permit> {
        let (rank, client, demand) = (Rank::Probe, ClientId::default(), Demand::new(Need::Bare));
        let among = Among { method: None, is_miss: false };
        self.take(Wish { rank, among, client, demand: &demand, until: None, refreshing_max: 1 })
    }

    /// Waits in the line until `deadline`; `joined` is done once that can be seen.
    ///
    /// # Errors
    /// [`Unserved`].
    pub(super) async fn stand(
        &self,
        wish: Wish<'_>,
        deadline: Option<Instant>,
        joined: impl FnOnce(),
    ) -> Result<Permit, Unserved> {
        let mut standing = self.join(wish, wish.rank)?;
        joined();
        let waits = async {
            while standing.rank == Rank::Refresh {
                tokio::select! {
                    biased;
                    verdict = &mut standing.verdict => return standing.end(verdict),
                    // Somebody waits for it now: it goes on as his.
                    () = wish.demand.exceeds(Need::Refresh) => standing = self.join(wish, Rank::First)?,
                }
            }
            let verdict = (&mut standing.verdict).await;
            standing.end(verdict)
        };
        within(deadline, waits).await.unwrap_or_else(|_| Err(self.0.lock().refusal(wish.among)))
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.lock().queue.len()
    }

    /// Whether somebody waits for a permit that is out.
    pub(super) fn is_short(&self) -> bool {
        let state = self.0.lock();
        state.room.is_full() && !state.queue.is_empty()
    }

    /// Sends whoever waits elsewhere, but those that find out.
    pub(super) fn move_on(&self) {
        self.0.lock().move_on(|rank, _| rank != Rank::Probe);
    }

    /// What may be out at once while something limits it.
    pub(super) fn limit(&self) -> Option<usize> {
        self.0.lock().room.limit.most()
    }

    /// The connections that the endpoint takes, where it was seen to take no more.
    pub(super) fn stands(&self) -> Option<usize> {
        let limit = &self.0.lock().room.limit;
        limit.most().filter(|_| !limit.is_strained())
    }

    /// Whether it has been found since `moment` that the endpoint takes no more connections.
    pub(super) fn stands_since(&self, moment: Instant) -> bool {
        self.0.limited.load(Ordering::Acquire) && self.0.lock().room.limit.stands_since(moment)
    }

    /// How many misses may be out at once while something limits them, and how many are.
    pub(super) fn misses(&self) -> (Option<usize>, usize) {
        let state = self.0.lock();
        (state.room.misses.most(), state.room.misses.out())
    }

    /// One of these was answered. Whether what that took tells how much there is to do, and not what is usual.
    pub(super) fn answered(&self, among: Among, heard: Heard) -> bool {
        let Shared { limited, misses_limited, .. } = &*self.0;
        let is_limited =
            limited.load(Ordering::Acquire) || among.is_miss && misses_limited.load(Ordering::Acquire);
        if !is_limited {
            return false;
        }
        let mut state = self.0.lock();
        let tells = state.room.tells(among, heard.at);
        state.room.answered(among, heard);
        limited.store(state.room.is_limited(), Ordering::Release);
        misses_limited.store(state.room.misses.is_cut(), Ordering::Release);
        state.serve();
        tells
    }

    /// One of these, sent at `sent`, met a fault that too many calls cause.
    pub(super) fn too_much(&self, among: Among, sent: Instant, now: Instant) {
        self.0.limit().room.too_much(among, sent, now);
    }

    /// A miss was not answered, for so long.
    pub(super) fn miss_took(&self, took: Duration) {
        self.0.lock().room.miss_took(took);
    }

    /// Time goes by: where no miss was answered yet, more may be out.
    pub(super) fn wait_for_first_miss(&self, now: Instant) {
        if !self.0.misses_limited.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.0.lock();
        if state.room.wait_for_first_miss(now) {
            state.serve();
        }
    }

    /// What was kept is lost: no more than `most` misses may be out, and then more and more.
    pub(super) fn ramp_misses(&self, most: usize, now: Instant) {
        let mut state = self.0.lock();
        state.room.misses.begin_with(most, now);
        self.0.misses_limited.store(true, Ordering::Release);
    }

    /// Whether what limits misses stays for the time being, and grows only where it is used up.
    pub(super) fn hold_misses(&self, hold: bool) {
        self.0.lock().room.misses.stay(hold);
    }

    /// The endpoint takes no connections beside these.
    pub(super) fn full(&self, connections: usize, now: Instant) {
        self.0.limit().room.limit.stand(connections, now);
    }

    /// Of a method that does not answer no more than `most` calls may be out.
    pub(super) fn hold(&self, method: usize, most: usize, now: Instant) {
        self.0.limit().room.limit_of(method).hold(most, now);
    }

    /// A method is out: its calls that wait are sent elsewhere, and those that hang count no more.
    pub(super) fn move_method_on(&self, method: usize) {
        let mut state = self.0.lock();
        state.move_on(|rank, waiter| rank != Rank::Probe && waiter.among.method == Some(method));
        state.room.limit_of(method).lift();
    }

    /// The endpoint is back, or a method there; it was seen to handle `seen` calls at once.
    pub(super) fn ramp(&self, method: Option<usize>, seen: usize, now: Instant) {
        let mut state = self.0.limit();
        match method {
            None => state.room.ramp(seen, now),
            Some(method) => state.room.limit_of(method).ramp(seen, now),
        }
        // It may be more than before.
        state.serve();
    }

    fn join(&self, wish: Wish<'_>, rank: Rank) -> Result<Standing<'_>, Unserved> {
        let Wish { among, client, demand, until, .. } = wish;
        let mut state = self.0.lock();
        let need = demand.need();
        if need == Need::Spared && state.room.is_strained(among) {
            return Err(state.refusal(among));
        }
        if state.queue.len() >= state.waiting_max {
            let refusal = state.refusal(among);
            let displaced = state.displace((rank, need, client), among).ok_or(refusal)?;
            let _ = displaced.tell.send(Verdict::Displaced);
        }
        let (tell, verdict) = oneshot::channel();
        let place = state.queue.push(rank, Waiter { client, need, among, until, tell });
        if state.comes_too_late(place, among, until) {
            state.queue.remove(place);
            return Err(state.refusal(among));
        }
        state.serve();
        Ok(Standing { line: &self.0, rank, among, place, verdict })
    }
}

impl Shared {
    /// What is about to have a limit.
    fn limit(&self) -> MutexGuard<'_, State> {
        let state = self.lock();
        self.limited.store(true, Ordering::Release);
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment after another of plain values: no panic leaves it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Serves whoever fits.
    fn serve(&mut self) {
        let now = Instant::now();
        let Self { room, queue, .. } = self;
        while !room.is_full()
            && let Some((rank, waiter)) = queue.serve(|rank, waiter| room.fits(rank, waiter.among))
        {
            if waiter.among.is_miss && rank != Rank::Probe && room.is_late(waiter.until, 0, now) {
                let _ = waiter.tell.send(Verdict::Late);
                continue;
            }
            let held = room.take(rank, waiter.among);
            if waiter.tell.send(Verdict::Served(held)).is_err() {
                room.free(held);
            }
        }
    }

    /// Whether a miss would be answered too late at its place in the line.
    fn comes_too_late(&self, place: Place, among: Among, until: Option<Instant>) -> bool {
        self.room.sheds(among) && {
            let ahead = self.queue.ahead(place, |waiter| waiter.among.is_miss);
            self.room.is_late(until, ahead + 1, Instant::now())
        }
    }

    /// Why somebody is not served at this moment.
    fn refusal(&self, among: Among) -> Unserved {
        let waiting = self.queue.len();
        if self.room.sheds(among) { Unserved::Shed(waiting) } else { Unserved::Full(waiting) }
    }

    fn move_on(&mut self, goes: impl Fn(Rank, &Waiter<oneshot::Sender<Verdict>>) -> bool) {
        let moved = self.queue.extract(goes);
        moved.into_iter().for_each(|waiter| _ = waiter.tell.send(Verdict::Moved));
    }

    fn displace(
        &mut self,
        newcomer: (Rank, Need, ClientId),
        among: Among,
    ) -> Option<Waiter<oneshot::Sender<Verdict>>> {
        let Self { room, queue, .. } = self;
        let is_stuck = |waiter: &Waiter<_>| !room.has_share(waiter.among);
        queue.displace(newcomer, room.has_share(among).then_some(is_stuck))
    }
}

impl Standing<'_> {
    fn end(&self, verdict: Result<Verdict, RecvError>) -> Result<Permit, Unserved> {
        match verdict.expect("whoever is taken out of the queue is told why") {
            Verdict::Served(held) => Ok(Permit { line: Arc::clone(self.line), held }),
            Verdict::Displaced => Err(self.line.lock().refusal(self.among)),
            Verdict::Late => Err(Unserved::Shed(self.line.lock().queue.len())),
            Verdict::Moved => Err(Unserved::Moved),
        }
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        state.queue.remove(self.place);
        // Served at the moment at which he left.
        if let Ok(Verdict::Served(held)) = self.verdict.try_recv() {
            state.room.free(held);
            state.serve();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.line.lock();
        state.room.free(self.held);
        state.serve();
    }
}

#[cfg(test)]
mod tests;
