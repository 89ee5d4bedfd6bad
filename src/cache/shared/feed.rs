//! The marks that gateways share: one log in one order, and who has come how far with it.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::future::BoxFuture;
use thiserror::Error;

use crate::clock::Millis;
use crate::mark::{Cover, Kind, Mark, Standing, Version};

/// Where gateways tell each other their marks.
///
/// A log holds the last [`KEPT`] of them. Whoever finds first that the log does not go on where it ended for him, or that it is the log of another
/// server than before, opens an epoch: marks may have been lost. Its number is later than all that are known there, by as much as its
/// gateway's number says: so nobody who knows less gives another epoch the same.
pub trait Feed: Send + Sync + Debug {
    /// Appends marks, but none that is told again and is known there. What is not confirmed may be there all the same, and what is confirmed may yet be lost: where they lie is told to who
    /// listens. What they cover can be looked up for `keep`: for as long as an entry is kept that they may cover.
    fn announce<'a>(&'a self, said: &'a [Announcement], keep: Duration)
    -> BoxFuture<'a, Result<(), Unheard>>;

    /// Tells how far a gateway has come, which renews its lease, and what came after.
    fn listen<'a>(&'a self, hello: &'a Hello) -> BoxFuture<'a, Result<Heard, Unheard>>;

    /// The last marks on each of these, also those that the log holds no more.
    fn exact<'a>(&'a self, covers: &'a [Cover]) -> BoxFuture<'a, Result<Vec<Exact>, Unheard>>;
}

/// The feed is away, slow, or answers what cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the marks that gateways share cannot be reached")]
pub struct Unheard;

/// Who made a mark, and which of his it is. It tells two marks apart that have the same place in two histories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The gateway: a number that no other has.
    pub gateway: u64,
    /// Its own count.
    pub number: u64,
}

/// A mark as gateways tell it each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Who made it.
    pub origin: Origin,
    /// The mark.
    pub mark: Mark,
    /// Where it lay before, if it is told again because the log may have lost it. It is as late as that says, not as the place where it lies now.
    pub again: Option<Version>,
}

/// What a gateway says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// Which it is.
    pub gateway: u64,
    /// How far it has come; nowhere at first.
    pub applied: Version,
    /// Whose mark lay there.
    pub there: Origin,
    /// Whose a mark is that opens an epoch, if one must be opened.
    pub opens: Origin,
    /// For how long it may be waited for, from when this is heard.
    pub lease: Duration,
    /// Whether it wants to know if marks are safe.
    pub asks: bool,
}

/// What a gateway hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Whether the log goes on where the gateway has come to. If not, it must hear all that the log holds.
    pub goes_on: bool,
    /// What the store may evict unseen; told to who asks.
    pub evicts: Option<Evicts>,
    /// The place of the first mark that the log holds.
    pub first: Version,
    /// That of the last.
    pub last: Version,
    /// What the time is there.
    pub now: Millis,
    /// How many gateways there are.
    pub gateways: usize,
    /// How far all of them have come.
    pub fleet: Version,
    /// What came after the gateway's own place if the log goes on there, the earliest first, up to [`HEARD_MAX`].
    pub marks: Vec<(Version, Announcement)>,
}

/// What a store evicts to make room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Evicts {
    /// Nothing: it refuses writes.
    #[default]
    Nothing,
    /// What expires: the last marks on a cover, and no log.
    Expiring,
    /// Anything, the log too.
    Anything,
}

/// The last marks on one cover; none has the version that is before all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exact {
    /// Of either kind.
    pub any: Version,
    /// The last hard one.
    pub hard: Version,
}

impl Exact {
    /// What these marks leave of an entry whose gateway had come as far as `version`.
    pub fn leaves(self, version: Version) -> Standing {
        match () {
            () if self.hard > version => Standing::Hard,
            () if self.any > version => Standing::Soft,
            () => Standing::Clear,
        }
    }
}

