//! What backends count.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::finding::Finding;
use super::misses::Loss;
use super::standing::Why;
use crate::fault::Fault;

/// What keeps a call from a retry that its method and its fault would allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// The budget is spent.
    Budget,
    /// It would end too late.
    Time,
    /// More than half of the endpoints are out: the others have enough to do.
    Outage,
}

impl Kept {
    const ALL: [Self; 3] = [Self::Budget, Self::Time, Self::Outage];

    /// The word for it in metrics and logs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Time => "time",
            Self::Outage => "outage",
        }
    }
}

/// The counters of all backends. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    attempts: Family<Attempted, Counter>,
    retries: Family<Retried, Counter>,
    kept: Family<NotRetried, Counter>,
    ejections: Family<Ejections, Counter>,
    checks: Family<Checks, Counter>,
    opened: Family<Name, Counter>,
    unsolicited: Family<Name, Counter>,
    quarantines: Family<Name, Counter>,
    misses: Family<Name, Counter>,
    losses: Family<Losses, Counter>,
}

impl Counts {
    /// Makes them part of what is exported.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "larder_backend_attempts",
            "Tries of calls, by what came of them",
            self.attempts.clone(),
        );
        registry.register(
            "larder_backend_retries",
            "Retries of calls that may have run, by the fault that each came after and what it came to",
            self.retries.clone(),
        );
        registry.register(
            "larder_backend_retries_refused",
            "Calls not tried again that might have been, by what kept them from it",
            self.kept.clone(),
        );
        registry.register(
            "larder_backend_ejections",
            "Endpoints taken out of rotation, by what showed that they fail",
            self.ejections.clone(),
        );
        registry.register(
            "larder_backend_checks",
            "Checks of endpoints, by what they found",
            self.checks.clone(),
        );
        registry.register("larder_backend_connections_opened", "Connections opened", self.opened.clone());
        registry.register(
            "larder_backend_misses",
            "Calls of a backend because nothing was kept that answers, refreshes included",
            self.misses.clone(),
        );
        registry.register(
            "larder_backend_tier_losses",
            "How often misses began anew because a tier was lost, by what showed it",
            self.losses.clone(),
        );
        registry.register(
            "larder_backend_unsolicited",
            "Connections closed for bytes that nobody asked for",
            self.unsolicited.clone(),
        );
        registry.register(
            "larder_backend_quarantines",
            "Times that a call was sent nowhere from then on because endpoints died of it",
            self.quarantines.clone(),
        );
    }

    /// One backend's counters, looked up once.
    pub(super) fn of(&self, backend: &str) -> Tally {
        let name = Name { backend: backend.to_owned() };
        let attempt = |result: &'static str| {
            let labels = Attempted { backend: backend.to_owned(), result };
            self.attempts.get_or_create(&labels).clone()
        };
        let retry = |reason, result| {
            self.retries.get_or_create(&Retried { backend: backend.to_owned(), reason, result }).clone()
        };
        let kept = |kept: Kept| {
            let labels = NotRetried { backend: backend.to_owned(), by: kept.as_str() };
            (kept, self.kept.get_or_create(&labels).clone())
        };
        Tally {
            answered: attempt("answer"),
            sent: attempt("sent"),
            faults: FAULTS.map(|fault| (fault, attempt(fault))),
            retries: FAULTS.map(|fault| (fault, retry(fault, "answer"), retry(fault, "fault"))),
            kept: Kept::ALL.map(kept),
            ejections: Why::ALL.map(|why| {
                let labels = Ejections { backend: backend.to_owned(), reason: why.as_str() };
                (why, self.ejections.get_or_create(&labels).clone())
            }),
            checks: Finding::ALL.map(|finding| {
                let labels = Checks { backend: backend.to_owned(), result: finding.as_str() };
                (finding, self.checks.get_or_create(&labels).clone())
            }),
            opened: self.opened.get_or_create(&name).clone(),
            unsolicited: self.unsolicited.get_or_create(&name).clone(),
            quarantines: self.quarantines.get_or_create(&name).clone(),
            misses: self.misses.get_or_create(&name).clone(),
            losses: Loss::ALL.map(|loss| {
                let labels = Losses { backend: backend.to_owned(), reason: loss.as_str() };
                (loss, self.losses.get_or_create(&labels).clone())
            }),
        }
    }
}

/// One backend's counters.
#[derive(Debug)]
pub(super) struct Tally {
    answered: Counter,
    sent: Counter,
    faults: [(&'static str, Counter); FAULTS.len()],
    /// By the fault before: those that were answered, and those that met a fault too.
    retries: [(&'static str, Counter, Counter); FAULTS.len()],
    kept: [(Kept, Counter); Kept::ALL.len()],
    ejections: [(Why, Counter); Why::ALL.len()],
    checks: [(Finding, Counter); Finding::ALL.len()],
    opened: Counter,
    unsolicited: Counter,
    quarantines: Counter,
    misses: Counter,
    losses: [(Loss, Counter); Loss::ALL.len()],
}

impl Tally {
    pub(super) fn answered(&self) {
        self.answered.inc();
    }

    pub(super) fn sent(&self) {
        self.sent.inc();
    }

    pub(super) fn failed(&self, fault: &Fault) {
        count(&self.faults, fault.as_str());
    }

    /// Counts a retry after the fault with this word.
    pub(super) fn retried(&self, reason: &str, answered: bool) {
        if let Some((_, answers, faults)) = self.retries.iter().find(|(word, ..)| *word == reason) {
            if answered {
                answers.inc()
            } else {
                faults.inc()
            };
        }
    }

    pub(super) fn kept_from_retrying(&self, by: Kept) {
        count(&self.kept, by);
    }

    pub(super) fn ejected(&self, why: Why) {
        count(&self.ejections, why);
    }

    pub(super) fn checked(&self, finding: Finding) {
        count(&self.checks, finding);
    }

    pub(super) fn missed(&self) {
        self.misses.inc();
    }

    /// Misses so far.
    pub(super) fn misses(&self) -> u64 {
        self.misses.get()
    }

    pub(super) fn lost(&self, loss: Loss) {
        count(&self.losses, loss);
    }

    pub(super) fn opened(&self) {
        self.opened.inc();
    }

    pub(super) fn unsolicited(&self) {
        self.unsolicited.inc();
    }

    pub(super) fn quarantined(&self, keys: u64) {
        self.quarantines.inc_by(keys);
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempted {
    backend: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Retried {
    backend: String,
    reason: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NotRetried {
    backend: String,
    by: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Losses {
    backend: String,
    reason: &'static str,
}

fn count<T: PartialEq + Copy>(counters: &[(T, Counter)], word: T) {
    if let Some((_, counter)) = counters.iter().find(|(one, _)| *one == word) {
        counter.inc();
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ejections {
    backend: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Checks {
    backend: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    backend: String,
}

/// The faults that an attempt can come to, by [`Fault::as_str`].
const FAULTS: [&str; 12] = [
    "unreachable",
    "ours",
    "busy",
    "shed",
    "timeout",
    "closed",
    "lost",
    "garbage",
    "oversized",
    "exception",
    "missing_result",
    "failure",
];
