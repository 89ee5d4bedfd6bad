//! What became of a backend's calls, of all listeners before it: of late, and while it is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::outage::OutageCounts;
use super::recent::Recent;
use crate::clock::Millis;
use crate::outcome::Outcome;

/// Counts of one backend's calls, also of those that never reached it.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// The backend's name.
    pub backend: Arc<str>,
    /// Those of the last minute.
    pub recent: Recent,
    /// Those of the outage that lasts.
    pub outage: OutageCounts,
    /// Those that no backend was needed for, because something kept answers them.
    hits: AtomicU64,
}

impl Traffic {
    /// No calls yet.
    pub(crate) fn new(backend: Arc<str>) -> Self {
        Self {
            backend,
            recent: Recent::default(),
            outage: OutageCounts::default(),
            hits: AtomicU64::default(),
        }
    }

    /// Calls so far that something kept has answered, without a wait for a backend.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Counts one call.
    #[inline]
    pub(super) fn note(&self, outcome: Outcome, age: Option<Duration>, now: Millis) {
        let age = age.unwrap_or_default();
        if outcome.is_hit() {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        self.recent.note(outcome, age, now);
        self.outage.note(outcome, age);
    }
}
