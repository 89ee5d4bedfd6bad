//! One run of some work per key: all who ask meanwhile share what it brings.
//!
//! A flight is a task of its own and outlives whoever started it: a client that hangs up harms nobody who waits. One that holds much
//! ends with the last who waits, because what it holds is counted as theirs. Its seat is free again
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

pub(crate) mod options;

use std::collections::HashMap;
use std::future::Future;
use std::hash::BuildHasher;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::seed::{Hashing, Seed};

/// All flights of a gateway process, by key.
#[derive(Debug)]
pub(crate) struct Flights<T: Landing> {
    shards: Vec<Mutex<Seats<T>>>,
    hashing: Hashing,
    bounds: Bounds,
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
type Seats<T> = HashMap<Arc<[u8]>, Seat<T>>;

/// Bounds on flights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Calls that may wait for one flight.
    pub waiters_max: usize,
    /// How long no refresh takes off after one that failed.
    pub refresh_pause: Duration,
}

/// How a caller came to its flight.
#[derive(Debug)]
pub(crate) enum Joined<T: Landing> {
    /// It started it.
    Led(Waiter<T>),
    /// It was under way.
    Followed(Waiter<T>),
    /// It was under way with as many waiting as may.
    Crowded,
}

/// What becomes of a flight that nobody waits for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deserted {
    /// It lands: whoever comes later finds what it brought.
    Lands,
    /// It ends at once.
    Ends,
}

/// One who waits for a flight.
#[derive(Debug)]
pub(crate) struct Waiter<T: Landing> {
    flights: Arc<Flights<T>>,
    key: Arc<[u8]>,
    flight: Flight<T>,
}

/// A flight under way.
#[derive(Debug)]
pub(crate) struct Flight<T: Landing> {
    board: Arc<Board<T>>,
}

/// Where a flight tells what it comes to. Those who wait are woken in the order they came, which a channel of tokio's leaves to chance.
#[derive(Debug)]
struct Board<T: Landing> {
    /// What may answer if it brings nothing, or too late: found on its way.
    spare: OnceLock<T::Spare>,
    /// What was brought; nothing if the flight ended without landing.
    brought: OnceLock<Option<T>>,
    /// Whenever one of them is there.
    told: Notify,
    /// How many wait for it. Changed under the lock of its seat.
    waiters: AtomicUsize,
    deserted: Deserted,
    /// Ends it before it lands.
    end: CancellationToken,
}

/// What a flight brings, and what that means for the seat of a refresh.
pub(crate) trait Landing: Clone + Send + Sync + 'static {
    /// What a flight may find on its way that is of use before it lands.
    type Spare: Clone + std::fmt::Debug + Send + Sync + 'static;

    /// Whether the flight brought nothing.
    fn failed(&self) -> bool;
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

/// Who takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Ask,
    Refresh,
}

impl<T: Landing> Flights<T> {
    /// No flights yet. `seed` decides which keys share a lock.
    pub(crate) fn new(bounds: Bounds, seed: Seed) -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect();
        let (tasks, stops) = (TaskTracker::new(), Stops::default());
        Arc::new(Self { shards, hashing: seed.hashing(), bounds, tasks, stops })
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

