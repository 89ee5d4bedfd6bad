//! The gauges that are read off the parts whenever somebody looks.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::build::Parts;
use super::certificates::CertificateGauges;
use super::coverage;
use super::reloads::Reloads;
use crate::backend::Why;
use crate::clock::Millis;
use crate::metrics::{Covered, HORIZONS};
use crate::switch::Switch;

/// What is set when the page is made, and never in between.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    entries: Gauge,
    bytes: Gauge,
    held: Gauge,
    flights: Gauge,
    gateways: Gauge,
    lease: Gauge,
    marks: Gauge,
    untold: Gauge,
    backlog: Gauge,
    clock_ahead: Gauge<f64, AtomicU64>,
    clock_unsure: Gauge<f64, AtomicU64>,
    config_age: Gauge,
    generation: Gauge,
    config_differs: Gauge,
    endpoints: Family<Endpoint, Gauge>,
    down: Family<Named, Gauge>,
    undiscovered: Family<Named, Gauge>,
    waiting: Family<Named, Gauge>,
    limited: Family<Named, Gauge>,
    quarantined: Family<Named, Gauge>,
    miss_limit: Family<Named, Gauge>,
    retries: Family<Named, Gauge<f64, AtomicU64>>,
    outages: Family<Named, Gauge<f64, AtomicU64>>,
    switches: Family<Switched, Gauge>,
    certificates: CertificateGauges,
    coverage: Family<Method, Gauge<f64, AtomicU64>>,
    backend_coverage: Family<Whole, Gauge<f64, AtomicU64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    backend: String,
    endpoint: String,
    state: &'static str,
    /// What took it out of rotation; empty in rotation.
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Named {
    backend: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Switched {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    listener: Arc<str>,
    backend: String,
    method: Arc<str>,
    /// How long after the backend's death.
    after: &'static str,
    /// What would answer: `kept`, `backup`, `fallback` or `learnt`.
    by: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Whole {
    backend: String,
    after: &'static str,
    by: &'static str,
}

impl Gauges {
    /// Gauges that `registry` shows.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        let mut plain =
            |name, help: &'static str, gauge: &Gauge| registry.register(name, help, gauge.clone());
        plain("larder_local_entries", "Entries and tombstones in the local tier, about", &gauges.entries);
        plain("larder_local_bytes", "Bytes in the local tier, about", &gauges.bytes);
        plain("larder_held_bytes", "Bytes of unanswered calls and unsent replies", &gauges.held);
        plain("larder_flights", "Flights under way, also those that nobody waits for", &gauges.flights);
        plain(
            "larder_gateways",
            "Gateways of the shared tier that are heard of, this one included",
            &gauges.gateways,
        );
        plain(
            "larder_coherence_lease",
            "Whether all is heard that other gateways invalidate; 1 without a shared tier",
            &gauges.lease,
        );
        plain(
            "larder_marks",
            "Tags, methods and keys of which it is known when they were invalidated",
            &gauges.marks,
        );
        plain("larder_marks_untold", "Invalidations that the other gateways wait to be told", &gauges.untold);
        plain("larder_shared_backlog", "Writes that wait until the shared tier is back", &gauges.backlog);
        plain("larder_config_age_seconds", "Time since the configuration was read", &gauges.config_age);
        plain(
            "larder_config_generation",
            "How many times a configuration was put in force",
            &gauges.generation,
        );
        plain(
            "larder_config_file_differs",
            "Whether the file, when it was last read, said something else than what is in force",
            &gauges.config_differs,
        );
        let ahead =
            "By how much the shared tier's clock is ahead of this gateway's; ages are corrected by it";
        registry.register("larder_shared_clock_ahead_seconds", ahead, gauges.clock_ahead.clone());
        let unsure = "By how much that may be wrong";
        registry.register("larder_shared_clock_unsure_seconds", unsure, gauges.clock_unsure.clone());
        let endpoints = "1 for the state an endpoint is in";
        registry.register("larder_endpoint_state", endpoints, gauges.endpoints.clone());
        registry.register("larder_backend_down", "Whether every endpoint fails", gauges.down.clone());
        let switches = "What an operator has done otherwise than configured, for a while";
        registry.register("larder_switches", switches, gauges.switches.clone());
        gauges.certificates.register(registry);
        let undiscovered = "Whether its file of endpoints is not obeyed, or a name could not be looked up";
        registry.register("larder_backend_undiscovered", undiscovered, gauges.undiscovered.clone());
        let waiting = "Calls that wait for a connection to an endpoint, or for fewer calls under way there";
        registry.register("larder_backend_waiting", waiting, gauges.waiting.clone());
        let limited =
            "Endpoints that get fewer calls at once than they might: they are back, or take no connections";
        registry.register("larder_backend_limited", limited, gauges.limited.clone());
        let quarantined = "Calls, by their keys, that are sent nowhere because endpoints died of them";
        registry.register("larder_backend_quarantined", quarantined, gauges.quarantined.clone());
        let misses = "Misses that may be at a backend's endpoints at once, while what was kept is lost";
        registry.register("larder_backend_miss_limit", misses, gauges.miss_limit.clone());
        let retries = "Retries that a backend's budget has left";
        registry.register("larder_backend_retry_budget", retries, gauges.retries.clone());
        let outages = "How long the outage has lasted that lasts; 0 where none does";
        registry.register("larder_outage_seconds", outages, gauges.outages.clone());
        let coverage = "Share of the last five minutes' calls that would have been answered, had their backend died when they came";
        registry.register("larder_coverage_ratio", coverage, gauges.coverage.clone());
        registry.register("larder_backend_coverage_ratio", coverage, gauges.backend_coverage.clone());
        gauges
    }

    /// Sets them to what is.
    pub(super) fn read(&self, parts: &Parts, reloads: &Reloads, now: Millis) {
        let local = parts.cache.local();
        self.entries.set(signed(local.count()));
        self.bytes.set(signed(local.bytes()));
        self.held.set(signed(parts.commons.held.total() as u64));
        self.flights.set(signed(parts.flights.aloft() as u64));
        self.read_marks(parts, now);
        let config = reloads.status();
        self.config_age.set(signed(config.age_seconds as u64));
        self.generation.set(signed(config.generation));
        self.config_differs.set(config.file_differs.into());
        self.read_switches(parts);
        self.certificates.read(parts);
        parts.note_outages(now);
        // What changed its state, or is gone, must not be left behind.
        self.endpoints.clear();
        [&self.down, &self.undiscovered, &self.waiting, &self.limited, &self.quarantined, &self.miss_limit]
            .into_iter()
            .for_each(Family::clear);
        [&self.retries, &self.outages].into_iter().for_each(Family::clear);
        for (name, to) in &*parts.backends.all() {
            let backend = &to.backend;
            let named = Named { backend: name.clone() };
            self.down.get_or_create(&named).set(backend.is_down().into());
            self.undiscovered.get_or_create(&named).set(backend.undiscovered().is_some().into());
            self.quarantined.get_or_create(&named).set(signed(backend.quarantined() as u64));
            self.retries.get_or_create(&named).set(backend.retries_left());
            let lasting = parts.ledger.lasting(name);
            self.outages.get_or_create(&named).set(lasting.map_or(0.0, |outage| outage.seconds));
            let endpoints = backend.endpoints();
            let waiting = endpoints.iter().map(|one| one.waiting as u64).sum();
            self.waiting.get_or_create(&named).set(signed(waiting));
            let limited = endpoints.iter().filter(|one| one.limit.is_some()).count();
            self.limited.get_or_create(&named).set(signed(limited as u64));
            let misses: Vec<usize> = endpoints.iter().filter_map(|one| one.miss_limit).collect();
            if !misses.is_empty() {
                self.miss_limit.get_or_create(&named).set(signed(misses.iter().sum::<usize>() as u64));
            }
            for one in endpoints {
                let (endpoint, state) = (one.address.to_string(), one.standing.as_str());
                let reason = one.standing.why().map_or("", Why::as_str);
                let labels = Endpoint { backend: name.clone(), endpoint, state, reason };
                self.endpoints.get_or_create(&labels).set(1);
            }
        }
        self.read_coverage(parts, now);
    }

    fn read_switches(&self, parts: &Parts) {
        let in_force = parts.rudder.in_force();
        for kind in Switch::KINDS {
            let count = in_force.iter().filter(|one| one.held.switch.kind() == kind).count();
            self.switches.get_or_create(&Switched { kind }).set(signed(count as u64));
        }
    }

    fn read_marks(&self, parts: &Parts, now: Millis) {
        let marks = parts.cache.marks();
        self.lease.set(marks.is_leased(now).into());
        self.marks.set(signed(marks.count() as u64));
        self.gateways.set(signed(parts.cache.gateways() as u64));
        let (ahead, unsure) = parts.cache.offset();
        self.clock_ahead.set(ahead as f64 / 1_000.0);
        self.clock_unsure.set(unsure.as_secs_f64());
        self.untold.set(signed(parts.cache.untold() as u64));
        self.backlog.set(signed(parts.cache.backlog() as u64));
    }

    fn read_coverage(&self, parts: &Parts, now: Millis) {
        // Whose calls are too long ago is not shown any more.
        self.coverage.clear();
        self.backend_coverage.clear();
        for backend in parts.backends.all().keys() {
            let coverage = parts.coverage(backend, now);
            for (after, by, ratio) in ratios(&coverage.whole) {
                let labels = Whole { backend: backend.clone(), after, by };
                self.backend_coverage.get_or_create(&labels).set(ratio);
            }
            for coverage::Method { listener, name, covered } in coverage.methods {
                for (after, by, ratio) in ratios(&covered) {
                    let (listener, method) = (Arc::clone(&listener), Arc::clone(&name));
                    let backend = backend.clone();
                    self.coverage.get_or_create(&Method { listener, backend, method, after, by }).set(ratio);
                }
            }
        }
    }
}

/// The shares of all calls: how long after the backend's death, and by what. None where there were no calls.
fn ratios(covered: &Covered) -> impl Iterator<Item = (&'static str, &'static str, f64)> {
    let calls = covered.calls;
    let at = HORIZONS.iter().zip(covered.at).filter(move |_| calls > 0);
    at.flat_map(move |((after, _), at)| {
        let by = [("kept", at.kept), ("backup", at.backup), ("fallback", at.fallback), ("learnt", at.learnt)];
        by.map(|(by, count)| (*after, by, count as f64 / calls as f64))
    })
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
