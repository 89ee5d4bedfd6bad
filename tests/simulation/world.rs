//! A world: everything that will be done in it, drawn from its seed before anything happens.
//!
//! Each part draws from a stream of its own, so that a world without one of its clients is the same for all others.

use std::ops::Range;

use larder::seed::Seed;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::clients::{self, Client};
use crate::endpoints::{self, Endpoint, Temper};
use crate::features::Feature;
use crate::generations::{self, Generation, Terms};
use crate::purges::life::TOKEN_VARIABLE;
use crate::purges::{self, Order};
use crate::rules::{Ms, Rule};
use crate::thrift::{Protocol, Transport, Wire};
use crate::tier::{self, Tier};

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    /// Whether nothing is wrong with its backends, its network and its tiers.
    pub(crate) calm: bool,
    /// How long clients go on.
    pub(crate) length: Ms,
    pub(crate) idl: bool,
    /// What the backend speaks.
    pub(crate) wire: Wire,
    pub(crate) limits: Limits,
    pub(crate) generations: Vec<Generation>,
    pub(crate) clients: Vec<Client>,
    /// Those of the backend, and last that of its backup, if there is one.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) has_backup: bool,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) weather: Weather,
    pub(crate) gateways: usize,
    pub(crate) tier: Option<Tier>,
    /// What people declare wrong.
    pub(crate) orders: Vec<Order>,
}

#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) client_timeout: Option<Ms>,
    pub(crate) backend_timeout: Option<Ms>,
    pub(crate) max_connections: usize,
    pub(crate) max_waiting: usize,
    pub(crate) calls_per_connection: usize,
    pub(crate) message_time: Ms,
    pub(crate) ejection_failures: u32,
    pub(crate) retries: u32,
    pub(crate) retry_percent: u32,
    pub(crate) retry_burst: u32,
    pub(crate) local_capacity: usize,
}

/// What the network is like on both sides of the gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) clients: Air,
    pub(crate) backends: Air,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Air {
    pub(crate) delay: Ms,
    pub(crate) jitter: Ms,
    pub(crate) piece_max: usize,
    pub(crate) buffer: usize,
}

/// Something the network does to one connection, chosen among those open then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incident {
    pub(crate) at: Ms,
    pub(crate) side: Side,
    pub(crate) pick: usize,
    pub(crate) act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Clients,
    Backends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Cut,
    /// One direction stands still for so long.
    Stall {
        out: bool,
        time: Ms,
    },
}

/// A stream of randomness that belongs to one part of a world.
pub(crate) fn stream(seed: u64, part: &str, number: u64) -> StdRng {
    Seed::new(seed).of(part).of(&number.to_string()).random()
}

/// Whether something that is not switched off happens, with a chance of `percent`.
pub(crate) fn has(random: &mut StdRng, feature: Feature, percent: u32) -> bool {
    random.random_range(0..100) < percent && feature.is_on()
}

