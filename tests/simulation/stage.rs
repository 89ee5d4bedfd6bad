//! A world as it runs: one thread, paused time, the gateways and all around them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path as FilePath;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::cache::shared::{Counts, Memory, Store};
use larder::clock::{Clock, Millis};
use larder::config::Config;
use larder::dial::Simulated;
use larder::dial::simulated::{Direction, Link, Passage, Path, Route};
use larder::files::Memory as Files;
use larder::seed::Seed;
use larder::server::{self, Running, Surroundings, Watch};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::generations::Generation;
use crate::history::{Did, Event, History, What};
use crate::purges::life::{TOKEN, TOKEN_VARIABLE};
use crate::rules::Ms;
use crate::service::IDL;
use crate::world::{Act, Air, Side, World};
use crate::{clients, endpoints, purges, tier};

/// What all parts of a running world share.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) network: Simulated,
    pub(crate) history: History,
    began: Instant,
    serials: AtomicI64,
}

type Gateways = Arc<Mutex<Vec<Running>>>;

/// Runs a world and tells what happened in it.
pub(crate) fn run(world: &World) -> Vec<Event> {
    let gateways = Gateways::default();
    let runtime = runtime(&gateways);
    let events = runtime.block_on(live(world.clone(), Arc::clone(&gateways)));
    // Whatever is left over ends with the runtime.
    gateways.lock().unwrap().clear();
    events
}

fn runtime(gateways: &Gateways) -> Runtime {
    let gateways = Arc::clone(gateways);
    // The local tier would tidy up by a clock of its own; here it does so whenever nothing else is to be done.
    let tidy = move || gateways.lock().unwrap().iter().for_each(Running::keep_house);
    Builder::new_current_thread().enable_time().start_paused(true).on_thread_park(tidy).build().unwrap()
}

async fn live(world: World, gateways: Gateways) -> Vec<Event> {
    let stage = Arc::new(Stage::new(world));
    let around = around(&stage);
    let links = stage.start_gateways(&gateways).await;
    let mut keeping = JoinSet::new();
    keeping.spawn(reload(Arc::clone(&stage), Arc::clone(&gateways)));
    keeping.spawn(disturb(Arc::clone(&stage)));
    keeping.spawn(tier::life::live(Arc::clone(&stage), links));
    keeping.spawn(purges::life::live(Arc::clone(&stage)));
    keeping.spawn(watch(Arc::clone(&stage), Arc::clone(&gateways)));
    let mut asking = JoinSet::new();
    for client in stage.world.clients.clone() {
        asking.spawn(clients::life::live(Arc::clone(&stage), client));
    }
    let all = async { while asking.join_next().await.is_some() {} };
    let over = timeout(Duration::from_millis(stage.world.length + PATIENCE), all).await.is_ok();
    if !over {
        asking.shutdown().await;
    }
    stage.note(What::Quiet);
    keeping.shutdown().await;
    sleep(QUIET).await;
    note_under_way(&stage, &gateways);
    let running = std::mem::take(&mut *gateways.lock().unwrap());
    for gateway in running {
        gateway.stop(Duration::from_secs(1)).await;
    }
    drop(around);
    stage.history.take()
}

fn around(stage: &Arc<Stage>) -> JoinSet<()> {
    let mut around = JoinSet::new();
    for number in 0..stage.world.endpoints.len() {
        around.spawn(endpoints::life::live(Arc::clone(stage), number));
    }
    around
}

impl Stage {
    fn new(world: World) -> Self {
        let network = Simulated::default();
        let (seed, weather) = (world.seed, world.weather);
        network.weather(move |route| {
            let air = if is_gateway(route.to) { weather.clients } else { weather.backends };
            // By who opens it and not by its number, so that one client's connections are no other's affair.
            let seed = Seed::new(seed).of("path").of(&route.from.to_string());
            [path(air, seed.of("out")), path(air, seed.of("back"))]
        });
        Self { world, network, history: History::new(), began: Instant::now(), serials: AtomicI64::new(1) }
    }

    pub(crate) fn note(&self, what: What) {
        self.history.note(what);
    }

