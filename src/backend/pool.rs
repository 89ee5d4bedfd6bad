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

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Settings;
use super::aging::{Aging, Fit, Stake};
use super::connection::{Connection, Idle, Last, Open};
use super::counts::Tally;
use super::idling::Idling;
use super::line::{Line, Permit, Unserved};
use super::proof::Proven;
use super::queue::Wish;
use super::resting::{Rest, Resting};
use crate::bounded::{Admitted, Bounded};
use crate::wire::Bounds;

/// The connections to one endpoint. A permit stands for a connection in use; the idle ones fit under the same cap, for
/// a connection is only opened where no idle one can be had.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Stock>,
    pub(super) permits: Line,
    /// The one that is kept for checks where there are many: calls that hang must not keep it from being found out that they do.
    kept: Line,
    /// Half of the connections, so that the other half is left to calls that are answered.
    lanes: Line,
    /// Connections that linger beyond the cap.
    lingering: Bounded,
    resting: Resting,
    open: Arc<AtomicUsize>,
    /// Of the open ones, those on which something came.
    pub(super) proven: Proven,
}

/// Idle connections, and which are kept.
#[derive(Debug)]
struct Stock {
    all: Idlers,
    /// What was opened before is not kept.
    since: Instant,
    keep: Keep,
    idling: Idling,
    aging: Aging,
}

/// What a look at the idle connections came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reaped {
    /// When to come again.
    pub(super) next: Option<Instant>,
    /// Whether any was found that its peer has closed.
    pub(super) found_closed: bool,
    /// The rest after which connections are given up from now on, if that is news.
    pub(super) rest: Option<Duration>,
    /// The age at which they are, if that is.
    pub(super) age: Option<Duration>,
}

/// The one used last at the end. Each goes in and out once a call: in a box, that is the move of a pointer.
type Idlers = Vec<Box<Connection>>;

/// Which connections are kept.
#[derive(Clone, Copy, Debug)]
struct Keep {
    /// For how long at rest; none where that is zero.
    time: Duration,
    /// Connections that there may be, those in use included.
    most: usize,
    /// Others were opened when other replies were allowed.
    bounds: Bounds,
}

/// How many connections there are of each kind at most.
struct Sizes {
    permits: usize,
    kept: usize,
    lanes: usize,
}

/// What a permit is good for.
pub(super) enum Vacancy {
    /// A connection that was used before.
    Used(Box<Connection>),
    /// Room for one to be opened.
    Room(Open),
}

impl Pool {
    pub(super) fn new(settings: &Settings) -> Self {
        let keep = Keep::of(settings);
        let Sizes { permits, kept, lanes } = Sizes::of(keep.most);
        let (idling, aging) = (Idling::new(), Aging::new(settings.max_age));
        Self {
            idle: Mutex::new(Stock { all: Vec::new(), since: Instant::now(), keep, idling, aging }),
            permits: Line::new(permits, settings.max_waiting),
            kept: Line::new(kept, 0),
            lanes: Line::new(lanes, settings.max_waiting),
            lingering: Bounded::default(),
            resting: Resting::default(),
            open: Arc::default(),
            proven: Proven::default(),
        }
    }

    /// Obeys other settings: what is not kept by them is closed, at once if it is idle, else when it is given back.
    pub(super) fn obey(&self, settings: &Settings) {
        let keep = Keep::of(settings);
        let Sizes { permits, kept, lanes } = Sizes::of(keep.most);
        self.permits.resize(permits, settings.max_waiting);
        self.kept.resize(kept, 0);
        self.lanes.resize(lanes, settings.max_waiting);
        self.lock().aging.obey(settings.max_age);
        self.keep(keep);
    }

    /// Keeps no connection any more that is open by now.
    pub(super) fn renew(&self) {
        let mut idle = self.lock();
        idle.since = Instant::now();
        idle.all.clear();
    }

    /// Keeps no connection any more, and gives none. Calls under way end on those that they have.
    pub(super) fn close(&self) {
        self.permits.close();
        self.lanes.close();
        let keep = Keep { time: Duration::ZERO, ..self.lock().keep };
        self.keep(keep);
    }

    fn keep(&self, keep: Keep) {
        let mut idle = self.lock();
        idle.keep = keep;
        idle.all.retain(|one| keep.wants(one));
        while self.connections() > keep.most && !idle.all.is_empty() {
            drop(idle.all.remove(0));
        }
    }

