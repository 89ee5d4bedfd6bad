//! What was declared wrong: marks cover entries by key, tag, method or service, and count from the moment at which they are made.
//!
//! An entry is used only while no mark covers it that was made after its backend call began. So a mark costs the same however much it
//! covers, and whatever was under way when it was made may land and never answers.

mod seal;
mod table;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

pub use seal::{Seal, Tick};
pub(crate) use table::known::Known;
pub use table::{Audience, Marks, Sweep, Vetted};

/// What a mark covers, by the hash of its name. Two names with one hash are both covered by a mark on either: too much, never too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cover(pub u128);

impl Cover {
    /// All entries.
    pub fn all() -> Self {
        Self::of(b"all", &[])
    }

    /// The entry under one key.
    pub fn key(key: &[u8]) -> Self {
        Self(xxh3_128(key))
    }

    /// The entries of all methods of a service.
    pub fn service(service: &[u8]) -> Self {
        Self::of(b"service", &[service])
    }

    /// The entries of one method.
    pub fn method(service: &[u8], method: &[u8]) -> Self {
        Self::of(b"method", &[service, method])
    }

    /// The entries with one tag.
    pub fn tag(tag: &[u8]) -> Self {
        Self::of(b"tag", &[tag])
    }

    /// The entries with any tag of this pattern.
    pub fn family(pattern: &[u8]) -> Self {
        Self::of(b"family", &[pattern])
    }

    /// The entries that have a tag of this pattern, and nobody knows which.
    pub fn untold(pattern: &[u8]) -> Self {
        Self::of(b"untold", &[pattern])
    }

    fn of(what: &[u8], parts: &[&[u8]]) -> Self {
        let mut hash = Xxh3::new();
        for part in [what].iter().chain(parts) {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.digest128())
    }
}

/// All that may cover an entry.
#[derive(Clone, Copy, Debug)]
pub struct Covers<'a> {
    /// Its method, its service, and all.
    pub place: &'a [Cover],
    /// Its tags.
    pub tags: &'a [Cover],
    /// Its key.
    pub key: &'a [u8],
}

impl<'a> Covers<'a> {
    /// Each of them.
    pub fn each(self) -> impl Iterator<Item = Cover> + 'a {
        let named = self.place.iter().chain(self.tags).copied();
        named.chain(std::iter::once_with(move || Cover::key(self.key)))
    }
}

/// What a mark makes of the entries that it covers.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// They answer only where a backend fails, as `stale_if_error` allows.
    #[default]
    Soft,
    /// They never answer.
    Hard,
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }
}

/// How far a mark has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// This process keeps it, and will tell the others.
    Gateway,
    /// The shared tier has it. It may still be lost there before all gateways have heard it.
    Shared,
    /// All gateways have heard it that may answer as if they had heard all.
    Fleet,
}

impl Reach {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Shared => "redis",
            Self::Fleet => "fleet",
        }
    }
}

/// What marks leave of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Its age alone decides.
    Clear,
    /// A soft mark covers it.
    Soft,
    /// A hard mark covers it, or nobody knows any more whether one does.
    Hard,
}

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What it covers.
    pub covers: Box<[Cover]>,
    /// What it makes of that.
    pub kind: Kind,
    /// For how long what is asked from then on may still be the state before it, in whole milliseconds.
    pub settle: Duration,
}

/// A place in the order of the marks that gateways share. An epoch ends where some may have been lost: then nobody knows what they covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// So far into an epoch. 16,777,215 of those are told apart, and 1.1e12 marks.
    pub fn new(epoch: u64, sequence: u64) -> Self {
        let epoch = epoch.min(EPOCHS);
        Self(epoch << SEQUENCE_BITS | sequence & SEQUENCES)
    }

    /// The epoch; 0 is before all of them.
    pub fn epoch(self) -> u64 {
        self.0 >> SEQUENCE_BITS
    }

    /// How many marks were made before and with this one, in all epochs.
    pub fn sequence(self) -> u64 {
        self.0 & SEQUENCES
    }

    /// As one number, in the same order.
    pub fn packed(self) -> u64 {
        self.0
    }

    /// The version that was packed so.
    pub fn unpacked(packed: u64) -> Self {
        Self(packed)
    }
}

/// The epoch and the sequence.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch(), self.sequence())
    }
}

const SEQUENCE_BITS: u32 = 40;
const EPOCHS: u64 = u64::MAX >> SEQUENCE_BITS;
const SEQUENCES: u64 = (1 << SEQUENCE_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_differently_is_covered_differently() {
        let mut all = vec![
            Cover::all(),
            Cover::key(b"s"),
            Cover::service(b"s"),
            Cover::method(b"s", b""),
            Cover::method(b"", b"s"),
            Cover::tag(b"s"),
            Cover::family(b"s"),
            Cover::untold(b"s"),
        ];
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn versions_are_in_order() {
        let one = Version::new(1, 900);
        assert_eq!((one.epoch(), one.sequence(), Version::unpacked(one.packed())), (1, 900, one));
        assert!(
            Version::default() < one
                && one < Version::new(1, 901)
                && Version::new(1, 901) < Version::new(2, 0)
        );
    }
}
