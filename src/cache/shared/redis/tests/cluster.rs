//! A cluster of three primaries and three replicas: whom a key is asked of, and that one server's trouble is no other's.

use futures_util::future::join_all;

use super::super::slots::slot;
use super::server::Server;
use super::*;

struct Servers {
    all: Vec<Server>,
    _folder: tempfile::TempDir,
}

impl Servers {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |number: usize| folder.path().join(format!("nodes-{number}.conf"));
        let all = (0..6).map(|number| Server::clustered(&file(number))).collect();
        let servers = Self { all, _folder: folder };
        servers.join().await;
        servers
    }

    /// Makes one cluster of them: the first three with a third of the slots each, and a replica of each.
    async fn join(&self) {
        let cluster = |words: &[&str]| {
            let mut command = redis::cmd("CLUSTER");
            command.arg(words);
            command
        };
        for (at, (first, last)) in [("0", "5460"), ("5461", "10922"), ("10923", "16383")].iter().enumerate() {
            let _: () = self.all[at].ask(&cluster(&["ADDSLOTSRANGE", first, last])).await;
        }
        for (at, server) in self.all.iter().enumerate() {
            let _: () = server.ask(&cluster(&["SET-CONFIG-EPOCH", &(at + 1).to_string()])).await;
        }
        for server in &self.all[1..] {
            let _: () = self.all[0].ask(&cluster(&["MEET", "127.0.0.1", &server.port.to_string()])).await;
        }
        self.all_say("cluster_known_nodes:6").await;
        for at in 0..3 {
            let primary = self.id(at).await;
            until_async("a replica knows its primary", || async {
                self.all[at + 3].try_ask::<()>(&cluster(&["REPLICATE", &primary])).await.is_ok()
            })
            .await;
        }
        self.all_say("cluster_state:ok").await;
        for primary in &self.all[..3] {
            until_async("a primary has its replica", || async {
                let told: String = primary.ask(redis::cmd("INFO").arg("replication")).await;
                told.contains("state=online")
            })
            .await;
        }
    }

    async fn all_say(&self, what: &str) {
        for server in &self.all {
            let says =
                || async { server.ask::<String>(redis::cmd("CLUSTER").arg("INFO")).await.contains(what) };
            until_async(what, says).await;
        }
    }

    /// A gateway that knows of one server, and has reached all that keep something.
    async fn gateway(&self) -> Redis {
        let seed = Place::Host("127.0.0.1".to_owned(), self.all[5].port);
        let form = Form::Cluster(vec![seed.clone()]);
        let store = gateway_at(seed, |settings| settings.form = form).await;
        until("all are up", || ups(&store) == 3).await;
        store
    }

    /// Which server has a key.
    async fn owner(&self, store: &Redis, key: &[u8]) -> usize {
        let key = store.redis_key(key);
        let mut exists = redis::cmd("GET");
        exists.arg(&key);
        for (at, server) in self.all.iter().enumerate() {
            if !server.is_gone() && server.try_ask::<Value>(&exists).await.is_ok() {
                return at;
            }
        }
        panic!("no server has {key}");
    }

    async fn id(&self, at: usize) -> String {
        self.all[at].ask(redis::cmd("CLUSTER").arg("MYID")).await
    }
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
    let mut servers = Servers::start().await;
    let store = servers.gateway().await;
    let keys = fill(&store).await;
    let mut owners = Vec::new();
    for key in &keys {
        owners.push(servers.owner(&store, key).await);
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
    let servers = Servers::start().await;
    let store = servers.gateway().await;
    let keys = fill(&store).await;
    let stopped = servers.owner(&store, &keys[0]).await;
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
    let servers = Servers::start().await;
    let store = servers.gateway().await;
    let keys = fill(&store).await;
    let from = servers.owner(&store, &keys[0]).await;
    let mut to = from;
    for key in &keys {
        let owner = servers.owner(&store, key).await;
        to = if owner == from { to } else { owner };
    }
    let redis_key = store.redis_key(&keys[0]);
    let setslot = |state: &str, id: &str| {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SETSLOT").arg(slot(&redis_key)).arg(state).arg(id);
        command
    };
    let (from_id, to_id) = (servers.id(from).await, servers.id(to).await);
    let _: () = servers.all[to].ask(&setslot("IMPORTING", &from_id)).await;
    let _: () = servers.all[from].ask(&setslot("MIGRATING", &to_id)).await;
    // Not moved yet; then moved while the slot is not: the old owner sends those who ask to the new one, this once.
    assert!(store.get(&keys[0]).await.is_some());
    let mut migrate = redis::cmd("MIGRATE");
    migrate.arg("127.0.0.1").arg(servers.all[to].port).arg(&redis_key).arg(0).arg(1_000);
    let _: () = servers.all[from].ask(&migrate).await;
    assert!(store.get(&keys[0]).await.is_some(), "asked where it is on its way to");
    assert_eq!(store.put(&keys[0], &born(NOW + 1), KEEP).await, Write::Written);
    for at in [to, from] {
        let _: () = servers.all[at].ask(&setslot("NODE", &to_id)).await;
    }
    assert_eq!(store.get(&keys[0]).await, Some(born(NOW + 1)), "asked where it has moved to");
    assert_eq!(store.put(&keys[0], &born(NOW + 2), KEEP).await, Write::Written);
    assert_eq!(store.counts.reads(Read::Miss), 0);
}

#[tokio::test]
async fn a_script_runs_where_its_key_is() {
    let servers = Servers::start().await;
    let store = servers.gateway().await;
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
