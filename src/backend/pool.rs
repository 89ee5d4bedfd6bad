//! The connections to one endpoint: a hard cap, a bounded line for them, and the idle ones, last used first.
//!
//! ```text
//!                  the line moves, none idle
//!     (nothing) ------------------------------> opening ----- refused, or too late -----> (closed)
//!                                                  |
//!         a reply, and nothing behind it           v
//!   idle <------------------------------------- in use ------ anything else ------------> (closed)
//!   | |                                          ^ |                                         ^
//!   | +------ the line moves, nothing came ------+ | a call without a reply                  |
//!   |                                              v                                         |
//!   |                  a reply, to `idle` <------ lane ------ rested, or its room is needed: |
//!   |                                                         half-closed, lingers ----------+
//!   +---------- idle too long, closed by its peer, or bytes that nobody asked for -----------+
//! ```
//!
//! All of these but the last count under the cap. A connection that lingers longer than a moment, because its peer still
//! handles what it was sent, leaves its room to others; there are never more of those than the cap.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Settings;
use super::connection::{Connection, Idle, Open};
use super::counts::Tally;
use super::deadline::within;
use super::resting::{Rest, Resting};
use crate::bounded::Bounded;

/// The connections to one endpoint. A permit stands for a connection in use; the idle ones fit under the same cap, for
/// a connection is only opened where no idle one can be had.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Idlers>,
    permits: Line,
    /// The one that is kept for checks where there are many: calls that hang must not keep it from being found out that they do.
    kept: Option<Line>,
    /// Half of the connections, so that the other half is left to calls that are answered.
    lanes: Line,
    lingering: Arc<Semaphore>,
    resting: Resting,
    open: Arc<AtomicUsize>,
    waiting: Bounded,
    max_connections: usize,
    max_waiting: usize,
    idle_timeout: Duration,
}

/// Idle connections, the one used last at the end. Each goes in and out once a call: in a box, that is the move of a pointer.
type Idlers = Vec<Box<Connection>>;

/// What a permit is good for.
pub(super) enum Vacancy {
    /// A connection that was used before.
    Used(Box<Connection>),
    /// Room for one to be opened.
    Room(Open),
}

/// A call's place in the line for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Behind those that came before it.
    First,
    /// Behind all that have the first turn.
    Later,
}

/// The line for connections is full, or did not move in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// Calls in the line.
    pub(super) waiting: usize,
}

