//! The backends in force: built at the start; changed, added and taken away by reloads.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::backend::{self, Backend, Outside, Settings};
use crate::gateway::destination::Destination;
use crate::metrics::Traffic;
use crate::seed::Seed;
use crate::verification::Allowance;

/// All backends, by name.
#[derive(Debug)]
pub(super) struct Backends {
    all: ArcSwap<BTreeMap<String, Arc<Destination>>>,
    outside: Outside,
    seed: Seed,
    counts: backend::Counts,
    stop: CancellationToken,
}

impl Backends {
    /// None yet. All that they will do by themselves ends with `stop` at the latest.
    pub(super) fn new(
        outside: Outside,
        seed: Seed,
        registry: &mut Registry,
        stop: CancellationToken,
    ) -> Self {
        let counts = backend::Counts::default();
        counts.register(registry);
        Self { all: ArcSwap::default(), outside, seed, counts, stop }
    }

    /// Those there are.
    pub(super) fn all(&self) -> Arc<BTreeMap<String, Arc<Destination>>> {
        self.all.load_full()
    }

    /// Has those that are known obey these settings, and adds the others, which it returns.
    pub(super) fn adopt(&self, settings: &BTreeMap<String, Settings>) -> Vec<Arc<Destination>> {
        let mut all = BTreeMap::clone(&self.all.load());
        let mut added = Vec::new();
        for (name, settings) in settings {
            if let Some(known) = all.get(name) {
                known.backend.reload(settings.clone());
                continue;
            }
            let new = Arc::new(self.build(name, settings.clone()));
            added.push(Arc::clone(&new));
            all.insert(name.clone(), new);
        }
        self.all.store(Arc::new(all));
        added
    }

    /// Takes away those that are not among these. Whoever may still ask one holds it.
    pub(super) fn leave(&self, settings: &BTreeMap<String, Settings>) {
        let mut all = BTreeMap::clone(&self.all.load());
        all.retain(|name, _| settings.contains_key(name));
        self.all.store(Arc::new(all));
    }

    fn build(&self, name: &str, settings: Settings) -> Destination {
        let backend = Backend::new(settings, self.outside.clone(), self.seed.of(name), &self.counts);
        let traffic = Arc::new(Traffic::new(Arc::clone(backend.name())));
        let allowance = Allowance::default();
        Destination { backend, traffic, allowance, stop: self.stop.child_token() }
    }
}
