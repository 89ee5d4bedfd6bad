//! Whether anything ever came on a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many connections to an endpoint have proven to be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Proven(Arc<AtomicUsize>);

/// Whether one of them has.
#[derive(Debug)]
pub(super) struct Proof {
    among: Proven,
    shown: AtomicBool,
}

impl Proven {
    /// A connection that has yet to show it.
    pub(super) fn next(&self) -> Arc<Proof> {
        Arc::new(Proof { among: self.clone(), shown: AtomicBool::new(false) })
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Proof {
    /// Something came.
    pub(super) fn show(&self) {
        if !self.is_shown() && !self.shown.swap(true, Ordering::AcqRel) {
            self.among.0.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(super) fn is_shown(&self) -> bool {
        self.shown.load(Ordering::Relaxed)
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        if self.is_shown() {
            self.among.0.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
