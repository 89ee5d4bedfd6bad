//! A rule that is for a part of its keys, so that it can be tried on few before it is for all.

use xxhash_rust::xxh3::xxh3_64;

/// The share of its keys that a rule is for. Which keys those are does not change while the share is the same, and a larger one has all
/// that a smaller one has, on all gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ramp {
    percent: u8,
}

impl Ramp {
    /// So many of a hundred keys; all for more than that.
    pub(crate) fn of(percent: u8) -> Self {
        Self { percent }
    }

    /// Whether `key` is one of them.
    #[inline]
    pub(crate) fn takes(self, key: &[u8]) -> bool {
        self.percent >= 100 || self.draws(key)
    }

    fn draws(self, key: &[u8]) -> bool {
        // The upper half alone, so that the product fits.
        let drawn = ((xxh3_64(key) >> 32) * 100) >> 32;
        drawn < u64::from(self.percent)
    }
}

impl Default for Ramp {
    /// All.
    fn default() -> Self {
        Self::of(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(percent: u8) -> Vec<u32> {
        (0..10_000_u32).filter(|key| Ramp::of(percent).takes(&key.to_be_bytes())).collect()
    }

    #[test]
    fn it_takes_its_share_and_more_of_them_with_each_step() {
        assert_eq!((taken(0).len(), taken(100).len()), (0, 10_000));
        let (few, many) = (taken(10), taken(50));
        assert!((900..1_100).contains(&few.len()) && (4_800..5_200).contains(&many.len()));
        assert!(few.iter().all(|key| many.contains(key)));
    }
}
