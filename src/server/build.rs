//! The parts of a gateway, out of what the configuration says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Surroundings;
use super::ledger::Ledger;
use crate::backend::{self, Backend, Outside};
use crate::cache::Cache;
use crate::cache::local::Local;
use crate::cache::shared::redis::Redis;
use crate::cache::shared::{self, Store};
use crate::config::{self, Config};
use crate::flight::Flights;
use crate::gateway::Gateway;
use crate::gateway::fetch::Landed;
use crate::gateway::observed::Observed;
use crate::gateway::route::{Destination, Routes};
use crate::listener::Commons;
use crate::listener::held::Held;
use crate::listener::places::Places;
use crate::log::Lines;
use crate::metrics::{ListenerCounts, Metrics, Traffic};
use crate::seed::Seed;
use crate::state::State;

/// All that answers calls.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) gateways: BTreeMap<String, Arc<Gateway>>,
    pub(super) backends: BTreeMap<String, Arc<Backend>>,
    pub(super) cache: Arc<Cache>,
    pub(super) flights: Arc<Flights<Landed>>,
    pub(super) redis: Option<Arc<Redis>>,
    pub(super) commons: Commons,
    /// What became of each backend's calls.
    pub(super) traffic: BTreeMap<String, Arc<Traffic>>,
    /// When backends were down.
    pub(super) ledger: Ledger,
    pub(super) registry: Mutex<Registry>,
}

impl Parts {
    pub(super) fn build(
        config: &Config,
        surroundings: &Surroundings<impl Sized>,
        stop: CancellationToken,
    ) -> Self {
        let seed = Seed::new(surroundings.seed);
        let mut registry = Registry::default();
        version(&mut registry);
        let metrics = Metrics::register(&mut registry);
        let redis = match &surroundings.store {
            Some(_) => None,
            None => redis(config, surroundings, &mut registry).map(Arc::new),
        };
        let store = surroundings.store.clone().or_else(|| redis.clone().map(|redis| redis as Arc<dyn Store>));
        let local = Local::new(config.cache.capacity, seed.of("local"));
        let keep = config.cache.shared.as_ref().map(|shared| shared.keep);
        let cache = Arc::new(Cache::new(local, store, keep.unwrap_or_default()));
        let files = Arc::clone(&surroundings.files);
        let state = Arc::new(State::new(Arc::clone(&files), config.runtime.state_dir.clone()));
        let outside = Outside { dial: Arc::clone(&surroundings.dial), files, state: Arc::clone(&state) };
        let backends = backends(config, &outside, seed.of("backends"), &mut registry);
        let traffic: BTreeMap<_, _> =
            backends.keys().map(|name| (name.clone(), Arc::new(Traffic::default()))).collect();
        let flights = Flights::new(config.flights, seed.of("flights"));
        let gateway = |name: &String, listener: &config::Listener| {
            let backend = backends.get(&listener.backend)?;
            let traffic = Arc::clone(traffic.get(&listener.backend)?);
            let counts = metrics.listener(name.as_str().into(), traffic);
            Some(Arc::new(Gateway {
                routes: ArcSwap::from_pointee(routes(listener, backend, &counts)),
                counts,
                backend: Arc::clone(backend),
                cache: Arc::clone(&cache),
                flights: Arc::clone(&flights),
                observed: Observed::new(seed.of("observed").of(name)),
                lines: Lines::new(config.log.calls_per_second),
                clock: surroundings.clock.clone(),
            }))
        };
        let gateways = config.listeners.iter();
        let gateways =
            gateways.filter_map(|(name, listener)| Some((name.clone(), gateway(name, listener)?))).collect();
        let commons = Commons {
            places: Places::new(config.limits.connections, config.limits.connections_per_address),
            held: Held::new(config.limits.buffered),
            tasks: TaskTracker::new(),
            stop,
        };
        let ledger = Ledger::new(state, &mut registry);
        let registry = Mutex::new(registry);
        Self { gateways, backends, cache, flights, redis, commons, traffic, ledger, registry }
    }

    /// Waits for the first attempt to reach Redis, so that a gateway restarted in an outage misses nothing that is kept there, and reads
    /// what an earlier process has left.
    pub(super) async fn warm(&self) {
        self.ledger.recall().await;
        if let Some(redis) = &self.redis {
            redis.tried().await;
        }
    }

    /// Puts other rules and other options of backends in force.
    pub(super) fn reload(&self, config: &Config) {
        for (name, settings) in &config.backends {
            if let Some(backend) = self.backends.get(name) {
                backend.reload(settings.clone());
            }
        }
        for (name, listener) in &config.listeners {
            if let Some(gateway) = self.gateways.get(name) {
                gateway.routes.store(Arc::new(routes(listener, &gateway.backend, &gateway.counts)));
            }
        }
    }
}

fn routes(listener: &config::Listener, backend: &Backend, counts: &ListenerCounts) -> Routes {
    let to = Destination {
        backend: backend.name(),
        methods: backend.methods(),
        timeout: backend.settings().timeout,
        sessions: listener.settings.sessions,
    };
    Routes::new(to, &listener.service, &listener.methods, counts)
}

fn backends(
    config: &Config,
    outside: &Outside,
    seed: Seed,
    registry: &mut Registry,
) -> BTreeMap<String, Arc<Backend>> {
    let counts = backend::Counts::default();
    counts.register(registry);
    let built = config.backends.iter().map(|(name, settings)| {
        let seed = seed.of(name);
        (name.clone(), Backend::new(settings.clone(), outside.clone(), seed, &counts))
    });
    built.collect()
}

fn redis(config: &Config, surroundings: &Surroundings<impl Sized>, registry: &mut Registry) -> Option<Redis> {
    let settings = config.cache.shared.as_ref()?.redis.clone();
    let counts = shared::Counts::default();
    counts.register(registry);
    let random = Seed::new(surroundings.seed).of("redis").random();
    let (dial, clock) = (Arc::clone(&surroundings.dial), surroundings.clock.clone());
    Some(Redis::start(settings, dial, clock, counts, random))
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
