//! What is counted: one registry, passed in, and handles that are looked up once.

mod coverage;
mod history;
mod method;
mod outage;
mod recent;
mod slices;
mod source;
mod traffic;
mod unkept;
mod verified;
pub(crate) mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::clock::Millis;
use crate::outcome::Outcome;

pub(crate) use coverage::{Backing, Coverage, Covered, FallsBack, HORIZONS};
pub(crate) use history::{History, Whose};
pub(crate) use method::MethodCounts;
pub(crate) use outage::OutageSums;
pub(crate) use recent::Window;
pub(crate) use source::{Source, Sources};
pub(crate) use traffic::Traffic;
pub(crate) use unkept::Unkept;
use unkept::UnkeptLabels;
pub(crate) use verified::Verdict;
use verified::VerifiedLabels;
use waits::Waits;

/// The families of all that happens to calls and connections.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    calls: Family<Calls, Counter>,
    waits: Family<Method, Waits>,
    crowded: Counter,
    faults: Family<Faults, Counter>,
    seconds: Family<Seconds, Histogram, fn() -> Histogram>,
    ages: Family<Ages, Histogram, fn() -> Histogram>,
    closed: Family<Closed, Counter>,
    limits: Family<Limit, Counter>,
    connections: Family<Listener, Gauge>,
    unkeyable: Family<Unkeyable, Counter>,
    unkept: Family<UnkeptLabels, Counter>,
    verified: Family<VerifiedLabels, Counter>,
    sessions: Family<Listener, Counter>,
    gave_up: Family<Listener, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Calls {
    listener: Arc<str>,
    method: Arc<str>,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    listener: Arc<str>,
    method: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Faults {
    listener: Arc<str>,
    method: Arc<str>,
    fault: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Seconds {
    listener: Arc<str>,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ages {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Closed {
    listener: Arc<str>,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Limit {
    listener: Arc<str>,
    limit: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Listener {
    listener: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Unkeyable {
    listener: Arc<str>,
    method: Arc<str>,
}

impl Metrics {
    /// Families that `registry` shows.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            calls: Family::default(),
            waits: Family::default(),
            crowded: Counter::default(),
            faults: Family::default(),
            seconds: Family::new_with_constructor(call_seconds),
            ages: Family::new_with_constructor(age_seconds),
            closed: Family::default(),
            limits: Family::default(),
            connections: Family::default(),
            unkeyable: Family::default(),
            unkept: Family::default(),
            verified: Family::default(),
            sessions: Family::default(),
            gave_up: Family::new_with_constructor(call_seconds),
        };
        registry.register("larder_calls", "Calls by what became of them", metrics.calls.clone());
        registry.register(
            "larder_faults",
            "Faults that calls met, also where an entry or fallback answered",
            metrics.faults.clone(),
        );
        registry.register(
            "larder_call_seconds",
            "Time from the arrival of a call's first byte to its reply",
            metrics.seconds.clone(),
        );
        registry.register(
            "larder_served_age_seconds",
            "Age of the entries that answered",
            metrics.ages.clone(),
        );
        registry.register(
            "larder_connections_closed",
            "Client connections closed, by reason",
            metrics.closed.clone(),
        );
        registry.register("larder_limits_exceeded", "Limits that clients exceeded", metrics.limits.clone());
        registry.register("larder_connections", "Client connections open", metrics.connections.clone());
        registry.register(
            "larder_sessions",
            "Client connections that made a session, of which nothing is cached from then on",
            metrics.sessions.clone(),
        );
        registry.register(
            "larder_gave_up_seconds",
            "After how long clients were seen to give up on a call",
            metrics.gave_up.clone(),
        );
        metrics.register_methods(registry);
        metrics
    }

    /// The families of what methods have beside their calls.
    fn register_methods(&self, registry: &mut Registry) {
        registry.register(
            "larder_method_wait_seconds",
            "Time from a call's first byte to its reply, of calls that were not answered at once",
            self.waits.clone(),
        );
        registry.register(
            "larder_methods_crowded",
            "Methods that are counted as _OTHER because their listener has too many, each time that rules were put in force",
            self.crowded.clone(),
        );
        registry.register(
            "larder_unkeyable",
            "Calls of a cached method whose arguments have no one spelling",
            self.unkeyable.clone(),
        );
        registry.register(
            "larder_unkept_replies",
            "Replies of a cached method that were not kept, by reason",
            self.unkept.clone(),
        );
        registry.register(
            "larder_verified",
            "Hits that the backend was asked again, by what was found",
            self.verified.clone(),
        );
    }

    /// The handles of one listener.
    pub(crate) fn listener(&self, listener: Arc<str>) -> ListenerCounts {
        let seconds = Outcome::ALL.map(|outcome| {
            let labels = Seconds { listener: Arc::clone(&listener), outcome: outcome.as_str() };
            self.seconds.get_or_create(&labels).clone()
        });
        let ages =
            Outcome::ALL.map(|outcome| self.ages.get_or_create(&Ages { outcome: outcome.as_str() }).clone());
        let open = self.connections.get_or_create(&Listener { listener: Arc::clone(&listener) }).clone();
        let gave_up = self.gave_up.get_or_create(&Listener { listener: Arc::clone(&listener) }).clone();
        let coverages = Mutex::default();
        ListenerCounts { families: self.clone(), listener, seconds, ages, open, gave_up, coverages }
    }
}

/// What is counted of one listener's calls and connections.
#[derive(Debug)]
pub(crate) struct ListenerCounts {
    families: Metrics,
    listener: Arc<str>,
    seconds: [Histogram; Outcome::ALL.len()],
    ages: [Histogram; Outcome::ALL.len()],
    /// Connections open.
    pub open: Gauge,
    /// After how long clients were seen to give up on a call.
    pub gave_up: Histogram,
    /// By backend, and by the label of their methods. They outlive the rules.
    coverages: Mutex<BTreeMap<Place, Arc<Coverage>>>,
}

impl ListenerCounts {
    /// The listener's name.
    pub(crate) fn listener(&self) -> &Arc<str> {
        &self.listener
    }

    /// The handles of one method, or of all methods under one label, whose rule falls back on this, and whose calls are for the backend of
    /// this traffic.
    pub(crate) fn method(
        &self,
        method: Arc<str>,
        falls_back: FallsBack,
        traffic: &Arc<Traffic>,
    ) -> MethodCounts {
        let method = self.label(method, &traffic.backend);
        let place = (Arc::clone(&traffic.backend), Arc::clone(&method));
        let coverage = Arc::clone(self.coverages().entry(place).or_default());
        let waits = self.waits(&method);
        coverage.falls_back(falls_back);
        MethodCounts {
            coverage,
            families: self.families.clone(),
            listener: Arc::clone(&self.listener),
            method,
            traffic: Arc::clone(traffic),
            waits,
            outcomes: Default::default(),
            unkept: Default::default(),
        }
    }

    /// The label by which a method is counted: its own, unless there are too many.
    fn label(&self, method: Arc<str>, backend: &Arc<str>) -> Arc<str> {
        let coverages = self.coverages();
        let place = (Arc::clone(backend), Arc::clone(&method));
        if coverages.contains_key(&place) || coverages.len() < METHODS_MAX {
            return method;
        }
        self.families.crowded.inc();
        OTHER.into()
    }

    fn waits(&self, method: &Arc<str>) -> Waits {
        let labels = Method { listener: Arc::clone(&self.listener), method: Arc::clone(method) };
        self.families.waits.get_or_create(&labels).clone()
    }

    /// What was counted of each label of methods since the start.
    pub(crate) fn methods(&self) -> Vec<Counted> {
        let methods: BTreeSet<_> = self.coverages().keys().map(|(_, method)| Arc::clone(method)).collect();
        let counted = methods.into_iter().map(|method| {
            let outcomes = Outcome::ALL.map(|outcome| {
                let (listener, method) = (Arc::clone(&self.listener), Arc::clone(&method));
                let labels = Calls { listener, method, outcome: outcome.as_str() };
                self.families.calls.get(&labels).map_or(0, |counter| counter.get())
            });
            let waits = self.waits(&method).counts();
            Counted { method, outcomes, waits }
        });
        counted.collect()
    }

    /// Counts how long it took until this had become of one call, and how old what answered it was.
    pub(crate) fn call(&self, outcome: Outcome, took: Duration, age: Option<Duration>) {
        if let Some(seconds) = self.seconds.get(outcome as usize) {
            seconds.observe(took.as_secs_f64());
        }
        if let (Some(ages), Some(age)) = (self.ages.get(outcome as usize), age) {
            ages.observe(age.as_secs_f64());
        }
    }

    /// What would be answered without this backend, of each label whose calls for it the last five minutes have seen.
    pub(crate) fn covered(&self, backend: &str, now: Millis) -> Vec<(Arc<str>, Covered)> {
        let coverages = self.coverages();
        let at_it = coverages.iter().filter(|((at, _), _)| &**at == backend);
        let all = at_it.map(|((_, method), coverage)| (Arc::clone(method), coverage.covered(now)));
        all.filter(|(_, covered)| covered.calls > 0).collect()
    }

    fn coverages(&self) -> MutexGuard<'_, BTreeMap<Place, Arc<Coverage>>> {
        self.coverages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection's end.
    pub(crate) fn closed(&self, reason: &'static str) {
        let labels = Closed { listener: Arc::clone(&self.listener), reason };
        self.families.closed.get_or_create(&labels).inc();
    }

    /// Counts a connection that made a session.
    pub(crate) fn session(&self) {
        let labels = Listener { listener: Arc::clone(&self.listener) };
        self.families.sessions.get_or_create(&labels).inc();
    }

    /// Counts a limit that a client exceeded.
    pub(crate) fn limit(&self, limit: &'static str) {
        let labels = Limit { listener: Arc::clone(&self.listener), limit };
        self.families.limits.get_or_create(&labels).inc();
    }
}

/// What was counted of the methods of one label since the start.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    /// The label.
    pub method: Arc<str>,
    /// Calls by what became of them, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Those that were not answered at once, by how long they took.
    pub waits: [u64; waits::BOUNDS.len() + 1],
}

/// A backend and the label of methods whose calls are for it.
type Place = (Arc<str>, Arc<str>);

/// The page that Prometheus reads.
pub(crate) fn page(registry: &Registry) -> String {
    let mut page = String::new();
    // Writing to a string fails only if a metric refuses to be written; what was written before it is worth showing.
    let _ = text::encode(&mut page, registry);
    page
}

/// 50 us to 26 s: from a hit to a call that no timeout bounds.
fn call_seconds() -> Histogram {
    Histogram::new(exponential_buckets(50e-6, 3.0, 13))
}

/// 1 s to 12 days.
fn age_seconds() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 4.0, 11))
}

/// Methods that one listener counts apart, those of earlier rules included.
const METHODS_MAX: usize = 2_000;
/// The label of all others; methods that nobody wrote down have it too.
const OTHER: &str = "_OTHER";
