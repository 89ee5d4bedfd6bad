//! What lies under a key as bytes, for the shared tier.
//!
//! ```text
//! 0   4   magic "LRD" and the format's version, 3
//! 4   8   born: milliseconds since the Unix epoch, big-endian
//! 12  1   0: an entry, 1: a tombstone
//! 13  4   length of the header, big-endian
//! 17  h   header: bincode 1, fixed-size little-endian integers
//! ..  n   the reply's struct, n as the header says; nothing in a tombstone
//! ..  8   xxh3-64 of all bytes before it, big-endian
//! ```
//!
//! The first 13 bytes lie at fixed places, so that a write can compare ages inside Redis. bincode does not describe
//! itself and would read one version's header as another's without noticing; so a change of the header is a new
//! version, which also goes into the Redis key: two versions never meet under one key.

use std::sync::Arc;

use bincode::Options;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use crate::clock::Millis;
use crate::entry::{Ending, Entry, Slot, TAGS_MAX, Tags};
use crate::mark::{Cover, Version};
use crate::wire::Protocol;

/// The version of the format written and read here.
pub const FORMAT: u8 = 3;
/// The first four bytes of every envelope.
pub const MAGIC: [u8; 4] = [b'L', b'R', b'D', FORMAT];
/// The most bytes an envelope has. Far above any useful reply, far below what Redis would hand over (512 MiB).
pub const MAX_ENVELOPE: usize = 32 << 20;
/// The most bytes a key in an envelope has.
pub const MAX_KEY: usize = 1 << 20;
/// Bytes that tell how old an envelope is and what it holds.
pub const HEAD: usize = MAGIC.len() + 8 + 1;
/// The byte that says that an entry follows.
const ENTRY: u8 = 0;
/// The byte that says that nothing follows.
const TOMBSTONE: u8 = 1;

/// The envelope of `slot`, kept under `key`.
///
/// # Errors
/// [`TooLarge`] beyond [`MAX_KEY`] or [`MAX_ENVELOPE`].
pub fn encode(key: &[u8], slot: &Slot) -> Result<Vec<u8>, TooLarge> {
    if key.len() > MAX_KEY {
        return Err(TooLarge);
    }
    let (header, body) = match slot {
        Slot::Tombstone(_) => (codec().serialize(&TombstoneHeader { key }), &[][..]),
        Slot::Entry(entry) => {
            let body = u64::try_from(entry.body.len()).map_err(|_| TooLarge)?;
            let (ending, protocol) = (entry.ending.into(), entry.protocol.into());
            let tags = TagsField::from(&entry.tags);
            (
                codec().serialize(&EntryHeader {
                    ending,
                    protocol,
                    key,
                    version: entry.version.packed(),
                    tags,
                    body,
                }),
                &entry.body[..],
            )
        }
    };
    let header = header.map_err(|_| TooLarge)?;
    let header_len = u32::try_from(header.len()).map_err(|_| TooLarge)?;
    let total = header.len().saturating_add(FIXED + CHECKSUM).saturating_add(body.len());
    if total > MAX_ENVELOPE {
        return Err(TooLarge);
    }
    let mut envelope = Vec::with_capacity(total);
    envelope.extend_from_slice(&head(slot));
    envelope.extend_from_slice(&header_len.to_be_bytes());
    envelope.extend_from_slice(&header);
    envelope.extend_from_slice(body);
    let checksum = xxh3_64(&envelope);
    envelope.extend_from_slice(&checksum.to_be_bytes());
    Ok(envelope)
}

/// The first bytes of the envelope of `slot`: all that ages are compared by.
pub fn head(slot: &Slot) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let (magic, rest) = head.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    let (born, what) = rest.split_at_mut(8);
    born.copy_from_slice(&slot.born().0.to_be_bytes());
    what.fill(match slot {
        Slot::Entry(_) => ENTRY,
        Slot::Tombstone(_) => TOMBSTONE,
    });
    head
}

