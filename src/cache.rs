//! Where replies are kept: the local tier before the shared one. It has no errors, only misses.

mod backlog;
pub mod envelope;
mod fleet;
pub(crate) mod inspect;
mod lease;
pub mod local;
pub(crate) mod options;
pub mod shared;
pub(crate) mod snapshot;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join3;
use prometheus_client::metrics::counter::Counter;
use tracing::debug;

use crate::clock::{Clock, Millis};
use crate::entry::{Entry, Slot};
use crate::key;
use crate::mark::{Audience, Cover, Covers, Mark, Marks, Reach, Seal, Standing, Tick, Version, Vetted};
use crate::rule::Tiers;

use backlog::{Backlog, Pending};
use fleet::Fleet;
pub use fleet::Ticket;
pub use lease::{Lease, Turn};
use local::Local;
use shared::{Store, Write};

/// Both tiers.
///
/// An answer that proves an entry wrong leaves a tombstone in its place: a call that was sent before that answer's may
/// land after it, here or in another gateway, and must not bring back what it heard.
#[derive(Debug)]
pub struct Cache {
    local: Arc<Local>,
    marks: Marks,
    fleet: Option<Fleet>,
    shared: Option<Arc<dyn Store>>,
    keep: Arc<Keep>,
    /// What waits for the shared tier.
    backlog: Arc<Backlog>,
    /// For how long a gateway may keep others waiting; zero where none does.
    lease: Duration,
}

/// For how long the shared tier keeps entries.
#[derive(Debug)]
struct Keep {
    /// At least: a rule may be lengthened in the middle of an outage.
    least: Duration,
    /// The longest so far, in milliseconds.
    longest: AtomicU64,
}

impl Keep {
    fn new(least: Duration) -> Self {
        Self { least, longest: AtomicU64::default() }
    }

    /// For an entry that its rule may use for `longest`.
    fn of(&self, longest: Duration) -> Duration {
        let keep = longest.max(self.least);
        self.longest.fetch_max(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        keep
    }

    /// For any entry.
    fn longest(&self) -> Duration {
        Duration::from_millis(self.longest.load(Ordering::Relaxed)).max(self.least)
    }
}

impl Cache {
    /// A cache over a local tier and, where there is one, a shared tier that keeps what it is given for at least `keep`.
    pub fn new(local: Local, shared: Option<Arc<dyn Store>>, keep: Duration) -> Self {
        Self {
            local: Arc::new(local),
            marks: Marks::default(),
            fleet: None,
            shared,
            keep: Arc::new(Keep::new(keep)),
            backlog: Arc::default(),
            lease: Duration::ZERO,
        }
    }

    /// The same cache in a gateway that shares its marks with all others of its shared tier, and asks in turn with them, each
    /// for up to `lease`. `gateway` is a number that no other has.
    #[must_use]
    pub fn in_fleet(self, clock: Clock, gateway: u64, lease: Duration) -> Self {
        let Some(shared) = &self.shared else { return self };
        let fleet = Fleet::new(Arc::clone(shared), clock, gateway, Arc::clone(&self.keep));
        Self { fleet: Some(fleet), marks: Marks::shared(), lease, ..self }
    }

    /// The local tier.
    pub fn local(&self) -> &Local {
        &self.local
    }

    /// Covers what was learnt so far by `mark`, which is made now, and tells the other gateways.
    pub fn mark(&self, mark: Mark, now: Millis) -> Option<Ticket> {
        match &self.fleet {
            Some(fleet) => Some(fleet.mark(&self.marks, mark, now)),
            None => {
                self.marks.mark(&mark, now, Audience::Here);
                None
            }
        }
    }

    /// Waits until a mark has got so far, for at most as long as a gateway may be waited for that has died, and says how far it has. A gateway
    /// that shares nothing is all.
    pub async fn reaches(&self, ticket: Option<Ticket>, reach: Reach) -> Reach {
        match (&self.fleet, ticket) {
            (Some(fleet), Some(ticket)) => fleet.reaches(ticket, reach, fleet::WAIT_MAX).await,
            (_, _) => Reach::Fleet,
        }
    }

    /// The place of a mark in the order of those of all gateways, once it has one.
    pub(crate) fn place(&self, ticket: Ticket) -> Option<Version> {
        self.fleet.as_ref().and_then(|fleet| fleet.place(ticket))
    }

    /// Marks that the other gateways have not been told.
    pub fn untold(&self) -> usize {
        self.fleet.as_ref().map_or(0, Fleet::untold)
    }

    /// Those marks as bytes, for a later process.
    pub fn untold_bytes(&self) -> Vec<u8> {
        self.fleet.as_ref().map_or_else(Vec::new, Fleet::untold_bytes)
    }

