//! Where all that is random begins: one number, from which each part draws a stream of its own.

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::hash::{BuildHasher, Hasher};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A seed. A process draws it at random; the same seed gives the same hashes and the same numbers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The seed with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The seed of one part. What one part draws changes nothing for another.
    #[must_use]
    pub fn of(self, part: &str) -> Self {
        Self(xxh3_64_with_seed(part.as_bytes(), self.0))
    }

    /// Its number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// Numbers that follow from it.
    pub fn random(self) -> StdRng {
        StdRng::seed_from_u64(self.0)
    }

    /// A hasher for keys that come from the network: who does not know the seed cannot make them collide.
    pub fn hashing(self) -> Hashing {
        Hashing { shared: SharedSeed::from_u64(self.0), first: self.0 }
    }
}

/// foldhash's better hash under a seed of ours. Its own seeded state wants the seed to live as long as the program.
#[derive(Clone, Debug)]
pub struct Hashing {
    shared: SharedSeed,
    first: u64,
}

/// One hash under way.
#[derive(Clone, Debug)]
pub struct Hashed {
    shared: SharedSeed,
    so_far: u64,
}

impl BuildHasher for Hashing {
    type Hasher = Hashed;

    #[inline]
    fn build_hasher(&self) -> Hashed {
        Hashed { shared: self.shared.clone(), so_far: self.first }
    }
}

impl Hashed {
    #[inline]
    fn take(&mut self, put: impl FnOnce(&mut FoldHasher<'_>)) {
        let mut hasher = FoldHasher::with_seed(self.so_far, &self.shared);
        put(&mut hasher);
        self.so_far = hasher.finish();
    }
}

impl Hasher for Hashed {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.take(|hasher| hasher.write(bytes));
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        // The length that a slice puts before its bytes.
        self.so_far = self.so_far.rotate_left(32) ^ number as u64;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.so_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_all_and_another_says_otherwise() {
        let hash = |number, key: &[u8]| Seed::new(number).hashing().hash_one(key);
        assert_eq!(hash(1, b"key"), hash(1, b"key"));
        assert_ne!(hash(1, b"key"), hash(2, b"key"));
        assert_ne!(hash(1, b"key"), hash(1, b"kez"));
        assert_ne!(hash(1, b""), hash(1, b"\0"));
    }

    #[test]
    fn parts_draw_from_streams_of_their_own() {
        let seed = Seed::new(1);
        assert_eq!(seed.of("flights"), seed.of("flights"));
        assert_ne!(seed.of("flights"), seed.of("local"));
        assert_ne!(seed.of("flights"), Seed::new(2).of("flights"));
    }

    #[test]
    fn hashes_spread_over_all_their_bits() {
        let hashing = Seed::new(7).hashing();
        let mut low = [0_u32; 64];
        let mut high = [0_u32; 64];
        for key in 0..64_000_u32 {
            let hash = hashing.hash_one(&key.to_be_bytes()[..]);
            low[(hash % 64) as usize] += 1;
            high[(hash >> 58) as usize] += 1;
        }
        assert!(low.iter().chain(&high).all(|count| (800..1_200).contains(count)), "{low:?} {high:?}");
    }
}
