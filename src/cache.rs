//! Where replies are kept: the local tier before the shared one. It has no errors, only misses.

pub mod envelope;
pub mod local;
pub mod options;
pub mod shared;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Millis;
use crate::entry::Entry;
use crate::rule::Tiers;

use local::Local;
use shared::Store;

/// Both tiers.
#[derive(Debug)]
pub struct Cache {
    local: Local,
    shared: Option<Arc<dyn Store>>,
    /// The least time for which the shared tier keeps an entry: a rule may be lengthened in the middle of an outage.
    keep: Duration,
}

impl Cache {
    /// A cache over a local tier and, where there is one, a shared tier that keeps what it is given for at least `keep`.
    pub fn new(local: Local, shared: Option<Arc<dyn Store>>, keep: Duration) -> Self {
        Self { local, shared, keep }
    }

    /// The local tier.
    pub fn local(&self) -> &Local {
        &self.local
    }

    /// The entry that this process holds under `key`.
    #[inline]
    pub fn near(&self, tiers: Tiers, key: &[u8]) -> Option<Arc<Entry>> {
        if tiers.local() { self.local.find(key) } else { None }
    }

    /// The entry that the gateways share under `key`. It is kept in this process from then on, at the age it has.
    pub async fn far(&self, tiers: Tiers, key: &[u8]) -> Option<Arc<Entry>> {
        let shared = self.shared.as_ref().filter(|_| tiers.shared())?;
        let entry = Arc::new(shared.get(key).await?.detached());
        if tiers.local() {
            self.local.put(key, Arc::clone(&entry));
        }
        Some(entry)
    }

    /// Keeps `entry` in each tier unless a younger one is there. `longest` is how long its rule may use it.
    pub fn put(&self, tiers: Tiers, key: &[u8], entry: &Arc<Entry>, longest: Duration) {
        if tiers.local() {
            self.local.put(key, Arc::clone(entry));
        }
        if let Some(shared) = self.shared.as_ref().filter(|_| tiers.shared()) {
            shared.put(key, Arc::clone(entry), longest.max(self.keep));
        }
    }

    /// Forgets what was learnt under `key` up to `born`.
    pub fn remove(&self, tiers: Tiers, key: &[u8], born: Millis) {
        if tiers.local() {
            self.local.remove(key, born);
        }
        if let Some(shared) = self.shared.as_ref().filter(|_| tiers.shared()) {
            shared.remove(key, born);
        }
    }

    /// Waits until the writes to the shared tier that were begun have ended.
    pub async fn settled(&self) {
        if let Some(shared) = &self.shared {
            shared.settled().await;
        }
    }
}
