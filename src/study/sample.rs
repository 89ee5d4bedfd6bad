//! A bounded sample of keys, and the share of all keys that it stands for.

use std::collections::BTreeMap;

/// What is known of some keys: of those with the smallest hashes, so that a key is in or out however often it comes. When there is no room
/// for one more, the largest goes, and none as large comes in again (Waldspurger et al., "Efficient MRC Construction with SHARDS", FAST 2015,
/// section 3.2).
#[derive(Debug)]
pub(super) struct Sample<T> {
    kept: BTreeMap<u64, T>,
    /// The largest hash that may be in.
    limit: u64,
    most: usize,
}

impl<T: Default> Sample<T> {
    /// At most `most` keys.
    pub(super) fn new(most: usize) -> Self {
        Self { kept: BTreeMap::new(), limit: u64::MAX, most }
    }

    /// What is known of the key with this hash, if it is in the sample.
    pub(super) fn of(&mut self, hash: u64) -> Option<&mut T> {
        if !self.takes(hash) {
            return None;
        }
        if !self.kept.contains_key(&hash) && self.kept.len() >= self.most {
            let largest = self.kept.last_key_value().map_or(0, |(largest, _)| *largest).max(hash);
            self.kept.remove(&largest);
            self.limit = largest.saturating_sub(1);
        }
        self.takes(hash).then(|| self.kept.entry(hash).or_default())
    }

    /// Whether the key with this hash is in the sample, or would come in.
    pub(super) fn takes(&self, hash: u64) -> bool {
        hash <= self.limit
    }

    /// The share of all keys that are in: 0 to 1.
    pub(super) fn rate(&self) -> f64 {
        self.limit as f64 / u64::MAX as f64
    }

    /// The hash of each, and what is known of it.
    pub(super) fn each(&self) -> impl Iterator<Item = (u64, &T)> {
        self.kept.iter().map(|(hash, known)| (*hash, known))
    }

    /// How many different keys there were, as far as the sample tells: within about `1 / sqrt(most)`.
    pub(super) fn distinct(&self) -> f64 {
        self.kept.len() as f64 / self.rate().max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn filled(keys: u64) -> Sample<u32> {
        let mut sample = Sample::new(256);
        for round in 0..3 {
            for key in 0..keys {
                if let Some(count) = sample.of(xxh3_64(&u64::to_be_bytes(key))) {
                    *count += 1;
                }
            }
            assert!(sample.kept.len() <= 256, "{round}");
        }
        sample
    }

    #[test]
    fn few_keys_are_all_in() {
        let sample = filled(256);
        assert_eq!((sample.each().count(), sample.rate(), sample.distinct()), (256, 1.0, 256.0));
        assert!(sample.each().all(|(_, count)| *count == 3));
    }

    #[test]
    fn of_many_keys_those_are_in_that_are_counted_whole() {
        let sample = filled(100_000);
        assert!((200..=256).contains(&sample.each().count()));
        assert!(
            sample.each().all(|(_, count)| *count == 3),
            "a key that is in was in from its first call on"
        );
        let error = sample.distinct() / 100_000.0;
        assert!((0.8..1.25).contains(&error), "{error}");
    }
}
