//! The shared tier against real Redis servers that are killed, stopped and filled with other things.

mod cluster;
mod fake;
mod formats;
mod forms;
mod isolation;
mod marks;
mod sentinel;
#[path = "../../../../tests/redis/server.rs"]
mod server;
#[path = "../../../../tests/redis/cluster.rs"]
#[allow(dead_code, reason = "whole gateways need the rest")]
mod servers;
mod values;
#[path = "../../../../tests/redis/sentinel.rs"]
#[allow(dead_code, reason = "whole gateways need the rest")]
mod watch;

use std::time::Duration;

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rustix::process::Signal;

use crate::dial::Tcp;
use crate::entry::{Ending, Entry};
use crate::setting::Secret;
use crate::wire::Protocol;

use crate::clock::Millis;

use super::node::FIRST_PART;
use super::*;

use crate::cache::envelope::{Codec, Format, MAX_ENVELOPE};

use server::Server;

const KEY: &[u8] = b"users UserService getUser 1";
const KEEP: Duration = Duration::from_secs(600);
/// The time by the tests' clocks when they begin.
const NOW: u64 = 1_700_000_000_000;

#[tokio::test]
async fn what_one_gateway_puts_another_gets_with_the_same_age() {
    let server = Server::start();
    let (one, other) = (gateway(&server).await, gateway(&server).await);
    one.keeps(born(NOW - 7_000)).await;
    assert_eq!(other.get(KEY).await.as_ref(), Some(&born(NOW - 7_000)));
    assert_eq!(other.get(b"another key").await, None);
    assert_eq!((other.counts.reads(Read::Hit), other.counts.reads(Read::Miss)), (1, 1));
}

#[tokio::test]
async fn an_entry_expires_when_it_is_kept_no_longer() {
    let server = Server::start();
    let store = gateway(&server).await;
    store.keeps(born(NOW)).await;
    let left: u64 = server.ask(redis::cmd("PTTL").arg(store.redis_key(KEY)));
    assert!((1..=600_000).contains(&left), "{left}");
}

#[tokio::test]
async fn an_older_entry_never_replaces_a_younger_one() {
    let server = Server::start();
    let store = gateway(&server).await;
    assert_eq!(store.keeps(born(NOW)).await, Write::Written);
    assert_eq!(store.keeps(born(NOW - 1)).await, Write::Older);
    assert_eq!(store.get(KEY).await, Some(born(NOW)));
    store.keeps(born(NOW + 1)).await;
    assert_eq!(store.get(KEY).await, Some(born(NOW + 1)));
}

#[tokio::test]
async fn whatever_order_they_come_in_what_stays_is_what_stays_by_the_rule() {
    let server = Server::start();
    let store = gateway(&server).await;
    let slots = [born(NOW), born(NOW + 1), Slot::Tombstone(Millis(NOW)), Slot::Tombstone(Millis(NOW + 1))];
    for (old, new) in slots.iter().flat_map(|old| slots.iter().map(move |new| (old, new))) {
        let _: () = server.ask(&redis::cmd("FLUSHALL"));
        assert_eq!(store.put(KEY, old, KEEP).await, Write::Written);
        let (written, stays) = match (new.replaces(old), old) {
            (true, _) => (Write::Written, new),
            (false, Slot::Entry(_)) => (Write::Older, old),
            (false, Slot::Tombstone(_)) => (Write::Tombstone, old),
        };
        assert_eq!(store.put(KEY, new, KEEP).await, written, "{new:?} over {old:?}");
        assert_eq!(store.get(KEY).await.as_ref(), Some(stays), "{new:?} over {old:?}");
    }
}

