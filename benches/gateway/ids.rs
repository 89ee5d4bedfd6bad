//! Which ids are asked for: each once, or by a Zipf law.

use std::cell::Cell;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A source of ids, drawn beforehand so that drawing costs the load nothing.
#[derive(Debug)]
pub(crate) struct Ids {
    drawn: Vec<u32>,
    position: Cell<usize>,
    end: End,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Stops,
    Repeats,
}

impl Ids {
    /// Each id below `keys` once.
    pub(crate) fn each(keys: u32) -> Self {
        Self { drawn: (0..keys).collect(), position: Cell::new(0), end: End::Stops }
    }

    /// Ids below `keys`, the n-th most asked one with a chance of 1 / n^0.99 (YCSB's skew), the same in every run.
    pub(crate) fn zipf(keys: u32) -> Self {
        let mut sum = 0.0;
        let law: Vec<f64> = (1..=keys)
            .map(|rank| {
                sum += 1.0 / f64::from(rank).powf(SKEW);
                sum
            })
            .collect();
        let mut random = StdRng::seed_from_u64(SEED);
        let drawn = (0..DRAWS)
            .map(|_| {
                let point = random.random::<f64>() * sum;
                law.partition_point(|below| *below < point).min(keys as usize - 1) as u32
            })
            .collect();
        Self { drawn, position: Cell::new(0), end: End::Repeats }
    }

    pub(crate) fn next(&self) -> Option<u64> {
        let position = self.position.get();
        let position = match self.end {
            End::Stops => position,
            End::Repeats => position % self.drawn.len(),
        };
        self.position.set(position + 1);
        self.drawn.get(position).copied().map(u64::from)
    }
}

const SKEW: f64 = 0.99;
const SEED: u64 = 99;
const DRAWS: usize = 1 << 20;
