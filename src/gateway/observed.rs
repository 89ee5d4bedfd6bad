//! What observed rules would have kept: when each key was asked last, and nothing else.

use std::time::Duration;

use moka::sync::Cache;
use xxhash_rust::xxh3::xxh3_128;

use crate::clock::Millis;
use crate::seed::{Hashing, Seed};

/// The keys that observed rules met.
#[derive(Debug)]
pub(crate) struct Observed {
    asked: Cache<u128, Millis, Hashing>,
}

impl Observed {
    /// Remembers up to [`KEYS_MAX`] keys.
    pub(crate) fn new(seed: Seed) -> Self {
        Self { asked: Cache::builder().max_capacity(KEYS_MAX).build_with_hasher(seed.hashing()) }
    }

    /// Whether an entry under `key` would be fresh; if not, one would be kept from `now` on.
    pub(crate) fn hit(&self, key: &[u8], ttl: Duration, now: Millis) -> bool {
        let hash = xxh3_128(key);
        let fresh = self.is_of_late(hash, ttl, now);
        if !fresh {
            self.asked.insert(hash, now);
        }
        fresh
    }

    /// The same, for who does not call.
    pub(crate) fn is_fresh(&self, key: &[u8], ttl: Duration, now: Millis) -> bool {
        self.is_of_late(xxh3_128(key), ttl, now)
    }

    fn is_of_late(&self, hash: u128, ttl: Duration, now: Millis) -> bool {
        self.asked.get(&hash).is_some_and(|asked| now.since(asked) < ttl)
    }
}

/// Keys remembered per listener: about 25 MiB at the most.
pub(crate) const KEYS_MAX: u64 = 100_000;
