//! Where the calls of a listener may go: backends, as gateways ask them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::metrics::Traffic;
use crate::rule::Rule;
use crate::rule::method::Governed;
use crate::rule::sessions::Sessions;
use crate::verification::Allowance;

/// A backend that calls may go to. Whoever may still ask it holds this: a reload that takes it away ends no call.
#[derive(Debug)]
pub(crate) struct Destination {
    /// The backend.
    pub backend: Arc<Backend>,
    /// What becomes of its calls.
    pub traffic: Arc<Traffic>,
    /// What verification may ask of it.
    pub allowance: Allowance,
    /// Told when nobody may ask it any more: then what it does by itself ends too.
    pub stop: CancellationToken,
}

impl Drop for Destination {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Where the calls of one listener may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destinations<'a> {
    /// By the name of their backends.
    pub all: &'a BTreeMap<String, Arc<Destination>>,
    /// The listener's own backend: for calls whose rule names none.
    pub usual: &'a str,
    /// What a call of a method means that is known to make a session.
    pub sessions: Sessions,
}

impl<'a> Destinations<'a> {
    /// Where the calls go that a rule is for.
    pub(super) fn of(&self, rule: &Rule) -> &'a Arc<Destination> {
        self.named(rule.backend.as_deref().unwrap_or(self.usual))
    }

    /// Where any calls go that `methods` are for.
    pub(super) fn among(&self, methods: &Governed) -> Vec<Arc<Destination>> {
        let names: BTreeSet<&str> = methods.backends().chain([self.usual]).collect();
        names.into_iter().map(|name| Arc::clone(self.named(name))).collect()
    }

    /// One of them.
    pub(super) fn named(&self, name: &str) -> &'a Arc<Destination> {
        self.all.get(name).expect("the configuration was checked: it has every backend that it names")
    }
}
