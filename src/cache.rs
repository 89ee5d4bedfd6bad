//! Where replies are kept: the local tier before the shared one. It has no errors, only misses.

pub mod envelope;
pub mod local;
pub(crate) mod options;
pub mod shared;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Millis;
use crate::entry::{Entry, Slot};
use crate::key;
use crate::mark::{Covers, Marks, Standing};
use crate::rule::Tiers;

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
    shared: Option<Arc<dyn Store>>,
    /// The least time for which the shared tier keeps an entry: a rule may be lengthened in the middle of an outage.
    keep: Duration,
}

impl Cache {
    /// A cache over a local tier and, where there is one, a shared tier that keeps what it is given for at least `keep`.
    pub fn new(local: Local, shared: Option<Arc<dyn Store>>, keep: Duration) -> Self {
        Self { local: Arc::new(local), marks: Marks::default(), shared, keep }
    }

    /// The local tier.
    pub fn local(&self) -> &Local {
        &self.local
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
        let found = match self.shared_by(tiers)?.get(key).await? {
            Slot::Entry(entry) => Slot::Entry(Arc::new(entry.detached())),
            Slot::Tombstone(born) => Slot::Tombstone(born),
        };
        if tiers.local() || matches!(found, Slot::Tombstone(_)) {
            return self.local.put(key, found).entry();
        }
        found.entry().filter(|entry| !self.is_removed(key, entry.born))
    }

    /// Keeps `entry` in each tier unless something younger is there. `longest` is how long its rule may use it.
    pub fn put(&self, tiers: Tiers, key: &[u8], entry: &Arc<Entry>, longest: Duration) {
        if self.is_removed(key, entry.born) {
            return;
        }
        if tiers.local() {
            self.local.put(key, Slot::Entry(Arc::clone(entry)));
        }
        if let Some(shared) = self.shared_by(tiers) {
            self.write(shared, key, Slot::Entry(Arc::clone(entry)), longest.max(self.keep));
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
            self.write(shared, key, Slot::Tombstone(born), keep);
        }
    }

    /// Whether this process knows that what a call sent at `born` learnt under `key` is wrong.
    pub fn is_removed(&self, key: &[u8], born: Millis) -> bool {
        self.local.tombstone(key).is_some_and(|removed| born <= removed)
    }

    /// Holds all entries of the local tier against the marks whenever there are so many of those that some must go. Never ends.
    pub async fn attend(&self) {
        loop {
            self.marks.crowded().await;
            let sweep = self.marks.sweep();
            self.local.sweep(|key, entry| self.is_clear(key, entry)).await;
            self.marks.swept(sweep);
        }
    }

    fn is_clear(&self, key: &[u8], entry: &Entry) -> bool {
        let place = key::place(key);
        let covers = Covers { place: &place, tags: &entry.tags.covers, key };
        self.marks.standing(&entry.seal, covers) != Standing::Hard
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

    fn shared_by(&self, tiers: Tiers) -> Option<&Arc<dyn Store>> {
        self.shared.as_ref().filter(|_| tiers.shared())
    }

    /// Begins to write to the shared tier. An entry that was removed there is forgotten here too.
    fn write(&self, shared: &Arc<dyn Store>, key: &[u8], slot: Slot, keep: Duration) {
        let size = key.len().saturating_add(slot.body().len());
        let (store, local, key) = (Arc::clone(shared), Arc::clone(&self.local), Box::<[u8]>::from(key));
        shared.writes().begin(size, async move {
            let written = store.put(&key, &slot, keep).await;
            if written == Write::Tombstone {
                local.put(&key, Slot::Tombstone(slot.born()));
            }
            written
        });
    }
}

/// What stands for the longest call where none is said: the longest timeout that can be configured.
const CALL_LONGEST: Duration = Duration::from_secs(3_600);
/// How long after its call's end an answer may still be on its way to the shared tier, and by how much two gateways' rules and clocks
/// may differ meanwhile.
const LATE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