impl Announcement {
    /// As bytes: gateway, number, kind (0 soft, 1 hard; 2 and 3 of one that is told again), milliseconds to settle, where it lay if it is told again,
    /// covers; all big-endian.
    pub fn encode(&self) -> Vec<u8> {
        let Self { origin, mark, again } = self;
        let kind = match (mark.kind, again) {
            (Kind::Soft, None) => 0,
            (Kind::Hard, None) => 1,
            (Kind::Soft, Some(_)) => 2,
            (Kind::Hard, Some(_)) => 3,
        };
        let settle = u32::try_from(mark.settle.as_millis()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEAD + mark.covers.len() * COVER);
        bytes.extend_from_slice(&origin.encode());
        bytes.push(kind);
        bytes.extend_from_slice(&settle.to_be_bytes());
        bytes.extend(again.iter().flat_map(|version| version.packed().to_be_bytes()));
        bytes.extend(mark.covers.iter().flat_map(|cover| cover.0.to_be_bytes()));
        bytes
    }

    /// What was encoded so.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (gateway, rest) = bytes.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (&[kind], rest) = rest.split_first_chunk()?;
        let (settle, rest) = rest.split_first_chunk()?;
        let (kind, is_again) = match kind {
            0 | 2 => (Kind::Soft, kind == 2),
            1 | 3 => (Kind::Hard, kind == 3),
            _ => return None,
        };
        let (again, covers) = match is_again {
            true => rest.split_first_chunk().map(|(packed, rest)| (Some(packed), rest))?,
            false => (None, rest),
        };
        let again = again.map(|packed| Version::unpacked(u64::from_be_bytes(*packed)));
        let (covers, []) = covers.as_chunks() else { return None };
        let origin = Origin { gateway: u64::from_be_bytes(*gateway), number: u64::from_be_bytes(*number) };
        let covers = covers.iter().map(|cover| Cover(u128::from_be_bytes(*cover))).collect();
        let settle = Duration::from_millis(u32::from_be_bytes(*settle).into());
        Some(Self { origin, mark: Mark { covers, kind, settle }, again })
    }
}

impl Origin {
    /// The bytes that an announcement of it begins with.
    pub fn encode(self) -> [u8; 16] {
        (u128::from(self.gateway) << 64 | u128::from(self.number)).to_be_bytes()
    }
}

/// An epoch begins up to so many after the last.
pub const EPOCH_SKIP: u64 = 1_000;
/// Marks that the log holds: so many a gateway may fall behind, and so many one that starts begins with.
pub const KEPT: usize = 65_536;
/// Marks that are heard at once.
pub const HEARD_MAX: usize = 1_024;
/// Bytes before the covers.
const HEAD: usize = 16 + 1 + 4;
/// Bytes of a cover.
const COVER: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard() {
        for (kind, covers) in [(Kind::Soft, vec![]), (Kind::Hard, vec![Cover(1), Cover(u128::MAX)])] {
            let mark = Mark { covers: covers.into(), kind, settle: Duration::from_millis(1_500) };
            for again in [None, Some(Version::new(2, 5))] {
                let origin = Origin { gateway: 7, number: 9 };
                let said = Announcement { origin, mark: mark.clone(), again };
                let bytes = said.encode();
                assert!(bytes.starts_with(&said.origin.encode()));
                assert_eq!(Announcement::decode(&bytes), Some(said));
            }
        }
    }

    #[test]
    fn what_is_no_announcement_is_not_understood() {
        let mark = Mark { covers: [Cover(1)].into(), kind: Kind::Soft, settle: Duration::ZERO };
        let whole = Announcement { origin: Origin::default(), mark, again: None }.encode();
        for end in 0..whole.len() {
            let told = Announcement::decode(whole.get(..end).unwrap_or_default());
            assert_eq!(told.is_some(), end == HEAD, "at {end}");
        }
        let other = [&whole[..16], &[2], &whole[17..]].concat();
        assert_eq!(Announcement::decode(&other), None);
    }
}
