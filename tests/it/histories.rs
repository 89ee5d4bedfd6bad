//! Histories of a fleet in which everything breaks: whatever does, no reply is wrong.
//!
//! `LARDER_HISTORY_SEED` replays the faults of a run, `LARDER_HISTORY_SECONDS` makes it longer.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::harness::*;

mod faults;
mod history;
mod record;
mod rules;
mod tiers;

use faults::{Backends, Gateways, harass};
use history::{Life, Reach};
use record::{Reached, Record, client, invalidator};
use rules::ruled;
use tiers::Tier;

#[test]
fn no_reply_is_wrong_over_one_redis() {
    holds_over(Tier::single, 16);
}

#[test]
fn no_reply_is_wrong_over_sentinels() {
    holds_over(Tier::watched, 12);
}

#[test]
fn no_reply_is_wrong_over_a_cluster() {
    holds_over(Tier::clustered, 12);
}

#[expect(clippy::print_stdout, reason = "who wants to replay a run needs its seed")]
fn holds_over(tier: impl Fn() -> Tier, seconds: u64) {
    let seed = number("LARDER_HISTORY_SEED")
        .unwrap_or_else(|| u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_micros()));
    let lasts = Duration::from_secs(number("LARDER_HISTORY_SECONDS").unwrap_or(seconds));
    println!("LARDER_HISTORY_SEED={seed}");
    let tier = tier();
    let record = Record::new();
    let done = run(&record, tier, seed, lasts);
    let history = record.history();
    let wrongs = history.wrongs();
    let (reads, kept, changes) = (history.reads.len(), history.kept(), history.changes.len());
    let known = history.changes.iter().filter(|change| change.reach == Reach::Fleet).count();
    println!(
        "{reads} reads, {kept} of what was kept, and {changes} changes, {known} of them known to the fleet"
    );
    if let Some((wrong, read)) = wrongs.first() {
        let (count, around, done) = (wrongs.len(), history.around(read), done.join("\n"));
        panic!("seed {seed}: {wrong:?}, the first of {count}: {around}\nThe faults were:\n{done}");
    }
    assert!(kept > 100 && changes > 10, "seed {seed}: nearly nothing was answered");
}

/// Lets clients call while parts break; gives what broke.
fn run(record: &Arc<Record>, tier: Tier, seed: u64, lasts: Duration) -> Vec<String> {
    let backends = [backend(), backend()];
    let mut builder = ruled();
    for backend in &backends {
        record.answers_at(backend);
        builder = builder.endpoint(backend.address());
    }
    let shared = |section: &String| builder.clone().section("cache.shared", section);
    let builders: Vec<Builder> = tier.sections.iter().map(shared).collect();
    let gateways: Vec<Gateway> = builders.iter().map(Builder::start).collect();
    let site =
        |(each, gateway): (usize, &Gateway)| Arc::new(Mutex::new(Reached::new(Life(each, 0), gateway)));
    let sites: Vec<_> = gateways.iter().enumerate().map(site).collect();
    let mut parts = tier.parts;
    parts.push(Box::new(Gateways { builders, gateways, sites: sites.clone(), broken: None }));
    parts.push(Box::new(Backends { backends: backends.into() }));
    let chance = |who: usize| StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(who as u64));
    let end = record.now() + lasts;
    thread::scope(|scope| {
        for each in 0..CLIENTS {
            let site = Arc::clone(&sites[each % GATEWAYS]);
            scope.spawn(move || client(record, &site, each, &mut chance(100 + each), end));
        }
        for (each, site) in sites.iter().enumerate() {
            scope.spawn(move || invalidator(record, site, &mut chance(50 + each), end));
        }
        let harassing = parts
            .iter_mut()
            .enumerate()
            .map(|(each, part)| scope.spawn(move || harass(part.as_mut(), record, &mut chance(each), end)));
        let harassing: Vec<_> = harassing.collect();
        harassing.into_iter().flat_map(|each| each.join().unwrap()).collect()
    })
}

fn number(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

const GATEWAYS: usize = 3;
const CLIENTS: usize = 15;
