//! What the admin endpoint shows of the running gateway.

use std::sync::{Arc, PoisonError};

use super::build::Parts;
use super::gauges::Gauges;
use super::reloads::Reloads;
use crate::admin::Subject;
use crate::admin::answers::Answers;
use crate::admin::configuration::Configuration;
use crate::admin::outage::Outage;
use crate::admin::status::{
    AnsweredStatus, BackendStatus, CoverageStatus, EndpointStatus, HabitsStatus, LocalStatus, MethodCoverage,
    ServerStatus, SharedStatus, Status, VerificationStatus, WindowStatus,
};
use crate::admin::traffic::{MethodTraffic, Traffic};
use crate::backend::Habits;
use crate::cache::shared::Store;
use crate::cache::shared::redis::Redis;
use crate::clock::{Clock, Millis};
use crate::gateway::destination::Destination;
use crate::metrics::waits::BOUNDS;
use crate::metrics::{self, Counted, Coverage, Covered, HORIZONS, Window};
use crate::outcome::Outcome;
use crate::verification::Tally;

/// The gateway as a whole.
#[derive(Debug)]
pub(super) struct Overview {
    parts: Arc<Parts>,
    clock: Clock,
    started: Millis,
    gauges: Gauges,
    /// What befell the configuration.
    pub(super) reloads: Reloads,
}

impl Overview {
    pub(super) fn new(parts: Arc<Parts>, clock: Clock) -> Self {
        let config = parts.rudder.lock().config.clone();
        let (started, gauges, reloads) = {
            let registry = &mut parts.registry.lock().unwrap_or_else(PoisonError::into_inner);
            let reloads = Reloads::new(config, clock.clone(), registry);
            (clock.now(), Gauges::register(registry), reloads)
        };
        Self { parts, clock, started, gauges, reloads }
    }

    pub(super) fn drain(&self) {
        self.parts.gateways.vitals.stop();
    }

    fn backend(&self, name: &str, destination: &Destination) -> BackendStatus {
        let Destination { backend, traffic, .. } = destination;
        let endpoints = backend.endpoints().into_iter().map(|endpoint| EndpointStatus {
            address: endpoint.address.to_string(),
            state: endpoint.standing.as_str().to_owned(),
            reason: endpoint.standing.why().map(|why| why.as_str().to_owned()),
            untrusted: endpoint.untrusted.map(|why| why.to_string()),
            out_seconds: endpoint.out_for.map(|out| out.as_secs_f64()),
            held: endpoint.held,
            idle: endpoint.idle,
            in_flight: endpoint.in_flight as u64,
            waiting: endpoint.waiting as u64,
            limit: endpoint.limit.map(|limit| limit as u64),
            answered: endpoint.answered,
            failed: endpoint.failed,
            connections: endpoint.connections as u64,
            habits: habits_status(endpoint.habits),
        });
        let now = self.clock.now();
        let window = traffic.recent.window(now);
        BackendStatus {
            name: name.to_owned(),
            down: backend.is_down(),
            endpoints: endpoints.collect(),
            undiscovered: backend.undiscovered().map(|why| why.to_string()),
            methods_out: backend.methods_out(),
            quarantined: backend.quarantined() as u64,
            window: window_status(&window),
            outage: self.parts.ledger.lasting(name),
            coverage: self.coverage(name),
        }
    }

    /// What would be answered if a backend died now.
    fn coverage(&self, backend: &str) -> CoverageStatus {
        let coverage = self.parts.coverage(backend, self.clock.now());
        let methods = coverage.methods.iter().map(|method| MethodCoverage {
            listener: method.listener.to_string(),
            method: method.name.to_string(),
            calls: method.covered.calls,
            after: answered(&method.covered),
        });
        CoverageStatus {
            seconds: Coverage::LENGTH.as_secs(),
            calls: coverage.whole.calls,
            after: answered(&coverage.whole),
            methods: methods.collect(),
        }
    }
}

