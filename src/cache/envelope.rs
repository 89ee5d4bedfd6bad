//! What lies under a key as bytes, for the shared tier and for what is saved of the local one.
//!
//! ```text
//! 0   4   magic "LRD" and the format, 4
//! 4   8   born: milliseconds since the Unix epoch, big-endian
//! 12  1   0: an entry, 1: a tombstone
//! 13  1   flags: 1 if the reply is compressed with zstd, 2 if the envelope is signed
//! 14  4   length of the reply's struct before that, big-endian; 0 of a tombstone
//! 18  4   length of the header, big-endian
//! 22  h   header: bincode 1, fixed-size little-endian integers
//! ..  n   the reply's struct; nothing in a tombstone
//! ..  32  if the envelope is signed: HMAC-SHA256 of all bytes before it, the key in the header among them
//! ..  8   xxh3-64 of all bytes before it, big-endian
//! ```
//!
//! Format 3 has neither flags nor the reply's length there; an entry's header ends with that, in 8 bytes.
//!
//! bincode does not describe itself and would read one format's header as another's without noticing: a changed header is a new format.
//! A gateway reads its own and the one before. The first 13 bytes mean the same in each, so that a write can compare ages inside Redis,
//! whoever wrote what lies there: no gateway takes away what a newer one has learnt since, although it cannot read it.

mod compression;
mod header;
mod layout;
mod signature;

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use crate::entry::{Entry, Slot};

use compression::Zstd;
pub use layout::Format;
use layout::{Flags, Parts, What};
use signature::SIGNATURE;
pub use signature::{Keyring, KeyringFlaw};

/// The most bytes an envelope has. Far above any useful reply, far below what Redis would hand over (512 MiB).
pub const MAX_ENVELOPE: usize = 32 << 20;
/// The most bytes a key in an envelope has.
pub const MAX_KEY: usize = 1 << 20;

/// How envelopes are written, and which are believed.
#[derive(Debug, Clone, Default)]
pub struct Codec {
    /// The format that is written. All known are read.
    pub format: Format,
    /// Longer replies are compressed where that makes them shorter, and the format can tell. Without it none are.
    pub compress_above: Option<usize>,
    /// What envelopes are signed with, if the format can tell. Those that are not, or by others, are not believed.
    pub keyring: Option<Keyring>,
    /// What compresses.
    pub(crate) zstd: Zstd,
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
        let compressed = self.compressed(body);
        let keyring = self.keyring.as_ref().filter(|_| self.format.has_flags());
        let flags = Flags { compressed: compressed.is_some(), signed: keyring.is_some() };
        let stored = compressed.as_deref().unwrap_or(body);
        let mut envelope = layout::begin(self.format, slot, flags, &header);
        let rest = header.len() + stored.len() + SIGNATURE + CHECKSUM;
        if envelope.len() + rest > MAX_ENVELOPE {
            return Err(TooLarge);
        }
        envelope.reserve_exact(rest);
        envelope.extend_from_slice(&header);
        envelope.extend_from_slice(stored);
        if let Some(signature) = keyring.and_then(|keyring| keyring.sign(&envelope)) {
            envelope.extend_from_slice(signature.as_ref());
        }
        let checksum = xxh3_64(&envelope);
        envelope.extend_from_slice(&checksum.to_be_bytes());
        Ok(envelope)
    }

    /// What `envelope` holds, if it is whole and belongs to `key`. A body is a slice of `envelope`, unless it was compressed.
    ///
    /// # Errors
    /// Why it is a miss. By a length that the bytes state nothing is allocated but room for a reply, up to [`MAX_ENVELOPE`].
    pub fn decode(&self, key: &[u8], envelope: &Bytes) -> Result<Slot, Unreadable> {
        let (theirs, slot) = self.open(envelope)?;
        if theirs == key { Ok(slot) } else { Err(Unreadable::OtherKey) }
    }

    /// What `envelope` holds, and under which key, if it is whole. The key is a slice of `envelope`.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), but that any key will do.
    pub fn open<'a>(&self, envelope: &'a Bytes) -> Result<(&'a [u8], Slot), Unreadable> {
        if envelope.len() > MAX_ENVELOPE {
            return Err(Unreadable::TooLarge);
        }
        let parts = Parts::of(envelope)?;
        match parts.what {
            What::Entry => {
                let header = header::entry(&parts)?;
                self.verify(&parts, header.length)?;
                let body = self.body(envelope, &parts, header.length)?;
                let whole = Entry::new(parts.born, header.ending, header.protocol, body);
                let entry = Entry { tags: header.tags, version: header.version, ..whole };
                Ok((header.key, Slot::Entry(Arc::new(entry))))
            }
            What::Tombstone => {
                let key = header::tombstone(&parts)?;
                self.verify(&parts, 0)?;
                Ok((key, Slot::Tombstone(parts.born)))
            }
        }
    }

    /// Whether an envelope is whole, holds a reply of this length, and comes from who has our secret.
    fn verify(&self, parts: &Parts<'_>, length: usize) -> Result<(), Unreadable> {
        parts.verify(length)?;
        match (&self.keyring, parts.signature) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Unreadable::Unsigned),
            (Some(keyring), Some(signature)) if keyring.believes(parts.signed, signature) => Ok(()),
            (Some(_), Some(_)) => Err(Unreadable::Forged),
        }
    }

    /// A reply in fewer bytes, where it is to have fewer.
    fn compressed(&self, body: &[u8]) -> Option<Vec<u8>> {
        let is_long = self.compress_above.is_some_and(|above| body.len() > above);
        (is_long && self.format.has_flags()).then(|| self.zstd.smaller(body)).flatten()
    }

    /// The reply in `envelope`, which is `length` bytes long.
    fn body(&self, envelope: &Bytes, parts: &Parts<'_>, length: usize) -> Result<Bytes, Unreadable> {
        if !parts.flags.compressed {
            return Ok(envelope.slice_ref(parts.body));
        }
        if length > MAX_ENVELOPE {
            return Err(Unreadable::TooLarge);
        }
        self.zstd.whole(parts.body, length).map(Bytes::from).ok_or(Unreadable::Compression)
    }
}

/// How many bytes are touched to open `envelope`, by what it says of itself.
pub(crate) fn work(envelope: &[u8]) -> usize {
    layout::length(envelope).min(MAX_ENVELOPE).max(envelope.len())
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
    /// Its reply cannot be decompressed to the length it says.
    #[error("envelope holds no reply of the length it says")]
    Compression,
    /// Nobody has signed it, and somebody must have.
    #[error("envelope is not signed")]
    Unsigned,
    /// It is signed with no secret that is known here.
    #[error("envelope is signed by somebody else")]
    Forged,
    /// It is whole and belongs to another key: somebody has put it there, or both have the same hash.
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
            Self::Compression => "unreadable_compression",
            Self::Unsigned => "unreadable_unsigned",
            Self::Forged => "unreadable_forged",
            Self::OtherKey => "unreadable_other_key",
        }
    }
}

/// Bytes of the checksum at the end.
const CHECKSUM: usize = 8;

#[cfg(test)]
mod tests;