    /// A number that no other reply has.
    pub(crate) fn serial(&self) -> i64 {
        self.serials.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits until a moment of the world.
    pub(crate) async fn until(&self, at: Ms) {
        sleep_until(self.began + Duration::from_millis(at)).await;
    }

    fn config(&self, gateway: usize, generation: &Generation) -> Config {
        let text = self.world.configuration(gateway, generation);
        let read = |path: &FilePath| match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => Ok(text.clone()),
            Some("thrift") => Ok(IDL.to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let variable = |name: &str| (name == TOKEN_VARIABLE).then(|| TOKEN.to_owned());
        let loaded = Config::load(FilePath::new("sim.toml"), &read, &variable);
        loaded.config.unwrap_or_else(|| panic!("{:#?}\n{text}", loaded.problems))
    }

    /// Starts the gateways, each behind the same network, and returns their links to the tier that they share.
    async fn start_gateways(self: &Arc<Self>, gateways: &Gateways) -> Vec<Memory> {
        let stage = Arc::clone(self);
        self.network.tap(move |route, direction, passage| stage.passed(route, direction, passage));
        let first = &self.world.generations[0];
        self.note(What::Rules { generation: 0, rules: first.rules.clone() });
        let memory =
            self.world.tier.as_ref().map(|_| {
                Memory::new(Clock::starting_at(EPOCH), Duration::from_millis(50), Counts::default())
            });
        let mut links = Vec::new();
        for number in 0..self.world.gateways {
            let skew = self.world.tier.as_ref().map_or(0, |tier| tier.skews[number]);
            let clock = Clock::starting_at(EPOCH.plus(Duration::from_millis(skew)));
            let link = memory.as_ref().map(|memory| memory.seen_by(clock.clone()));
            links.extend(link.clone());
            let store = link.map(|link| Arc::new(link) as Arc<dyn Store>);
            let network = self.network.host(host(2, number));
            let surroundings = Surroundings {
                clock,
                dial: Arc::new(network.clone()),
                bind: network,
                files: Arc::new(Files::default()),
                seed: Seed::new(self.world.seed).of("gateway").of(&number.to_string()).number(),
                store,
                watch: Watch::Beside,
            };
            let running = server::start(self.config(number, first), surroundings).await.unwrap();
            gateways.lock().unwrap().push(running);
        }
        links
    }

    /// Notes what was done at the ends of a connection.
    fn passed(&self, route: &Route, direction: Direction, passage: Passage<'_>) {
        let (did, bytes) = match (is_gateway(route.to), direction, passage) {
            (true, Direction::Out, Passage::Read(bytes)) => (Did::ReadFromClient, bytes),
            (true, Direction::Back, Passage::Written(bytes)) => (Did::WroteToClient, bytes),
            (true, Direction::Back, Passage::Read(bytes)) => (Did::ClientRead, bytes),
            (false, Direction::Out, Passage::Written(bytes)) => (Did::WroteToBackend, bytes),
            (false, Direction::Back, Passage::Read(bytes)) => (Did::ReadFromBackend, bytes),
            _ => return,
        };
        self.note(What::Passed { wire: route.number, did, bytes: bytes.len() });
    }
}

async fn reload(stage: Arc<Stage>, gateways: Gateways) {
    for (generation, next) in stage.world.generations.iter().enumerate().skip(1) {
        stage.until(next.at).await;
        for (number, running) in gateways.lock().unwrap().iter_mut().enumerate() {
            running.reload(stage.config(number, next)).unwrap();
        }
        stage.note(What::Rules { generation, rules: next.rules.clone() });
    }
}

async fn disturb(stage: Arc<Stage>) {
    for incident in &stage.world.incidents {
        stage.until(incident.at).await;
        let wanted = |to: SocketAddr| is_gateway(to) == (incident.side == Side::Clients);
        let links: Vec<_> = stage.network.links().into_iter().filter(|link| wanted(link.route.to)).collect();
        let Some(link) = links.get(incident.pick % links.len().max(1)) else { continue };
        let wire = link.route.number;
        match incident.act {
            Act::Cut => {
                stage.note(What::Network { wire, what: "cut" });
                link.cut();
            }
            Act::Stall { out, time } => {
                let direction = if out { Direction::Out } else { Direction::Back };
                stage.note(What::Network { wire, what: if out { "stalls out" } else { "stalls back" } });
                link.stall(direction, true);
                sleep(Duration::from_millis(time)).await;
                stage.note(What::Network { wire, what: "goes on" });
                link.stall(direction, false);
            }
        }
    }
}

async fn watch(stage: Arc<Stage>, gateways: Gateways) {
    loop {
        sleep(Duration::from_secs(1)).await;
        note_under_way(&stage, &gateways);
    }
}

fn note_under_way(stage: &Stage, gateways: &Gateways) {
    let links = stage.network.links();
    for (gateway, running) in gateways.lock().unwrap().iter().enumerate() {
        let server::UnderWay { connections, held, flights, calls, writes } = running.under_way();
        let mut to = vec![0; stage.world.endpoints.len()];
        // What the gateway has ended on its side is no longer of use to it, and counts no more.
        let used = |link: &&Link| link.route.from.ip() == host(2, gateway) && !link.is_shut(Direction::Out);
        for link in links.iter().filter(used) {
            to[number_of(link.route.to)] += 1;
        }
        stage.note(What::UnderWay { gateway, connections, held, flights, calls, writes, links: to });
    }
}

/// The address of a client (1), a gateway (2) or an endpoint (3).
pub(crate) fn host(kind: u8, number: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, kind, 0, u8::try_from(number + 1).unwrap()))
}

/// The number behind such an address.
pub(crate) fn number_of(address: SocketAddr) -> usize {
    match address.ip() {
        IpAddr::V4(ip) => usize::from(ip.octets()[3]) - 1,
        IpAddr::V6(_) => unreachable!("no world has such addresses"),
    }
}

fn is_gateway(address: SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V4(ip) if ip.octets()[1] == 2)
}

fn path(air: Air, seed: Seed) -> Path {
    Path {
        delay: Duration::from_millis(air.delay),
        jitter: Duration::from_millis(air.jitter),
        piece_max: air.piece_max,
        buffer: air.buffer,
        seed: seed.number(),
    }
}

/// What the gateways' clocks show when a world begins.
const EPOCH: Millis = Millis(1_700_000_000_000);
/// How long clients may go on after the world's length.
const PATIENCE: Ms = 40_000;
/// Time without clients after which nothing may be left over.
const QUIET: Duration = Duration::from_secs(40);
