//! One run of some work per key: all who ask meanwhile share what it brings.
//!
//! A flight outlives whoever started it: a client that hangs up harms nobody who waits. Who leads it moves it on while it waits, and from
//! then on a task does (`course.rs`). One that holds much ends with the last who waits, because what it holds is counted as theirs. Its seat is free again
//! as soon as it has landed, so a fault is shared with those who wait and remembered for nobody. Only a refresh that failed keeps its
//! seat for a pause, during which no other refresh of that key takes off:
//!
//! ```text
//!            join / refresh                    landed
//!   (free) ------------------> flying --------------------------> (free)
//!     ^                           |  a refresh landed with a fault
//!     |        pause is over      v
//!     +----------------------- paused --- join: flies again ---> flying
//! ```

mod board;
mod course;
pub(crate) mod options;

use std::collections::HashMap;
use std::future::Future;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bounded::Bounded;
use crate::fault::Crowd;
use crate::mark::Tick;
use crate::need::Need;
use crate::seed::{Hashing, Seed};

use board::{Board, Leaving};
pub(crate) use board::{Flight, Landing, Waiter};
pub(crate) use course::Course;
use course::Leave;

/// All flights of a gateway process, by key.
#[derive(Debug)]
pub(crate) struct Flights<T: Landing> {
    shards: Vec<Mutex<Seats<T>>>,
    hashing: Hashing,
    bounds: Bounds,
    /// Those that fly.
    aloft: Bounded,
    /// Bytes of the large calls whose flights go on though their callers have been answered.
    orphaned: AtomicUsize,
    tasks: TaskTracker,
    stops: Stops,
}

/// What ends when.
#[derive(Debug, Default)]
struct Stops {
    /// No refresh pauses any more.
    pauses: CancellationToken,
    /// No flight flies any more.
    all: CancellationToken,
}

/// One seat for each key under way.
type Seats<T> = HashMap<Arc<[u8]>, Seat<T>, Hashing>;

/// Bounds on flights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Calls that may wait for one flight.
    pub waiters_max: usize,
    /// Flights under way.
    pub flights_max: usize,
    /// How long no refresh takes off after one that failed.
    pub refresh_pause: Duration,
    /// How long a key is remembered whose last reply was not kept.
    pub unkept_time: Duration,
}

/// How a caller came to its flight.
#[derive(Debug)]
pub(crate) enum Joined<T: Landing> {
    /// It started it, and moves it on for as long as it keeps its course.
    Led(Waiter<T>, Course<T>),
    /// It was under way.
    Followed(Waiter<T>),
    /// One is under way that is too old to be shared, and is waited for all the same: another takes off once it has landed.
    Behind(Waiter<T>),
    /// Nothing more may wait, or fly.
    Crowded(Crowd),
}

/// What a caller asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// It shares a flight that is younger than this. An older one may have asked so long ago that its reply would be older than a
    /// fresh entry may be.
    pub oldest: Duration,
    /// What becomes of a flight that it starts when nobody waits for it any more.
    pub deserted: Deserted,
    /// The last mark before it: what it starts is covered by those that come later.
    pub tick: Tick,
    /// The last mark that covers what it asks for: it shares no flight that began before.
    pub since: Tick,
    /// How much it needs one. When many are under way, those give way first that are needed least.
    pub need: Need,
}

/// What becomes of a flight that nobody waits for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deserted {
    /// It lands: whoever comes later finds what it brought.
    Lands,
    /// It ends at once, because its call takes so many bytes, which are counted as its callers'. It lands if they were answered
    /// otherwise and such bytes are few.
    Ends(usize),
}

#[derive(Debug)]
struct Seat<T: Landing> {
    began: Instant,
    stage: Stage<T>,
}

#[derive(Debug)]
enum Stage<T: Landing> {
    Flying(Flight<T>),
    /// After this flight, which failed.
    Paused(Flight<T>),
}

impl<T: Landing> Flights<T> {
    /// No flights yet. `seed` decides which keys share a lock.
    pub(crate) fn new(bounds: Bounds, seed: Seed) -> Arc<Self> {
        let hashing = seed.hashing();
        let shards = (0..SHARDS).map(|_| Mutex::new(HashMap::with_hasher(hashing.clone()))).collect();
        let (tasks, stops) = (TaskTracker::new(), Stops::default());
        let (aloft, orphaned) = (Bounded::default(), AtomicUsize::new(0));
        Arc::new(Self { shards, hashing, bounds, aloft, orphaned, tasks, stops })
    }

    /// Ends all pauses, lets flights land for up to `grace`, and then cuts off what still flies: who waits for such a flight learns
    /// that it did not land. No flight flies from then on. Returns how many were cut off.
    pub(crate) async fn ground(&self, grace: Duration) -> usize {
        self.stops.pauses.cancel();
        self.tasks.close();
        // What has not landed in time is counted by who is left.
        let _ = tokio::time::timeout(grace, self.tasks.wait()).await;
        let aloft = self.tasks.len();
        self.stops.all.cancel();
        self.tasks.wait().await;
        aloft
    }

    /// Tasks that flights have under way: those that fly, and refreshes that pause.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    /// How many fly.
    pub(crate) fn aloft(&self) -> usize {
        self.aloft.count()
    }

