//! Who may use a connection to an endpoint: a bounded number of permits, and the line for them.
//!
//! While nothing is wrong, whoever comes waits in turn for as long as his call may. What keeps one from taking what others need:
//!
//! - clients take turns, and first tries go before retries, and all calls before refreshes ([`Queue`]);
//! - refreshes take a quarter of what the endpoint was seen to handle at once;
//! - where several methods are asked, none takes the last quarter of the permits: one that hangs leaves some for others;
//! - of an endpoint, or a method there, that had too much or is just back, fewer calls may be out (`limit.rs`). Whoever has an old entry
//!   does not wait for that: it answers.
//!
//! Calls that find out whether something is back pass by all of this but the number of permits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::RecvError;
use tokio::time::Instant;

use super::deadline::within;
use super::queue::{Place, Queue, Rank, Waiter};
use super::room::{Held, Room};
use crate::call::ClientId;
use crate::need::{Demand, Need};

/// Permits, and the line for them.
#[derive(Debug)]
pub(super) struct Line(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Whether there is any limit: while there is none, answers need not look.
    limited: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting_max: usize,
    room: Room,
    queue: Queue<oneshot::Sender<Verdict>>,
}

/// What a permit is wanted for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    pub(super) rank: Rank,
    /// Among whose calls it counts; none, if it is held for more than a call.
    pub(super) method: Option<usize>,
    pub(super) client: ClientId,
    pub(super) demand: &'a Demand,
    /// How many calls may refresh at once.
    pub(super) refreshing_max: usize,
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
    /// Whoever waits is to ask elsewhere.
    Moved,
}

/// What somebody in the line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Served(Held),
    Displaced,
    Moved,
}

/// Somebody in the line.
struct Standing<'a> {
    line: &'a Arc<Shared>,
    rank: Rank,
    place: Place,
    verdict: oneshot::Receiver<Verdict>,
}

impl Line {
    /// So many permits, for which so many may wait.
    pub(super) fn new(permits: usize, waiting_max: usize) -> Self {
        let state = Mutex::new(State { waiting_max, room: Room::new(permits), queue: Queue::default() });
        Self(Arc::new(Shared { limited: AtomicBool::new(false), state }))
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
        if !room.fits(wish.rank, wish.method) {
            return None;
        }
        let held = room.take(wish.rank, wish.method);
        Some(Permit { line: Arc::clone(&self.0), held })
    }

    /// One for a check, which is counted as nobody's.
    pub(super) fn spare(&self) -> Option<Permit> {
        let demand = Demand::new(Need::Bare);
        let client = ClientId::default();
        self.take(Wish { rank: Rank::Probe, method: None, client, demand: &demand, refreshing_max: 1 })
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
        within(deadline, waits).await.unwrap_or_else(|_| Err(Unserved::Full(self.waiting())))
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

    /// A call of a method was answered.
    pub(super) fn answered(&self, method: usize, now: Instant) {
        if !self.0.limited.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.0.lock();
        let limited = state.room.answered(method, now);
        self.0.limited.store(limited, Ordering::Release);
        state.serve();
    }

    /// A call of a method, sent at `sent`, met a fault that too many calls cause.
    pub(super) fn too_much(&self, method: usize, sent: Instant, now: Instant) {
        let mut state = self.0.limit();
        state.room.limit_of(method).cut(sent, now);
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
        state.move_on(|rank, waiter| rank != Rank::Probe && waiter.method == Some(method));
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
        let Wish { method, client, demand, .. } = wish;
        let mut state = self.0.lock();
        let (full, need) = (Unserved::Full(state.queue.len()), demand.need());
        if need == Need::Spared && state.room.is_strained(method) {
            return Err(full);
        }
        if state.queue.len() >= state.waiting_max {
            let displaced = state.displace((rank, need, client), method).ok_or(full)?;
            let _ = displaced.tell.send(Verdict::Displaced);
        }
        let (tell, verdict) = oneshot::channel();
        let place = state.queue.push(rank, Waiter { client, need, method, tell });
        state.serve();
        Ok(Standing { line: &self.0, rank, place, verdict })
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
        let Self { room, queue, .. } = self;
        while !room.is_full()
            && let Some((rank, waiter)) = queue.serve(|rank, waiter| room.fits(rank, waiter.method))
        {
            let held = room.take(rank, waiter.method);
            if waiter.tell.send(Verdict::Served(held)).is_err() {
                room.free(held);
            }
        }
    }

    fn move_on(&mut self, goes: impl Fn(Rank, &Waiter<oneshot::Sender<Verdict>>) -> bool) {
        let moved = self.queue.extract(goes);
        moved.into_iter().for_each(|waiter| _ = waiter.tell.send(Verdict::Moved));
    }

    fn displace(
        &mut self,
        newcomer: (Rank, Need, ClientId),
        method: Option<usize>,
    ) -> Option<Waiter<oneshot::Sender<Verdict>>> {
        let Self { room, queue, .. } = self;
        let is_stuck = |waiter: &Waiter<_>| !room.has_share(waiter.method);
        queue.displace(newcomer, room.has_share(method).then_some(is_stuck))
    }
}

impl Standing<'_> {
    fn end(&self, verdict: Result<Verdict, RecvError>) -> Result<Permit, Unserved> {
        match verdict.expect("whoever is taken out of the queue is told why") {
            Verdict::Served(held) => Ok(Permit { line: Arc::clone(self.line), held }),
            Verdict::Displaced => Err(Unserved::Full(self.line.lock().queue.len())),
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