    /// Makes the marks again that an earlier process has left so. Returns how many; what is broken ends them.
    pub fn recall_untold(&self, bytes: &[u8], now: Millis) -> usize {
        let marks = fleet::decoded(bytes);
        let count = marks.len();
        marks.into_iter().for_each(|mark| _ = self.mark(mark, now));
        count
    }

    /// By how many milliseconds the shared tier's clock is ahead of ours, and by how much that may be wrong.
    pub fn offset(&self) -> (i64, Duration) {
        self.shared.as_ref().map_or((0, Duration::ZERO), |shared| shared.time().offset())
    }

    /// How many gateways share the tier, as far as is known.
    pub fn gateways(&self) -> usize {
        self.fleet.as_ref().map_or(1, Fleet::gateways)
    }

    /// What was declared wrong.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The entry that this process holds under `key`.
    #[inline]
    pub fn near(&self, tiers: Tiers, key: &[u8]) -> Option<Arc<Entry>> {
        if tiers.local() { self.local.find(key) } else { None }
    }

    /// The entry that the gateways share under `key`, unless this process knows better. It is kept in this process from
    /// then on, at the age it has.
    pub async fn far(&self, tiers: Tiers, key: &[u8]) -> Option<Arc<Entry>> {
        let shared = self.shared_by(tiers)?;
        let found = shared.get(key).await;
        debug!(found = found.is_some(), "the shared tier was asked");
        let found = match shared.time().ours(found?) {
            Slot::Entry(entry) => Slot::Entry(self.held(key, entry).await?),
            Slot::Tombstone(born) => Slot::Tombstone(born),
        };
        if tiers.local() || matches!(found, Slot::Tombstone(_)) {
            return self.local.put(key, found).entry();
        }
        found.entry().filter(|entry| !self.is_removed(key, entry.born))
    }

    /// The entry that this process holds under `key`. What an earlier process has left is held against the marks, if others make some too
    /// and can be asked.
    pub async fn vetted(&self, tiers: Tiers, key: &[u8]) -> Option<Arc<Entry>> {
        let entry = self.near(tiers, key)?;
        if self.fleet.is_none() || !entry.seal.is_doubtful() {
            return Some(entry);
        }
        match self.held(key, Arc::clone(&entry)).await {
            // Whether it was removed meanwhile, marks do not tell.
            Some(held) => {
                let held = Arc::unwrap_or_clone(held);
                let softened = Entry { seal: held.seal.softened(), ..held };
                self.local.put(key, Slot::Entry(Arc::new(softened))).entry()
            }
            None => Some(entry),
        }
    }

    /// An entry that others may have learnt, held against the marks; nothing if one says that it never answers, or nobody can tell.
    async fn held(&self, key: &[u8], mut entry: Arc<Entry>) -> Option<Arc<Entry>> {
        let (standing, tick) = self.vet(key, &entry).await?;
        if standing == Standing::Hard {
            return None;
        }
        // One that has just been read is nobody else's, and is not copied.
        let held = Arc::make_mut(&mut entry);
        held.seal = Seal::held(tick, standing);
        held.detach();
        Some(entry)
    }

    /// What marks leave of an entry that others may have learnt, and up to which mark that is known; nothing if nobody can tell.
    async fn vet(&self, key: &[u8], entry: &Entry) -> Option<(Standing, Tick)> {
        let place = key::place(key);
        let covers = covering(&place, key, entry);
        match self.marks.vet(entry.version, covers) {
            Vetted::Standing(standing, tick) => Some((standing, tick)),
            // What is marked meanwhile is later than what is asked for.
            Vetted::TooOld(known, tick) => {
                let asked: Vec<Cover> = covers.each().collect();
                let exact = self.shared.as_ref()?.feed().exact(&asked).await.ok()?;
                let unmarked = self.fleet.as_ref().map_or(Standing::Clear, Fleet::unmarked);
                let left = exact.iter().map(|exact| exact.leaves(entry.version));
                Some((left.fold(known.max(unmarked), Standing::max), tick))
            }
        }
    }

    /// Keeps `entry` in each tier unless something younger is there. `longest` is how long its rule may use it. A lease is given back when it
    /// lies in the shared tier.
    pub fn put(&self, tiers: Tiers, key: &[u8], entry: &Arc<Entry>, longest: Duration, lease: Option<Lease>) {
        if self.is_removed(key, entry.born) {
            return;
        }
        if tiers.local() {
            self.local.put(key, Slot::Entry(Arc::clone(entry)));
        }
        if let Some(shared) = self.shared_by(tiers) {
            let slot = Slot::Entry(Arc::clone(entry));
            self.write(shared, Pending::new(key, slot, self.keep.of(longest)), lease);
        }
    }

    /// Forgets what was learnt under `key` by calls sent up to `born`, also by those that have not landed yet. `longest` is how long
    /// such a call may take.
    ///
    /// This process notes it whatever the tiers are, because a write to the shared tier takes its time and may fail.
    pub fn remove(&self, tiers: Tiers, key: &[u8], born: Millis, longest: Option<Duration>) {
        self.local.put(key, Slot::Tombstone(born));
        if let Some(shared) = self.shared_by(tiers) {
            let keep = longest.unwrap_or(CALL_LONGEST).saturating_add(LATE);
            self.write(shared, Pending::new(key, Slot::Tombstone(born), keep), None);
        }
    }

