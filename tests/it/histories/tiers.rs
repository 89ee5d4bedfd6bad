//! The forms of Redis that a history runs over: how each gateway reaches it, and how it breaks.

use std::ops::Range;

use rand::Rng;
use rand::rngs::StdRng;
use rustix::process::Signal;

use super::GATEWAYS;
use super::faults::Part;
use crate::harness::*;

/// A Redis of some form.
pub(super) struct Tier {
    pub(super) parts: Vec<Box<dyn Part>>,
    /// The section of each gateway.
    pub(super) sections: Vec<String>,
}

impl Tier {
    /// One server, and a line to it for each gateway.
    pub(super) fn single() -> Self {
        let redis = redis();
        let links: Vec<Link> = (0..GATEWAYS).map(|_| link(redis.address())).collect();
        let sections = links.iter().map(|link| format!("url = 'redis://{}/0'", link.address())).collect();
        let parts: [Box<dyn Part>; 2] = [Box::new(Single { redis, dead: false }), Box::new(Links(links))];
        Self { parts: parts.into(), sections }
    }

    /// A primary that refuses writes which no replica would get, two replicas, and three sentinels.
    pub(super) fn watched() -> Self {
        let watch = Watch::start_with(&SAFE);
        let sentinels: Vec<_> = watch.sentinels.iter().map(address).collect();
        let section = format!("sentinels = {sentinels:?}\nmaster = '{MASTER}'");
        Self { parts: vec![Box::new(Watched { watch, broken: None })], sections: vec![section; GATEWAYS] }
    }

    /// Three primaries and three replicas.
    pub(super) fn clustered() -> Self {
        let servers = Servers::start();
        let section = format!("cluster = {:?}", servers.all.iter().map(address).collect::<Vec<_>>());
        Self { parts: vec![Box::new(Clustered { servers, broken: None })], sections: vec![section; GATEWAYS] }
    }
}

fn address(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port)
}

/// What is to be done to a server that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Killed(usize),
    Stopped(usize),
}

struct Single {
    redis: Redis,
    dead: bool,
}

impl Part for Single {
    fn breaks(&mut self, chance: &mut StdRng) -> String {
        match chance.random_range(0..3) {
            0 => {
                self.redis.kill();
                self.dead = true;
                "redis killed".to_owned()
            }
            1 => {
                self.redis.stop();
                "redis stopped".to_owned()
            }
            _ => {
                self.redis.flush();
                "redis emptied".to_owned()
            }
        }
    }

    fn mends(&mut self) {
        if std::mem::take(&mut self.dead) {
            self.redis.restart();
        } else {
            self.redis.cont();
        }
    }
}

/// One of them at a time is cut, closed or slow.
struct Links(Vec<Link>);

impl Part for Links {
    fn breaks(&mut self, chance: &mut StdRng) -> String {
        let line = match chance.random_range(0..4) {
            0 => Line::Closed,
            1 => Line::Slow(ms(chance.random_range(1..200))),
            _ => Line::Cut,
        };
        let which = chance.random_range(0..self.0.len());
        self.0[which].is(line);
        format!("line of gateway {which}: {line:?}")
    }

    fn mends(&mut self) {
        self.0.iter().for_each(|link| link.is(Line::Whole));
    }
}

struct Watched {
    watch: Watch,
    broken: Option<Broken>,
}

impl Part for Watched {
    fn breaks(&mut self, chance: &mut StdRng) -> String {
        let primary = self.watch.named().unwrap_or_default();
        let other = (primary + chance.random_range(1..self.watch.servers.len())) % self.watch.servers.len();
        match chance.random_range(0..6) {
            0 | 1 => {
                self.watch.servers[primary].kill();
                self.broken = Some(Broken::Killed(primary));
                format!("primary {primary} killed")
            }
            2 => {
                self.watch.servers[primary].signal(Signal::STOP);
                self.broken = Some(Broken::Stopped(primary));
                format!("primary {primary} stopped")
            }
            3 => {
                self.watch.servers[other].kill();
                self.broken = Some(Broken::Killed(other));
                format!("replica {other} killed")
            }
            4 => format!("another in the place of primary {primary}: {:?}", self.watch.fail_over()),
            _ => {
                let emptied = self.watch.servers[primary].try_ask::<()>(&redis::cmd("FLUSHALL"));
                format!("primary {primary} emptied: {emptied:?}")
            }
        }
    }

    fn mends(&mut self) {
        match self.broken.take() {
            Some(Broken::Killed(which)) => {
                let primary = self.watch.named().filter(|primary| *primary != which);
                let port = primary.map(|primary| self.watch.servers[primary].port.to_string());
                // Sentinels would tell it so too, after some seconds.
                let of = port.iter().flat_map(|port| ["--replicaof", "127.0.0.1", port]);
                let arguments: Vec<&str> = SAFE.into_iter().chain(of).collect();
                self.watch.servers[which].restart_with(&arguments);
            }
            Some(Broken::Stopped(which)) => self.watch.servers[which].signal(Signal::CONT),
            None => {}
        }
    }

    fn lasts(&self) -> Range<u64> {
        FAILOVER
    }
}

struct Clustered {
    servers: Servers,
    broken: Option<Broken>,
}

impl Part for Clustered {
    fn breaks(&mut self, chance: &mut StdRng) -> String {
        let owner = self.servers.owner(LOG).unwrap_or_default();
        let any = chance.random_range(0..self.servers.all.len());
        let which = if chance.random() { owner } else { any };
        match chance.random_range(0..6) {
            0..3 => {
                self.servers.all[which].kill();
                self.broken = Some(Broken::Killed(which));
                format!("server {which} killed")
            }
            3 => {
                self.servers.all[which].signal(Signal::STOP);
                self.broken = Some(Broken::Stopped(which));
                format!("server {which} stopped")
            }
            4 => match self.servers.primaries().into_iter().find(|to| *to != owner) {
                None => "nothing".to_owned(),
                Some(to) => {
                    let moved = self.servers.move_slot(self.servers.slot(LOG), [owner, to]);
                    format!("the marks' slot moved from {owner} to {to}: {moved:?}")
                }
            },
            _ => {
                let emptied = self.servers.all[which].try_ask::<()>(&redis::cmd("FLUSHALL"));
                format!("server {which} emptied: {emptied:?}")
            }
        }
    }

    fn mends(&mut self) {
        match self.broken.take() {
            Some(Broken::Killed(which)) => self.servers.all[which].restart(),
            Some(Broken::Stopped(which)) => self.servers.all[which].signal(Signal::CONT),
            None => {}
        }
    }

    fn lasts(&self) -> Range<u64> {
        FAILOVER
    }
}

/// Two primaries at a time would both take marks.
const SAFE: [&str; 4] = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "1"];
/// Sometimes another takes its place meanwhile, sometimes none does.
const FAILOVER: Range<u64> = 300..5_000;
const LOG: &str = "larder:{marks}:log";
