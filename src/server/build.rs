//! The parts of a gateway, out of what the configuration says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Stops;
use super::Surroundings;
use super::backends::Backends;
use super::gateways::{Common, Gateways};
use super::ledger::Ledger;
use super::people::People;
use super::rudder::Rudder;
use super::untold::Untold;
use crate::backend::Outside;
use crate::cache::Cache;
use crate::cache::local::Local;
use crate::cache::shared::redis::Redis;
use crate::cache::shared::{self, Store};
use crate::cache::snapshot::Snapshot;
use crate::call::identity::Secret;
use crate::clock::Clock;
use crate::config::Config;
use crate::flight::Flights;
use crate::gateway::destination::Destination;
use crate::gateway::landed::Landed;
use crate::listener::Commons;
use crate::listener::held::Held;
use crate::listener::places::Places;
use crate::metrics::{History, Metrics};
use crate::seed::Seed;
use crate::state::State;
use crate::tap::Taps;
use crate::tap::access::{self, AccessLog};
use crate::verification::Trust;

/// All that answers calls.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) gateways: Gateways,
    pub(super) backends: Backends,
    pub(super) cache: Arc<Cache>,
    pub(super) people: People,
    /// What the local tier leaves for the next start.
    pub(super) snapshot: Arc<Snapshot>,
    /// Entries that were dropped because they could not answer any more.
    pub(super) expired: Counter,
    pub(super) flights: Arc<Flights<Landed>>,
    pub(super) redis: Option<Arc<Redis>>,
    pub(super) commons: Commons,
    /// What answered the calls of the last hour.
    pub(super) history: History,
    /// When backends were down.
    pub(super) ledger: Ledger,
    /// What the other gateways have not been told.
    pub(super) untold: Untold,
    /// What was found of the rules whose hits are verified.
    pub(super) trust: Arc<Trust>,
    /// The configuration in force, and the switches on top of it.
    pub(super) rudder: Rudder,
    pub(super) registry: Mutex<Registry>,
    pub(super) clock: Clock,
    /// What backends do by themselves.
    pub(super) tasks: TaskTracker,
    /// When nothing is needed any more.
    pub(super) stop: CancellationToken,
}

impl Parts {
    pub(super) fn build(
        config: &Config,
        surroundings: &Surroundings<impl Sized>,
        stops: &Stops,
        tasks: TaskTracker,
    ) -> Self {
        let seed = Seed::new(surroundings.seed);
        let mut registry = Registry::default();
        version(&mut registry);
        let metrics = Metrics::register(&mut registry);
        let redis = match &surroundings.store {
            Some(_) => None,
            None => redis(config, surroundings, &mut registry).map(Arc::new),
        };
        let cache = Arc::new(cache(config, surroundings, redis.clone(), seed));
        let files = Arc::clone(&surroundings.files);
        let state = Arc::new(State::new(Arc::clone(&files), config.runtime.state_dir.clone()));
        let outside = Outside { dial: Arc::clone(&surroundings.dial), files, state: Arc::clone(&state) };
        let backends = Backends::new(outside, seed.of("backends"), &mut registry, stops.all.clone());
        backends.adopt(&config.backends);
        let taps = Arc::new(Taps::new(access_log(config, surroundings, &mut registry, (&tasks, &stops.all))));
        let flights = Flights::new(config.flights, seed.of("flights"));
        let trust = Arc::new(Trust::default());
        let gateways = Gateways::new(Common {
            cache: Arc::clone(&cache),
            flights: Arc::clone(&flights),
            metrics,
            trust: Arc::clone(&trust),
            taps: Arc::clone(&taps),
            unkept_time: config.flights.unkept_time,
            seed,
            clock: surroundings.clock.clone(),
            secret: secret(config),
        });
        gateways.adopt(config, &backends.all());
        let people = People::new(gateways.directory(), (&cache, &taps), &surroundings.clock, &mut registry);
        let snapshot = Arc::new(Snapshot::new(Arc::clone(&state), config.cache.snapshot));
        let untold = Untold::new(Arc::clone(&state));
        let rudder = Rudder::new(config.clone(), Arc::clone(&state), surroundings.clock.clone());
        let ledger = Ledger::new(state, &mut registry);
        let expired = dropped(&mut registry, &cache);
        let registry = Mutex::new(registry);
        let (clock, stop) = (surroundings.clock.clone(), stops.all.clone());
        Self {
            gateways,
            backends,
            cache,
            people,
            snapshot,
            expired,
            flights,
            redis,
            commons: commons(config, stops),
            history: History::default(),
            ledger,
            untold,
            trust,
            rudder,
            registry,
            clock,
            tasks,
            stop,
        }
    }

