//! The local tier on disk, so that a gateway that is restarted in the middle of an outage still answers.
//!
//! It lies in parts, each a file of its own, the youngest entries first: nobody needs more than the first of them, and what is damaged
//! costs no more than its part. A part is:
//!
//! ```text
//! 0   4   magic "LRS" and the format's version, 1
//! then of each entry:
//! 0   4   length of the envelope, big-endian
//! 4   n   the envelope, as in the shared tier: with its key and a checksum
//! ```
//!
//! What was declared wrong after it was saved, nobody knows. So what is restored answers as stale-if-error allows and no more, until a
//! backend or the shared tier has been asked.

mod part;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use super::Cache;
use super::local::{Held, Local};
use crate::clock::Millis;
use crate::entry::{Entry, Slot};
use crate::state::State;

use part::{Part, Unread};

/// Where the local tier is kept, and how much of it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    state: Arc<State>,
    bounds: Bounds,
    /// Parts that lie there, as far as this process knows. Of two who save one waits.
    parts: Mutex<usize>,
}

/// How much is kept, how often, and how long it may take to read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes that are kept; nothing is with 0.
    pub size: u64,
    /// How often; only at the end without.
    pub interval: Option<Duration>,
    /// What a start may wait for it.
    pub restore_time: Duration,
}

impl Snapshot {
    /// What is kept in `state`.
    pub(crate) fn new(state: Arc<State>, bounds: Bounds) -> Self {
        Self { state, bounds, parts: Mutex::default() }
    }

    /// Keeps the youngest of what the local tier has, and that no mark makes useless. Threads that serve calls do nothing for it, and
    /// beyond what the tier holds it takes the memory of one part.
    pub(crate) async fn save(&self, cache: &Arc<Cache>) {
        if !self.is_kept() {
            return;
        }
        let mut parts = self.parts.lock().await;
        let (from, most) = (Arc::clone(cache), self.bounds.size);
        let Ok(mut left) = spawn_blocking(move || youngest(&from, most)).await else { return };
        let (entries, mut written) = (left.len(), 0);
        left.reverse();
        while !left.is_empty() {
            let Ok((part, rest)) = spawn_blocking(move || part::encode(left)).await else { return };
            self.state.keep_bytes(&name(written), part).await;
            (left, written) = (rest, written + 1);
        }
        // What was more before is not true any more.
        for former in written..*parts {
            self.state.keep_bytes(&name(former), Vec::new()).await;
        }
        *parts = written;
        info!(entries, parts = written, "the local tier is saved");
    }

    /// Saves, again and again. Ends at once where nothing is to be kept but at the end.
    pub(crate) async fn save_each(&self, cache: &Arc<Cache>) {
        let Some(interval) = self.bounds.interval.filter(|_| self.is_kept()) else { return };
        loop {
            tokio::time::sleep(interval).await;
            self.save(cache).await;
        }
    }

    /// Takes over what an earlier process has left, as far as there is time and room for it. `now` is the time.
    pub(crate) async fn restore(&self, local: &Local, now: Millis) {
        if !self.is_kept() {
            return;
        }
        let until = Instant::now() + self.bounds.restore_time;
        let room = self.bounds.size.min(local.capacity());
        let (mut found, mut parts) = (Found::new(room), self.parts.lock().await);
        while !found.is_full && Instant::now() < until {
            let name = name(*parts);
            let Ok(read) = timeout_at(until, self.state.load_bytes(&name)).await else { break };
            let Some(content) = read else { break };
            *parts += 1;
            let (unread, why) = found.take(&Part::new(content.into()), now, until);
            if let Some(why) = why {
                let file = &name;
                warn!(%file, %why, entries = unread, "some of the saved local tier cannot be read, and is left out");
            }
        }
        let (entries, bytes) = (found.slots.len(), found.bytes);
        // What was saved first is the youngest: it is to be dropped last.
        for (key, slot) in found.slots.into_iter().rev() {
            local.put(&key, slot);
        }
        if *parts > 0 {
            info!(entries, bytes, "the local tier is restored");
        }
    }

    fn is_kept(&self) -> bool {
        self.state.keeps() && self.bounds.size > 0
    }
}

/// What was read.
struct Found {
    slots: Vec<(Bytes, Slot)>,
    bytes: u64,
    room: u64,
    is_full: bool,
}

impl Found {
    fn new(room: u64) -> Self {
        Self { slots: Vec::new(), bytes: 0, room, is_full: false }
    }

    /// Takes what is whole of a part. Returns how many entries are not, and why the first of them is not.
    fn take(&mut self, part: &Part, now: Millis, until: Instant) -> (usize, Option<Unread>) {
        let (mut unread, mut why) = (0, None);
        for entry in part.entries(now) {
            match entry {
                Ok((key, slot)) => {
                    let weight = u64::from(slot.weight(key.len()));
                    self.is_full = self.bytes + weight > self.room || Instant::now() >= until;
                    if self.is_full {
                        break;
                    }
                    self.bytes += weight;
                    self.slots.push((key, slot));
                }
                Err(error) => {
                    unread += 1;
                    why = why.or(Some(error));
                }
            }
        }
        (unread, why)
    }
}

/// The youngest entries that `cache` holds here and may still use, as many as `most` bytes hold.
fn youngest(cache: &Cache, most: u64) -> Vec<Held> {
    let is_useful = |key: &[u8], entry: &Entry| cache.is_clear(key, entry) && part::fits(key, entry);
    cache.local.youngest(most, is_useful)
}

/// The file of a part.
fn name(part: usize) -> String {
    format!("local-{part}.snapshot")
}

#[cfg(test)]
mod tests;
