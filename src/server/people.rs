//! Who speaks with people: in the names that they use, of what all listeners serve.

use std::sync::Arc;

use prometheus_client::registry::Registry;

use crate::advice::Adviser;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::explain::Explainer;
use crate::gateway::named::Directory;
use crate::inventory::Inventory;
use crate::purge::Purges;
use crate::tap::Taps;

/// Those of one process.
#[derive(Debug)]
pub(super) struct People {
    /// Who explains calls.
    pub(super) explainer: Arc<Explainer>,
    /// Who advises on rules.
    pub(super) adviser: Arc<Adviser>,
    /// Who purges.
    pub(super) purges: Arc<Purges>,
    /// Who knows what is held.
    pub(super) inventory: Arc<Inventory>,
    /// Who watches.
    pub(super) taps: Arc<Taps>,
}

impl People {
    /// They speak of what `directory` serves from `cache`, and watch through `taps`.
    pub(super) fn new(
        directory: &Directory,
        (cache, taps): (&Arc<Cache>, &Arc<Taps>),
        clock: &Clock,
        registry: &mut Registry,
    ) -> Self {
        let explainer = Explainer::new(directory.clone(), Arc::clone(cache), clock.clone());
        let adviser = Adviser::new(directory.clone(), clock.clone());
        let purges = Purges::new(directory.clone(), Arc::clone(cache), clock.clone(), registry);
        let inventory = Inventory::new(directory.clone(), Arc::clone(cache), clock.clone(), registry);
        Self {
            explainer: Arc::new(explainer),
            adviser: Arc::new(adviser),
            purges: Arc::new(purges),
            inventory: Arc::new(inventory),
            taps: Arc::clone(taps),
        }
    }
}
