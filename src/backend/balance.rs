//! Picks the endpoint for a call: the less busy of two, or one whose probe is due.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::endpoint::{Endpoint, Turn};
use crate::call::Repeat;

/// Random numbers without a lock: splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Debug)]
pub(super) struct Chance(AtomicU64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `bound`, 0 if that is 0.
    pub(super) fn below(&self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A number in 0..1.
    pub(super) fn share(&self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn next(&self) -> u64 {
        let state = self.0.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// A turn at the endpoint that fits best, none of `tried`. `None` if there is none to ask at this moment.
///
/// A due probe goes first, so that an endpoint returns while others carry the load. A call that must not run twice is
/// spared that for `patience`, as long as another endpoint takes it: the calls of idempotent methods probe better.
pub(super) fn choose(
    endpoints: &[Arc<Endpoint>],
    tried: &[SocketAddr],
    repeat: Repeat,
    patience: Duration,
    chance: &Chance,
) -> Option<Turn> {
    let fits = |one: &&Arc<Endpoint>| one.ejection.is_rotating() && !tried.contains(&one.address);
    let candidates = endpoints.iter().filter(fits).count();
    if candidates < endpoints.len() && (tried.is_empty() || candidates == 0) {
        let patience = match repeat {
            Repeat::Once if candidates > 0 => patience,
            Repeat::Once | Repeat::Idempotent => Duration::ZERO,
        };
        let probe = probe(endpoints, tried, patience);
        if probe.is_some() {
            return probe;
        }
    }
    let picked = |index: usize| endpoints.iter().filter(fits).nth(index);
    // Another call may eject an endpoint between the choice and the admission; the first that still admits will do then.
    less_busy(candidates, picked, chance)
        .and_then(Turn::take)
        .or_else(|| endpoints.iter().filter(fits).find_map(Turn::take))
}

fn less_busy<'a>(
    candidates: usize,
    picked: impl Fn(usize) -> Option<&'a Arc<Endpoint>>,
    chance: &Chance,
) -> Option<&'a Arc<Endpoint>> {
    if candidates < 2 {
        return picked(0);
    }
    let first = chance.below(candidates);
    let second = (first + 1 + chance.below(candidates - 1)) % candidates;
    match (picked(first), picked(second)) {
        (Some(one), Some(other)) if other.in_flight() < one.in_flight() => Some(other),
        (one, other) => one.or(other),
    }
}

fn probe(endpoints: &[Arc<Endpoint>], tried: &[SocketAddr], patience: Duration) -> Option<Turn> {
    let now = Instant::now();
    endpoints
        .iter()
        .filter(|one| !one.ejection.is_rotating() && !tried.contains(&one.address))
        .find_map(|one| Turn::probe(one, now, patience))
}

/// The odd number closest to 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range_and_reach_all_of_it() {
        let chance = Chance::new(7);
        let mut seen = [0; 5];
        for _ in 0..1000 {
            seen[chance.below(5)] += 1;
            assert!((0.0..1.0).contains(&chance.share()));
        }
        assert!(seen.iter().all(|&times| times > 100), "{seen:?}");
        assert_eq!(chance.below(0), 0);
    }
}