/// What `envelope` holds, if it is whole and belongs to `key`. A body is a slice of `envelope`, not a copy.
///
/// # Errors
/// Why it is a miss. Reading allocates nothing by a length that the bytes state.
pub fn decode(key: &[u8], envelope: &Bytes) -> Result<Slot, Unreadable> {
    let (theirs, slot) = open(envelope)?;
    if theirs == key { Ok(slot) } else { Err(Unreadable::OtherKey) }
}

/// What `envelope` holds, and under which key, if it is whole. Both are parts of `envelope`, not copies.
///
/// # Errors
/// As [`decode`], but that any key will do.
pub fn open(envelope: &Bytes) -> Result<(&[u8], Slot), Unreadable> {
    if envelope.len() > MAX_ENVELOPE {
        return Err(Unreadable::TooLarge);
    }
    let parts = split(envelope)?;
    let (slot, theirs) = match parts.what {
        ENTRY => {
            let header: EntryHeader<'_> = read(parts.header)?;
            if header.body != parts.after_header.len() as u64 {
                return Err(Unreadable::Truncated);
            }
            let (ending, protocol) = (header.ending.into(), header.protocol.into());
            let body = envelope.slice_ref(parts.after_header);
            let version = Version::unpacked(header.version);
            let whole = Entry::new(parts.born, ending, protocol, body);
            let entry = Entry { tags: header.tags.into(), version, ..whole };
            (Slot::Entry(Arc::new(entry)), header.key)
        }
        TOMBSTONE => {
            let header: TombstoneHeader<'_> = read(parts.header)?;
            if !parts.after_header.is_empty() {
                return Err(Unreadable::Truncated);
            }
            (Slot::Tombstone(parts.born), header.key)
        }
        _ => return Err(Unreadable::Header),
    };
    if xxh3_64(parts.summed) != parts.checksum {
        return Err(Unreadable::Checksum);
    }
    Ok((theirs, slot))
}

fn read<'a, H: Deserialize<'a>>(header: &'a [u8]) -> Result<H, Unreadable> {
    codec().deserialize(header).map_err(|_| Unreadable::Header)
}

/// Key or reply is too large for the shared tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("envelope above {MAX_ENVELOPE} bytes or its key above {MAX_KEY}")]
pub struct TooLarge;

/// Why bytes from the shared tier are not an entry of the key asked for. Each is a miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Unreadable {
    /// Larder did not write it.
    #[error("value does not start as an envelope")]
    Foreign,
    /// Another version of Larder wrote it.
    #[error("envelope has format {0}, not {FORMAT}")]
    Format(u8),
    /// It is shorter, or longer, than it says.
    #[error("envelope does not have the length it says")]
    Truncated,
    /// It is above the bound.
    #[error("envelope is above {MAX_ENVELOPE} bytes")]
    TooLarge,
    /// Its header is not one.
    #[error("envelope has no readable header")]
    Header,
    /// Its bytes were changed.
    #[error("envelope does not have the checksum it says")]
    Checksum,
    /// It is whole and belongs to another key with the same hash.
    #[error("envelope belongs to another key")]
    OtherKey,
}

impl Unreadable {
    /// Its name in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Foreign => "unreadable_foreign",
            Self::Format(_) => "unreadable_format",
            Self::Truncated => "unreadable_truncated",
            Self::TooLarge => "unreadable_too_large",
            Self::Header => "unreadable_header",
            Self::Checksum => "unreadable_checksum",
            Self::OtherKey => "unreadable_other_key",
        }
    }
}

/// An envelope taken apart, nothing but its lengths checked.
struct Parts<'a> {
    born: Millis,
    what: u8,
    header: &'a [u8],
    after_header: &'a [u8],
    summed: &'a [u8],
    checksum: u64,
}

