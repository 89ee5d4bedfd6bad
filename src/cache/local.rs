//! The local tier: entries in this process, bounded by their bytes.
//!
//! moka only bounds the bytes: it keeps its own clock, so the age of an entry is judged elsewhere, by ours.

use std::sync::Arc;

use moka::ops::compute::Op;
use moka::sync::Cache;

use crate::clock::Millis;
use crate::entry::Entry;
use crate::seed::{Hashing, Seed};

/// The entries of this process.
#[derive(Debug)]
pub struct Local {
    entries: Cache<Arc<[u8]>, Arc<Entry>, Hashing>,
}

impl Local {
    /// Holds entries of up to `capacity` bytes of heap, under hashes that nobody foresees who does not know `seed`.
    pub fn new(capacity: u64, seed: Seed) -> Self {
        let entries = Cache::builder()
            .max_capacity(capacity)
            .weigher(|key: &Arc<[u8]>, entry: &Arc<Entry>| entry.weight(key.len()))
            .build_with_hasher(seed.hashing());
        Self { entries }
    }

    /// The entry under `key`, of whatever age.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<Arc<Entry>> {
        self.entries.get(key)
    }

    /// Keeps `entry` unless a younger one is there, or it alone would exceed the capacity.
    pub fn put(&self, key: &[u8], entry: Arc<Entry>) {
        let capacity = self.entries.policy().max_capacity().unwrap_or(u64::MAX);
        if u64::from(entry.weight(key.len())) > capacity {
            return self.remove(key, entry.born);
        }
        self.entries.entry(Arc::from(key)).and_compute_with(|kept| match kept {
            Some(kept) if kept.value().born > entry.born => Op::Nop,
            Some(_) | None => Op::Put(entry),
        });
    }

    /// Forgets what was learnt under `key` up to `born`.
    pub fn remove(&self, key: &[u8], born: Millis) {
        if self.entries.contains_key(key) {
            self.entries.entry(Arc::from(key)).and_compute_with(|kept| match kept {
                Some(kept) if kept.value().born <= born => Op::Remove,
                Some(_) | None => Op::Nop,
            });
        }
    }

    /// Entries held.
    pub fn count(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.entry_count()
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.weighted_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Kind;
    use crate::wire::Protocol;
    use bytes::Bytes;

    fn born(born: u64) -> Arc<Entry> {
        let body = Bytes::from(vec![0; 1000]);
        Arc::new(Entry {
            born: Millis(born),
            version: 0,
            kind: Kind::Result,
            protocol: Protocol::Binary,
            body,
        })
    }

    #[test]
    fn a_younger_entry_is_never_replaced_by_an_older() {
        let local = Local::new(1 << 20, Seed::new(1));
        local.put(b"k", born(2));
        local.put(b"k", born(1));
        assert_eq!(local.find(b"k").unwrap().born, Millis(2));
        local.put(b"k", born(3));
        assert_eq!(local.find(b"k").unwrap().born, Millis(3));
        local.remove(b"k", Millis(2));
        assert!(local.find(b"k").is_some());
        local.remove(b"k", Millis(3));
        assert!(local.find(b"k").is_none());
    }

    #[test]
    fn what_is_larger_than_the_tier_is_not_kept() {
        let local = Local::new(500, Seed::new(1));
        local.put(b"k", born(1));
        assert!(local.find(b"k").is_none());
    }

    #[test]
    fn bytes_stay_within_the_capacity() {
        let local = Local::new(100_000, Seed::new(1));
        for key in 0..1_000_u32 {
            local.put(&key.to_be_bytes(), born(1));
        }
        assert!(local.bytes() <= 100_000 && local.count() > 10);
    }
}
