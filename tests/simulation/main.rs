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
mod generations;
mod purges;
mod rules;
mod service;
mod tags;
mod tier;
mod world;

// What happens in it.
mod history;
mod stage;
mod wire;

// What is said of it.
mod judge;
mod report;

// A scene of its own.
mod refill;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

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
    let (seeds, desk) = (seeds(), Desk::default());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut failed: Vec<(u64, String)> = std::thread::scope(|scope| {
        let works: Vec<_> = (0..threads).map(|_| scope.spawn(|| desk.work(&seeds))).collect();
        works.into_iter().flat_map(|work| work.join().unwrap()).collect()
    });
    failed.sort();
    let told: Vec<String> = failed.into_iter().map(|(_, told)| told).collect();
    assert!(told.is_empty(), "{} of {} worlds fail:\n\n{}", told.len(), seeds.len(), told.join("\n"));
}

/// Where threads find the next seed. The first that fails is always told of: all before it are judged to their end.
#[derive(Default)]
struct Desk {
    next: AtomicUsize,
    failed: AtomicUsize,
}

impl Desk {
    /// Judges seeds until none is left, or enough have failed.
    fn work(&self, seeds: &[u64]) -> Vec<(u64, String)> {
        let mut told = Vec::new();
        let most = number("LARDER_FAILURES").map_or(FAILED_MOST, |most| most as usize);
        while self.failed.load(Ordering::Relaxed) < most {
            let Some(seed) = seeds.get(self.next.fetch_add(1, Ordering::Relaxed)) else { break };
            let world = World::draw(*seed);
            let events = report::run(&world);
            let mut complaints = judge(&world, &events);
            if let Some(alone) = world.without_the_others().filter(|_| complaints.is_empty()) {
                complaints = judge::compare((&world, &events), (&alone, &report::run(&alone)));
            }
            if !complaints.is_empty() {
                self.failed.fetch_add(1, Ordering::Relaxed);
                told.push((*seed, report::report(&world, &events, &complaints)));
            }
        }
        told
    }
}

#[test]
fn a_seed_replays_exactly_in_another_process() {
    if let Some(there) = std::env::var_os(TELL) {
        // What ran before it in a process is nothing to a world.
        let tell = |seed| fs::write(file(Path::new(&there), seed), history_of(seed)).unwrap();
        return (0..REPLAYED).rev().for_each(tell);
    }
    let there = tempfile::tempdir().unwrap();
    let name = "a_seed_replays_exactly_in_another_process";
    let mut other = Command::new(std::env::current_exe().unwrap());
    let ended = other.args([name, "--exact"]).env(TELL, there.path()).stdout(Stdio::null()).status().unwrap();
    assert!(ended.success());
    for seed in 0..REPLAYED {
        let (one, other) = (history_of(seed), fs::read_to_string(file(there.path(), seed)).unwrap());
        assert!(one.lines().count() > 100, "seed {seed} has a history of {} events", one.lines().count());
        let differs = one.lines().zip(other.lines()).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.len(), other.len(), "seed {seed}");
    }
}

fn file(there: &Path, seed: u64) -> PathBuf {
    there.join(seed.to_string())
}

fn history_of(seed: u64) -> String {
    history::text(&stage::run(&World::draw(seed)))
}

/// Worlds that each run of the tests looks at.
const SEEDS: u64 = 256;
/// Failing worlds after which no further are begun.
const FAILED_MOST: usize = 6;
/// Worlds that are run again in another process.
const REPLAYED: u64 = 16;
/// Tells that process where to write their histories.
const TELL: &str = "LARDER_TELL_HISTORIES";
