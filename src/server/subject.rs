//! What the admin endpoint shows of the running gateway.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::build::Parts;
use crate::admin::Subject;
use crate::admin::status::{
    BackendStatus, ConfigStatus, EndpointStatus, LocalStatus, SharedStatus, Status, WindowStatus,
};
use crate::backend::Backend;
use crate::cache::shared::Store;
use crate::clock::{Clock, Millis};
use crate::metrics;

/// The gateway as a whole, and what befell its configuration.
#[derive(Debug)]
pub(super) struct Overview {
    parts: Arc<Parts>,
    clock: Clock,
    started: Millis,
    draining: AtomicBool,
    configured: AtomicU64,
    generation: AtomicU64,
    last_reload: Mutex<String>,
    gauges: Gauges,
}

/// What is read off the parts whenever somebody looks.
#[derive(Debug, Default)]
struct Gauges {
    entries: Gauge,
    bytes: Gauge,
    held: Gauge,
    config_age: Gauge,
    generation: Gauge,
    endpoints: Family<Endpoint, Gauge>,
    down: Family<Named, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    backend: String,
    endpoint: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    backend: String,
}

impl Overview {
    pub(super) fn new(parts: Arc<Parts>, clock: Clock) -> Self {
        let started = clock.now();
        let gauges = Gauges::default();
        {
            let mut registry = parts.registry.lock().unwrap_or_else(PoisonError::into_inner);
            registry.register(
                "larder_local_entries",
                "Entries in the local tier, about",
                gauges.entries.clone(),
            );
            registry.register("larder_local_bytes", "Bytes in the local tier, about", gauges.bytes.clone());
            registry.register(
                "larder_held_bytes",
                "Bytes of unanswered calls and unsent replies",
                gauges.held.clone(),
            );
            registry.register(
                "larder_config_age_seconds",
                "Time since the configuration was read",
                gauges.config_age.clone(),
            );
            registry.register(
                "larder_config_generation",
                "How many times rules were put in force",
                gauges.generation.clone(),
            );
            registry.register(
                "larder_endpoint_state",
                "1 for the state an endpoint is in",
                gauges.endpoints.clone(),
            );
            registry.register("larder_backend_down", "Whether every endpoint fails", gauges.down.clone());
        }
        Self {
            parts,
            clock,
            started,
            draining: AtomicBool::new(false),
            configured: AtomicU64::new(started.0),
            generation: AtomicU64::new(1),
            last_reload: Mutex::new("ok".to_owned()),
            gauges,
        }
    }

    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn reloaded(&self) {
        self.configured.store(self.clock.now().0, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.note_reload("ok".to_owned());
    }

    pub(super) fn reload_failed(&self, why: String) {
        self.note_reload(why);
    }

    fn note_reload(&self, what: String) {
        *self.last_reload.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    fn age(&self, of: Millis) -> f64 {
        self.clock.now().since(of).as_secs_f64()
    }

    fn configured(&self) -> Millis {
        Millis(self.configured.load(Ordering::Relaxed))
    }

    fn look(&self) {
        let local = self.parts.cache.local();
        self.gauges.entries.set(signed(local.count()));
        self.gauges.bytes.set(signed(local.bytes()));
        self.gauges.held.set(signed(self.parts.shared.held.total() as u64));
        self.gauges.config_age.set(self.age(self.configured()) as i64);
        self.gauges.generation.set(signed(self.generation.load(Ordering::Relaxed)));
        self.gauges.endpoints.clear();
        for (name, backend) in &self.parts.backends {
            self.gauges.down.get_or_create(&Named { backend: name.clone() }).set(backend.is_down().into());
            for endpoint in backend.endpoints() {
                let (endpoint, state) = (endpoint.address.to_string(), endpoint.standing.as_str());
                self.gauges
                    .endpoints
                    .get_or_create(&Endpoint { backend: name.clone(), endpoint, state })
                    .set(1);
            }
        }
    }
}

impl Subject for Overview {
    fn metrics(&self) -> String {
        self.look();
        metrics::page(&self.parts.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn status(&self) -> Status {
        let window = self.parts.recent.window(self.clock.now());
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.age(self.started),
            config: ConfigStatus {
                age_seconds: self.age(self.configured()),
                generation: self.generation.load(Ordering::Relaxed),
                last_reload: self.last_reload.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            },
            window: WindowStatus {
                seconds: 60,
                calls: window.calls,
                stale: window.stale,
                failed: window.failed,
                oldest_age_seconds: window.oldest.as_secs_f64(),
            },
            backends: self
                .parts
                .backends
                .iter()
                .map(|(name, backend)| backend_status(name, backend))
                .collect(),
            local: LocalStatus {
                entries: self.parts.cache.local().count(),
                bytes: self.parts.cache.local().bytes(),
            },
            shared: SharedStatus {
                configured: self.parts.redis.is_some(),
                up: self.parts.redis.as_ref().is_some_and(|redis| redis.is_up()),
            },
        }
    }

    fn is_ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed)
    }
}

fn backend_status(name: &str, backend: &Backend) -> BackendStatus {
    let endpoints = backend.endpoints().into_iter().map(|endpoint| EndpointStatus {
        address: endpoint.address.to_string(),
        state: endpoint.standing.as_str().to_owned(),
        in_flight: endpoint.in_flight as u64,
        connections: endpoint.connections as u64,
    });
    BackendStatus { name: name.to_owned(), down: backend.is_down(), endpoints: endpoints.collect() }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