impl World {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut random = stream(seed, "world", 0);
        let length = random.random_range(15_000..40_000);
        let wire = *Wire::ALL.choose(&mut random).unwrap();
        let idl = random.random_bool(0.7);
        let mut marks = stream(seed, "marks", 0);
        let (writes, purges) = (has(&mut marks, Feature::Writes, 30), has(&mut marks, Feature::Purges, 20));
        let mut shared = has(&mut random, Feature::SharedTier, 30);
        let mut gateways = if shared { random.random_range(1..=3) } else { 1 };
        if !shared && (writes || purges) && has(&mut marks, Feature::SharedTier, 40) {
            (shared, gateways) = (true, marks.random_range(2..=3));
        }
        let limits = limits(&mut random, &mut stream(seed, "retries", 0));
        let count = random.random_range(2..=7);
        let endpoint_count = random.random_range(1..=3);
        let weather = weather(&mut stream(seed, "weather", 0));
        let calm = has(&mut random, Feature::Twins, 20);
        let disputed = has(&mut random, Feature::Disputes, 12);
        let mut others = stream(seed, "backup", 0);
        let backup = has(&mut others, Feature::Backups, 35);
        let identities = has(&mut stream(seed, "identities", 0), Feature::Identities, 30);
        let terms = Terms { idl, shared, disputed, endpoints: endpoint_count, backup, writes, identities };
        let keys = if disputed { 2 } else { 5 };
        let temper = match (calm, disputed) {
            (true, _) => Temper::Calm,
            (false, true) => Temper::Fickle,
            (false, false) => Temper::Any,
        };
        let generations = generations::draw(seed, length, &terms);
        let mut endpoints =
            endpoints::draw(&mut stream(seed, "endpoints", 0), endpoint_count, length, temper);
        if backup {
            endpoints.push(endpoints::well(&mut others));
        }
        let mut clients: Vec<_> =
            (0..count).map(|n| clients::draw(seed, n, length, wire, gateways, keys)).collect();
        if writes {
            clients.iter_mut().for_each(|client| client.write_more(seed));
        }
        if identities {
            clients.iter_mut().for_each(|client| client.says_who(seed));
        }
        let mut tier = shared.then(|| tier::draw(&mut stream(seed, "tier", 0), length, gateways));
        if let Some(tier) = tier.as_mut().filter(|_| writes || purges) {
            tier::trouble(&mut marks, length, tier);
        }
        let orders = || purges::draw(&mut stream(seed, "purges", 0), length, gateways, keys, idl);
        Self {
            calm,
            generations,
            clients,
            endpoints,
            has_backup: backup,
            incidents: if calm { Vec::new() } else { incidents(&mut stream(seed, "network", 0), length) },
            tier,
            orders: if purges { orders() } else { Vec::new() },
            seed,
            length,
            idl,
            wire,
            limits,
            weather,
            gateways,
        }
    }

    /// The same world without the clients that misbehave, if that tells anything.
    pub(crate) fn without_the_others(&self) -> Option<Self> {
        let mut alone = self.clone();
        alone.clients.retain(|client| client.manner.is_polite());
        // What one client changes all ask for anew.
        let writes = self.generations.iter().flat_map(|generation| &generation.rules).any(Rule::changes);
        (self.calm && !writes && alone.clients.len() < self.clients.len()).then_some(alone)
    }

    /// The endpoint that is not listed in a generation. Where only one is left of a world, it is listed.
    pub(crate) fn absent(&self, generation: &Generation) -> Option<usize> {
        generation.absent.filter(|_| self.usual().len() > 1)
    }

    /// The endpoint of the backup.
    pub(crate) fn backup(&self) -> Option<usize> {
        self.has_backup.then(|| self.endpoints.len() - 1)
    }

    /// The endpoints of the backend that calls go to.
    fn usual(&self) -> Range<usize> {
        0..self.backup().unwrap_or(self.endpoints.len())
    }

    /// Whether an endpoint is not listed for a time.
    pub(crate) fn may_be_absent(&self, endpoint: usize) -> bool {
        self.generations.iter().any(|generation| self.absent(generation) == Some(endpoint))
    }

    /// The configuration of a gateway in this generation.
    pub(crate) fn configuration(&self, gateway: usize, generation: &Generation) -> String {
        let Limits { calls_per_connection, message_time, .. } = self.limits;
        let mut listener = String::new();
        if self.idl {
            listener += "idl = \"sim.thrift\"\n";
        }
        if let Some(timeout) = self.limits.client_timeout {
            listener += &format!("client_timeout = \"{timeout}ms\"\n");
        }
        let address = |n| format!("\"10.3.0.{}:9191\"", n + 1);
        let listed = self.usual().filter(|n| self.absent(generation) != Some(*n));
        let usual = self.backend("sim", &listed.map(address).collect::<Vec<_>>().join(", "));
        let spare = self.backup().map(|n| self.backend("spare", &address(n))).unwrap_or_default();
        format!(
            "[admin]\nbind = \"10.2.0.{host}:9099\"\ntoken_env = \"{TOKEN_VARIABLE}\"\n\
             [limits]\nframe = {MESSAGE}\nmessage = {MESSAGE}\nbuffered = {BUFFERED}\ncalls_per_connection = {calls_per_connection}\nmessage_time = \"{message_time}ms\"\n\
             [listeners.sim]\nbind = \"10.2.0.{host}:9090\"\nservice = \"Sim\"\nbackend = \"sim\"\n{listener}\
             {usual}{spare}\
             [cache.local]\ncapacity = {capacity}\n{shared}{rules}",
            host = gateway + 1,
            capacity = self.limits.local_capacity,
            shared =
                if self.tier.is_some() { "[cache.shared]\nurl = \"redis://10.4.0.1:6379\"\n" } else { "" },
            rules = crate::rules::toml(&generation.rules, self.idl),
        )
    }

    /// A backend as the configuration says it.
    fn backend(&self, name: &str, endpoints: &str) -> String {
        let Limits { max_connections, max_waiting, backend_timeout, .. } = self.limits;
        let timeout = backend_timeout.map(|timeout| format!("timeout = \"{timeout}ms\"\n"));
        format!(
            "[backends.{name}]\nendpoints = [{endpoints}]\nprotocol = \"{protocol}\"\ntransport = \"{transport}\"\n\
             max_connections = {max_connections}\nmax_waiting = {max_waiting}\n\
             ejection_failures = {failures}\nretries = {retries}\n\
             retry_percent = {percent}\nretry_burst = {burst}\n{timeout}",
            protocol = self.wire.protocol_name(),
            transport = self.wire.transport_name(),
            failures = self.limits.ejection_failures,
            retries = self.limits.retries,
            percent = self.limits.retry_percent,
            burst = self.limits.retry_burst,
            timeout = timeout.unwrap_or_default(),
        )
    }
}

