//! What was declared wrong: marks cover entries by key, tag, method or service, and count from the moment at which they are made.
//!
//! An entry is used only while no mark covers it that was made after its backend call began. So a mark costs the same however much it
//! covers, and whatever was under way when it was made may land and never answers.

mod table;

use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

pub use table::{Marks, Sweep};

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

impl Covers<'_> {
    fn each(&self) -> impl Iterator<Item = Cover> {
        let named = self.place.iter().chain(self.tags).copied();
        named.chain(std::iter::once_with(|| Cover::key(self.key)))
    }
}

/// What a mark makes of the entries that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// They answer only where a backend fails, as `stale_if_error` allows.
    Soft,
    /// They never answer.
    Hard,
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

/// How many marks this process had made when something happened: its own order, which no clock moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub u64);

/// Up to which tick an entry was held against the marks, and what was found. Asking it again costs nothing until another mark is made.
#[derive(Debug, Default)]
pub struct Seal(AtomicU64);

impl Seal {
    /// That of an entry whose backend call began at `tick`.
    pub fn new(tick: Tick) -> Self {
        Self(AtomicU64::new(tick.0 << 1))
    }

    /// Up to which tick, and whether a soft mark was found.
    #[inline]
    fn read(&self) -> (Tick, bool) {
        let both = self.0.load(Ordering::Acquire);
        (Tick(both >> 1), both & 1 == 1)
    }

    /// No hard mark up to `tick` covers the entry. Who comes late with less changes nothing.
    fn vouch(&self, tick: Tick, soft: bool) {
        self.0.fetch_max(tick.0 << 1 | u64::from(soft), Ordering::AcqRel);
    }
}

impl Clone for Seal {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.0.load(Ordering::Acquire)))
    }
}

/// Two entries are the same whatever has been asked of them since.
impl PartialEq for Seal {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Seal {}

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
    fn a_seal_never_goes_back() {
        let seal = Seal::new(Tick(3));
        assert_eq!(seal.read(), (Tick(3), false));
        seal.vouch(Tick(5), true);
        seal.vouch(Tick(4), false);
        assert_eq!(seal.read(), (Tick(5), true));
    }
}
