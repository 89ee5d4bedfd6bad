//! An entry: one reply that is kept, and when it was learnt.

use bytes::Bytes;

use crate::clock::Millis;
use crate::wire::Protocol;

/// A kept reply. It holds no durations: the rule in force judges its age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When the backend call that brought it was sent, by the wall clock of the gateway that sent it.
    pub born: Millis,
    /// The invalidation version noted when its fetch began.
    pub version: u64,
    /// What its call ended with.
    pub kind: Kind,
    /// How `body` is encoded.
    pub protocol: Protocol,
    /// The reply's struct as the backend sent it, stop byte included, without the message header.
    pub body: Bytes,
}

impl Entry {
    /// The heap bytes one cached entry under a key of `key_len` bytes takes, bookkeeping included; at most
    /// [`u32::MAX`]. True of a [`detached`](Self::detached) entry: another's body may hold a larger buffer alive.
    pub fn weight(&self, key_len: usize) -> u32 {
        let own = key_len.saturating_add(self.body.len());
        let bytes = OVERHEAD.saturating_add(own).saturating_add(own / ROUNDING);
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// The same entry with a body that is alone in its buffer. An entry cut out of a read buffer or an envelope keeps
    /// all of it alive otherwise, many times the bytes that [`weight`](Self::weight) counts.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { body: Bytes::copy_from_slice(&self.body), ..self.clone() }
    }
}

/// What a kept call ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A result: field 0.
    Result,
    /// No field at all, of a method declared void.
    Empty,
    /// The declared exception with this field id.
    Exception(i16),
}

/// Heap bytes of an entry besides its key's and body's own.
const OVERHEAD: usize = MOKA + size_of::<Entry>() + ARC_COUNTS + 3 * ALLOCATION;

/// Heap bytes that moka 0.12's `sync::Cache` takes for each entry: 241 to 281 were measured with a million entries under
/// 16-byte keys, those keys and an `Arc` pointer included, depending on its expiry options; the upper end, rounded.
const MOKA: usize = 280;
/// The two counts before a value in an `Arc`.
const ARC_COUNTS: usize = 2 * size_of::<usize>();
/// Allocators have at least so many sizes per doubling, so an allocation takes up to this part more than was asked for.
const ROUNDING: usize = 8;
/// What an allocator adds to an allocation for its header and by rounding up. The three are: entry, key, body.
const ALLOCATION: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(body: Bytes) -> Entry {
        Entry { born: Millis(1), version: 0, kind: Kind::Result, protocol: Protocol::Binary, body }
    }

    #[test]
    fn key_and_body_weigh_their_bytes() {
        let empty = entry(Bytes::new()).weight(0);
        assert_eq!(entry(Bytes::from_static(&[0; 100])).weight(50), empty + 150 + 150 / 8);
        assert_eq!(entry(Bytes::new()).weight(usize::MAX), u32::MAX);
    }

    #[test]
    fn a_detached_body_lets_the_buffer_go() {
        let buffer = Bytes::from(vec![7; 65_536]);
        let cut = entry(buffer.slice(..100));
        let detached = cut.detached();
        assert_eq!(cut, detached);
        drop(cut);
        assert!(buffer.is_unique());
    }
}