    /// Connections that are open, idle ones and those about to be opened included.
    pub(super) fn connections(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// The right to use one connection.
    pub(super) async fn permit(&self, wish: Wish<'_>, deadline: Option<Instant>) -> Result<Permit, Unserved> {
        self.line_up(&self.permits, wish, deadline).await
    }

    /// The right to use one of the connections for a lane, beside the right to use it.
    pub(super) async fn lane(&self, wish: Wish<'_>, deadline: Option<Instant>) -> Result<Permit, Unserved> {
        self.line_up(&self.lanes, wish, deadline).await
    }

    /// The right to linger beyond the cap, if not too many do.
    pub(super) fn linger(&self) -> Option<Admitted> {
        let most = self.lock().keep.most;
        self.lingering.join(most)
    }

    /// Lets a lane rest whose connection was opened at `opened`. `needed_since` is its own note of when it first saw that its room is
    /// needed, or that its connection is too old.
    pub(super) fn rest(&self, opened: Instant, needed_since: &mut Option<Instant>) -> Rest<'_> {
        let (now, idle) = (Instant::now(), self.lock());
        let oldest = idle.aging.oldest_for(Stake::Call, now);
        let left = oldest.map(|oldest| oldest.saturating_sub(now.duration_since(opened)));
        let longest = idle.longest(now).min(left.unwrap_or(Duration::MAX));
        drop(idle);
        let is_needed = || left == Some(Duration::ZERO) || self.permits.is_short() || self.lanes.is_short();
        self.resting.begin(is_needed, needed_since, longest)
    }

    /// What the holder of a permit uses: the connection of its caller's identity that was used last, if it fits, or else room for one. A connection that does not fit is
    /// closed, so that it takes no thread of a server from the one opened in its place.
    pub(super) fn vacancy(&self, fit: Fit<'_>, tally: &Tally) -> Vacancy {
        let now = Instant::now();
        loop {
            let mut idle = self.lock();
            let theirs = idle.all.iter().rposition(|one| one.owner == *fit.owner);
            let Some(at) = theirs else {
                // Under the lock, so that nobody gives an idle one back meanwhile.
                return Vacancy::Room(self.room_among(&mut idle));
            };
            let mut connection = idle.all.remove(at);
            let is_fit = idle.fits(&connection, fit, now);
            drop(idle);
            if is_fit && self.is_good(&mut connection, now, tally) {
                return Vacancy::Used(connection);
            }
        }
    }

    /// Room for the holder of a permit to open a connection, at the cost of an idle one where the cap is reached.
    pub(super) fn room(&self) -> Open {
        self.room_among(&mut self.lock())
    }

    /// The same, under the lock. Of the idle ones it is the longest at rest that goes: one of whom few calls are made as.
    fn room_among(&self, idle: &mut Stock) -> Open {
        if self.connections() >= idle.keep.most && !idle.all.is_empty() {
            drop(idle.all.remove(0));
        }
        Open::count(&self.open)
    }

    /// The right to use a connection for a check, if there is one now.
    pub(super) fn spare(&self) -> Option<Permit> {
        if self.kept.size() > 0 { self.kept.spare() } else { self.permits.spare() }
    }

    /// An idle connection for a check, the one that rested longest: calls take the others.
    pub(super) fn idle(&self, tally: &Tally) -> Option<Box<Connection>> {
        loop {
            let mut connection = {
                let mut idle = self.lock();
                if idle.all.is_empty() {
                    return None;
                }
                idle.all.remove(0)
            };
            if self.is_good(&mut connection, Instant::now(), tally) {
                return Some(connection);
            }
        }
    }

    /// Whether nothing came on an idle connection.
    fn is_good(&self, connection: &mut Connection, now: Instant, tally: &Tally) -> bool {
        let (found, rest) = (connection.look(), now.duration_since(connection.idle_since));
        // The lock is not taken for what rested for a moment.
        if Idling::wants(rest, connection.last) {
            self.lock().idling.saw(found, connection.last, rest, now);
        }
        if found == Idle::Unsolicited {
            tally.unsolicited();
        }
        found == Idle::Quiet
    }

    /// The rest after which connections are given up because their server would close them soon, as far as that was learnt.
    pub(super) fn learnt_rest(&self) -> Option<Duration> {
        self.lock().idling.longest(Instant::now())
    }

    /// Whether its peer was seen to close connections after exceptions.
    pub(super) fn closes_after_exceptions(&self) -> bool {
        self.lock().idling.closes_after_exceptions(Instant::now())
    }

    /// The age at which connections are given up because their server would close them soon, as far as that was learnt.
    pub(super) fn learnt_age(&self) -> Option<Duration> {
        self.lock().aging.learnt(Instant::now())
    }

