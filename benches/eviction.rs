//! What the local tier's eviction costs in hits, and what it leaves for an outage.
//!
//! `cargo bench --bench eviction [-- TRACE.csv ...]`: a table in Markdown over synthetic traces, and over recorded ones
//! whose lines are `time, key, size in bytes, ...`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a measuring program tells what it finds, and ends where it cannot go on"
)]
#![allow(missing_docs, reason = "a program of one file")]

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use larder::cache::local::Local;
use larder::clock::Millis;
use larder::entry::{Ending, Entry, Slot};
use larder::seed::{Hashing, Seed};
use larder::wire::Protocol;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::{Cache, CacheBuilder};
use rand::Rng;
use rand::rngs::StdRng;

fn main() {
    let files: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let recorded = files.iter().map(|file| recorded(file));
    println!("| trace | capacity | policy | hits % | bytes hit % | kept % | large kept % |");
    println!("|---|---|---|---|---|---|---|");
    for trace in synthetic().into_iter().chain(recorded) {
        for percent in CAPACITIES {
            let capacity = trace.bytes() * percent / 100;
            for (name, mut policy) in policies(capacity) {
                let found = measure(&trace, capacity, &mut *policy);
                let Found { hits, bytes, kept, large } = found;
                let trace = &trace.name;
                println!("| {trace} | {percent} % | {name} | {hits} | {bytes} | {kept} | {large} |");
            }
        }
    }
}

/// The calls of a trace, one after another: key and bytes of the reply.
struct Trace {
    name: String,
    calls: Vec<(u64, u32)>,
}

impl Trace {
    /// What all its replies weigh together.
    fn bytes(&self) -> u64 {
        let mut seen = HashSet::new();
        let first = self.calls.iter().filter(|(key, _)| seen.insert(*key));
        first.map(|(_, size)| u64::from(weight(*size))).sum()
    }
}

/// What is found of one policy.
struct Found {
    hits: Percent,
    bytes: Percent,
    /// Of the keys answered last, as many as the tier could hold, those that it holds when the trace ends.
    kept: Percent,
    /// The same of replies from [`LARGE`] on.
    large: Percent,
}

/// One way to choose what leaves.
trait Policy {
    fn finds(&mut self, key: u64) -> bool;
    fn keeps(&mut self, key: u64, slot: Slot);
    fn tidies(&mut self);
}

fn measure(trace: &Trace, capacity: u64, policy: &mut dyn Policy) -> Found {
    let (mut hits, mut hit_bytes, mut bytes) = (0_u64, 0_u64, 0_u64);
    for (at, (key, size)) in trace.calls.iter().enumerate() {
        bytes += u64::from(*size);
        if policy.finds(*key) {
            hits += 1;
            hit_bytes += u64::from(*size);
        } else {
            policy.keeps(*key, reply(at, *size));
        }
        // As often as moka does it by itself under load.
        if at % 64 == 0 {
            policy.tidies();
        }
    }
    policy.tidies();
    let (mut last, mut weighed) = (Vec::new(), 0);
    let mut seen = HashSet::new();
    for (key, size) in trace.calls.iter().rev().filter(|(key, _)| seen.insert(*key)) {
        weighed += u64::from(weight(*size));
        if weighed > capacity {
            break;
        }
        last.push((*key, *size));
    }
    let mut share = |least: u32| {
        let wanted: Vec<u64> = last.iter().filter(|(_, size)| *size >= least).map(|(key, _)| *key).collect();
        Percent(wanted.iter().filter(|key| policy.finds(**key)).count() as u64, wanted.len() as u64)
    };
    let (kept, large) = (share(0), share(LARGE));
    Found { hits: Percent(hits, trace.calls.len() as u64), bytes: Percent(hit_bytes, bytes), kept, large }
}

/// So many percent, or nothing to tell of.
struct Percent(u64, u64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(_, 0) => f.write_str("-"),
            Self(part, whole) => write!(f, "{:.1}", 100.0 * *part as f64 / *whole as f64),
        }
    }
}

fn reply(born: usize, size: u32) -> Slot {
    // The bytes are never read, so all replies share them.
    const BODY: &[u8] = &[0; SIZE_MAX];
    let body = Bytes::from_static(&BODY[..(size as usize).min(SIZE_MAX)]);
    let (born, ending, protocol) = (Millis(born as u64), Ending::Result, Protocol::Binary);
    Slot::Entry(Arc::new(Entry::new(born, ending, protocol, body)))
}

fn weight(size: u32) -> u32 {
    reply(0, size).weight(KEY)
}

fn policies(capacity: u64) -> Vec<(&'static str, Box<dyn Policy>)> {
    vec![
        (
            "moka's TinyLFU",
            Box::new(Single(cache(capacity, EvictionPolicy::tiny_lfu()).build_with_hasher(hashing()))),
        ),
        ("two halves", Box::new(Halves::new(capacity))),
        ("Larder: LRU", Box::new(Larder(Local::new(capacity, Seed::new(1))))),
    ]
}

type Slots = Cache<u64, Slot, Hashing>;

fn cache(capacity: u64, policy: EvictionPolicy) -> CacheBuilder<u64, Slot, Cache<u64, Slot>> {
    let weigher = |_: &u64, slot: &Slot| slot.weight(KEY);
    Cache::builder().max_capacity(capacity).weigher(weigher).eviction_policy(policy)
}

fn hashing() -> Hashing {
    Seed::new(1).hashing()
}

struct Single(Slots);

impl Policy for Single {
    fn finds(&mut self, key: u64) -> bool {
        self.0.get(&key).is_some()
    }

