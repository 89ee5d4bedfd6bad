//! What a backend leaves to chance: the choice among endpoints, the end of an ejection, the sequence ids.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::seed::Seed;

/// Numbers that follow from a seed. Its lock is taken where there is a choice, where an endpoint is ejected, and where
/// a connection is opened: never by a call that has one endpoint and a connection.
#[derive(Debug)]
pub(super) struct Chance(Mutex<StdRng>);

impl Chance {
    pub(super) fn new(seed: Seed) -> Self {
        Self(Mutex::new(seed.random()))
    }

    /// A number in 0..1.
    pub(super) fn share(&self) -> f64 {
        self.lock().random()
    }

    /// The numbers of one connection's calls.
    pub(super) fn seqids(&self) -> Seqids {
        Seqids(StdRng::from_rng(&mut *self.lock()))
    }

    fn lock(&self) -> MutexGuard<'_, StdRng> {
        // A generator is whole at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sequence ids that nobody can tell in advance, so that a message nobody asked for cannot pass for a reply by luck.
#[derive(Debug)]
pub(super) struct Seqids(StdRng);

impl Seqids {
    /// The next one, never 0: clients that number nothing send that.
    pub(super) fn draw(&mut self) -> i32 {
        self.0.random_range(1..=i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range_and_reach_all_of_it() {
        let chance = Chance::new(Seed::new(7));
        let mut seen = [0; 5];
        for _ in 0..1000 {
            let share = chance.share();
            assert!((0.0..1.0).contains(&share));
            seen[(share * 5.0) as usize] += 1;
        }
        assert!(seen.iter().all(|&times| times > 100), "{seen:?}");
    }

    #[test]
    fn sequence_ids_follow_from_the_seed_and_from_nothing_that_was_sent() {
        let draw = |seed| {
            let chance = Chance::new(Seed::new(seed));
            let (mut one, mut other) = (chance.seqids(), chance.seqids());
            [one.draw(), one.draw(), one.draw(), other.draw(), other.draw()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let drawn = draw(7);
        let near = |pair: &[i32]| pair[0].abs_diff(pair[1]) < 1000;
        assert!(drawn.iter().all(|&id| id > 0) && !drawn.windows(2).any(near), "{drawn:?}");
    }
}