    /// Notes that a connection was closed by its peer under a call.
    pub(super) fn ended_under_call(&self, connection: &Connection) {
        let now = Instant::now();
        self.lock().aging.saw_closed(now.duration_since(connection.opened), now);
    }

    /// Forgets what was learnt: another process may listen there.
    pub(super) fn forget(&self) {
        let mut idle = self.lock();
        idle.idling = Idling::new();
        idle.aging.forget();
    }

    /// Closes the idle connection that rested longest, if there is one.
    pub(super) fn close_one(&self) {
        let mut idle = self.lock();
        if !idle.all.is_empty() {
            drop(idle.all.remove(0));
        }
    }

    /// Takes it back; it rests since it did before.
    pub(super) fn put_back(&self, connection: Box<Connection>) {
        let mut idle = self.lock();
        if idle.keep.wants(&connection) {
            idle.all.insert(0, connection);
        }
    }

    /// Takes a connection back that has no call on it. To be called before its permit ends.
    pub(super) fn put(&self, mut connection: Box<Connection>) {
        let now = Instant::now();
        connection.idle_since = now;
        let mut idle = self.lock();
        idle.aging.saw_open(now.duration_since(connection.opened), now);
        if idle.wants(&connection, now) && self.connections() <= idle.keep.most {
            idle.all.push(connection);
        }
    }

    /// Closes the connections that were idle for too long or whose peer has closed them.
    pub(super) fn reap(&self, now: Instant, tally: &Tally) -> Reaped {
        let stock = &mut *self.lock();
        let (longest, oldest, mut found_closed) = (stock.longest(now), stock.aging.oldest(now), false);
        let oldest = oldest.unwrap_or(Duration::MAX);
        let Stock { all, idling, aging, .. } = stock;
        all.retain_mut(|one| {
            // Also at one that is given up: what became of it says how long the next may rest.
            let (found, rest) = (one.look(), now.duration_since(one.idle_since));
            idling.saw(found, one.last, rest, now);
            match found {
                Idle::Quiet => aging.saw_open(now.duration_since(one.opened), now),
                Idle::Closed => found_closed = true,
                Idle::Unsolicited => tally.unsolicited(),
            }
            found == Idle::Quiet && rest < longest && now.duration_since(one.opened) < oldest
        });
        let next = all.iter().map(|one| one.idle_since + longest).min();
        Reaped { next, found_closed, rest: idling.news(now), age: aging.news(now) }
    }

    async fn line_up(
        &self,
        line: &Line,
        wish: Wish<'_>,
        deadline: Option<Instant>,
    ) -> Result<Permit, Unserved> {
        if let Some(permit) = line.take(wish) {
            return Ok(permit);
        }
        // In a box, so that the calls that need not wait are small.
        Box::pin(line.stand(wish, deadline, || self.resting.recall_one())).await
    }

    fn lock(&self) -> MutexGuard<'_, Stock> {
        // A list of whole connections at every moment.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stock {
    /// How long a connection may rest.
    fn longest(&self, now: Instant) -> Duration {
        self.idling.longest(now).map_or(self.keep.time, |learnt| learnt.min(self.keep.time))
    }

    fn wants(&self, connection: &Connection, now: Instant) -> bool {
        let ends = connection.last == Last::Exception && self.idling.closes_after_exceptions(now);
        let is_old =
            self.aging.oldest(now).is_some_and(|oldest| now.duration_since(connection.opened) >= oldest);
        self.keep.wants(connection) && connection.opened >= self.since && !ends && !is_old
    }

    /// Whether a call may have a connection.
    fn fits(&self, connection: &Connection, fit: Fit<'_>, now: Instant) -> bool {
        let (rested, age) =
            (now.duration_since(connection.idle_since), now.duration_since(connection.opened));
        let lasts = |oldest| age + fit.lasts() < oldest;
        rested < fit.rest.min(self.longest(now)) && self.aging.oldest_for(fit.stake, now).is_none_or(lasts)
    }
}

impl Keep {
    fn of(settings: &Settings) -> Self {
        let most = settings.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Self { time: settings.idle_timeout, most, bounds: settings.bounds }
    }

    fn wants(&self, connection: &Connection) -> bool {
        !self.time.is_zero() && connection.is_bounded_by(self.bounds)
    }
}

impl Sizes {
    fn of(most: usize) -> Self {
        let kept = usize::from(most >= MANY);
        Self { permits: most - kept, kept, lanes: (most / 2).max(1) }
    }
}

/// Connections of which one may be kept for checks.
const MANY: usize = 8;
