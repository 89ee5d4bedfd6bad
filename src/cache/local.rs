//! The local tier: what this process keeps, bounded by its bytes.
//!
//! moka only bounds the bytes: it keeps its own clock, so the age of an entry is judged elsewhere, by ours. What was asked
//! for least recently leaves first: whatever was just answered, large or small, once or often, is there when an outage
//! begins. Its other policy, TinyLFU, turns away what it has not seen often enough.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use moka::notification::RemovalCause;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use prometheus_client::metrics::counter::Counter;

use crate::clock::Millis;
use crate::entry::{Entry, Slot};
use crate::seed::{Hashing, Seed};
use crate::wire::Protocol;

/// An entry and its key.
pub(crate) type Held = (Arc<[u8]>, Arc<Entry>);

/// What this process keeps.
#[derive(Debug)]
pub struct Local {
    slots: Cache<Arc<[u8]>, Slot, Hashing>,
    /// Whether it ever had a tombstone: where nothing was removed, no call need look for one.
    any_tombstone: AtomicBool,
    evicted: Counter,
}

impl Local {
    /// Holds slots of up to `capacity` bytes of heap, under hashes that nobody foresees who does not know `seed`.
    pub fn new(capacity: u64, seed: Seed) -> Self {
        let evicted = Counter::default();
        let counter = evicted.clone();
        let slots = Cache::builder()
            .max_capacity(capacity)
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|key: &Arc<[u8]>, slot: &Slot| slot.weight(key.len()))
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    counter.inc();
                }
            })
            .build_with_hasher(seed.hashing());
        Self { slots, any_tombstone: AtomicBool::new(false), evicted }
    }

    /// The entry under `key`, of whatever age.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<Arc<Entry>> {
        self.slots.get(key).and_then(Slot::entry)
    }

    /// What lies under `key`. This counts as asking for it.
    pub(crate) fn slot(&self, key: &[u8]) -> Option<Slot> {
        self.slots.get(key)
    }

    /// When the call was sent that proved wrong what lay under `key`, where nothing younger has come since.
    pub fn tombstone(&self, key: &[u8]) -> Option<Millis> {
        if !self.any_tombstone.load(Ordering::Acquire) {
            return None;
        }
        match self.slots.get(key)? {
            Slot::Entry(_) => None,
            Slot::Tombstone(born) => Some(born),
        }
    }

    /// Keeps `slot` unless something younger is there, and returns what is there then. An entry that alone would exceed
    /// the capacity is returned as if it were kept; what is older than it is not kept any longer.
    pub fn put(&self, key: &[u8], slot: Slot) -> Slot {
        let fits = u64::from(slot.weight(key.len())) <= self.capacity();
        if let Slot::Tombstone(_) = slot {
            self.any_tombstone.store(true, Ordering::Release);
        }
        let mut younger = None;
        self.slots.entry(Arc::from(key)).and_compute_with(|kept| match kept.map(moka::Entry::into_value) {
            Some(kept) if !slot.replaces(&kept) => {
                younger = Some(kept);
                Op::Nop
            }
            Some(_) | None if fits => Op::Put(slot.clone()),
            Some(_) => Op::Remove,
            None => Op::Nop,
        });
        younger.unwrap_or(slot)
    }

    /// Has `entry`, if it lies under `key`, keep its reply as `protocol` spells it too, where there is room for both.
    #[cold]
    pub(crate) fn translate(&self, key: &[u8], entry: &Arc<Entry>, protocol: Protocol) {
        let own = u64::from(Slot::Entry(Arc::clone(entry)).weight(key.len()));
        // Twice, because an allocation takes more than was asked for.
        let fits = |other: &Bytes| own.saturating_add(2 * other.len() as u64) <= self.capacity();
        // What is as long and has no room need not be translated to see that.
        let reply = Some(entry).filter(|entry| fits(&entry.body)).map(|entry| entry.in_protocol(protocol));
        let Some(Ok(reply)) = reply else { return };
        self.slots.entry(Arc::from(key)).and_compute_with(|kept| match kept.map(moka::Entry::into_value) {
            Some(Slot::Entry(kept)) if Arc::ptr_eq(&kept, entry) && fits(&reply) => {
                entry.keep_translated(protocol, reply);
                // It is put there again for its weight.
                Op::Put(Slot::Entry(kept))
            }
            Some(_) | None => Op::Nop,
        });
    }

    /// Lets `is_useful` see every entry, drops those that it says are of no use any more, and returns how many that were. What is put
    /// meanwhile it may not see. Others get their turn in between.
    pub async fn sweep(&self, mut is_useful: impl FnMut(&[u8], &Entry) -> bool) -> u64 {
        let mut dropped = 0;
        self.walk(|key, slot| {
            match slot {
                Slot::Entry(entry) if !is_useful(key, entry) => {
                    self.drop_entry(key, entry);
                    dropped += 1;
                }
                Slot::Entry(_) | Slot::Tombstone(_) => {}
            }
            true
        })
        .await;
        dropped
    }

    /// Lets `see` have every slot, until it wants no more. What is put meanwhile it may not see. Others get their turn in between. Whether all was seen.
    pub(crate) async fn walk(&self, mut see: impl FnMut(&Arc<[u8]>, &Slot) -> bool) -> bool {
        // Unlike a look for one key, this does not count as asking for it.
        for (index, (key, slot)) in self.slots.iter().enumerate() {
            if !see(&key, &slot) {
                return false;
            }
            if index % SEEN_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
        true
    }

    /// The youngest useful entries, as many as there is room for with keys and bodies of `most` bytes, the youngest first.
    pub(crate) fn youngest(&self, most: u64, is_useful: impl Fn(&[u8], &Entry) -> bool) -> Vec<Held> {
        let (mut oldest_first, mut bytes) = (BinaryHeap::new(), 0);
        let size = |key: &[u8], entry: &Entry| (key.len() + entry.body.len()) as u64;
        for (key, slot) in &self.slots {
            let Slot::Entry(entry) = slot else { continue };
            if !is_useful(&key, &entry) {
                continue;
            }
            bytes += size(&key, &entry);
            oldest_first.push(ByAge { key: Arc::clone(&key), entry });
            while bytes > most
                && let Some(ByAge { key, entry }) = oldest_first.pop()
            {
                bytes -= size(&key, &entry);
            }
        }
        oldest_first.into_sorted_vec().into_iter().map(|ByAge { key, entry }| (key, entry)).collect()
    }

    /// Slots that had to leave for want of room.
    pub(crate) fn evicted(&self) -> &Counter {
        &self.evicted
    }

    /// Bytes that it may take.
    pub(crate) fn capacity(&self) -> u64 {
        self.slots.policy().max_capacity().unwrap_or(u64::MAX)
    }

    /// Drops `entry` unless something else lies there by now.
    fn drop_entry(&self, key: &Arc<[u8]>, entry: &Arc<Entry>) {
        self.slots.entry(Arc::clone(key)).and_compute_with(|kept| match kept.map(moka::Entry::into_value) {
            Some(Slot::Entry(kept)) if Arc::ptr_eq(&kept, entry) => Op::Remove,
            Some(_) | None => Op::Nop,
        });
    }

    /// Slots held.
    pub fn count(&self) -> u64 {
        self.slots.run_pending_tasks();
        self.slots.entry_count()
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.slots.run_pending_tasks();
        self.slots.weighted_size()
    }
}

