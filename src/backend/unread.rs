//! Servers that read fewer connections than they accept: those with few workers let the others wait until one that they read ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::check::Reads;
use super::endpoint::Endpoint;
use super::proof::Proof;

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
            if self.pool.permits.stands_since(sent) || self.reads_another().await == Reads::No {
                return;
            }
        }
    }

    /// It reads no more connections than have proven that, as a call found that was sent at `sent`: no more are opened for a while.
    pub(super) fn reads_no_more(&self, sent: Instant) {
        if self.pool.permits.stands_since(sent) {
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
