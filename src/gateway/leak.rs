//! Calls that are known to make a session, of which the configuration says that they make none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::warn;

use super::Gateway;
use crate::backend::Backend;
use crate::rule::sessions::{Leaves, makes_session};

/// A method whose calls may let one client read what is for another.
#[derive(Debug, Default)]
pub(crate) struct Leak {
    was_told: AtomicBool,
}

impl Leak {
    /// What is to be told of a method of this name whose calls are taken to leave this behind.
    pub(super) fn of(method: &str, leaves: Leaves) -> Option<Self> {
        Self::of_known(leaves).filter(|_| makes_session(method))
    }

    /// The same of one that is known to make a session.
    pub(super) fn of_known(leaves: Leaves) -> Option<Self> {
        (leaves == Leaves::Nothing).then(Self::default)
    }

    /// Tells of the first call of `method`, if what is kept of its backend is shared by all clients.
    #[cold]
    pub(crate) fn tell(&self, gateway: &Gateway, method: &str, backend: &Arc<Backend>) {
        if self.was_told.swap(true, Ordering::Relaxed) {
            return;
        }
        let routes = gateway.routes.load();
        if routes.cached().any(|cached| Arc::ptr_eq(cached.asking.backend(), backend)) {
            let (listener, backend) = (gateway.counts.listener(), backend.name());
            warn!(
                %listener, %method, %backend,
                "a call that is known to make a session makes none here, and all clients share what is kept: if the service \
                 remembers who calls, one is answered what another may read"
            );
        }
    }
}
