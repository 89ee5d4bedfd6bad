//! The connections to one endpoint: a hard cap, a bounded line for them, and the idle ones, last used first.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::Settings;
use super::connection::{Connection, Idle, Open};
use super::counts::Tally;
use super::deadline::within;

/// The connections to one endpoint. A permit stands for a connection in use; the idle ones fit under the same cap, for
/// a connection is only opened where no idle one can be had.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    open: Arc<AtomicUsize>,
    waiting: AtomicUsize,
    max_connections: usize,
    max_waiting: usize,
    idle_timeout: Duration,
}

/// What a permit is good for.
#[expect(
    clippy::large_enum_variant,
    reason = "lives for one statement; a box would cost every call an allocation"
)]
pub(super) enum Slot {
    /// A connection that was used before.
    Used(Connection),
    /// Room for one to be opened.
    Room(Open),
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
            permits: Arc::new(Semaphore::new(max_connections)),
            open: Arc::default(),
            waiting: AtomicUsize::new(0),
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
    pub(super) async fn permit(&self, deadline: Option<Instant>) -> Result<OwnedSemaphorePermit, Full> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let full = || Full { waiting: self.waiting.load(Ordering::Acquire) };
        let _queued = Queued::join(&self.waiting, self.max_waiting).ok_or_else(full)?;
        let permit = within(deadline, Arc::clone(&self.permits).acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or_else(full)
    }

    /// What the holder of a permit uses. `None` where all that is left rests after a oneway call, until the time given.
    pub(super) fn slot(&self, tally: &Tally) -> Result<Slot, Instant> {
        let now = Instant::now();
        loop {
            let mut idle = self.lock();
            let Some(index) = idle.iter().rposition(|one| one.rests_until.is_none_or(|until| until <= now))
            else {
                let rested = idle.iter().filter_map(|one| one.rests_until).min();
                // Under the lock, so that no two see the same room.
                return match Open::reserve(&self.open, self.max_connections) {
                    Some(open) => Ok(Slot::Room(open)),
                    None => Err(rested.unwrap_or(now + REST_LEAST)),
                };
            };
            let mut connection = idle.remove(index);
            drop(idle);
            if connection.idle_since + self.idle_timeout <= now {
                continue;
            }
            match connection.look() {
                Idle::Quiet => {
                    connection.rests_until = None;
                    return Ok(Slot::Used(connection));
                }
                Idle::Closed => {}
                Idle::Unsolicited => tally.unsolicited(),
            }
        }
    }

    /// Room for a connection to be opened, at the cost of an idle one where the cap is reached.
    pub(super) fn room(&self) -> Option<Open> {
        let mut idle = self.lock();
        loop {
            if let Some(open) = Open::reserve(&self.open, self.max_connections) {
                return Some(open);
            }
            if idle.is_empty() {
                return None;
            }
            drop(idle.remove(0));
        }
    }

    /// Takes a connection back that has no call on it. To be called before its permit ends.
    pub(super) fn put(&self, mut connection: Connection) {
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

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        // A list of whole connections at every moment.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in the line.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn join(waiting: &'a AtomicUsize, bound: usize) -> Option<Self> {
        let more = |waiting: usize| (waiting < bound).then_some(waiting + 1);
        waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok().map(|_| Self(waiting))
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How soon to look again where a connection is being closed at this moment.
const REST_LEAST: Duration = Duration::from_millis(1);
