//! Room in the local tier: where there is little left, what can no longer answer leaves before what still may.

use std::time::Duration;

use tracing::debug;

use super::build::Parts;
use crate::clock::Millis;
use crate::entry::Entry;
use crate::gateway::keepers::Keepers;

impl Parts {
    /// Drops what is expired whenever the local tier is nearly full. While there is room nothing is: a rule may be given longer windows in the
    /// middle of an outage. Never ends.
    pub(super) async fn make_room(&self) {
        let mut pause = PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            let local = self.cache.local();
            if local.bytes() < local.capacity() / 100 * FULL_PERCENT {
                pause = PAUSE;
                continue;
            }
            let (keepers, now, held) =
                (Keepers::of(self.gateways.all().values()), self.clock.now(), local.count());
            let dropped = local.sweep(|key, entry| may_answer(&keepers, key, entry, now)).await;
            self.expired.inc_by(dropped);
            debug!(dropped, held, "the local tier is nearly full");
            // A look at all of it costs more than it brings where little is expired.
            let pays = dropped >= held / 20;
            pause = if pays { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
        }
    }
}

/// Whether a rule in force may still use the entry, or none knows its key.
fn may_answer(keepers: &Keepers, key: &[u8], entry: &Entry, now: Millis) -> bool {
    let mut own = keepers.knowing(key).peekable();
    own.peek().is_none() || own.any(|cached| !cached.keyed.caching.left(entry, now).is_zero())
}

/// How often it is looked at how full the tier is.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest time between two looks at what is there, where little is expired.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// The tier is nearly full with so much of its capacity.
const FULL_PERCENT: u64 = 90;
