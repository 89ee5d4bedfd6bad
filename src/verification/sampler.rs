//! Which of the served hits are verified.

use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::seed::Seed;
use crate::setting::Share;

/// Draws a share of what it is asked for. The same seed draws the same again.
#[derive(Debug)]
pub(crate) struct Sampler {
    seed: u64,
    asked: AtomicU64,
}

impl Sampler {
    /// Who does not know the seed cannot tell what is drawn.
    pub(crate) fn new(seed: Seed) -> Self {
        Self { seed: seed.number(), asked: AtomicU64::new(0) }
    }

    /// Whether this one is in the sample.
    pub(crate) fn draws(&self, share: Share) -> bool {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        share.takes(xxh3_64_with_seed(&number.to_be_bytes(), self.seed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_draws_its_share_and_follows_from_the_seed() {
        let drawn = |seed| {
            let (sampler, share) = (Sampler::new(Seed::new(seed)), "1%".parse().unwrap());
            (0..10_000).filter(|_| sampler.draws(share)).collect::<Vec<u32>>()
        };
        assert!((70..130).contains(&drawn(1).len()));
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }
}
