//! What a flight tells, and those who wait for it.

use crate::dial::Address;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Ask, Deserted, Flights};
use crate::mark::Tick;
use crate::need::{Demand, Need};

/// What a flight brings, and what that means for the seat of a refresh.
pub(crate) trait Landing: Clone + Send + Sync + 'static {
    /// What a flight may find on its way that is of use before it lands.
    type Spare: Clone + Debug + Send + Sync + 'static;

    /// Whether the flight brought nothing.
    fn failed(&self) -> bool;
}

/// A flight under way.
#[derive(Debug)]
pub(crate) struct Flight<T: Landing> {
    pub(super) board: Arc<Board<T>>,
}

/// Where a flight tells what it comes to. Those who wait are woken in the order they came, which a channel of tokio's leaves to chance.
#[derive(Debug)]
pub(super) struct Board<T: Landing> {
    /// What may answer if it brings nothing, or too late: found on its way.
    spare: OnceLock<T::Spare>,
    /// That there is nothing else to be found on its way.
    looked: OnceLock<()>,
    /// What was brought; nothing if the flight ended without landing.
    brought: OnceLock<Option<T>>,
    /// Whenever one of them is there.
    told: Notify,
    /// How many wait for it. Changed under the lock of its seat.
    pub(super) waiters: AtomicUsize,
    pub(super) deserted: Deserted,
    /// The last mark before it began.
    pub(super) tick: Tick,
    /// How much those who wait need it.
    demand: Demand,
    /// Bytes of its call that are counted as nobody's since its last caller was answered.
    pub(super) orphaned: OnceLock<usize>,
    /// Ends it before it lands, where its last caller may.
    pub(super) end: Option<CancellationToken>,
}

/// One who waits for a flight.
#[derive(Debug)]
pub(crate) struct Waiter<T: Landing> {
    pub(super) flights: Arc<Flights<T>>,
    pub(super) key: Arc<[u8]>,
    pub(super) flight: Flight<T>,
    pub(super) leaving: Leaving,
}

/// Why somebody waits no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// The client has gone.
    Gone,
    /// Something else has answered.
    Answered,
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

    /// Waits until the flight has found whatever may answer if it brings nothing.
    pub(crate) async fn looked(&self) {
        self.until(|board| board.looked.get().copied()).await;
    }

    /// What the flight has found so far.
    pub(crate) fn spare(&self) -> Option<T::Spare> {
        self.flight.board.spare.get().cloned()
    }

    /// Waits no longer, because something else has answered. The flight goes on.
    pub(crate) fn leave(mut self) {
        self.leaving = Leaving::Answered;
    }

    /// Waits until something stands on the board.
    async fn until<R>(&self, told: impl Fn(&Board<T>) -> Option<R>) -> R {
        let board = &*self.flight.board;
        if let Some(told) = told(board) {
            return told;
        }
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
        if board.is_over() {
            return;
        }
        let mut seats = self.flights.seats(&self.key);
        let was_last = board.waiters.fetch_sub(1, Ordering::Relaxed) == 1;
        if was_last && !board.is_over() && self.flights.ends(board, self.leaving) {
            // Under the lock, so that nobody joins what has ended.
            self.flight.free(&self.key, &mut seats);
            board.end.iter().for_each(CancellationToken::cancel);
        }
    }
}

impl<T: Landing> Waiter<T> {
    /// The endpoint that the flight has asked last, if any.
    pub(crate) fn endpoint(&self) -> Option<Address> {
        self.flight.demand().endpoint()
    }
}

impl<T: Landing> Flight<T> {
    pub(super) fn new(ask: Ask) -> Self {
        Self { board: Arc::new(Board::new(ask)) }
    }

    /// How much it is needed.
    pub(crate) fn demand(&self) -> &Demand {
        &self.board.demand
    }

    /// Whether it has found something that may answer if it brings nothing, or too late.
    pub(crate) fn has_spare(&self) -> bool {
        self.board.spare.get().is_some()
    }

    /// Tells those who wait what may answer if nothing is brought, or too late, and so how much they need it from now on. What was told
    /// first stays.
    pub(crate) fn finds(&self, spare: T::Spare, need: Need) {
        if self.board.spare.set(spare).is_ok() {
            self.board.demand.shrink(need);
            self.board.told.notify_waiters();
        }
    }

    /// Tells those who wait that nothing else will be found that may answer if nothing is brought.
    pub(crate) fn has_looked(&self) {
        if self.board.looked.set(()).is_ok() {
            self.board.told.notify_waiters();
        }
    }
}

impl<T: Landing> Clone for Flight<T> {
    fn clone(&self) -> Self {
        Self { board: Arc::clone(&self.board) }
    }
}

impl<T: Landing> Board<T> {
    fn new(Ask { deserted, need, tick, .. }: Ask) -> Self {
        Self {
            spare: OnceLock::new(),
            looked: OnceLock::new(),
            brought: OnceLock::new(),
            told: Notify::new(),
            waiters: AtomicUsize::new(0),
            deserted,
            tick,
            demand: Demand::new(need),
            orphaned: OnceLock::new(),
            end: match deserted {
                Deserted::Lands => None,
                Deserted::Ends(_) => Some(CancellationToken::new()),
            },
        }
    }

    /// Somebody comes to wait who has this need, but for what the flight has found.
    pub(super) fn awaited(&self, need: Need) {
        self.demand.grow(if self.spare.get().is_some() { need.min(Need::Spared) } else { need });
    }

    /// What the flight has found so far.
    pub(super) fn spare(&self) -> Option<&T::Spare> {
        self.spare.get()
    }

    /// Tells those who wait. What was told first stays.
    pub(super) fn tell(&self, brought: Option<T>) {
        if self.brought.set(brought).is_ok() {
            self.told.notify_waiters();
        }
    }

    fn is_over(&self) -> bool {
        self.brought.get().is_some()
    }
}