impl Subject for Overview {
    fn metrics(&self) -> String {
        self.gauges.read(&self.parts, &self.reloads, self.clock.now());
        metrics::page(&self.parts.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn status(&self) -> Status {
        let (local, redis) = (self.parts.cache.local(), self.parts.redis.as_ref());
        self.parts.note_outages(self.clock.now());
        let backends = self.parts.backends.all();
        let backends = backends.iter().map(|(name, to)| self.backend(name, to));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.clock.now().since(self.started).as_secs_f64(),
            config: self.reloads.status(),
            backends: backends.collect(),
            local: LocalStatus { entries: local.count(), bytes: local.bytes() },
            shared: SharedStatus {
                configured: redis.is_some(),
                up: redis.is_some_and(|redis| redis.is_up()),
                servers: redis.map(|redis| servers(redis)).unwrap_or_default(),
            },
            certificates: self.parts.certificate_statuses(self.clock.now()),
            switches: self.parts.rudder.in_force(),
            verification: self.parts.trust.tallies().into_iter().map(verified).collect(),
        }
    }

    fn traffic(&self) -> Traffic {
        let gateways = self.parts.gateways.all();
        let methods = gateways.iter().flat_map(|(listener, gateway)| {
            let called = gateway.counts.methods().into_iter();
            let called = called.filter(|counted| counted.outcomes.iter().any(|count| *count > 0));
            called.map(|counted| method_traffic(listener, &counted))
        });
        Traffic {
            uptime_seconds: self.clock.now().since(self.started).as_secs_f64(),
            bounds_seconds: BOUNDS.map(|bound| bound.as_secs_f64()).to_vec(),
            methods: methods.collect(),
        }
    }

    fn outages(&self) -> Vec<Outage> {
        self.parts.note_outages(self.clock.now());
        self.parts.ledger.all()
    }

    fn configurations(&self) -> Vec<Configuration> {
        self.reloads.all()
    }

    fn answers(&self) -> Answers {
        self.parts.answers(self.clock.now())
    }

    fn is_ready(&self) -> bool {
        !self.parts.gateways.vitals.is_stopping()
    }
}

fn verified((rule, tally): (Arc<str>, Tally)) -> VerificationStatus {
    let [matches, changed, mismatches] =
        [tally.matches, tally.changed, tally.mismatches].map(|count| count as u64);
    VerificationStatus { rule: rule.to_string(), matches, changed, mismatches }
}

fn method_traffic(listener: &str, counted: &Counted) -> MethodTraffic {
    let outcomes = Outcome::ALL.iter().zip(counted.outcomes).filter(|(_, count)| *count > 0);
    MethodTraffic {
        listener: listener.to_owned(),
        method: counted.method.to_string(),
        outcomes: outcomes.map(|(outcome, count)| (outcome.as_str().to_owned(), count)).collect(),
        waits: counted.waits.to_vec(),
    }
}

fn habits_status(habits: Habits) -> HabitsStatus {
    let Habits { parallel, reads, rest, age, closes_on_checks, closes_after_exceptions, answers_oneways } =
        habits;
    HabitsStatus {
        parallel: parallel as u64,
        reads_connections: reads.map(|count| count as u64),
        idle_seconds: rest.map(|rest| rest.as_secs_f64()),
        age_seconds: age.map(|age| age.as_secs_f64()),
        closes_on_checks,
        closes_after_exceptions,
        answers_oneways,
    }
}

fn servers(redis: &Redis) -> Vec<ServerStatus> {
    let all = redis.servers().into_iter();
    all.map(|(name, state)| ServerStatus { name, state: state.as_str().to_owned() }).collect()
}

fn answered(covered: &Covered) -> Vec<AnsweredStatus> {
    let after = HORIZONS.iter().zip(&covered.at).map(|((_, horizon), at)| AnsweredStatus {
        seconds: horizon.as_secs(),
        kept: at.kept,
        backup: at.backup,
        fallback: at.fallback,
        learnt: at.learnt,
    });
    after.collect()
}

fn window_status(window: &Window) -> WindowStatus {
    let outcomes = Outcome::ALL.map(|outcome| (outcome.as_str().to_owned(), window.count(outcome)));
    WindowStatus {
        seconds: Window::LENGTH.as_secs(),
        calls: window.calls(),
        outcomes: outcomes.into(),
        oldest_age_seconds: window.oldest.as_secs_f64(),
    }
}