    fn keeps(&mut self, key: u64, slot: Slot) {
        self.0.insert(key, slot);
    }

    fn tidies(&mut self) {
        self.0.run_pending_tasks();
    }
}

/// Newcomers by LRU, and the proven, which were asked for twice, by TinyLFU. What the second turns away or drops goes
/// back to the first.
struct Halves {
    newcomers: Slots,
    proven: Slots,
}

impl Halves {
    fn new(capacity: u64) -> Self {
        let newcomers = cache(capacity / 2, EvictionPolicy::lru()).build_with_hasher(hashing());
        let back = newcomers.clone();
        let demote = move |key: Arc<u64>, slot, cause| {
            if cause == RemovalCause::Size {
                back.insert(*key, slot);
            }
        };
        let proven = cache(capacity / 2, EvictionPolicy::tiny_lfu()).eviction_listener(demote);
        Self { newcomers, proven: proven.build_with_hasher(hashing()) }
    }
}

impl Policy for Halves {
    fn finds(&mut self, key: u64) -> bool {
        if self.proven.get(&key).is_some() {
            return true;
        }
        let Some(slot) = self.newcomers.remove(&key) else {
            return false;
        };
        self.proven.insert(key, slot);
        true
    }

    fn keeps(&mut self, key: u64, slot: Slot) {
        self.newcomers.insert(key, slot);
    }

    fn tidies(&mut self) {
        self.proven.run_pending_tasks();
        self.newcomers.run_pending_tasks();
    }
}

/// The local tier as it is.
struct Larder(Local);

impl Larder {
    fn key(key: u64) -> [u8; KEY] {
        let mut bytes = [0; KEY];
        bytes[..8].copy_from_slice(&key.to_be_bytes());
        bytes
    }
}

impl Policy for Larder {
    fn finds(&mut self, key: u64) -> bool {
        self.0.find(&Self::key(key)).is_some()
    }

    fn keeps(&mut self, key: u64, slot: Slot) {
        self.0.put(&Self::key(key), slot);
    }

    fn tidies(&mut self) {
        self.0.count();
    }
}

/// The shapes that the literature measures caches by.
fn synthetic() -> Vec<Trace> {
    let mut traces: Vec<Trace> = [0.7, 0.9, 1.0, 1.2]
        .into_iter()
        .map(|skew| {
            let (popular, mut random) = (Zipf::new(skew), Seed::new(7).random());
            trace(&format!("zipf {skew}"), |_| popular.draw(&mut random))
        })
        .collect();
    let (popular, mut random) = (Zipf::new(0.9), Seed::new(7).random());
    traces.push(trace("zipf 0.9, every third call a scan", |at| match at % 3 {
        0 => 1_000_000 + at as u64,
        _ => popular.draw(&mut random),
    }));
    let (popular, mut random) = (Zipf::new(0.9), Seed::new(7).random());
    traces.push(trace("zipf 0.9, every second call a loop", |at| match at % 2 {
        0 => 1_000_000 + (at as u64 / 2) % 20_000,
        _ => popular.draw(&mut random),
    }));
    let (popular, mut random) = (Zipf::new(0.9), Seed::new(7).random());
    traces.push(trace("zipf 0.9, shifting", |at| {
        // Another thousand of the most popular every 20,000 calls.
        (popular.draw(&mut random) + at as u64 / 20_000 * 1_000) % KEYS
    }));
    traces
}

fn trace(name: &str, mut key: impl FnMut(usize) -> u64) -> Trace {
    let calls = (0..CALLS).map(|at| {
        let key = key(at);
        (key, size(key))
    });
    Trace { name: name.to_owned(), calls: calls.collect() }
}

/// Seven of ten replies are small, one of twenty is large; a key's is always the same.
fn size(key: u64) -> u32 {
    let mut random = Seed::new(key).of("size").random();
    match random.random_range(0..100) {
        0..70 => random.random_range(100..1_000),
        70..95 => random.random_range(1_000..10_000),
        _ => random.random_range(LARGE..SIZE_MAX as u32),
    }
}

/// Popularity that falls with the rank to this power.
struct Zipf {
    up_to: Vec<f64>,
}

impl Zipf {
    fn new(skew: f64) -> Self {
        let up_to = (1..=KEYS).scan(0.0, |sum, rank| {
            *sum += (rank as f64).powf(-skew);
            Some(*sum)
        });
        Self { up_to: up_to.collect() }
    }

    fn draw(&self, random: &mut StdRng) -> u64 {
        let drawn = random.random::<f64>() * self.up_to[self.up_to.len() - 1];
        self.up_to.partition_point(|up_to| *up_to < drawn) as u64
    }
}

fn recorded(file: &str) -> Trace {
    let text = std::fs::read_to_string(file).unwrap();
    let calls = text.lines().filter_map(|line| {
        let mut fields = line.split(',').map(str::trim);
        let key = fields.nth(1)?.parse().ok()?;
        Some((key, fields.next()?.parse().ok()?))
    });
    let name = Path::new(file).file_stem().unwrap().to_string_lossy().into_owned();
    Trace { name, calls: calls.collect() }
}

/// Capacities, as percents of what all replies of a trace weigh together.
const CAPACITIES: [u64; 2] = [5, 20];
/// Calls of each synthetic trace.
const CALLS: usize = 300_000;
/// Keys that popularity is spread over.
const KEYS: u64 = 50_000;
/// Bytes of every key.
const KEY: usize = 64;
/// Bytes from which a reply is large: the size of those that TinyLFU was seen to keep out.
const LARGE: u32 = 16 << 10;
/// Bytes of the largest reply.
const SIZE_MAX: usize = 100 << 10;
