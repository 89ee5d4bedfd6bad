//! What backends count.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::fault::Fault;

/// The counters of all backends. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    attempts: Family<Attempted, Counter>,
    retries: Family<Name, Counter>,
    ejections: Family<Name, Counter>,
    opened: Family<Name, Counter>,
    unsolicited: Family<Name, Counter>,
}

impl Counts {
    /// Makes them part of what is exported.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "larder_backend_attempts",
            "Tries of calls, by what came of them",
            self.attempts.clone(),
        );
        registry.register("larder_backend_retries", "Calls tried again", self.retries.clone());
        registry.register(
            "larder_backend_ejections",
            "Endpoints taken out of rotation",
            self.ejections.clone(),
        );
        registry.register("larder_backend_connections_opened", "Connections opened", self.opened.clone());
        registry.register(
            "larder_backend_unsolicited",
            "Connections closed for bytes that nobody asked for",
            self.unsolicited.clone(),
        );
    }

    /// One backend's counters, looked up once.
    pub(super) fn of(&self, backend: &str) -> Tally {
        let name = Name { backend: backend.to_owned() };
        let attempt = |result: &'static str| {
            let labels = Attempted { backend: backend.to_owned(), result };
            self.attempts.get_or_create(&labels).clone()
        };
        Tally {
            answered: attempt("answer"),
            sent: attempt("sent"),
            faults: FAULTS.map(|fault| (fault, attempt(fault))),
            retries: self.retries.get_or_create(&name).clone(),
            ejections: self.ejections.get_or_create(&name).clone(),
            opened: self.opened.get_or_create(&name).clone(),
            unsolicited: self.unsolicited.get_or_create(&name).clone(),
        }
    }
}

/// One backend's counters.
#[derive(Debug)]
pub(super) struct Tally {
    answered: Counter,
    sent: Counter,
    faults: [(&'static str, Counter); FAULTS.len()],
    retries: Counter,
    ejections: Counter,
    opened: Counter,
    unsolicited: Counter,
}

impl Tally {
    pub(super) fn answered(&self) {
        self.answered.inc();
    }

    pub(super) fn sent(&self) {
        self.sent.inc();
    }

    pub(super) fn failed(&self, fault: &Fault) {
        let word = fault.as_str();
        if let Some((_, counter)) = self.faults.iter().find(|(name, _)| *name == word) {
            counter.inc();
        }
    }

    pub(super) fn retried(&self) {
        self.retries.inc();
    }

    pub(super) fn ejected(&self) {
        self.ejections.inc();
    }

    pub(super) fn opened(&self) {
        self.opened.inc();
    }

    pub(super) fn unsolicited(&self) {
        self.unsolicited.inc();
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempted {
    backend: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    backend: String,
}

/// The faults that an attempt can come to, by [`Fault::as_str`].
const FAULTS: [&str; 8] =
    ["unreachable", "busy", "timeout", "closed", "garbage", "exception", "missing_result", "failure"];
