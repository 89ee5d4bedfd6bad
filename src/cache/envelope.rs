//! An entry as bytes, for the shared tier.
//!
//! ```text
//! 0   4   magic "LRD" and the format's version, 1
//! 4   8   born: milliseconds since the Unix epoch, big-endian
//! 12  4   length of the header, big-endian
//! 16  h   header: bincode 1, fixed-size little-endian integers
//! ..  n   the reply's struct, n as the header says
//! ..  8   xxh3-64 of all bytes before it, big-endian
//! ```
//!
//! Magic and `born` lie at fixed places in every version, so that a put can compare ages inside Redis. bincode does
//! not describe itself and would read one version's header as another's without noticing; so a change of the header
//! is a new version, which also goes into the Redis key: two versions never meet under one key.

use bincode::Options;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use crate::clock::Millis;
use crate::entry::{Entry, Kind};
use crate::wire::Protocol;

/// The version of the format written and read here.
pub const FORMAT: u8 = 1;
/// The first four bytes of every envelope.
pub const MAGIC: [u8; 4] = [b'L', b'R', b'D', FORMAT];
/// The most bytes an envelope has. Far above any useful reply, far below what Redis would hand over (512 MiB).
pub const MAX_ENVELOPE: usize = 32 << 20;
/// The most bytes a key in an envelope has.
pub const MAX_KEY: usize = 1 << 20;
/// The most tags an entry carries.
pub const MAX_TAGS: usize = 64;

/// The envelope of `entry`, kept under `key`.
///
/// # Errors
/// [`TooLarge`] beyond [`MAX_KEY`] or [`MAX_ENVELOPE`].
pub fn encode(key: &[u8], entry: &Entry) -> Result<Vec<u8>, TooLarge> {
    let header = Header {
        version: entry.version,
        tags: Vec::new(),
        kind: entry.kind.into(),
        protocol: entry.protocol.into(),
        key,
        body: u64::try_from(entry.body.len()).map_err(|_| TooLarge)?,
    };
    if key.len() > MAX_KEY {
        return Err(TooLarge);
    }
    let header_len = codec().serialized_size(&header).map_err(|_| TooLarge)?;
    let header_len = u32::try_from(header_len).map_err(|_| TooLarge)?;
    let total = (header_len as usize).saturating_add(FIXED + CHECKSUM).saturating_add(entry.body.len());
    if total > MAX_ENVELOPE {
        return Err(TooLarge);
    }
    let mut envelope = Vec::with_capacity(total);
    envelope.extend_from_slice(&MAGIC);
    envelope.extend_from_slice(&entry.born.0.to_be_bytes());
    envelope.extend_from_slice(&header_len.to_be_bytes());
    codec().serialize_into(&mut envelope, &header).map_err(|_| TooLarge)?;
    envelope.extend_from_slice(&entry.body);
    let checksum = xxh3_64(&envelope);
    envelope.extend_from_slice(&checksum.to_be_bytes());
    Ok(envelope)
}

/// The entry in `envelope`, if it is whole and belongs to `key`. Its body is a slice of `envelope`, not a copy.
///
/// # Errors
/// Why it is a miss. Reading allocates at most 1 MiB however the bytes lie.
pub fn decode(key: &[u8], envelope: &Bytes) -> Result<Entry, Unreadable> {
    if envelope.len() > MAX_ENVELOPE {
        return Err(Unreadable::TooLarge);
    }
    let parts = split(envelope)?;
    let header: Header<'_> = codec().deserialize(parts.header).map_err(|_| Unreadable::Header)?;
    if header.body != parts.after_header.len() as u64 {
        return Err(Unreadable::Truncated);
    }
    if xxh3_64(parts.summed) != parts.checksum {
        return Err(Unreadable::Checksum);
    }
    if header.tags.len() > MAX_TAGS {
        return Err(Unreadable::Header);
    }
    if header.key != key {
        return Err(Unreadable::OtherKey);
    }
    Ok(Entry {
        born: parts.born,
        version: header.version,
        kind: header.kind.into(),
        protocol: header.protocol.into(),
        body: envelope.slice_ref(parts.after_header),
    })
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
    let (header_len, rest) = rest.split_first_chunk().ok_or(Unreadable::Truncated)?;
    let header_len = usize::try_from(u32::from_be_bytes(*header_len)).map_err(|_| Unreadable::Truncated)?;
    let (header, after_header) = rest.split_at_checked(header_len).ok_or(Unreadable::Truncated)?;
    let born = Millis(u64::from_be_bytes(*born));
    Ok(Parts { born, header, after_header, summed, checksum: u64::from_be_bytes(*checksum) })
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    version: u64,
    tags: Vec<String>,
    kind: KindField,
    protocol: ProtocolField,
    #[serde(borrow, with = "serde_bytes")]
    key: &'a [u8],
    body: u64,
}

/// [`Kind`] as it is written: the order of the variants is the format.
#[derive(Serialize, Deserialize)]
enum KindField {
    Result,
    Empty,
    Exception(i16),
}

impl From<Kind> for KindField {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Result => Self::Result,
            Kind::Empty => Self::Empty,
            Kind::Exception(id) => Self::Exception(id),
        }
    }
}

impl From<KindField> for Kind {
    fn from(kind: KindField) -> Self {
        match kind {
            KindField::Result => Self::Result,
            KindField::Empty => Self::Empty,
            KindField::Exception(id) => Self::Exception(id),
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
const FIXED: usize = MAGIC.len() + 8 + 4;
/// Bytes after the body.
const CHECKSUM: usize = 8;
/// The most bytes a header has: the largest key, and room for tags of a kibibyte each.
const MAX_HEADER: u64 = (MAX_KEY + MAX_TAGS * 1024 + 256) as u64;

#[cfg(test)]
mod tests;
