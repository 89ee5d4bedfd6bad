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

use faults::{Backends, Gateways, Part, Server, harass};
use history::Life;
use record::{Record, client};

#[test]
#[expect(clippy::print_stdout, reason = "who wants to replay a run needs its seed")]
fn no_reply_is_wrong_whatever_breaks() {
    let seed = number("LARDER_HISTORY_SEED")
        .unwrap_or_else(|| u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_micros()));
    let end = Duration::from_secs(number("LARDER_HISTORY_SECONDS").unwrap_or(USUAL));
    println!("LARDER_HISTORY_SEED={seed}");
    let record = Record::new();
    let done = run(&record, seed, end);
    let history = record.history();
    let wrongs = history.wrongs(OLDEST);
    let (reads, kept, changes) = (history.reads.len(), history.kept(), history.changes.len());
    println!("{reads} reads, {kept} of them of what was kept, and {changes} changes");
    if let Some((wrong, read)) = wrongs.first() {
        let (count, around, done) = (wrongs.len(), history.around(read), done.join("\n"));
        panic!("seed {seed}: {wrong:?}, the first of {count}: {around}\nThe faults were:\n{done}");
    }
    assert!(kept > 100 && changes > 10, "seed {seed}: nearly nothing was answered");
}

/// Lets clients call while parts break; gives what broke.
fn run(record: &Arc<Record>, seed: u64, end: Duration) -> Vec<String> {
    let (backends, redis) = ([backend(), backend()], redis());
    let mut builder = gateway().get_user(READS).rule("UserService.renameUser", WRITES).shared(&redis);
    for backend in &backends {
        record.answers_at(backend);
        builder = builder.endpoint(backend.address());
    }
    let gateways: Vec<Gateway> = (0..GATEWAYS).map(|_| builder.start()).collect();
    let site = |(each, gateway): (usize, &Gateway)| Arc::new(Mutex::new((Life(each, 0), gateway.address())));
    let sites: Vec<_> = gateways.iter().enumerate().map(site).collect();
    let mut parts: [Box<dyn Part>; 3] = [
        Box::new(Server { redis, dead: false }),
        Box::new(Gateways { builder, gateways, sites: sites.clone(), broken: None }),
        Box::new(Backends { backends: backends.into() }),
    ];
    let chance = |who: usize| StdRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(who as u64));
    thread::scope(|scope| {
        for each in 0..CLIENTS {
            let site = Arc::clone(&sites[each % GATEWAYS]);
            scope.spawn(move || client(record, &site, each, &mut chance(100 + each), end));
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
/// Seconds of a run, if nothing else is said.
const USUAL: u64 = 20;
const READS: &str =
    "ttl = '2s'\nstale_if_error = '3s'\ntimeout = '500ms'\ntags = ['user:{id}']\non_coherence_loss = 'hard'";
const WRITES: &str = "invalidates = ['user:{id}']\nsettle = '0s'\ntimeout = '500ms'\nhold_until = 'fleet'";
/// The windows of `READS`, and what births may be off that went through Redis.
const OLDEST: Duration = ms(5_200);