/// An entry that is the greater the older it is.
struct ByAge {
    key: Arc<[u8]>,
    entry: Arc<Entry>,
}

impl Ord for ByAge {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.entry.born.cmp(&self.entry.born).then_with(|| self.key.cmp(&other.key))
    }
}

impl PartialOrd for ByAge {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByAge {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByAge {}

/// Slots that are seen before others get their turn.
const SEEN_AT_ONCE: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Ending;

    const KEY: &[u8] = b"key";

    fn of(born: u64, bytes: usize) -> Slot {
        let body = Bytes::from(vec![0; bytes]);
        let (born, ending, protocol) = (Millis(born), Ending::Result, Protocol::Binary);
        Slot::Entry(Arc::new(Entry::new(born, ending, protocol, body)))
    }

    fn born(born: u64) -> Slot {
        of(born, 1_000)
    }

    fn local(capacity: u64) -> Local {
        Local::new(capacity, Seed::new(1))
    }

    fn birth(local: &Local) -> Option<Millis> {
        local.find(KEY).map(|entry| entry.born)
    }

    fn kept(born: u64, body: &'static [u8]) -> Arc<Entry> {
        let body = Bytes::from_static(body);
        Arc::new(Entry::new(Millis(born), Ending::Result, Protocol::Binary, body))
    }

