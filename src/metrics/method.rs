//! What is counted of one method's calls: handles that are looked up once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use super::coverage::{Backing, Coverage};
use super::traffic::Traffic;
use super::unkept::{Unkept, UnkeptLabels};
use super::verified::{Verdict, VerifiedLabels};
use super::waits::Waits;
use super::{Calls, Faults, Metrics, Unkeyable};
use crate::clock::Millis;
use crate::fault::Fault;
use crate::outcome::Outcome;

/// What is counted of one method's calls.
#[derive(Debug)]
pub(crate) struct MethodCounts {
    pub(super) families: Metrics,
    pub(super) listener: Arc<str>,
    pub(super) method: Arc<str>,
    pub(super) outcomes: [OnceLock<Counter>; Outcome::ALL.len()],
    pub(super) unkept: [OnceLock<Counter>; Unkept::ALL.len()],
    pub(super) coverage: Arc<Coverage>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) waits: Waits,
}

impl MethodCounts {
    /// The listener's name.
    pub(crate) fn listener(&self) -> &Arc<str> {
        &self.listener
    }

    /// The method's label.
    pub(crate) fn method(&self) -> &Arc<str> {
        &self.method
    }

    /// Counts what became of one call, and how old what answered it was.
    #[inline]
    pub(crate) fn call(&self, outcome: Outcome, age: Option<Duration>, now: Millis) {
        self.traffic.note(outcome, age, now);
        if let Some(counter) = self.outcomes.get(outcome as usize) {
            counter.get_or_init(|| self.counter(outcome)).inc();
        }
    }

    /// Counts how long a call took that was not answered at once.
    #[inline]
    pub(crate) fn waited(&self, took: Duration) {
        self.waits.note(took);
    }

    /// Counts what would have answered one call without the backend.
    #[inline]
    pub(crate) fn backed(&self, backing: Backing, now: Millis) {
        self.coverage.note(backing, now);
    }

    /// Counts a fault, whether it reaches the caller or not.
    pub(crate) fn met(&self, fault: Fault) -> Fault {
        let labels = Faults {
            listener: Arc::clone(&self.listener),
            method: Arc::clone(&self.method),
            fault: fault.as_str(),
        };
        self.families.faults.get_or_create(&labels).inc();
        fault
    }

    /// Counts a call that has no key.
    pub(crate) fn unkeyable(&self) {
        let labels = Unkeyable { listener: Arc::clone(&self.listener), method: Arc::clone(&self.method) };
        self.families.unkeyable.get_or_create(&labels).inc();
    }

    /// Counts a reply that is not kept. Returns whether it is the first of this reason since the rules were put in force.
    pub(crate) fn unkept(&self, why: Unkept) -> bool {
        let Some(counter) = self.unkept.get(why as usize) else { return false };
        let is_first = counter.get().is_none();
        let (listener, method) = (Arc::clone(&self.listener), Arc::clone(&self.method));
        let labels = UnkeptLabels { listener, method, reason: why.as_str() };
        counter.get_or_init(|| self.families.unkept.get_or_create(&labels).clone()).inc();
        is_first
    }

    /// Counts a hit that the backend was asked again.
    pub(crate) fn verified(&self, verdict: Verdict) {
        let (listener, method) = (Arc::clone(&self.listener), Arc::clone(&self.method));
        let labels = VerifiedLabels { listener, method, verdict: verdict.as_str() };
        self.families.verified.get_or_create(&labels).inc();
    }

    fn counter(&self, outcome: Outcome) -> Counter {
        let labels = Calls {
            listener: Arc::clone(&self.listener),
            method: Arc::clone(&self.method),
            outcome: outcome.as_str(),
        };
        self.families.calls.get_or_create(&labels).clone()
    }
}
