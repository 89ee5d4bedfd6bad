//! Servers that read fewer connections than they accept: those with few workers let the others wait until one that they read ends.

use std::convert::Infallible;
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

    /// Has it read further connections, again and again, once one looks unread whose call may not be sent again.
    pub(super) async fn make_room(&self, proof: Arc<Proof>, usual: Duration) -> Infallible {
        let sent = Instant::now();
        self.until_unread(proof, usual).await;
        loop {
            self.reads_no_more(sent);
            // Whoever reads it turns to the next.
            self.pool.close_one();
            sleep(ROOM_AGAIN).await;
        }
    }

    /// It reads no more connections than have proven that, as a call found that was sent at `sent`: no more are opened for a while.
    pub(super) fn reads_no_more(&self, sent: Instant) {
        if self.pool.permits.stands_since(sent) {
            return;
        }
        let proven = self.pool.proven.count();
        self.pool.permits.full(proven, Instant::now());
        let (backend, endpoint) = (self.means.name(), &self.address);
        tracing::info!(%backend, %endpoint, connections = proven, "endpoint reads no further connections");
    }
}

/// How soon more room is made for a call that still waits.
const ROOM_AGAIN: Duration = Duration::from_secs(1);
/// A call on a new connection may take this many times the usual.
const UNREAD_TIMES: u32 = 3;