#[tokio::test]
async fn a_tombstone_is_kept_no_longer_than_it_is_needed() {
    let server = Server::start();
    let store = gateway(&server).await;
    store.put(KEY, &Slot::Tombstone(Millis(NOW)), Duration::from_secs(60)).await;
    let left: u64 = server.ask(redis::cmd("PTTL").arg(store.redis_key(KEY)));
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_foreign_value_is_a_miss_and_replaced() {
    let server = Server::start();
    let store = gateway(&server).await;
    let _: () = server.ask(redis::cmd("SET").arg(store.redis_key(KEY)).arg("somebody else's value"));
    assert_eq!(store.get(KEY).await, None);
    assert_eq!(store.counts.reads(Read::Unreadable(Unreadable::Foreign)), 1);
    store.keeps(born(NOW)).await;
    assert!(store.get(KEY).await.is_some());
}

#[tokio::test]
async fn a_list_is_a_miss_and_replaced() {
    let server = Server::start();
    let store = gateway(&server).await;
    let _: () = server.ask(redis::cmd("RPUSH").arg(store.redis_key(KEY)).arg("item"));
    assert_eq!(store.get(KEY).await, None);
    assert_eq!(store.counts.reads(Read::Unreadable(Unreadable::Foreign)), 1);
    store.keeps(born(NOW)).await;
    assert!(store.get(KEY).await.is_some());
}

#[tokio::test]
async fn another_key_with_the_same_hash_is_a_miss() {
    let server = Server::start();
    let store = gateway(&server).await;
    let envelope = Codec::default().encode(b"another key", &born(NOW)).unwrap();
    let _: () = server.ask(redis::cmd("SET").arg(store.redis_key(KEY)).arg(envelope));
    assert_eq!(store.get(KEY).await, None);
    assert_eq!(store.counts.reads(Read::Unreadable(Unreadable::OtherKey)), 1);
}

#[tokio::test]
async fn an_entry_from_the_future_is_a_miss_and_replaced() {
    let server = Server::start();
    let store = gateway(&server).await;
    store.keeps(born(NOW + 3_600_000)).await;
    assert_eq!(store.get(KEY).await, None);
    assert_eq!(store.counts.reads(Read::Future), 1);
    store.keeps(born(NOW)).await;
    assert_eq!(store.get(KEY).await, Some(born(NOW)));
}

#[tokio::test]
async fn a_killed_server_is_down_at_once_and_used_again_when_it_returns() {
    let mut server = Server::start();
    let store = gateway(&server).await;
    server.kill();
    until("the store is down", || !store.is_up()).await;
    assert_eq!(store.get(KEY).await, None);
    assert_eq!(store.put(KEY, &born(NOW), KEEP).await, Write::Skipped);
    assert_eq!(store.counts.reads(Read::Skipped), 1);
    assert_eq!(store.counts.up.get(), 0);
    server.restart();
    until("the store is up", || store.is_up()).await;
    store.keeps(born(NOW)).await;
    assert!(store.get(KEY).await.is_some());
}

#[tokio::test]
async fn a_stopped_server_is_given_up_after_three_reads_and_used_again_when_it_continues() {
    let server = Server::start();
    let store = gateway(&server).await;
    store.keeps(born(NOW)).await;
    server.signal(Signal::STOP);
    let mut reads = 0;
    while store.is_up() {
        assert_eq!(store.get(KEY).await, None);
        reads += 1;
    }
    // What the store asks by itself counts too, so it may find out sooner.
    assert!((1..=3).contains(&reads), "{reads}");
    assert_eq!(store.get(KEY).now_or_never(), Some(None));
    let ended = store.counts.reads(Read::Timeout) + store.counts.reads(Read::Error);
    assert_eq!((ended, store.counts.reads(Read::Skipped)), (reads, 1));
    server.signal(Signal::CONT);
    until("the store is up", || store.is_up()).await;
    assert!(store.get(KEY).await.is_some());
}

#[tokio::test]
async fn a_server_that_is_stopped_at_the_start_is_tried_and_left() {
    let server = Server::start();
    server.signal(Signal::STOP);
    let store = gateway(&server).await;
    store.tried().await;
    assert!(!store.is_up());
    server.signal(Signal::CONT);
    until("the store is up", || store.is_up()).await;
}

#[tokio::test]
async fn a_write_to_a_stopped_server_ends_in_time() {
    let server = Server::start();
    let store = gateway(&server).await;
    server.signal(Signal::STOP);
    assert_eq!(store.keeps(born(NOW)).await, Write::Timeout);
    server.signal(Signal::CONT);
}

#[tokio::test]
async fn what_is_too_large_is_not_written() {
    let server = Server::start();
    let store = gateway(&server).await;
    let body = Bytes::from(vec![0; MAX_ENVELOPE]);
    assert_eq!(store.keeps(holding(body)).await, Write::TooLarge);
}

#[tokio::test]
async fn a_store_that_ended_is_down_and_has_no_task() {
    let server = Server::start();
    let store = gateway(&server).await;
    assert!(store.is_up());
    store.end().await;
    assert_eq!((store.is_up(), store.counts.up.get(), store.tasks.len()), (false, 0, 0));
}

#[tokio::test]
async fn a_full_server_keeps_nothing_and_that_is_all() {
    let server = Server::start();
    let store = gateway(&server).await;
    let _: () = server.ask(redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("1"));
    assert_eq!(store.keeps(born(NOW)).await, Write::Full);
    assert_eq!(store.get(KEY).await, None);
    assert!(store.is_up());
}

#[tokio::test]
async fn login_and_database_are_as_set() {
    let server = Server::start();
    let _: () = server.ask(redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("sesame"));
    let store = gateway_with(&server, |settings| {
        settings.login.password = Some(Secret::new("sesame".to_owned()));
        settings.database = 3;
    })
    .await;
    store.keeps(born(NOW)).await;
    assert!(store.get(KEY).await.is_some());
    let wrong =
        gateway_with(&server, |settings| settings.login.password = Some(Secret::new("please".to_owned())))
            .await;
    assert!(!wrong.is_up());
}

impl Redis {
    async fn keeps(&self, slot: Slot) -> Write {
        self.put(KEY, &slot, KEEP).await
    }
}

async fn gateway(server: &Server) -> Redis {
    gateway_with(server, |_| {}).await
}

/// A store whose first attempt to connect has ended.
async fn gateway_with(server: &Server, adjust: impl FnOnce(&mut Settings)) -> Redis {
    gateway_at(Place::Host("127.0.0.1".to_owned(), server.port), adjust).await
}

async fn gateway_at(place: Place, adjust: impl FnOnce(&mut Settings)) -> Redis {
    let mut settings = settings(place);
    adjust(&mut settings);
    let store = store(settings);
    store.tried().await;
    store
}

/// Settings for a server at `place`, with a read timeout that leaves room for a busy machine.
fn settings(place: Place) -> Settings {
    Settings {
        form: Form::One(place),
        login: Login::default(),
        tls: None,
        database: 0,
        client_name: "larder".to_owned(),
        prefix: "larder".to_owned(),
        codec: Codec::default(),
        read_timeout: Duration::from_millis(500),
        write_timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(2),
        connections: 1,
        max_writes: 1024,
    }
}

fn store(settings: Settings) -> Redis {
    let clock = Clock::starting_at(Millis(NOW));
    Redis::start(settings, Arc::new(Tcp), clock, Counts::default(), StdRng::seed_from_u64(1))
}

fn born(millis: u64) -> Slot {
    let (born, body) = (Millis(millis), Bytes::from(format!("born {millis}")));
    Slot::Entry(Arc::new(Entry::new(born, Ending::Result, Protocol::Binary, body)))
}

/// An entry of now.
fn holding(body: Bytes) -> Slot {
    Slot::Entry(Arc::new(Entry::new(Millis(NOW), Ending::Result, Protocol::Binary, body)))
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(tokio::time::Instant::now() < patience, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_script_runs_in_the_server_whether_it_knows_it_or_not() {
    let server = Server::start();
    let store = gateway(&server).await;
    let lua = Lua::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for sum in [2, 4] {
        assert_eq!(store.run(&lua, "sum", &[b"2"], KEEP).await, Ok(Value::Int(sum)));
    }
    let _: () = server.ask(redis::cmd("SCRIPT").arg("FLUSH"));
    assert_eq!(store.run(&lua, "sum", &[b"3"], KEEP).await, Ok(Value::Int(7)));
    let mut get = redis::cmd("GET");
    get.arg("sum");
    assert_eq!(store.ask("sum", &get, KEEP).await, Ok(Value::BulkString(b"7".to_vec())));
}

#[tokio::test]
async fn what_is_asked_of_a_server_that_is_down_ends_at_once() {
    let mut server = Server::start();
    let store = gateway(&server).await;
    server.kill();
    until("the store is down", || !store.is_up()).await;
    let (lua, mut get) = (Lua::new("return 1"), redis::cmd("GET"));
    get.arg("key");
    assert_eq!(store.run(&lua, "key", &[], KEEP).now_or_never(), Some(Err(Failure::Down)));
    assert_eq!(store.ask("key", &get, KEEP).now_or_never(), Some(Err(Failure::Down)));
}

#[tokio::test]
async fn a_large_value_comes_whole_beside_short_ones() {
    let server = Server::start();
    let store = gateway(&server).await;
    for length in [FIRST_PART - 200, FIRST_PART, FIRST_PART + 1, 10 << 20] {
        let key = length.to_string();
        let body = Bytes::from(vec![7; length]);
        let slot = holding(body);
        assert_eq!(store.put(key.as_bytes(), &slot, KEEP).await, Write::Written);
        assert!(store.get(key.as_bytes()).await == Some(slot), "{length} bytes");
    }
}

async fn until_async<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(tokio::time::Instant::now() < patience, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
