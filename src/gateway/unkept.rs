//! The keys whose last reply could not be kept: for a while nobody looks, or waits for another's call, for what will not lie under them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_128;

use crate::seed::{Hashing, Seed};

/// Keys whose last reply could not be kept. Two keys with one number cost each other a look, and nothing else.
#[derive(Debug)]
pub(crate) struct Unkept {
    keys: Cache<u128, Note, Hashing>,
    time: Duration,
    /// Whether there ever was one: where all replies can be kept, no call need look.
    any: AtomicBool,
}

/// What is known of such a key.
#[derive(Clone, Copy, Debug)]
struct Note {
    until: Instant,
    left: Left,
}

/// What lies under such a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing that may answer, in no tier.
    Nothing,
    /// Something older.
    Older,
}

impl Unkept {
    /// Remembers up to [`KEYS_MAX`] keys, each for `time`.
    pub(crate) fn new(time: Duration, seed: Seed) -> Self {
        let keys = Cache::builder().max_capacity(KEYS_MAX).build_with_hasher(seed.hashing());
        Self { keys, time, any: AtomicBool::new(false) }
    }

    /// What lies under `key`, if its last reply could not be kept.
    pub(super) fn left(&self, key: &[u8]) -> Option<Left> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let note = self.keys.get(&xxh3_128(key)).filter(|note| Instant::now() < note.until);
        note.map(|note| note.left)
    }

    /// A reply could not be kept.
    pub(super) fn note(&self, key: &[u8], left: Left) {
        self.any.store(true, Ordering::Relaxed);
        self.keys.insert(xxh3_128(key), Note { until: Instant::now() + self.time, left });
    }

    /// A reply is kept.
    pub(super) fn forget(&self, key: &[u8]) {
        if self.any.load(Ordering::Relaxed) {
            self.keys.invalidate(&xxh3_128(key));
        }
    }
}

/// Keys remembered per listener: about 5 MiB at the most.
const KEYS_MAX: u64 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_remembered_for_its_time_or_until_its_reply_is_kept() {
        let unkept = Unkept::new(Duration::from_secs(10), Seed::new(1));
        unkept.note(b"one", Left::Older);
        unkept.note(b"two", Left::Nothing);
        assert_eq!([unkept.left(b"one"), unkept.left(b"two")], [Some(Left::Older), Some(Left::Nothing)]);
        unkept.forget(b"one");
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert_eq!([unkept.left(b"one"), unkept.left(b"two")], [None, Some(Left::Nothing)]);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(unkept.left(b"two"), None);
    }
}
