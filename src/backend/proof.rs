//! Whether anything ever came on a connection. A server with few workers accepts more connections than it reads: those beyond wait until
//! one that it reads ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::endpoint::Endpoint;

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

    fn is_shown(&self) -> bool {
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

/// Whether an endpoint reads one more connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Yes,
    No,
    /// There was no way to find out.
    Unknown,
}

impl Endpoint {
    /// Waits until it is clear that nobody reads a call that was just sent on a new connection: nothing came on it for as long as makes a
    /// silence, and a check on another new one is not answered either, while others are. Does not end where something comes.
    pub(super) async fn until_unread(&self, proof: Arc<Proof>, usual: Duration) {
        let (sent, patience) = (Instant::now(), self.patience().max(usual * UNREAD_TIMES));
        loop {
            sleep(patience).await;
            if proof.is_shown() {
                return std::future::pending().await;
            }
            let may_tell = self.pool.proven.count() > 0 && !self.position.is_uneasy();
            if !may_tell || !self.pulse.was_heard_since(sent) {
                continue;
            }
            if self.pool.permits.stands() || self.reads_another().await == Reads::No {
                return;
            }
        }
    }

    /// It reads no more connections than have proven that: no more are opened for a while.
    pub(super) fn reads_no_more(&self) {
        if self.pool.permits.stands() {
            return;
        }
        let proven = self.pool.proven.count();
        self.pool.permits.full(proven, Instant::now());
        let (backend, endpoint) = (self.means.name(), self.address);
        tracing::info!(%backend, %endpoint, connections = proven, "endpoint reads no further connections");
    }
}

/// A call on a new connection may take this many times the usual.
const UNREAD_TIMES: u32 = 3;
