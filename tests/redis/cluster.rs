//! A cluster of three primaries and three replicas.

use redis::{Cmd, RedisResult, Value};

use super::server::{Server, settles};

/// The first three are primaries when it starts.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) all: Vec<Server>,
}

impl Servers {
    pub(crate) fn start() -> Self {
        let servers = Self { all: (0..6).map(|_| Server::clustered()).collect() };
        servers.join();
        servers
    }

    /// Makes one cluster of them: the first three with a third of the slots each, and a replica of each.
    fn join(&self) {
        for (at, (first, last)) in [("0", "5460"), ("5461", "10922"), ("10923", "16383")].iter().enumerate() {
            let _: () = self.all[at].ask(&cluster(&["ADDSLOTSRANGE", first, last]));
        }
        for (at, server) in self.all.iter().enumerate() {
            let _: () = server.ask(&cluster(&["SET-CONFIG-EPOCH", &(at + 1).to_string()]));
        }
        for server in &self.all[1..] {
            let _: () = self.all[0].ask(&cluster(&["MEET", "127.0.0.1", &server.port.to_string()]));
        }
        self.all_say("cluster_known_nodes:6");
        for at in 0..3 {
            let primary = self.id(at);
            settles("a replica knows its primary", || {
                self.all[at + 3].try_ask::<()>(&cluster(&["REPLICATE", &primary])).is_ok()
            });
        }
        self.all_say("cluster_state:ok");
        for primary in &self.all[..3] {
            settles("a primary has its replica", || {
                primary.ask::<String>(redis::cmd("INFO").arg("replication")).contains("state=online")
            });
        }
    }

    fn all_say(&self, what: &str) {
        for server in &self.all {
            settles(what, || server.ask::<String>(&cluster(&["INFO"])).contains(what));
        }
    }

    fn id(&self, at: usize) -> String {
        self.all[at].ask(&cluster(&["MYID"]))
    }

    /// Which server has a key, if one that answers has.
    pub(crate) fn owner(&self, key: &str) -> Option<usize> {
        let mut exists = redis::cmd("EXISTS");
        exists.arg(key);
        let has = |server: &Server| !server.is_gone() && server.try_ask::<Value>(&exists).is_ok();
        self.all.iter().position(has)
    }

    /// The servers that are primaries.
    pub(crate) fn primaries(&self) -> Vec<usize> {
        let living = self.all.iter().enumerate().filter(|(_, server)| !server.is_gone());
        let role = |server: &Server| server.try_ask::<String>(redis::cmd("INFO").arg("replication"));
        let leads = |server: &Server| role(server).is_ok_and(|role| role.contains("role:master"));
        living.filter(|(_, server)| leads(server)).map(|(at, _)| at).collect()
    }

    /// The slot of a key.
    pub(crate) fn slot(&self, key: &str) -> u16 {
        let living = self.all.iter().find(|server| !server.is_gone());
        living.expect("all are killed").ask(&cluster(&["KEYSLOT", key]))
    }

    /// Moves a slot with all its keys, or leaves it where it was.
    pub(crate) fn move_slot(&self, slot: u16, way: [usize; 2]) -> RedisResult<()> {
        let moved = self.begin_move(slot, way).and_then(|()| {
            for key in self.keys(slot, way[0])? {
                self.move_key(&key, way)?;
            }
            self.end_move(slot, way)
        });
        if moved.is_err() {
            for at in way {
                // One that does not answer has nothing to end.
                let _ = self.all[at].try_ask::<()>(&cluster(&["SETSLOT", &slot.to_string(), "STABLE"]));
            }
        }
        moved
    }

    /// Begins to move a slot from one server to another.
    pub(crate) fn begin_move(&self, slot: u16, [from, to]: [usize; 2]) -> RedisResult<()> {
        let (slot, ids) = (slot.to_string(), [self.id(from), self.id(to)]);
        let _: () = self.all[to].try_ask(&cluster(&["SETSLOT", &slot, "IMPORTING", &ids[0]]))?;
        self.all[from].try_ask(&cluster(&["SETSLOT", &slot, "MIGRATING", &ids[1]]))
    }

    /// Moves a key of it; fails where it lies there already.
    pub(crate) fn move_key(&self, key: &str, [from, to]: [usize; 2]) -> RedisResult<()> {
        let mut migrate = redis::cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(self.all[to].port).arg(key).arg(0).arg(1_000);
        self.all[from].try_ask(&migrate)
    }

    /// The keys of a slot at a server.
    pub(crate) fn keys(&self, slot: u16, at: usize) -> RedisResult<Vec<String>> {
        self.all[at].try_ask(&cluster(&["GETKEYSINSLOT", &slot.to_string(), "100"]))
    }

    /// The slot has moved: both are told.
    pub(crate) fn end_move(&self, slot: u16, [from, to]: [usize; 2]) -> RedisResult<()> {
        let (slot, owner) = (slot.to_string(), self.id(to));
        let _: () = self.all[to].try_ask(&cluster(&["SETSLOT", &slot, "NODE", &owner]))?;
        self.all[from].try_ask(&cluster(&["SETSLOT", &slot, "NODE", &owner]))
    }
}

fn cluster(words: &[&str]) -> Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg(words);
    command
}
