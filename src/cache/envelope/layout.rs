//! Where the parts of an envelope lie.

use super::Unreadable;
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

/// An envelope taken apart, nothing but its lengths checked.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) born: Millis,
    pub(super) what: What,
    /// The length of the reply, where the format says it here.
    pub(super) length: Option<u32>,
    pub(super) header: &'a [u8],
    pub(super) body: &'a [u8],
    pub(super) summed: &'a [u8],
    pub(super) checksum: u64,
}

impl Format {
    /// All that are read.
    const ALL: [Self; 2] = [Self::Three, Self::Four];

    /// The one with this number, if it is read.
    pub(crate) fn numbered(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.number() == number)
    }

    /// Its number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Three => 3,
            Self::Four => 4,
        }
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
pub(super) fn begin(format: Format, slot: &Slot, header: &[u8], length: usize) -> Vec<u8> {
    let mut front = Vec::with_capacity(FRONT_MAX);
    front.extend_from_slice(&MAGIC);
    front.push(format.number());
    front.extend_from_slice(&slot.born().0.to_be_bytes());
    front.push(match slot {
        Slot::Entry(_) => ENTRY,
        Slot::Tombstone(_) => TOMBSTONE,
    });
    match format {
        Format::Three => {}
        Format::Four => {
            front.push(0);
            front.extend_from_slice(&(length as u32).to_be_bytes());
        }
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
        let length = match format {
            Format::Three => None,
            Format::Four => match take(&mut rest)? {
                [0] => Some(u32::from_be_bytes(take(&mut rest)?)),
                [_] => return Err(Unreadable::Header),
            },
        };
        let header = u32::from_be_bytes(take(&mut rest)?) as usize;
        let (header, body) = rest.split_at_checked(header).ok_or(Unreadable::Truncated)?;
        Ok(Self { born, what, length, header, body, summed, checksum: u64::from_be_bytes(*checksum) })
    }
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
/// The most bytes before a header.
const FRONT_MAX: usize = 22;
