//! One gateway of all asks a backend for a key; the others wait for what it keeps, and then ask by themselves.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Gateway;
use super::landed::Landed;
use super::route::Cached;
use crate::cache::{Lease, Turn};
use crate::call::Call;
use crate::entry::Entry;
use crate::flight::Flight;

/// What became of waiting for the turn.
pub(super) enum Turned {
    /// Another gateway has brought what is sought.
    Brought(Arc<Entry>),
    /// It is to be asked for. The lease is given back if nothing comes of it.
    Asks(Option<Lease>),
}

impl Gateway {
    /// Waits until this gateway is to ask for `key`, or another one has.
    pub(super) async fn turn(
        &self,
        call: &Call,
        cached: &Cached,
        key: &[u8],
        flight: &Flight<Landed>,
    ) -> Turned {
        let caching = &cached.keyed.caching;
        if cached.asking.is_out(&call.name) {
            return Turned::Asks(None);
        }
        // What is brought must be fresh for who waits; and none waits for longer than half of what its call may take.
        let half = cached.asking.timeout.map_or(WAIT_MAX, |whole| whole / 2);
        let (began, most) = (Instant::now(), half.min(WAIT_MAX));
        let mut pause = PAUSE_FIRST;
        loop {
            match self.cache.turn(caching.tiers, key, caching.ttl).await {
                Turn::Ours(lease) => return Turned::Asks(lease),
                Turn::Theirs if began.elapsed() >= most => return Turned::Asks(None),
                Turn::Theirs => sleep(pause).await,
            }
            if let Some(entry) = self.look(cached, key, flight).await {
                return Turned::Brought(entry);
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// From the first pause on each is twice as long, as mcrouter's are.
const PAUSE_FIRST: Duration = Duration::from_millis(2);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(64);
/// The longest time for which another gateway is waited for.
const WAIT_MAX: Duration = Duration::from_secs(1);