fn limits(random: &mut StdRng, retries: &mut StdRng) -> Limits {
    let small = has(random, Feature::Evictions, 15);
    Limits {
        client_timeout: has(random, Feature::ClientTimeout, 20).then(|| random.random_range(1_500..3_000)),
        backend_timeout: random.random_bool(0.3).then(|| random.random_range(300..2_000)),
        max_connections: *[2, 4, 8, 64].choose(random).unwrap(),
        max_waiting: *[4, 64, 1024].choose(random).unwrap(),
        calls_per_connection: *[1, 4, 32].choose(random).unwrap(),
        message_time: *[2_000, 30_000].choose(random).unwrap(),
        ejection_failures: random.random_range(2..=5),
        retries: *[0, 2, 2, 8].choose(retries).unwrap(),
        retry_percent: *[0, 20, 20].choose(retries).unwrap(),
        retry_burst: *[0, 1, 10].choose(retries).unwrap(),
        local_capacity: if small { 1 << 20 } else { 64 << 20 },
    }
}

fn weather(random: &mut StdRng) -> Weather {
    let mut air = || Air {
        delay: random.random_range(0..=4),
        jitter: random.random_range(0..=3),
        piece_max: *[usize::MAX, usize::MAX, 40, 7].choose(random).unwrap(),
        buffer: *[64 << 10, 64 << 10, 512].choose(random).unwrap(),
    };
    Weather { clients: air(), backends: air() }
}

fn incidents(random: &mut StdRng, length: Ms) -> Vec<Incident> {
    let count = if random.random_bool(0.5) { random.random_range(1..6) } else { 0 };
    let mut all = Vec::new();
    for _ in 0..count {
        let at = random.random_range(500..length);
        let side = if random.random_bool(0.4) { Side::Clients } else { Side::Backends };
        let pick = random.random_range(0..100);
        let (out, time) = (random.random_bool(0.5), random.random_range(50..4_000));
        let cut = random.random_bool(0.6);
        let act = if cut { Act::Cut } else { Act::Stall { out, time } };
        let feature = if cut { Feature::Cuts } else { Feature::Stalls };
        if feature.is_on() {
            all.push(Incident { at, side, pick, act });
        }
    }
    all.sort_by_key(|incident| incident.at);
    all
}

/// What a client of a world with this backend speaks.
pub(crate) fn client_wire(random: &mut StdRng, backend: Wire) -> Wire {
    let transport = *[Transport::Framed, Transport::Unframed, Transport::Header].choose(random).unwrap();
    let protocol = match backend.protocol {
        Protocol::Binary | Protocol::Lenient => {
            *[Protocol::Binary, Protocol::Binary, Protocol::Lenient].choose(random).unwrap()
        }
        Protocol::Compact => Protocol::Compact,
    };
    let other = match protocol {
        Protocol::Compact => Protocol::Binary,
        Protocol::Binary | Protocol::Lenient => Protocol::Compact,
    };
    Wire::of(transport, if has(random, Feature::OtherProtocol, 4) { other } else { protocol })
}

/// Bytes of the longest message.
const MESSAGE: usize = 256 << 10;
/// Bytes of unanswered calls and unsent replies that a gateway may hold.
pub(crate) const BUFFERED: usize = 1 << 20;
