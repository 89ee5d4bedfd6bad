//! What every endpoint of a backend works with.

use crate::dial::Address;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::Settings;
use super::chance::Chance;
use super::counts::Tally;
use super::method::Methods;
use super::quarantine::Quarantine;
use crate::dial::Dial;

/// What every endpoint of a backend works with.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) name: Arc<str>,
    /// The settings in force. Whoever obeys one asks for it at that moment, or is told by [`Endpoint::obey`].
    ///
    /// [`Endpoint::obey`]: super::endpoint::Endpoint::obey
    pub(super) settings: ArcSwap<Settings>,
    /// The way out.
    pub(super) dial: Arc<dyn Dial>,
    pub(super) chance: Chance,
    pub(super) methods: Methods,
    pub(super) tally: Tally,
    pub(super) quarantine: Quarantine,
    /// Told whenever an endpoint leaves the rotation, or a method is out there.
    pub(super) left: Notify,
    /// Told whenever an endpoint leaves the rotation or is back.
    pub(super) turned: Notify,
    /// Told when an endpoint should be looked at.
    pub(super) alarm: Notify,
    /// Whatever goes on without a caller, so that the end of the process can wait for it.
    pub(super) tasks: TaskTracker,
}

impl Means {
    /// The backend's name.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// An endpoint refuses connections: calls that it broke off at may be what it died of.
    pub(super) fn refused(&self, endpoint: &Address, now: Instant) {
        self.tally.quarantined(self.quarantine.died(self.name(), endpoint, now));
    }

    /// The settings in force at this moment. Not to be held while anything is awaited.
    pub(super) fn settings(&self) -> Guard<Arc<Settings>> {
        self.settings.load()
    }
}
