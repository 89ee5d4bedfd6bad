//! How the tries at one endpoint ended.

use std::sync::atomic::{AtomicU64, Ordering};

/// Tries since the endpoint is known.
#[derive(Debug, Default)]
pub(super) struct Ends {
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Ends {
    /// One more was answered, or sent where no answer is due.
    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// One more ended with a fault.
    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were answered, and how many ended with a fault.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.answered.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}
