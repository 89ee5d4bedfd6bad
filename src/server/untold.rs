//! Marks that the other gateways have not been told yet, kept for the next start: a purge must not be lost because Redis and this process
//! were away together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::cache::Cache;
use crate::clock::Millis;
use crate::state::State;

/// What is kept of them.
#[derive(Debug)]
pub(super) struct Untold {
    state: Arc<State>,
    /// What the file holds, as far as is known.
    kept: Mutex<Vec<u8>>,
}

impl Untold {
    /// Nothing yet; it is kept in `state`.
    pub(super) fn new(state: Arc<State>) -> Self {
        Self { state, kept: Mutex::default() }
    }

    /// Makes the marks again that an earlier process could not tell.
    pub(super) async fn recall(&self, cache: &Cache, now: Millis) {
        let Some(kept) = self.state.load_bytes(FILE).await else { return };
        let marks = cache.recall_untold(&kept, now);
        if marks > 0 {
            tracing::info!(marks, "what could not be told to the other gateways is told again");
        }
        *self.kept.lock().await = kept;
    }

    /// Keeps those there are, each second. Never ends.
    pub(super) async fn keep_each(&self, cache: &Cache) {
        loop {
            tokio::time::sleep(PAUSE).await;
            self.keep(cache).await;
        }
    }

    /// Keeps those there are, if others than before.
    pub(super) async fn keep(&self, cache: &Cache) {
        if !self.state.keeps() {
            return;
        }
        let mut kept = self.kept.lock().await;
        let now = cache.untold_bytes();
        if *kept != now {
            self.state.keep_bytes(FILE, now.clone()).await;
            *kept = now;
        }
    }
}

const FILE: &str = "untold-marks";
const PAUSE: Duration = Duration::from_secs(1);
