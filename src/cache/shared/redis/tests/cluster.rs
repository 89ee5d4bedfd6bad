//! A cluster of three primaries and three replicas: whom a key is asked of, and that one server's trouble is no other's.

use futures_util::future::join_all;

use super::super::slots::slot;
use super::server::Server;
use super::servers::Servers;
use super::*;

/// A gateway that knows of one server, and has reached all that keep something.
pub(super) async fn gateway(servers: &Servers) -> Redis {
    let seed = Place::Host("127.0.0.1".to_owned(), servers.all[5].port);
    let form = Form::Cluster(vec![seed.clone()]);
    let store = gateway_at(seed, |settings| settings.form = form).await;
    until("all are up", || ups(&store) == 3).await;
    store
}

/// Which server has a key.
fn owner(servers: &Servers, store: &Redis, key: &[u8]) -> usize {
    servers.owner(&store.redis_key(key)).unwrap()
}

fn ups(store: &Redis) -> usize {
    store.servers().iter().filter(|(_, state)| *state == State::Up).count()
}

fn keys() -> Vec<Vec<u8>> {
    (0..60_u8).map(|key| vec![key]).collect()
}

async fn fill(store: &Redis) -> Vec<Vec<u8>> {
    let keys = keys();
    for key in &keys {
        assert_eq!(store.put(key, &born(NOW), KEEP).await, Write::Written);
    }
    keys
}

#[tokio::test]
async fn each_key_is_kept_by_its_owner_and_a_dead_one_costs_its_own_keys_alone() {
    let mut servers = Servers::start();
    let store = gateway(&servers).await;
    let keys = fill(&store).await;
    let mut owners = Vec::new();
    for key in &keys {
        owners.push(owner(&servers, &store, key));
    }
    let dead = owners[0];
    assert!(owners.iter().any(|owner| *owner != dead));
    servers.all[dead].kill();
    until("it is left", || ups(&store) < 3).await;
    let found = join_all(keys.iter().map(|key| store.get(key))).await;
    for ((owner, found), key) in owners.iter().zip(found).zip(&keys) {
        assert_eq!(found.is_some(), *owner != dead, "{key:?} of {owner}");
    }
    assert_eq!((store.counts.reads(Read::Timeout), store.counts.reads(Read::Error)), (0, 0));
    // Its replica takes its place, with all that it has.
    until("the replica is up", || ups(&store) == 3).await;
    until_async("all keys are found", || async {
        join_all(keys.iter().map(|key| store.get(key))).await.iter().all(Option::is_some)
    })
    .await;
}

#[tokio::test]
async fn a_stopped_server_costs_three_reads_their_time_and_others_nothing() {
    let servers = Servers::start();
    let store = gateway(&servers).await;
    let keys = fill(&store).await;
    let stopped = owner(&servers, &store, &keys[0]);
    servers.all[stopped].signal(Signal::STOP);
    let mut waited = 0;
    while ups(&store) == 3 {
        assert_eq!(store.get(&keys[0]).await, None);
        waited += 1;
    }
    assert!(waited <= 3, "{waited}");
    assert_eq!(store.get(&keys[0]).now_or_never(), Some(None));
    let mut others = 0;
    for key in &keys[1..] {
        others += usize::from(store.get(key).await.is_some());
    }
    assert!(others > 20, "{others}");
    servers.all[stopped].signal(Signal::CONT);
}

#[tokio::test]
async fn a_slot_that_moves_under_load_loses_no_key() {
    let servers = Servers::start();
    let store = gateway(&servers).await;
    let keys = fill(&store).await;
    let from = owner(&servers, &store, &keys[0]);
    let mut to = from;
    for key in &keys {
        let owner = owner(&servers, &store, key);
        to = if owner == from { to } else { owner };
    }
    let (redis_key, way) = (store.redis_key(&keys[0]), [from, to]);
    servers.begin_move(slot(&redis_key), way).unwrap();
    // Not moved yet; then moved while the slot is not: the old owner sends those who ask to the new one, this once.
    assert!(store.get(&keys[0]).await.is_some());
    servers.move_key(&redis_key, way).unwrap();
    assert!(store.get(&keys[0]).await.is_some(), "asked where it is on its way to");
    assert_eq!(store.put(&keys[0], &born(NOW + 1), KEEP).await, Write::Written);
    servers.end_move(slot(&redis_key), way).unwrap();
    assert_eq!(store.get(&keys[0]).await, Some(born(NOW + 1)), "asked where it has moved to");
    assert_eq!(store.put(&keys[0], &born(NOW + 2), KEEP).await, Write::Written);
    assert_eq!(store.counts.reads(Read::Miss), 0);
}

#[tokio::test]
async fn a_script_runs_where_its_key_is() {
    let servers = Servers::start();
    let store = gateway(&servers).await;
    let lua = Lua::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for key in ["a", "b", "c", "d", "{e}.f"] {
        assert_eq!(store.run(&lua, key, &[b"2"], KEEP).await, Ok(Value::Int(2)), "{key}");
    }
}

#[tokio::test]
async fn a_server_without_a_cluster_is_told() {
    let server = Server::start();
    let place = Place::Host("127.0.0.1".to_owned(), server.port);
    let form = Form::Cluster(vec![place.clone()]);
    let store = gateway_at(place, |settings| settings.form = form).await;
    assert!(!store.is_up() && store.servers().is_empty());
}
