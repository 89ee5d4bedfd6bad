//! What every endpoint of a backend works with.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::Settings;
use super::chance::Chance;
use super::counts::Tally;
use super::finding::Asked;
use super::method::Methods;
use crate::dial::Dial;

/// What every endpoint of a backend works with.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) settings: Settings,
    /// What an endpoint is asked for a sign of life.
    pub(super) check: Asked,
    /// The way out.
    pub(super) dial: Arc<dyn Dial>,
    pub(super) chance: Chance,
    pub(super) methods: Methods,
    pub(super) tally: Tally,
    /// Told whenever an endpoint leaves the rotation, or a method is out there.
    pub(super) left: Notify,
    /// Told when an endpoint should be looked at.
    pub(super) alarm: Notify,
    /// Whatever goes on without a caller, so that the end of the process can wait for it.
    pub(super) tasks: TaskTracker,
}

impl Means {
    /// The backend's name.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.settings.name
    }
}