    #[test]
    fn a_reply_is_kept_in_both_protocols_where_it_lies_and_there_is_room() {
        const SET: &[u8] = &[14, 0, 0, 3, 0, 0, 0, 3, 1, 2, 3, 0];
        let (roomy, entry) = (local(1 << 20), kept(2, SET));
        roomy.put(KEY, Slot::Entry(Arc::clone(&entry)));
        let before = roomy.bytes();
        for _ in 0..2 {
            roomy.translate(KEY, &entry, Protocol::Compact);
            assert!(entry.is_translated() && roomy.find(KEY).unwrap().is_translated());
            assert_eq!(
                (roomy.count(), roomy.bytes()),
                (1, before + 53),
                "7 bytes, their place and what is lost by rounding"
            );
        }
        assert_eq!(roomy.evicted().get(), 0);
        let gone = kept(1, SET);
        roomy.translate(KEY, &gone, Protocol::Compact);
        assert!(!gone.is_translated(), "another lies there");
        let (tight, entry) = (local(before + 10), kept(2, SET));
        tight.put(KEY, Slot::Entry(Arc::clone(&entry)));
        tight.translate(KEY, &entry, Protocol::Compact);
        assert_eq!((birth(&tight), entry.is_translated()), (Some(Millis(2)), false));
        let (roomy, odd) = (local(1 << 20), kept(2, &[2, 0, 0, 7, 0]));
        roomy.put(KEY, Slot::Entry(Arc::clone(&odd)));
        roomy.translate(KEY, &odd, Protocol::Compact);
        assert_eq!((birth(&roomy), odd.is_translated()), (Some(Millis(2)), false));
    }

    #[test]
    fn a_younger_entry_is_never_replaced_by_an_older() {
        let local = local(1 << 20);
        assert_eq!(local.put(KEY, born(2)), born(2));
        assert_eq!(local.put(KEY, born(1)), born(2));
        assert_eq!(birth(&local), Some(Millis(2)));
        assert_eq!(local.put(KEY, born(3)), born(3));
        assert_eq!(birth(&local), Some(Millis(3)));
    }

    #[test]
    fn what_was_removed_does_not_come_back() {
        let local = local(1 << 20);
        local.put(KEY, born(2));
        local.put(KEY, Slot::Tombstone(Millis(1)));
        assert_eq!((birth(&local), local.tombstone(KEY)), (Some(Millis(2)), None));
        local.put(KEY, Slot::Tombstone(Millis(3)));
        for older in [1, 2, 3] {
            assert_eq!(local.put(KEY, born(older)), Slot::Tombstone(Millis(3)));
            assert_eq!((birth(&local), local.tombstone(KEY)), (None, Some(Millis(3))));
        }
        local.put(KEY, born(4));
        assert_eq!((birth(&local), local.tombstone(KEY)), (Some(Millis(4)), None));
    }

    #[test]
    fn a_tombstone_lies_also_where_nothing_was() {
        let local = local(1 << 20);
        local.put(KEY, Slot::Tombstone(Millis(3)));
        local.put(KEY, born(2));
        assert_eq!(birth(&local), None);
    }

    #[test]
    fn what_is_larger_than_the_tier_is_not_kept_and_nothing_older_is() {
        let local = local(4_000);
        local.put(KEY, born(1));
        assert_eq!(local.put(KEY, of(2, 5_000)), of(2, 5_000));
        assert_eq!(birth(&local), None);
        local.put(KEY, born(3));
        assert_eq!(local.put(KEY, of(2, 5_000)), born(3));
        assert_eq!(birth(&local), Some(Millis(3)));
    }

    /// A tier that is full of small replies that were asked for often.
    fn full(capacity: u64) -> Local {
        let local = local(capacity);
        for key in 0..(capacity / 500) as u32 {
            local.put(&key.to_be_bytes(), of(1, 100));
        }
        for _ in 0..5 {
            for key in 0..(capacity / 500) as u32 {
                local.find(&key.to_be_bytes());
            }
            local.count();
        }
        assert!(local.bytes() > capacity * 9 / 10);
        local
    }

    #[test]
    fn what_was_asked_once_is_there_until_the_tier_has_turned_over() {
        let local = full(1 << 20);
        let newcomers = || (0..500_u32).map(|key| [b"newcomer", &key.to_be_bytes()[..]].concat());
        for key in newcomers() {
            local.put(&key, born(1));
        }
        local.count();
        assert_eq!(newcomers().filter(|key| local.find(key).is_some()).count(), 500);
    }

    #[test]
    fn what_is_large_and_asked_for_is_there_however_often_others_are() {
        let local = full(1 << 20);
        local.put(KEY, of(1, 64 << 10));
        for turn in 0..200_u32 {
            // Three hundred small ones between two calls for the large one.
            for key in 0..300 {
                let key = (turn * 300 + key) % 5_000;
                if local.find(&key.to_be_bytes()).is_none() {
                    local.put(&key.to_be_bytes(), of(1, 100));
                }
            }
            assert!(local.find(KEY).is_some(), "at call {turn}");
        }
    }

    #[test]
    fn bytes_stay_within_the_capacity() {
        let local = local(100_000);
        for key in 0..1_000_u32 {
            local.put(&key.to_be_bytes(), born(1));
        }
        assert!(local.bytes() <= 100_000 && local.count() > 10);
        assert!(local.evicted().get() + local.count() == 1_000);
    }
}