fn split(envelope: &[u8]) -> Result<Parts<'_>, Unreadable> {
    let Some((&[l, r, d, format], _)) = envelope.split_first_chunk() else {
        return Err(if MAGIC.starts_with(envelope) { Unreadable::Truncated } else { Unreadable::Foreign });
    };
    if MAGIC != [l, r, d, FORMAT] {
        return Err(Unreadable::Foreign);
    }
    if format != FORMAT {
        return Err(Unreadable::Format(format));
    }
    let (summed, checksum) = envelope.split_last_chunk().ok_or(Unreadable::Truncated)?;
    let (_, rest) = summed.split_first_chunk::<{ MAGIC.len() }>().ok_or(Unreadable::Truncated)?;
    let (born, rest) = rest.split_first_chunk().ok_or(Unreadable::Truncated)?;
    let (&[what], rest) = rest.split_first_chunk().ok_or(Unreadable::Truncated)?;
    let (header_len, rest) = rest.split_first_chunk().ok_or(Unreadable::Truncated)?;
    let header_len = usize::try_from(u32::from_be_bytes(*header_len)).map_err(|_| Unreadable::Truncated)?;
    let (header, after_header) = rest.split_at_checked(header_len).ok_or(Unreadable::Truncated)?;
    let born = Millis(u64::from_be_bytes(*born));
    Ok(Parts { born, what, header, after_header, summed, checksum: u64::from_be_bytes(*checksum) })
}

#[derive(Serialize, Deserialize)]
struct EntryHeader<'a> {
    ending: EndingField,
    protocol: ProtocolField,
    #[serde(borrow, with = "serde_bytes")]
    key: &'a [u8],
    version: u64,
    tags: TagsField,
    body: u64,
}

/// [`Tags`] as they are written.
#[derive(Serialize, Deserialize)]
struct TagsField {
    made_by: u64,
    covers: Vec<u128>,
}

impl From<&Tags> for TagsField {
    fn from(tags: &Tags) -> Self {
        Self { made_by: tags.made_by, covers: tags.covers.iter().map(|cover| cover.0).collect() }
    }
}

impl From<TagsField> for Tags {
    fn from(tags: TagsField) -> Self {
        Self { made_by: tags.made_by, covers: tags.covers.into_iter().map(Cover).collect() }
    }
}

#[derive(Serialize, Deserialize)]
struct TombstoneHeader<'a> {
    #[serde(borrow, with = "serde_bytes")]
    key: &'a [u8],
}

/// [`Ending`] as it is written: the order of the variants is the format.
#[derive(Serialize, Deserialize)]
enum EndingField {
    Result,
    Empty,
    Exception(i16),
}

impl From<Ending> for EndingField {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Result => Self::Result,
            Ending::Empty => Self::Empty,
            Ending::Exception(id) => Self::Exception(id),
        }
    }
}

impl From<EndingField> for Ending {
    fn from(ending: EndingField) -> Self {
        match ending {
            EndingField::Result => Self::Result,
            EndingField::Empty => Self::Empty,
            EndingField::Exception(id) => Self::Exception(id),
        }
    }
}

/// [`Protocol`] as it is written: the order of the variants is the format.
#[derive(Serialize, Deserialize)]
enum ProtocolField {
    Binary,
    Compact,
}

impl From<Protocol> for ProtocolField {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Binary => Self::Binary,
            Protocol::Compact => Self::Compact,
        }
    }
}

impl From<ProtocolField> for Protocol {
    fn from(protocol: ProtocolField) -> Self {
        match protocol {
            ProtocolField::Binary => Self::Binary,
            ProtocolField::Compact => Self::Compact,
        }
    }
}

/// The one way headers are written and read: bincode's free functions differ from its `Options` in integer width
/// and in what they accept.
fn codec() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_little_endian()
        .reject_trailing_bytes()
        .with_limit(MAX_HEADER)
}

/// Bytes before the header.
const FIXED: usize = HEAD + 4;
/// Bytes after the body.
const CHECKSUM: usize = 8;
/// The most bytes a header has: the largest key, all tags that an entry may have, and the fields beside it.
const MAX_HEADER: u64 = (MAX_KEY + TAGS_MAX * size_of::<u128>() + 256) as u64;

#[cfg(test)]
mod tests;