    /// Joins the flight for `key` if it is young enough, or starts `work` as one. `awaits` says whether one that is too old, and has
    /// found this so far, is waited for instead of starting another beside it.
    pub(crate) fn join<F>(
        self: &Arc<Self>,
        key: &Arc<[u8]>,
        ask: Ask,
        awaits: impl FnOnce(Option<&T::Spare>) -> bool,
        work: impl FnOnce(Flight<T>) -> F,
    ) -> Joined<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut seats = self.seats(key);
        if let Some(Seat { began, stage: Stage::Flying(flight) }) = seats.get(key) {
            let is_young = began.elapsed() < ask.oldest && flight.board.tick >= ask.since;
            if is_young || awaits(flight.board.spare()) {
                if flight.board.waiters.load(Ordering::Relaxed) >= self.bounds.waiters_max {
                    return Joined::Crowded(Crowd::Waiters(self.bounds.waiters_max));
                }
                flight.board.awaited(ask.need);
                let waiter = self.waiter(key, flight);
                return if is_young { Joined::Followed(waiter) } else { Joined::Behind(waiter) };
            }
        }
        match self.take_off(key, ask, &mut seats, work) {
            Some((flight, course)) => Joined::Led(self.waiter(key, &flight), course),
            None => Joined::Crowded(Crowd::Flights(self.bounds.flights_max)),
        }
    }

    /// Starts `work` as a flight unless one is under way, a failed one has its pause, or many are under way.
    pub(crate) fn refresh<F>(
        self: &Arc<Self>,
        key: &[u8],
        tick: Tick,
        work: impl FnOnce(&Arc<[u8]>, Flight<T>) -> F,
    ) where
        F: Future<Output = T> + Send + 'static,
    {
        let mut seats = self.seats(key);
        if !seats.contains_key(key) {
            let key = key.into();
            let ask = Ask {
                oldest: Duration::ZERO,
                deserted: Deserted::Lands,
                tick,
                since: Tick::default(),
                need: Need::Refresh,
            };
            // Nobody waits for it, so it is a task from the beginning.
            drop(self.take_off(&key, ask, &mut seats, |flight| work(&key, flight)));
        }
    }

    /// What the flight for `key` has found on its way, also if it has failed and pauses.
    pub(crate) fn found(&self, key: &[u8]) -> Option<T::Spare> {
        let seats = self.seats(key);
        let (Stage::Flying(flight) | Stage::Paused(flight)) = &seats.get(key)?.stage;
        flight.board.spare().cloned()
    }

    /// The flight that `work` is from now on, and its course, unless too many are under way.
    fn take_off<F>(
        self: &Arc<Self>,
        key: &Arc<[u8]>,
        ask: Ask,
        seats: &mut Seats<T>,
        work: impl FnOnce(Flight<T>) -> F,
    ) -> Option<(Flight<T>, Course<T>)>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let aloft = self.aloft.join(self.bounds.flights_for(ask.need))?;
        let flight = Flight::new(ask);
        let work = Box::pin(work(flight.clone()));
        seats.insert(Arc::clone(key), Seat { began: Instant::now(), stage: Stage::Flying(flight.clone()) });
        let leave = Leave { flights: Arc::clone(self), key: Arc::clone(key), flight: flight.clone() };
        Some((flight, Course::new(work, ask, aloft, leave)))
    }

    /// To be called under the lock of the flight's seat.
    fn waiter(self: &Arc<Self>, key: &Arc<[u8]>, flight: &Flight<T>) -> Waiter<T> {
        flight.board.waiters.fetch_add(1, Ordering::Relaxed);
        let (flights, key) = (Arc::clone(self), Arc::clone(key));
        Waiter { flights, key, flight: flight.clone(), leaving: Leaving::Gone }
    }

    /// Whether a flight ends that its last caller leaves. To be called under the lock of its seat.
    fn ends(&self, board: &Board<T>, leaving: Leaving) -> bool {
        let bytes = match (board.deserted, leaving) {
            (Deserted::Lands, _) => return false,
            (Deserted::Ends(_), Leaving::Gone) => return board.orphaned.get().is_none(),
            (Deserted::Ends(bytes), Leaving::Answered) => bytes,
        };
        let room = |sum: usize| sum.checked_add(bytes).filter(|sum| *sum <= ORPHANED_MAX);
        board.orphaned.get().is_none()
            && match self.orphaned.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room) {
                Ok(_) => board.orphaned.set(bytes).is_err(),
                Err(_) => true,
            }
    }

    fn seats(&self, key: &[u8]) -> MutexGuard<'_, Seats<T>> {
        // By bits that the shard's own table does not begin with: it has the same hash.
        let shard = (self.hashing.hash_one(key) >> 32) as usize % SHARDS;
        let shard = self.shards.get(shard).or_else(|| self.shards.first());
        let seats = shard.expect("there is at least one shard");
        seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bounds {
    /// How many may fly where one that is needed this much takes off.
    fn flights_for(&self, need: Need) -> usize {
        let all = self.flights_max;
        match need {
            Need::Refresh => all / 2,
            Need::Spared => all - all / 4,
            Need::Bare => all,
        }
    }
}

impl<T: Landing> Flight<T> {
    /// Whether it was begun as a refresh by who asked so, or is one by what it found.
    fn refreshes(&self, ask: Ask) -> bool {
        ask.need.min(self.demand().need()) == Need::Refresh
    }

    /// Frees its seat, unless a younger flight has taken it.
    fn free(&self, key: &[u8], seats: &mut Seats<T>) {
        if seats.get(key).is_some_and(|seat| seat.holds(self)) {
            seats.remove(key);
        }
    }
}

impl<T: Landing> Seat<T> {
    /// Whether it is the seat of this flight: a younger one may have taken it.
    fn holds(&self, flight: &Flight<T>) -> bool {
        let (Stage::Flying(held) | Stage::Paused(held)) = &self.stage;
        Arc::ptr_eq(&held.board, &flight.board)
    }
}

const SHARDS: usize = 64;
/// Bytes that flights may hold whose callers were answered otherwise: one call of the longest size that a listener reads by default.
const ORPHANED_MAX: usize = 100 << 20;

#[cfg(test)]
mod tests;
