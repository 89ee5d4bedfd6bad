//! Values as they lie in Redis. What takes longer than a moment to read or write is done aside, on threads that serve no calls.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::cache::envelope::{self, Codec, TooLarge};
use crate::cache::shared::{Read, Write, judge};
use crate::clock::Millis;
use crate::entry::Slot;

/// How values are read and written.
#[derive(Debug)]
pub(super) struct Values {
    codec: Codec,
    /// KiB that may be read aside.
    room: Arc<Semaphore>,
}

impl Values {
    pub(super) fn new(codec: Codec) -> Self {
        Self { codec, room: Arc::new(Semaphore::new(ASIDE_MAX / KIBIBYTE)) }
    }

    /// What `value`, which lay under `key`, is worth at this time of the tier.
    pub(super) async fn read(&self, key: &[u8], value: Bytes, now: Millis) -> Result<Slot, Read> {
        let work = envelope::work(&value);
        if work <= AT_ONCE_MAX {
            return judge(&self.codec, key, &value, now);
        }
        // Of a few bytes there may come many.
        let kibibytes = u32::try_from(work.div_ceil(KIBIBYTE)).map_err(|_| Read::Dropped)?;
        let place = Arc::clone(&self.room).try_acquire_many_owned(kibibytes).map_err(|_| Read::Dropped)?;
        let (codec, key) = (self.codec.clone(), Box::<[u8]>::from(key));
        let aside = spawn_blocking(move || {
            let worth = judge(&codec, &key, &value, now);
            drop(place);
            worth
        });
        aside.await.unwrap_or(Err(Read::Error))
    }

    /// `slot` as it is to lie under `key`.
    ///
    /// # Errors
    /// How a write of it ends.
    pub(super) async fn written(&self, key: &[u8], slot: &Slot) -> Result<Vec<u8>, Write> {
        let written = if slot.body().len() <= AT_ONCE_MAX {
            self.codec.encode(key, slot)
        } else {
            let (codec, key, slot) = (self.codec.clone(), Box::<[u8]>::from(key), slot.clone());
            spawn_blocking(move || codec.encode(&key, &slot)).await.map_err(|_| Write::Error)?
        };
        written.map_err(|TooLarge| Write::TooLarge)
    }
}

/// Bytes that are read and written at once: they take a tenth of a millisecond or so.
const AT_ONCE_MAX: usize = 64 << 10;
/// Bytes that are read aside at a time, as they are when they are not compressed any more: two of the largest envelopes.
const ASIDE_MAX: usize = 64 << 20;
const KIBIBYTE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Ending, Entry};
    use crate::wire::Protocol;

    const KEY: &[u8] = b"key";
    const NOW: Millis = Millis(1_700_000_000_000);

    #[tokio::test]
    async fn no_more_is_decompressed_at_a_time_than_there_is_room_for() {
        let codec = Codec { compress_above: Some(100), ..Codec::default() };
        let body = Bytes::from(vec![7; 30 << 20]);
        let slot = Slot::Entry(Arc::new(Entry::new(NOW, Ending::Result, Protocol::Binary, body)));
        let value = Bytes::from(codec.encode(KEY, &slot).unwrap());
        let values = Values::new(codec);
        let taken = values.room.try_acquire_many(40 << 10).unwrap();
        assert!(values.read(KEY, value.clone(), NOW).await == Err(Read::Dropped));
        drop(taken);
        for _ in 0..4 {
            assert!(values.read(KEY, value.clone(), NOW).await.as_ref() == Ok(&slot));
        }
    }
}
