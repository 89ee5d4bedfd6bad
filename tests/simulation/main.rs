//! The whole gateway in simulation: worlds drawn from seeds, and a judge that sees their histories alone.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that meets what it does not expect ends there"
)]
#![allow(clippy::print_stderr, reason = "what failed is told where a failing test is looked at")]

#[path = "../thrift.rs"]
#[allow(dead_code, reason = "the tests with real processes use the rest")]
mod thrift;

// What a world is.
mod clients;
mod endpoints;
mod features;
mod rules;
mod service;
mod world;

// What happens in it.
mod history;
mod stage;
mod wire;

// What is said of it.
mod judge;
mod report;

use std::sync::atomic::{AtomicU64, Ordering};

use judge::judge;
use world::World;

/// The seeds of this run: `LARDER_SEED` alone, or so many as `LARDER_SEEDS` says, or [`SEEDS`].
fn seeds() -> Vec<u64> {
    match (number("LARDER_SEED"), number("LARDER_FIRST_SEED").unwrap_or(0), number("LARDER_SEEDS")) {
        (Some(seed), _, _) => vec![seed],
        (None, first, count) => (first..first + count.unwrap_or(SEEDS)).collect(),
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

#[test]
fn every_world_keeps_the_promise() {
    report::watch_panics();
    let seeds = seeds();
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let failed: Vec<String> = std::thread::scope(|scope| {
        let works: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&seeds, &next))).collect();
        works.into_iter().flat_map(|work| work.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "{} of {} worlds fail:\n\n{}", failed.len(), seeds.len(), failed.join("\n"));
}

/// Judges seeds until none is left, or enough have failed.
fn work(seeds: &[u64], next: &AtomicU64) -> Vec<String> {
    let mut failed = Vec::new();
    let most = number("LARDER_FAILURES").map_or(FAILED_MOST, |most| most as usize);
    while failed.len() < most {
        let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) else { break };
        let world = World::draw(*seed);
        let events = report::run(&world);
        let mut complaints = judge(&world, &events);
        if let Some(alone) = world.without_the_others().filter(|_| complaints.is_empty()) {
            complaints = judge::compare((&world, &events), (&alone, &report::run(&alone)));
        }
        if !complaints.is_empty() {
            failed.push(report::report(&world, &events, &complaints));
        }
    }
    failed
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..16 {
        let world = World::draw(seed);
        let (one, other) = (stage::run(&world), stage::run(&World::draw(seed)));
        let (one, other) = (history::text(&one), history::text(&other));
        assert!(one.lines().count() > 100, "seed {seed} has a history of {} events", one.lines().count());
        let differs = one.lines().zip(other.lines()).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.len(), other.len(), "seed {seed}");
    }
}

/// Worlds that each run of the tests looks at.
const SEEDS: u64 = 256;
/// Failing worlds that are told of, by each thread.
const FAILED_MOST: usize = 3;