impl Pool {
    pub(super) fn new(settings: &Settings) -> Self {
        let max_connections = settings.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            idle: Mutex::default(),
            permits: Line::new(max_connections - usize::from(max_connections >= MANY)),
            kept: (max_connections >= MANY).then(|| Line::new(1)),
            lanes: Line::new((max_connections / 2).max(1)),
            lingering: Arc::new(Semaphore::new(max_connections)),
            resting: Resting::default(),
            open: Arc::default(),
            waiting: Bounded::default(),
            max_connections,
            max_waiting: settings.max_waiting,
            idle_timeout: settings.idle_timeout,
        }
    }

    /// Connections that are open, idle ones and those about to be opened included.
    pub(super) fn connections(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// The right to use one connection.
    pub(super) async fn permit(
        &self,
        turn: Turn,
        deadline: Option<Instant>,
    ) -> Result<OwnedSemaphorePermit, Full> {
        self.line_up(&self.permits, turn, deadline).await
    }

    /// The right to use one of the connections for a lane, beside the right to use it.
    pub(super) async fn lane(&self, deadline: Option<Instant>) -> Result<OwnedSemaphorePermit, Full> {
        self.line_up(&self.lanes, Turn::First, deadline).await
    }

    /// The right to linger beyond the cap, if not too many do.
    pub(super) fn linger(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.lingering).try_acquire_owned().ok()
    }

    /// Lets a lane rest. `needed_since` is its own note of when it first saw that its room is needed.
    pub(super) fn rest(&self, needed_since: &mut Option<Instant>) -> Rest<'_> {
        self.resting.begin(|| self.waiting.count() > 0, needed_since, self.idle_timeout)
    }

    /// What the holder of a permit uses: the connection used last, if it did not rest for longer than `rest`, or else room for
    /// one. A connection that rested longer is closed, so that it takes no thread of a server from the one opened in its place.
    pub(super) fn vacancy(&self, rest: Duration, tally: &Tally) -> Vacancy {
        let now = Instant::now();
        loop {
            let mut idle = self.lock();
            let Some(mut connection) = idle.pop() else {
                // Under the lock, so that nobody gives an idle one back meanwhile.
                return Vacancy::Room(Open::count(&self.open));
            };
            drop(idle);
            if now.duration_since(connection.idle_since) >= rest.min(self.idle_timeout) {
                continue;
            }
            match connection.look() {
                Idle::Quiet => return Vacancy::Used(connection),
                Idle::Closed => {}
                Idle::Unsolicited => tally.unsolicited(),
            }
        }
    }

    /// Room for the holder of a permit to open a connection, at the cost of an idle one where the cap is reached.
    pub(super) fn room(&self) -> Open {
        let mut idle = self.lock();
        if self.connections() >= self.max_connections && !idle.is_empty() {
            drop(idle.remove(0));
        }
        Open::count(&self.open)
    }

    /// The right to use a connection for a check, if there is one now.
    pub(super) fn spare(&self) -> Option<OwnedSemaphorePermit> {
        self.kept.as_ref().unwrap_or(&self.permits).take()
    }

    /// An idle connection for a check, the one that rested longest: calls take the others.
    pub(super) fn idle(&self, tally: &Tally) -> Option<Box<Connection>> {
        loop {
            let mut connection = {
                let mut idle = self.lock();
                if idle.is_empty() {
                    return None;
                }
                idle.remove(0)
            };
            match connection.look() {
                Idle::Quiet => return Some(connection),
                Idle::Closed => {}
                Idle::Unsolicited => tally.unsolicited(),
            }
        }
    }

    /// Takes it back; it rests since it did before.
    pub(super) fn put_back(&self, connection: Box<Connection>) {
        self.lock().insert(0, connection);
    }

    /// Takes a connection back that has no call on it. To be called before its permit ends.
    pub(super) fn put(&self, mut connection: Box<Connection>) {
        if self.idle_timeout.is_zero() {
            return;
        }
        connection.idle_since = Instant::now();
        self.lock().push(connection);
    }

    /// Closes the connections that were idle for too long or whose peer has closed them; says when to come again.
    pub(super) fn reap(&self, now: Instant, tally: &Tally) -> Option<Instant> {
        let mut idle = self.lock();
        idle.retain_mut(|one| {
            if one.idle_since + self.idle_timeout <= now {
                return false;
            }
            match one.look() {
                Idle::Quiet => true,
                Idle::Closed => false,
                Idle::Unsolicited => {
                    tally.unsolicited();
                    false
                }
            }
        });
        idle.iter().map(|one| one.idle_since + self.idle_timeout).min()
    }

    async fn line_up(
        &self,
        line: &Line,
        turn: Turn,
        deadline: Option<Instant>,
    ) -> Result<OwnedSemaphorePermit, Full> {
        if let Some(permit) = line.take() {
            return Ok(permit);
        }
        let full = || Full { waiting: self.waiting.count() };
        let _waiting = self.waiting.join(self.max_waiting).ok_or_else(full)?;
        // Only now: a lane that comes to rest from here on sees that somebody waits.
        self.resting.recall_one();
        let permit = within(deadline, line.stand(turn)).await;
        permit.ok().flatten().ok_or_else(full)
    }

    fn lock(&self) -> MutexGuard<'_, Idlers> {
        // A list of whole connections at every moment.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Permits, and the line for them.
#[derive(Debug)]
struct Line {
    permits: Arc<Semaphore>,
    /// Those in the line who have the first turn.
    first: Bounded,
}

impl Line {
    fn new(permits: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits)), first: Bounded::default() }
    }

    /// A permit, if one is left that nobody in the line was given.
    fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Waits in the line, which the semaphore moves first come, first served. Who has a later turn hands on what it gets, and joins
    /// the line anew behind the others, for as long as somebody with the first turn waits.
    async fn stand(&self, turn: Turn) -> Option<OwnedSemaphorePermit> {
        let _first = (turn == Turn::First).then(|| self.first.join(usize::MAX));
        loop {
            let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
            if turn == Turn::First || self.first.count() == 0 {
                return Some(permit);
            }
            drop(permit);
            if let Some(permit) = self.take() {
                return Some(permit);
            }
        }
    }
}

/// Connections of which one may be kept for checks.
const MANY: usize = 8;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// The order in which those get the one permit who come in the order of `turns`, each of whom gives it back at once.
    async fn order(turns: &[Turn]) -> Vec<usize> {
        let (line, order) = (Arc::new(Line::new(1)), Arc::new(Mutex::new(Vec::new())));
        let held = line.take().unwrap();
        for (number, turn) in turns.iter().copied().enumerate() {
            let (line, order) = (Arc::clone(&line), Arc::clone(&order));
            tokio::spawn(async move {
                let _permit = line.stand(turn).await.unwrap();
                order.lock().unwrap().push(number);
            });
            tokio::task::yield_now().await;
        }
        drop(held);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        order.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn those_with_the_first_turn_go_before_all_others_and_each_kind_in_its_order() {
        use Turn::{First, Later};
        assert_eq!(order(&[First, First, First]).await, [0, 1, 2]);
        assert_eq!(order(&[Later, Later, Later]).await, [0, 1, 2]);
        assert_eq!(order(&[Later, First]).await, [1, 0]);
        let mixed = order(&[Later, Later, First, Later, First]).await;
        assert_eq!((mixed.len(), &mixed[..2]), (5, &[2, 4][..]));
    }
}
