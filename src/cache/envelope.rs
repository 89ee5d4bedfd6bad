//! What lies under a key as bytes, for the shared tier and for what is saved of the local one.
//!
//! ```text
//! 0   4   magic "LRD" and the format, 4
//! 4   8   born: milliseconds since the Unix epoch, big-endian
//! 12  1   0: an entry, 1: a tombstone
//! 13  1   flags: none yet
//! 14  4   length of the reply's struct, big-endian; 0 of a tombstone
//! 18  4   length of the header, big-endian
//! 22  h   header: bincode 1, fixed-size little-endian integers
//! ..  n   the reply's struct; nothing in a tombstone
//! ..  8   xxh3-64 of all bytes before it, big-endian
//! ```
//!
//! Format 3 has neither flags nor the reply's length there; an entry's header ends with that, in 8 bytes.
//!
//! bincode does not describe itself and would read one format's header as another's without noticing: a changed header is a new format.
//! A gateway reads its own and the one before. The first 13 bytes mean the same in each, so that a write can compare ages inside Redis,
//! whoever wrote what lies there: no gateway takes away what a newer one has learnt since, although it cannot read it.

mod header;
mod layout;

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use crate::entry::{Entry, Slot};

pub use layout::Format;
use layout::{Parts, What};

/// The most bytes an envelope has. Far above any useful reply, far below what Redis would hand over (512 MiB).
pub const MAX_ENVELOPE: usize = 32 << 20;
/// The most bytes a key in an envelope has.
pub const MAX_KEY: usize = 1 << 20;

/// How envelopes are written, and which are believed.
#[derive(Debug, Clone, Default)]
pub struct Codec {
    /// The format that is written. All known are read.
    pub format: Format,
}

impl Codec {
    /// The envelope of `slot`, kept under `key`.
    ///
    /// # Errors
    /// [`TooLarge`] beyond [`MAX_KEY`] or [`MAX_ENVELOPE`].
    pub fn encode(&self, key: &[u8], slot: &Slot) -> Result<Vec<u8>, TooLarge> {
        let body = slot.body();
        if key.len() > MAX_KEY || body.len() > MAX_ENVELOPE {
            return Err(TooLarge);
        }
        let header = header::write(self.format, key, slot).ok_or(TooLarge)?;
        let mut envelope = layout::begin(self.format, slot, &header, body.len());
        if envelope.len() + header.len() + body.len() + CHECKSUM > MAX_ENVELOPE {
            return Err(TooLarge);
        }
        envelope.reserve_exact(header.len() + body.len() + CHECKSUM);
        envelope.extend_from_slice(&header);
        envelope.extend_from_slice(body);
        let checksum = xxh3_64(&envelope);
        envelope.extend_from_slice(&checksum.to_be_bytes());
        Ok(envelope)
    }

    /// What `envelope` holds, if it is whole and belongs to `key`. A body is a slice of `envelope`, not a copy.
    ///
    /// # Errors
    /// Why it is a miss. Reading allocates nothing by a length that the bytes state.
    pub fn decode(&self, key: &[u8], envelope: &Bytes) -> Result<Slot, Unreadable> {
        let (theirs, slot) = self.open(envelope)?;
        if theirs == key { Ok(slot) } else { Err(Unreadable::OtherKey) }
    }

    /// What `envelope` holds, and under which key, if it is whole. Both are parts of `envelope`, not copies.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), but that any key will do.
    pub fn open<'a>(&self, envelope: &'a Bytes) -> Result<(&'a [u8], Slot), Unreadable> {
        if envelope.len() > MAX_ENVELOPE {
            return Err(Unreadable::TooLarge);
        }
        let parts = Parts::of(envelope)?;
        let (key, slot) = match parts.what {
            What::Entry => {
                let header = header::entry(&parts)?;
                if header.body != parts.body.len() as u64 {
                    return Err(Unreadable::Truncated);
                }
                let entry = Entry {
                    tags: header.tags,
                    version: header.version,
                    ..Entry::new(parts.born, header.ending, header.protocol, envelope.slice_ref(parts.body))
                };
                (header.key, Slot::Entry(Arc::new(entry)))
            }
            What::Tombstone => {
                let key = header::tombstone(&parts)?;
                if !parts.body.is_empty() {
                    return Err(Unreadable::Truncated);
                }
                (key, Slot::Tombstone(parts.born))
            }
        };
        if xxh3_64(parts.summed) != parts.checksum {
            return Err(Unreadable::Checksum);
        }
        Ok((key, slot))
    }
}

/// Whether these may be the first bytes of an envelope that can be read here.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    layout::format(bytes).is_ok()
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
    /// A version of Larder wrote it that is too new or too old.
    #[error("envelope has format {0}, which is not read here")]
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

/// Bytes of the checksum at the end.
const CHECKSUM: usize = 8;

#[cfg(test)]
mod tests;
