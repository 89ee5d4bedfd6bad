//! The parts of a gateway, out of what the configuration says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Surroundings;
use crate::backend::{self, Backend};
use crate::cache::Cache;
use crate::cache::local::Local;
use crate::cache::shared::redis::{Redis, Secret, Settings as RedisSettings};
use crate::cache::shared::{self, Store};
use crate::config::{self, Config};
use crate::flight::{self, Flights};
use crate::gateway::Gateway;
use crate::gateway::fetch::Landed;
use crate::gateway::observed::Observed;
use crate::gateway::route::Routes;
use crate::listener::held::Held;
use crate::listener::{self, Shared};
use crate::log::Lines;
use crate::metrics::{Metrics, Recent};
use crate::rule::method::Governed;
use crate::seed::Seed;
use crate::wire::{Bounds, Protocol, Transport};

/// All that answers calls.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) gateways: BTreeMap<String, Arc<Gateway>>,
    pub(super) backends: BTreeMap<String, Arc<Backend>>,
    pub(super) cache: Arc<Cache>,
    pub(super) flights: Arc<Flights<Landed>>,
    pub(super) redis: Option<Arc<Redis>>,
    pub(super) shared: Shared,
    pub(super) recent: Arc<Recent>,
    pub(super) registry: Mutex<Registry>,
    services: BTreeMap<String, String>,
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
        let local = Local::new(config.cache.local.capacity.bytes(), seed.of("local"));
        let keep = config.cache.shared.as_ref().map(|shared| shared.options.keep.duration());
        let cache = Arc::new(Cache::new(local, store, keep.unwrap_or_default()));
        let backends = backends(config, surroundings, &mut registry);
        let recent = Arc::new(Recent::default());
        let flights = Flights::new(flight_bounds(config), seed.of("flights"));
        let gateway = |name: &String, listener: &config::Listener| {
            let backend = backends.get(&listener.options.backend)?;
            Some(Arc::new(Gateway {
                routes: ArcSwap::from_pointee(routes(config, listener, backend)),
                counts: metrics.listener(name.as_str().into(), Arc::clone(&recent)),
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
        let services = config.listeners.iter();
        let services =
            services.map(|(name, listener)| (name.clone(), listener.options.backend.clone())).collect();
        let shared = Shared {
            places: Arc::new(Semaphore::new(config.limits.connections as usize)),
            held: Held::new(config.limits.buffered.length()),
            tasks: TaskTracker::new(),
            stop,
        };
        Self {
            gateways,
            backends,
            cache,
            flights,
            redis,
            shared,
            recent,
            registry: Mutex::new(registry),
            services,
        }
    }

    /// Waits for the first attempt to reach Redis, so that a gateway restarted in an outage misses nothing that is kept there.
    pub(super) async fn warm(&self) {
        if let Some(redis) = &self.redis {
            redis.tried().await;
        }
    }

    /// Puts other rules in force.
    pub(super) fn replace_rules(&self, config: &Config) {
        for (name, listener) in &config.listeners {
            let backend = self.services.get(name).and_then(|backend| self.backends.get(backend));
            if let (Some(gateway), Some(backend)) = (self.gateways.get(name), backend) {
                gateway.routes.store(Arc::new(routes(config, listener, backend)));
            }
        }
    }
}

/// The sections, other than rules, in which two configurations differ.
pub(super) fn differences(old: &Config, new: &Config) -> Vec<&'static str> {
    let listeners = |config: &Config| {
        config
            .listeners
            .iter()
            .map(|(name, listener)| (name.clone(), listener.options.clone()))
            .collect::<Vec<_>>()
    };
    [
        ("runtime", old.runtime != new.runtime),
        ("log", old.log != new.log),
        ("admin", old.admin != new.admin),
        ("limits", old.limits != new.limits),
        ("listeners", listeners(old) != listeners(new)),
        ("backends", old.backends != new.backends),
        ("cache", old.cache != new.cache),
        ("flights", old.flights != new.flights),
    ]
    .into_iter()
    .filter_map(|(section, differs)| differs.then_some(section))
    .collect()
}

/// What a listener must know of its clients.
pub(super) fn listener(config: &Config, name: &str) -> listener::Settings {
    use listener::options as raw;
    let defaults = raw::Options::default();
    let options = config.listeners.get(name).map_or(&defaults, |listener| &listener.options);
    listener::Settings {
        transport: match options.transport {
            raw::Transport::Detect => None,
            raw::Transport::Framed => Some(Transport::Framed),
            raw::Transport::Unframed => Some(Transport::Unframed),
        },
        protocol: match options.protocol {
            raw::Protocol::Detect => None,
            raw::Protocol::Binary => Some(Protocol::Binary),
            raw::Protocol::Compact => Some(Protocol::Compact),
        },
        client_timeout: options.client_timeout.map(|timeout| timeout.duration()),
        duplicate_seqid: match options.duplicate_seqid {
            raw::DuplicateSeqid::Close => listener::DuplicateSeqid::Close,
            raw::DuplicateSeqid::Allow => listener::DuplicateSeqid::Allow,
        },
        bounds: bounds(config),
        calls_max: config.limits.calls_per_connection as usize,
        message_time: config.limits.message_time.duration(),
    }
}

fn bounds(config: &Config) -> Bounds {
    Bounds {
        frame: config.limits.frame.length(),
        message: config.limits.message.length(),
        depth: config.limits.depth as usize,
    }
}

fn flight_bounds(config: &Config) -> flight::Bounds {
    flight::Bounds {
        waiters_max: config.flights.max_waiters as usize,
        refresh_pause: config.flights.refresh_pause.duration(),
    }
}

fn routes(config: &Config, listener: &config::Listener, backend: &Backend) -> Routes {
    let rules = config.rules.iter().map(|rule| (rule.pattern.clone(), rule.options.clone())).collect();
    let options = config.backends.get(&listener.options.backend);
    let methods = Governed {
        rules: Arc::new(rules),
        schema: listener.schema.clone(),
        timeout: options.and_then(|options| options.timeout).map(|timeout| timeout.duration()),
    };
    Routes::new(Arc::clone(backend.name()), listener.options.service.clone(), methods)
}

fn backends(
    config: &Config,
    surroundings: &Surroundings<impl Sized>,
    registry: &mut Registry,
) -> BTreeMap<String, Arc<Backend>> {
    let counts = backend::Counts::default();
    counts.register(registry);
    let seed = Seed::new(surroundings.seed).of("backends");
    let built = config.backends.iter().map(|(name, options)| {
        let seed = seed.of(name);
        let settings = backend_settings(name, options, bounds(config));
        (name.clone(), Backend::new(settings, Arc::clone(&surroundings.dial), seed, &counts))
    });
    built.collect()
}

fn backend_settings(name: &str, options: &backend::options::Options, bounds: Bounds) -> backend::Settings {
    use backend::options as raw;
    backend::Settings {
        name: name.into(),
        endpoints: options.endpoints.iter().map(|endpoint| (endpoint.host.clone(), endpoint.port)).collect(),
        protocol: match options.protocol {
            raw::Protocol::Binary => Protocol::Binary,
            raw::Protocol::Compact => Protocol::Compact,
        },
        transport: match options.transport {
            raw::Transport::Framed => Transport::Framed,
            raw::Transport::Unframed => Transport::Unframed,
        },
        connections: match options.connections {
            raw::Connections::Shared => backend::Sharing::Shared,
            raw::Connections::PerClient => backend::Sharing::PerClient,
        },
        timeout: options.timeout.map(|timeout| timeout.duration()),
        connect_timeout: options.connect_timeout.duration(),
        attempt_timeout: options.attempt_timeout.map(|timeout| timeout.duration()),
        max_connections: options.max_connections as usize,
        max_waiting: options.max_waiting as usize,
        idle_timeout: options.idle_timeout.duration(),
        resolve_interval: options.resolve_interval.duration(),
        ejection_failures: options.ejection_failures,
        ejection_time: options.ejection_time.duration(),
        ejection_time_max: options.ejection_time_max.duration(),
        bounds,
    }
}

fn redis(config: &Config, surroundings: &Surroundings<impl Sized>, registry: &mut Registry) -> Option<Redis> {
    let shared = config.cache.shared.as_ref()?;
    let counts = shared::Counts::default();
    counts.register(registry);
    let options = &shared.options;
    // The url was read once already when the configuration was checked.
    let settings = RedisSettings {
        username: options.username.clone(),
        password: shared.password.as_ref().map(|password| Secret::new(password.reveal().to_owned())),
        prefix: options.prefix.clone(),
        read_timeout: options.read_timeout.duration(),
        connect_timeout: options.connect_timeout.duration(),
        max_writes: options.max_writes,
        ..RedisSettings::from_url(&options.url).ok()?
    };
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
