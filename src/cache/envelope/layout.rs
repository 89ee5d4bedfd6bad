//! Where the parts of an envelope lie.

use xxhash_rust::xxh3::xxh3_64;

use super::Unreadable;
use super::signature::SIGNATURE;
use crate::clock::Millis;
use crate::entry::Slot;

/// A format of envelopes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// The one before: the reply's length is in its header.
    Three,
    /// The newest: with flags.
    #[default]
    Four,
}

/// What an envelope holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Entry,
    Tombstone,
}

/// What was done to an envelope.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// The reply is compressed.
    pub(super) compressed: bool,
    /// There is a signature.
    pub(super) signed: bool,
}

/// An envelope taken apart, nothing but its lengths checked.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) born: Millis,
    pub(super) what: What,
    pub(super) flags: Flags,
    /// The length of the reply before it was compressed, where the format says it here.
    pub(super) length: Option<u32>,
    pub(super) header: &'a [u8],
    pub(super) body: &'a [u8],
    pub(super) signature: Option<&'a [u8]>,
    /// What the signature is of.
    pub(super) signed: &'a [u8],
    summed: &'a [u8],
    checksum: u64,
}

impl Format {
    /// All that are read.
    const ALL: [Self; 2] = [Self::Three, Self::Four];

    /// The one with this number, if it is read.
    pub(crate) fn numbered(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.number() == number)
    }

    /// Whether its envelopes have flags.
    pub(super) fn has_flags(self) -> bool {
        match self {
            Self::Three => false,
            Self::Four => true,
        }
    }

    /// Its number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Three => 3,
            Self::Four => 4,
        }
    }
}

impl Flags {
    fn byte(self) -> u8 {
        u8::from(self.compressed) * COMPRESSED + u8::from(self.signed) * SIGNED
    }

    /// Those of a byte, if all are known.
    fn of(byte: u8) -> Option<Self> {
        let flags = Self { compressed: byte & COMPRESSED != 0, signed: byte & SIGNED != 0 };
        (flags.byte() == byte).then_some(flags)
    }
}

/// The format in which these first bytes of an envelope go on.
pub(super) fn format(bytes: &[u8]) -> Result<Format, Unreadable> {
    let Some((magic, rest)) = bytes.split_first_chunk() else {
        return Err(if MAGIC.starts_with(bytes) { Unreadable::Truncated } else { Unreadable::Foreign });
    };
    if *magic != MAGIC {
        return Err(Unreadable::Foreign);
    }
    let number = *rest.first().ok_or(Unreadable::Truncated)?;
    Format::numbered(number).ok_or(Unreadable::Format(number))
}

/// All of an envelope that lies before its header.
pub(super) fn begin(format: Format, slot: &Slot, flags: Flags, header: &[u8]) -> Vec<u8> {
    let mut front = Vec::with_capacity(FRONT_MAX);
    front.extend_from_slice(&MAGIC);
    front.push(format.number());
    front.extend_from_slice(&slot.born().0.to_be_bytes());
    front.push(match slot {
        Slot::Entry(_) => ENTRY,
        Slot::Tombstone(_) => TOMBSTONE,
    });
    if format.has_flags() {
        front.push(flags.byte());
        front.extend_from_slice(&(slot.body().len() as u32).to_be_bytes());
    }
    front.extend_from_slice(&(header.len() as u32).to_be_bytes());
    front
}

impl<'a> Parts<'a> {
    /// The parts of `envelope`.
    pub(super) fn of(envelope: &'a [u8]) -> Result<Self, Unreadable> {
        let format = format(envelope)?;
        let (summed, checksum) = envelope.split_last_chunk().ok_or(Unreadable::Truncated)?;
        let mut rest = summed.get(MAGIC.len() + 1..).ok_or(Unreadable::Truncated)?;
        let born = Millis(u64::from_be_bytes(take(&mut rest)?));
        let what = match take(&mut rest)? {
            [ENTRY] => What::Entry,
            [TOMBSTONE] => What::Tombstone,
            [_] => return Err(Unreadable::Header),
        };
        let (flags, length) = if format.has_flags() {
            let [flags] = take(&mut rest)?;
            let flags = Flags::of(flags).ok_or(Unreadable::Header)?;
            (flags, Some(u32::from_be_bytes(take(&mut rest)?)))
        } else {
            (Flags::default(), None)
        };
        if what == What::Tombstone && flags.compressed {
            return Err(Unreadable::Header);
        }
        let header = u32::from_be_bytes(take(&mut rest)?) as usize;
        let (header, rest) = rest.split_at_checked(header).ok_or(Unreadable::Truncated)?;
        let signature = if flags.signed { SIGNATURE } else { 0 };
        let body = rest.len().checked_sub(signature).ok_or(Unreadable::Truncated)?;
        let (body, signature) = rest.split_at(body);
        let signed = summed.strip_suffix(signature).unwrap_or(summed);
        let signature = flags.signed.then_some(signature);
        let checksum = u64::from_be_bytes(*checksum);
        Ok(Self { born, what, flags, length, header, body, signature, signed, summed, checksum })
    }

    /// Whether it is whole, and holds a reply of this length; how long a compressed one is will be seen.
    pub(super) fn verify(&self, length: usize) -> Result<(), Unreadable> {
        if !self.flags.compressed && self.body.len() != length {
            return Err(Unreadable::Truncated);
        }
        if xxh3_64(self.summed) != self.checksum {
            return Err(Unreadable::Checksum);
        }
        Ok(())
    }
}

/// The length that an envelope says its reply has, once it is not compressed any more; 0 where it says nothing.
pub(super) fn length(envelope: &[u8]) -> usize {
    Parts::of(envelope).ok().and_then(|parts| parts.length).unwrap_or_default() as usize
}

/// Takes the next bytes off.
fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Unreadable> {
    let (taken, behind) = rest.split_first_chunk().ok_or(Unreadable::Truncated)?;
    *rest = behind;
    Ok(*taken)
}

/// The first bytes of every envelope.
const MAGIC: [u8; 3] = *b"LRD";
/// The byte that says that an entry follows.
const ENTRY: u8 = 0;
/// The byte that says that nothing follows.
const TOMBSTONE: u8 = 1;
/// The flag of a reply that is compressed.
const COMPRESSED: u8 = 1;
/// The flag of an envelope that is signed.
const SIGNED: u8 = 2;
/// The most bytes before a header.
const FRONT_MAX: usize = 22;