    /// Joins the flight for `key` if it is younger than `oldest`, or starts `work` as one.
    ///
    /// An older flight may have asked so long ago that its reply would be older than a fresh entry may be.
    pub(crate) fn join<F>(
        self: &Arc<Self>,
        key: &Arc<[u8]>,
        oldest: Duration,
        deserted: Deserted,
        work: impl FnOnce(Flight<T>) -> F,
    ) -> Joined<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut seats = self.seats(key);
        if let Some(Seat { began, stage: Stage::Flying(landed) }) = seats.get(key)
            && began.elapsed() < oldest
        {
            if landed.board.waiters.load(Ordering::Relaxed) >= self.bounds.waiters_max {
                return Joined::Crowded;
            }
            return Joined::Followed(self.waiter(key, landed));
        }
        let flight = self.take_off(key, Purpose::Ask, deserted, &mut seats, work);
        Joined::Led(self.waiter(key, &flight))
    }

    /// Starts `work` as a flight unless one is under way or a failed one has its pause.
    pub(crate) fn refresh<F>(self: &Arc<Self>, key: &[u8], work: impl FnOnce(&Arc<[u8]>, Flight<T>) -> F)
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut seats = self.seats(key);
        if !seats.contains_key(key) {
            let key = key.into();
            self.take_off(&key, Purpose::Refresh, Deserted::Lands, &mut seats, |flight| work(&key, flight));
        }
    }

    /// Calls that may wait for one flight.
    pub(crate) fn waiters_max(&self) -> usize {
        self.bounds.waiters_max
    }

    fn take_off<F>(
        self: &Arc<Self>,
        key: &Arc<[u8]>,
        purpose: Purpose,
        deserted: Deserted,
        seats: &mut Seats<T>,
        work: impl FnOnce(Flight<T>) -> F,
    ) -> Flight<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let flight = Flight { board: Arc::new(Board::new(deserted)) };
        let work = work(flight.clone());
        seats.insert(Arc::clone(key), Seat { began: Instant::now(), stage: Stage::Flying(flight.clone()) });
        let leave = Leave { flights: Arc::clone(self), key: Arc::clone(key), flight: flight.clone() };
        self.tasks.spawn(async move {
            let stops = &leave.flights.stops;
            let end = &leave.flight.board.end;
            // Pinned one by one: each that takes the next would hold it twice.
            let work = pin!(work);
            let unstopped = pin!(stops.all.run_until_cancelled(work));
            let flown = end.run_until_cancelled(unstopped).await;
            let Some(brought) = flown.flatten() else { return };
            // The seat is free before anybody is told: a call that is made once a reply is known must not join its flight.
            let pauses = purpose == Purpose::Refresh && brought.failed() && leave.pause();
            if !pauses {
                leave.free();
            }
            leave.flight.board.tell(Some(brought));
            if pauses {
                let pause = tokio::time::sleep(leave.flights.bounds.refresh_pause);
                stops.pauses.run_until_cancelled(pause).await;
            }
        });
        flight
    }

    /// To be called under the lock of the flight's seat.
    fn waiter(self: &Arc<Self>, key: &Arc<[u8]>, flight: &Flight<T>) -> Waiter<T> {
        flight.board.waiters.fetch_add(1, Ordering::Relaxed);
        Waiter { flights: Arc::clone(self), key: Arc::clone(key), flight: flight.clone() }
    }

    fn seats(&self, key: &[u8]) -> MutexGuard<'_, Seats<T>> {
        let shard = self.hashing.hash_one(key) as usize % SHARDS;
        let shard = self.shards.get(shard).or_else(|| self.shards.first());
        let seats = shard.expect("there is at least one shard");
        seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Landing> Waiter<T> {
    /// What the flight brought, or `None` if it ended without landing.
    pub(crate) async fn land(&self) -> Option<T> {
        self.until(|board| board.brought.get().cloned()).await
    }

    /// What the flight has found that may answer if it brings nothing, or too late. Does not end where it finds nothing.
    pub(crate) async fn found(&self) -> T::Spare {
        self.until(|board| board.spare.get().cloned()).await
    }

    /// What the flight has found so far.
    pub(crate) fn spare(&self) -> Option<T::Spare> {
        self.flight.board.spare.get().cloned()
    }

    /// Waits until something stands on the board.
    async fn until<R>(&self, told: impl Fn(&Board<T>) -> Option<R>) -> R {
        let board = &*self.flight.board;
        loop {
            let mut next = pin!(board.told.notified());
            next.as_mut().enable();
            if let Some(told) = told(board) {
                return told;
            }
            next.await;
        }
    }
}

impl<T: Landing> Drop for Waiter<T> {
    fn drop(&mut self) {
        let board = &self.flight.board;
        // It has landed: its seat is free, so that nobody asks any more how many wait.
        if board.brought.get().is_some() {
            return;
        }
        let mut seats = self.flights.seats(&self.key);
        let was_last = board.waiters.fetch_sub(1, Ordering::Relaxed) == 1;
        if was_last && board.deserted == Deserted::Ends && board.brought.get().is_none() {
            // Under the lock, so that nobody joins what has ended.
            self.flight.free(&self.key, &mut seats);
            board.end.cancel();
        }
    }
}

impl<T: Landing> Board<T> {
    fn new(deserted: Deserted) -> Self {
        let (told, end) = (Notify::new(), CancellationToken::new());
        let waiters = AtomicUsize::new(0);
        Self { spare: OnceLock::new(), brought: OnceLock::new(), told, waiters, deserted, end }
    }

    /// Tells those who wait. What was told first stays.
    fn tell(&self, brought: Option<T>) {
        if self.brought.set(brought).is_ok() {
            self.told.notify_waiters();
        }
    }
}

/// Frees a flight's seat when its task ends, however it ends.
struct Leave<T: Landing> {
    flights: Arc<Flights<T>>,
    key: Arc<[u8]>,
    flight: Flight<T>,
}

impl<T: Landing> Leave<T> {
    /// Keeps the seat for the pause; a younger flight may have taken it meanwhile.
    fn pause(&self) -> bool {
        let mut seats = self.flights.seats(&self.key);
        match seats.get_mut(&self.key) {
            Some(seat) if seat.holds(&self.flight) => {
                seat.stage = Stage::Paused(self.flight.clone());
                true
            }
            Some(_) | None => false,
        }
    }

    fn free(&self) {
        self.flight.free(&self.key, &mut self.flights.seats(&self.key));
    }
}

impl<T: Landing> Drop for Leave<T> {
    fn drop(&mut self) {
        self.free();
        self.flight.board.tell(None);
    }
}

impl<T: Landing> Flight<T> {
    /// Tells those who wait what may answer if nothing is brought, or too late. What was told first stays.
    pub(crate) fn finds(&self, spare: T::Spare) {
        if self.board.spare.set(spare).is_ok() {
            self.board.told.notify_waiters();
        }
    }

    /// Frees its seat, unless a younger flight has taken it.
    fn free(&self, key: &[u8], seats: &mut Seats<T>) {
        if seats.get(key).is_some_and(|seat| seat.holds(self)) {
            seats.remove(key);
        }
    }
}

impl<T: Landing> Clone for Flight<T> {
    fn clone(&self) -> Self {
        Self { board: Arc::clone(&self.board) }
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

#[cfg(test)]
mod tests;