    /// Whether this process knows that what a call sent at `born` learnt under `key` is wrong.
    pub fn is_removed(&self, key: &[u8], born: Millis) -> bool {
        self.local.tombstone(key).is_some_and(|removed| born <= removed)
    }

    /// Tells and hears marks, holds all entries of the local tier against them whenever there are so many that some must go, and writes to the
    /// shared tier what has waited for it. Never ends.
    pub async fn attend(&self) {
        let hears = async {
            if let Some(fleet) = &self.fleet {
                fleet.attend(&self.marks).await;
            }
        };
        let catches_up = async {
            if let Some(shared) = &self.shared {
                self.catch_up(shared).await;
            }
        };
        join3(pin!(self.sweeps()), pin!(hears), pin!(catches_up)).await;
    }

    /// Writes what waits for the shared tier, once that is up and was told all marks, at a bounded pace. Never ends.
    async fn catch_up(&self, shared: &Arc<dyn Store>) {
        loop {
            self.backlog.due().await;
            if shared.is_up() && self.untold() == 0 {
                let due = self.backlog.take(CAUGHT_UP_AT_ONCE);
                due.into_iter().for_each(|pending| self.write(shared, pending, None));
            }
            tokio::time::sleep(CATCHES_UP_EACH).await;
        }
    }

    /// Writes that wait for the shared tier.
    pub fn backlog(&self) -> usize {
        self.backlog.waiting()
    }

    /// Writes that waited and were forgotten, because too many did or the shared tier does not take them.
    pub fn forgotten(&self) -> &Counter {
        self.backlog.forgotten()
    }

    async fn sweeps(&self) {
        loop {
            self.marks.crowded().await;
            let sweep = self.marks.sweep();
            self.local.sweep(|key, entry| self.is_clear(key, entry)).await;
            self.marks.swept(sweep);
        }
    }

    fn is_clear(&self, key: &[u8], entry: &Entry) -> bool {
        self.marks.standing(&entry.seal, covering(&key::place(key), key, entry)) != Standing::Hard
    }

    /// Waits until the writes to the shared tier that were begun have ended.
    pub async fn settled(&self) {
        if let Some(shared) = &self.shared {
            shared.writes().settled().await;
        }
    }

    /// Writes to the shared tier that have not ended.
    pub fn writes_under_way(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| shared.writes().under_way())
    }

    /// Lets the shared tier go: it is down from then on, and no task of it is left.
    pub async fn end(&self) {
        if let Some(shared) = &self.shared {
            shared.end().await;
        }
    }

    /// How many servers of the shared tier are not reached.
    pub fn servers_away(&self) -> usize {
        self.shared.as_ref().map_or(0, |shared| shared.servers_away())
    }

    fn shared_by(&self, tiers: Tiers) -> Option<&Arc<dyn Store>> {
        self.shared.as_ref().filter(|_| tiers.shared())
    }

    /// Begins to write to the shared tier. An entry that was removed there is forgotten here too; what does not get there waits.
    fn write(&self, shared: &Arc<dyn Store>, pending: Pending, lease: Option<Lease>) {
        let room = match shared.writes().admit(pending.size()) {
            Ok(room) => room,
            Err(refused) => return self.backlog.hold(pending, refused),
        };
        let (store, local) = (Arc::clone(shared), Arc::clone(&self.local));
        let backlog = Arc::clone(&self.backlog);
        room.begin(async move {
            let Pending { key, slot, .. } = &pending;
            let written = store.put(key, &store.time().told(slot), pending.keep()).await;
            if written == Write::Tombstone {
                local.put(key, Slot::Tombstone(slot.born()));
            }
            backlog.hold(pending, written);
            if let Some(lease) = lease {
                lease.give_back().await;
            }
            written
        });
    }
}

/// All that may cover `entry`, kept under `key`, whose method and service are at `place`.
fn covering<'a>(place: &'a [Cover], key: &'a [u8], entry: &'a Entry) -> Covers<'a> {
    Covers { place, tags: &entry.tags.covers, key }
}

/// What stands for the longest call where none is said: the longest timeout that can be configured.
const CALL_LONGEST: Duration = Duration::from_secs(3_600);
/// How many writes that have waited are begun at once, and how soon the next: 3,200 a second, a fraction of what a Redis takes.
const CAUGHT_UP_AT_ONCE: usize = 32;
const CATCHES_UP_EACH: Duration = Duration::from_millis(10);
/// How long after its call's end an answer may still be on its way to the shared tier, and by how much two gateways' rules and clocks
/// may differ meanwhile.
const LATE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
