//! What lies under a key: one reply that is kept and when it was learnt, or when what lay there was proved wrong.

mod translated;

use std::sync::Arc;

use bytes::Bytes;

use crate::clock::Millis;
use crate::mark::{Cover, Seal, Version};
use crate::wire::{Protocol, Struct};
use translated::Translated;

/// A kept reply. It holds no durations: the rule in force judges its age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When the backend call that brought it was sent, by the wall clock of the gateway that sent it.
    pub born: Millis,
    /// What its call ended with.
    pub ending: Ending,
    /// How `body` is encoded.
    pub protocol: Protocol,
    /// The reply's struct as the backend sent it, stop byte included, without the message header.
    pub body: Bytes,
    /// By which names marks cover it.
    pub tags: Tags,
    /// How far its gateway had come with the marks that all share, when the backend call was sent.
    pub version: Version,
    /// Which marks it was held against here.
    pub seal: Seal,
    /// The same reply for clients of another protocol.
    pub(crate) translated: Translated,
}

/// The tags of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// By which templates they were made: a hash of them, 0 of none. Nobody knows what an entry made by others lacks.
    pub made_by: u64,
    /// What marks on them cover.
    pub covers: Box<[Cover]>,
}

impl Tags {
    /// These, and a cover that no template has made.
    #[must_use]
    pub(crate) fn and(self, cover: Cover) -> Self {
        let covers = self.covers.into_iter().chain([cover]).collect();
        Self { covers, ..self }
    }
}

/// Tags of one entry. Where there are more, nobody knows which.
pub const TAGS_MAX: usize = 256;

/// What a kept call ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// A result: field 0.
    Result,
    /// No field at all, of a method declared void.
    Empty,
    /// The declared exception with this field id.
    Exception(i16),
}

/// What a tier has under one key. Of two, the younger stays, in whatever order they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// A reply.
    Entry(Arc<Entry>),
    /// Nothing, and nothing born up to this moment may come back: the backend call that was sent then proved it wrong.
    Tombstone(Millis),
}

impl Entry {
    /// An entry without tags, of which nobody knows when it was learnt in the order of the marks.
    pub fn new(born: Millis, ending: Ending, protocol: Protocol, body: Bytes) -> Self {
        Self {
            born,
            ending,
            protocol,
            body,
            tags: Tags::default(),
            version: Version::default(),
            seal: Seal::default(),
            translated: Translated::default(),
        }
    }

    /// The reply as it is kept.
    pub(crate) fn reply(&self) -> Struct<'_> {
        Struct { protocol: self.protocol, bytes: &self.body }
    }

    /// The same entry as it is after a restart: [`detached`](Self::detached), and nobody knows what was declared wrong meanwhile.
    #[must_use]
    pub fn restored(&self) -> Self {
        Self { seal: Seal::doubtful(), ..self.detached() }
    }

    /// The same entry with a body that is alone in its buffer. An entry cut out of a read buffer or an envelope keeps
    /// all of it alive otherwise, many times the bytes that [`Slot::weight`] counts.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { body: Bytes::copy_from_slice(&self.body), ..self.clone() }
    }

    /// Makes it [`detached`](Self::detached).
    pub fn detach(&mut self) {
        self.body = Bytes::copy_from_slice(&self.body);
    }
}

impl Slot {
    /// When the backend call was sent that brought the reply, or proved it wrong.
    #[inline]
    pub fn born(&self) -> Millis {
        match self {
            Self::Entry(entry) => entry.born,
            Self::Tombstone(born) => *born,
        }
    }

