//! What an entry knows of the marks that it was held against.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Standing;

/// How many marks this process had made when something happened: its own order, which no clock moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

/// Up to which tick an entry was held against the marks, and what was found. Asking it again costs nothing until another mark is made.
#[derive(Debug, Default)]
pub struct Seal {
    /// The tick, and in the last bit whether a soft mark was found.
    held: AtomicU64,
    /// Whether an earlier process left the entry: nobody has held it against what was marked meanwhile.
    is_doubtful: bool,
}

impl Seal {
    /// That of an entry whose backend call began at `tick`.
    pub fn new(tick: Tick) -> Self {
        Self { held: AtomicU64::new(tick.0 << 1), is_doubtful: false }
    }

    /// That of an entry that was held against the marks up to `tick` elsewhere.
    pub fn held(tick: Tick, standing: Standing) -> Self {
        let held = AtomicU64::new(tick.0 << 1 | u64::from(standing != Standing::Clear));
        Self { held, is_doubtful: false }
    }

    /// That of an entry that an earlier process left, as if a soft mark covered it.
    pub fn doubtful() -> Self {
        Self { is_doubtful: true, ..Self::held(Tick::default(), Standing::Soft) }
    }

    /// The same, as if a soft mark had been found too.
    #[must_use]
    pub fn softened(self) -> Self {
        Self { held: AtomicU64::new(self.held.into_inner() | 1), ..self }
    }

    /// Whether an earlier process left the entry, and nobody has held it against what was marked meanwhile.
    #[inline]
    pub fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Up to which tick, and whether a soft mark was found.
    #[inline]
    pub fn read(&self) -> (Tick, bool) {
        let both = self.held.load(Ordering::Acquire);
        (Tick(both >> 1), both & 1 == 1)
    }

    /// No hard mark up to `tick` covers the entry. Who comes late with less changes nothing.
    pub(super) fn vouch(&self, tick: Tick, soft: bool) {
        self.held.fetch_max(tick.0 << 1 | u64::from(soft), Ordering::AcqRel);
    }
}

impl Clone for Seal {
    fn clone(&self) -> Self {
        Self { held: AtomicU64::new(self.held.load(Ordering::Acquire)), is_doubtful: self.is_doubtful }
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
    fn a_seal_never_goes_back() {
        let seal = Seal::new(Tick(3));
        assert_eq!(seal.read(), (Tick(3), false));
        seal.vouch(Tick(5), true);
        seal.vouch(Tick(4), false);
        assert_eq!(seal.read(), (Tick(5), true));
    }
}
