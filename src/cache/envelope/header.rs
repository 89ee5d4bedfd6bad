//! The header of an envelope: what is said of a reply, and its key. bincode is here and nowhere else.

use bincode::Options;
use serde::{Deserialize, Serialize};

use super::layout::{Format, Parts};
use super::{MAX_KEY, Unreadable};
use crate::entry::{Ending, Slot, TAGS_MAX, Tags};
use crate::mark::{Cover, Version};
use crate::wire::Protocol;

/// What the header of an entry says.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub(super) ending: Ending,
    pub(super) protocol: Protocol,
    pub(super) key: &'a [u8],
    pub(super) version: Version,
    pub(super) tags: Tags,
    /// Bytes of the reply.
    pub(super) length: usize,
}

/// The header for `slot` under `key`, if it is not too long.
pub(super) fn write(format: Format, key: &[u8], slot: &Slot) -> Option<Vec<u8>> {
    let Slot::Entry(entry) = slot else {
        return options().serialize(&TombstoneHeader { key }).ok();
    };
    let header = EntryHeader {
        ending: entry.ending.into(),
        protocol: entry.protocol.into(),
        key,
        version: entry.version.packed(),
        tags: (&entry.tags).into(),
    };
    let header = match format {
        Format::Three => options().serialize(&(header, entry.body.len() as u64)),
        Format::Four => options().serialize(&header),
    };
    header.ok()
}

/// What the header of an entry says.
pub(super) fn entry<'a>(parts: &Parts<'a>) -> Result<Said<'a>, Unreadable> {
    let (header, length): (EntryHeader<'_>, u64) = match parts.length {
        None => read(parts.header)?,
        Some(length) => (read(parts.header)?, length.into()),
    };
    Ok(Said {
        ending: header.ending.into(),
        protocol: header.protocol.into(),
        key: header.key,
        version: Version::unpacked(header.version),
        tags: header.tags.into(),
        length: usize::try_from(length).map_err(|_| Unreadable::Truncated)?,
    })
}

/// The key in the header of a tombstone.
pub(super) fn tombstone<'a>(parts: &Parts<'a>) -> Result<&'a [u8], Unreadable> {
    let header: TombstoneHeader<'_> = read(parts.header)?;
    Ok(header.key)
}

fn read<'a, H: Deserialize<'a>>(header: &'a [u8]) -> Result<H, Unreadable> {
    options().deserialize(header).map_err(|_| Unreadable::Header)
}

#[derive(Serialize, Deserialize)]
struct EntryHeader<'a> {
    ending: EndingField,
    protocol: ProtocolField,
    #[serde(borrow, with = "serde_bytes")]
    key: &'a [u8],
    version: u64,
    tags: TagsField,
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
fn options() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_little_endian()
        .reject_trailing_bytes()
        .with_limit(MAX_HEADER)
}

/// The most bytes a header has: the largest key, all tags that an entry may have, and the fields beside it.
const MAX_HEADER: u64 = (MAX_KEY + TAGS_MAX * size_of::<u128>() + 256) as u64;