    /// Whether it takes the place of `other`, which lies there already. Of equal age, the later to come stays, but for
    /// an entry that meets a tombstone.
    pub fn replaces(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Entry(entry), Self::Tombstone(born)) => entry.born > *born,
            (Self::Entry(_), Self::Entry(_)) | (Self::Tombstone(_), Self::Entry(_) | Self::Tombstone(_)) => {
                self.born() >= other.born()
            }
        }
    }

    /// The reply, if there is one.
    #[inline]
    pub fn entry(self) -> Option<Arc<Entry>> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Tombstone(_) => None,
        }
    }

    /// Its tags, if there is a reply.
    fn tags(&self) -> &[Cover] {
        match self {
            Self::Entry(entry) => &entry.tags.covers,
            Self::Tombstone(_) => &[],
        }
    }

    /// The bytes of the reply, if there is one.
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Entry(entry) => &entry.body,
            Self::Tombstone(_) => &[],
        }
    }

    /// Bytes of the reply in another protocol, if it is kept in one.
    fn translated(&self) -> usize {
        match self {
            Self::Entry(entry) => entry.translated.weight(),
            Self::Tombstone(_) => 0,
        }
    }

    /// The heap bytes it takes in the local tier under a key of `key_len` bytes, bookkeeping included; at most
    /// [`u32::MAX`]. True of a [`detached`](Entry::detached) entry: another's body may hold a larger buffer alive.
    pub fn weight(&self, key_len: usize) -> u32 {
        let bookkeeping = match self {
            Self::Entry(_) => SLOT + ENTRY,
            Self::Tombstone(_) => SLOT,
        };
        let own = key_len.saturating_add(self.body().len()).saturating_add(size_of_val(self.tags()));
        let own = own.saturating_add(self.translated());
        let bytes = bookkeeping.saturating_add(own).saturating_add(own / ROUNDING);
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

/// Heap bytes of a slot besides those of its key and entry.
const SLOT: usize = MOKA - size_of::<usize>() + size_of::<Slot>() + ALLOCATION;
/// Heap bytes of an entry besides those of its body.
const ENTRY: usize = size_of::<Entry>() + ARC_COUNTS + 2 * ALLOCATION;

/// Heap bytes that moka 0.12's `sync::Cache` takes for each slot: 241 to 281 were measured with a million slots under
/// 16-byte keys, those keys and a value of one word included, depending on its expiry options; the upper end, rounded.
const MOKA: usize = 280;
/// The two counts before a value in an `Arc`.
const ARC_COUNTS: usize = 2 * size_of::<usize>();
/// Allocators have at least so many sizes per doubling, so an allocation takes up to this part more than was asked for.
const ROUNDING: usize = 8;
/// What an allocator adds to an allocation for its header and by rounding up. The three are: key, entry, body.
const ALLOCATION: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(born: u64, body: Bytes) -> Entry {
        Entry::new(Millis(born), Ending::Result, Protocol::Binary, body)
    }

    fn kept(born: u64) -> Slot {
        Slot::Entry(Arc::new(entry(born, Bytes::new())))
    }

    fn removed(born: u64) -> Slot {
        Slot::Tombstone(Millis(born))
    }

    #[test]
    fn key_and_body_weigh_their_bytes() {
        let weight = |body, key| Slot::Entry(Arc::new(entry(1, body))).weight(key);
        let empty = weight(Bytes::new(), 0);
        assert_eq!(weight(Bytes::from_static(&[0; 100]), 50), empty + 150 + 150 / 8);
        assert_eq!(weight(Bytes::new(), usize::MAX), u32::MAX);
        assert!(removed(1).weight(0) < empty);
    }

    /// Of a 64-bit system: 280 bytes of moka less a word, and 16 of the allocator; an entry, two words, and twice 16 of the allocator.
    #[test]
    fn a_slot_and_an_entry_weigh_their_bookkeeping() {
        let slot = 280 - 8 + 16 + size_of::<Slot>();
        let entry = 16 + 32 + size_of::<Entry>();
        assert_eq!(
            [removed(1).weight(0), kept(1).weight(0)].map(|bytes| bytes as usize),
            [slot, slot + entry]
        );
    }

    #[test]
    fn the_younger_stays_and_what_was_removed_does_not_come_back() {
        for (new, old, replaces) in [
            (kept(2), kept(1), true),
            (kept(1), kept(1), true),
            (kept(1), kept(2), false),
            (kept(2), removed(1), true),
            (kept(1), removed(1), false),
            (kept(1), removed(2), false),
            (removed(1), kept(1), true),
            (removed(1), kept(2), false),
            (removed(1), removed(1), true),
            (removed(1), removed(2), false),
        ] {
            assert_eq!(new.replaces(&old), replaces, "{new:?} over {old:?}");
        }
    }

    #[test]
    fn a_detached_body_lets_the_buffer_go() {
        let buffer = Bytes::from(vec![7; 65_536]);
        let cut = entry(1, buffer.slice(..100));
        let detached = cut.detached();
        assert_eq!(cut, detached);
        drop(cut);
        assert!(buffer.is_unique());
    }
}