    /// Waits for the first attempt to reach Redis, so that a gateway restarted in an outage misses nothing that is kept there, and reads
    /// what an earlier process has left.
    pub(super) async fn warm(&self) {
        self.recall_switches().await;
        self.ledger.recall().await;
        self.snapshot.restore(self.cache.local(), self.clock.now()).await;
        // Later than what was restored, so that they cover it.
        self.untold.recall(&self.cache, self.clock.now()).await;
        if let Some(redis) = &self.redis {
            redis.tried().await;
        }
    }

    /// Puts other rules, backends, gateways and bounds in force, and returns the backends that are new. Calls under way end where they are.
    pub(super) fn reload(&self, config: &Config) -> Vec<Arc<Destination>> {
        let added = self.backends.adopt(&config.backends);
        self.gateways.adopt(config, &self.backends.all());
        self.backends.leave(&config.backends);
        let limits = &config.limits;
        self.commons.places.bound(limits.connections, limits.connections_per_address);
        self.commons.held.bound(limits.buffered);
        added
    }
}

/// Both tiers, and what this gateway has in common with the others of the shared one.
fn cache(
    config: &Config,
    surroundings: &Surroundings<impl Sized>,
    redis: Option<Arc<Redis>>,
    seed: Seed,
) -> Cache {
    let store = surroundings.store.clone().or_else(|| redis.map(|redis| redis as Arc<dyn Store>));
    let local = Local::new(config.cache.capacity, seed.of("local"));
    let shared = config.cache.shared.as_ref();
    let (keep, lease) = shared.map_or((Duration::ZERO, LEASE), |shared| (shared.keep, shared.lease));
    let gateway = seed.of("fleet").number();
    Cache::new(local, store, keep).in_fleet(surroundings.clock.clone(), gateway, lease)
}

/// What tells identities apart: of the secret that signs what all gateways share, so that they tell them apart alike.
fn secret(config: &Config) -> Secret {
    let keyring = config.cache.shared.as_ref().and_then(|shared| shared.redis.codec.keyring.as_ref());
    let derived = keyring.and_then(|keyring| keyring.derive(b"identity"));
    derived.map_or_else(Secret::default, |derived| Secret::new(&derived))
}

fn commons(config: &Config, stops: &Stops) -> Commons {
    Commons {
        places: Places::new(config.limits.connections, config.limits.connections_per_address),
        held: Held::new(config.limits.buffered),
        tasks: TaskTracker::new(),
        stop: stops.calls.clone(),
    }
}

fn redis(config: &Config, surroundings: &Surroundings<impl Sized>, registry: &mut Registry) -> Option<Redis> {
    let settings = config.cache.shared.as_ref()?.redis.clone();
    let counts = shared::Counts::default();
    counts.register(registry);
    let random = Seed::new(surroundings.seed).of("redis").random();
    let (dial, clock) = (Arc::clone(&surroundings.dial), surroundings.clock.clone());
    Some(Redis::start(settings, dial, clock, counts, random))
}

/// The access log, where there is one. It is written until nothing is needed any more.
fn access_log(
    config: &Config,
    surroundings: &Surroundings<impl Sized>,
    registry: &mut Registry,
    (tasks, stop): (&TaskTracker, &CancellationToken),
) -> Option<AccessLog> {
    let access = config.log.access.as_ref()?;
    let (log, writer) = access::open(access, Arc::clone(&surroundings.files), registry);
    tasks.spawn(writer.run(stop.clone()));
    Some(log)
}

/// What the tiers let go for want of room; returns the counter of the local one.
fn dropped(registry: &mut Registry, cache: &Cache) -> Counter {
    let expired = Counter::default();
    let help = "Entries dropped from a nearly full local tier because they could not answer any more";
    registry.register("larder_local_expired", help, expired.clone());
    let help = "Entries and tombstones that left the local tier for want of room, the least recently asked for first";
    registry.register("larder_local_evicted", help, cache.local().evicted().clone());
    let help =
        "Writes that waited for the shared tier and were forgotten: too many did, or it does not take them";
    registry.register("larder_shared_backlog_forgotten", help, cache.forgotten().clone());
    expired
}

fn version(registry: &mut Registry) {
    let labels = vec![("version".into(), env!("CARGO_PKG_VERSION").into())];
    let build = Gauge::<i64>::default();
    build.set(1);
    registry.sub_registry_with_labels(labels.into_iter()).register(
        "larder_build_info",
        "The program's version",
        build,
    );
}

/// How long one gateway may keep others waiting where the configuration says nothing of a shared tier.
const LEASE: Duration = Duration::from_secs(1);
