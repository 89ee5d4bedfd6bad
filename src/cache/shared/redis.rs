//! The shared tier in Redis.
//!
//! One connection carries all reads and writes, and a task of ours looks after it, because the client's own managed
//! connection lets calls wait while it reconnects, and takes a server that never answers for a live one. Here a call
//! waits for Redis at most `read_timeout`, and only while the connection is up:
//!
//! ```text
//!            connected, logged in, PING answered within read_timeout
//!       +-----------------------------------------------------------+
//!       |                                                           v
//!    +------+                                                    +----+
//!    | down |  reads and writes return at once                   | up |  reads wait up to read_timeout
//!    +------+                                                    +----+
//!       ^                                                           |
//!       +-----------------------------------------------------------+
//!            broken pipe, or 3 reads in a row without an answer in time
//! ```
//!
//! While down, the task dials again after a random pause of up to 50 ms, doubling to 1 s, so that many gateways do not
//! meet at a Redis that comes back. A connection given up is dropped with all that was queued on it; what already lay in
//! the server's socket may still take effect. That is harmless: a put is a script that never replaces a younger entry by
//! an older one, so it may come late or twice.
//!
//! A Redis key is `PREFIX:FORMAT:HASH`, the hash being xxh3-128 of the full key; the envelope holds the full key.
//! Reads are bounded by `GETRANGE`, so that a huge foreign value is not fetched.

mod link;
mod settings;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rand::Rng;
use redis::{Script, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::task::AbortOnDropHandle;
use xxhash_rust::xxh3::xxh3_128;

use crate::cache::envelope::{self, FORMAT, MAGIC, MAX_ENVELOPE, Unreadable};
use crate::clock::{Clock, Millis};
use crate::dial::Dial;
use crate::entry::Entry;

use super::{Counts, MAX_AHEAD, Read, Store, Write, judge};
use link::{Failure, Link, Supervisor};

pub use settings::{Secret, Settings, UrlError};

/// The shared tier in one Redis. Dropping it closes the connection.
pub struct Redis {
    settings: Arc<Settings>,
    clock: Clock,
    counts: Counts,
    script: Arc<Script>,
    link: Arc<ArcSwapOption<Link>>,
    slots: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    tried: watch::Receiver<bool>,
    _supervisor: AbortOnDropHandle<()>,
}

impl Redis {
    /// Begins to connect, and keeps at it, within the tokio runtime it is called in. `random` spreads the pauses between
    /// attempts.
    pub fn start(
        settings: Settings,
        dial: Arc<dyn Dial>,
        clock: Clock,
        counts: Counts,
        random: impl Rng + Send + 'static,
    ) -> Self {
        let settings = Arc::new(settings);
        let link = Arc::new(ArcSwapOption::empty());
        let (trying, tried) = watch::channel(false);
        let supervisor = Supervisor {
            settings: Arc::clone(&settings),
            dial,
            link: Arc::clone(&link),
            up: counts.up.clone(),
            tried: trying,
        };
        Self {
            slots: Arc::new(Semaphore::new(settings.max_writes as usize)),
            bytes: Arc::new(Semaphore::new(MAX_WRITE_KIBIBYTES)),
            script: Arc::new(Script::new(WRITE_UNLESS_YOUNGER)),
            settings,
            clock,
            counts,
            link,
            tried,
            _supervisor: AbortOnDropHandle::new(tokio::spawn(supervisor.run(random))),
        }
    }

    /// Ends when the first attempt to connect has ended, well or not: at most `connect_timeout` after the start. A
    /// gateway that waits for it does not miss what Redis holds with its first calls.
    pub async fn tried(&self) {
        let mut tried = self.tried.clone();
        // The other end is dropped only with the supervisor, that is with self.
        let _ = tried.wait_for(|tried| *tried).await;
    }

    fn link(&self) -> Option<Arc<Link>> {
        self.link.load_full().filter(|link| !link.is_lost())
    }

    async fn look(&self, key: &[u8]) -> Result<Entry, Read> {
        let link = self.link().ok_or(Read::Skipped)?;
        let mut ask = redis::cmd("GETRANGE");
        // One byte above the bound: longer values are told from those that fit.
        ask.arg(self.redis_key(key)).arg(0).arg(MAX_ENVELOPE);
        let value = link.read(&ask, self.settings.read_timeout).await.map_err(|failure| match failure {
            Failure::Slow => Read::Timeout,
            Failure::WrongType => Read::Unreadable(Unreadable::Foreign),
            Failure::Other => Read::Error,
        })?;
        let Value::BulkString(value) = value else {
            return Err(Read::Error);
        };
        if value.is_empty() {
            return Err(Read::Miss);
        }
        judge(key, &Bytes::from(value), self.clock.now())
    }

    fn redis_key(&self, key: &[u8]) -> String {
        format!("{}:{FORMAT}:{:032x}", self.settings.prefix, xxh3_128(key))
    }

    /// Begins to write, if there is room; `size` is about the bytes it will take.
    fn begin(&self, key: &[u8], size: usize, change: Change) {
        match self.room(size) {
            Err(refused) => self.counts.write(refused),
            Ok(room) => {
                let job = Job {
                    script: Arc::clone(&self.script),
                    key: key.into(),
                    redis_key: self.redis_key(key),
                    change,
                    latest: self.clock.now().plus(MAX_AHEAD),
                };
                let counts = self.counts.clone();
                tokio::spawn(async move {
                    counts.write(job.run(&room.link).await);
                    drop(room);
                });
            }
        }
    }

    fn room(&self, size: usize) -> Result<Room, Write> {
        if size > MAX_ENVELOPE {
            return Err(Write::TooLarge);
        }
        let link = self.link().ok_or(Write::Skipped)?;
        let kibibytes = u32::try_from(size.div_ceil(1024)).map_err(|_| Write::TooLarge)?;
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| Write::Dropped)?;
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(kibibytes).map_err(|_| Write::Dropped)?;
        Ok(Room { link, _permits: [slot, bytes] })
    }
}

impl Store for Redis {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Option<Entry>> {
        async move {
            let looked = self.look(key).await;
            self.counts.read(looked.as_ref().map_or_else(|read| *read, |_| Read::Hit));
            looked.ok()
        }
        .boxed()
    }

    fn put(&self, key: &[u8], entry: Arc<Entry>, keep: Duration) {
        let size = key.len().saturating_add(entry.body.len());
        self.begin(key, size, Change::Put { entry, keep });
    }

    fn remove(&self, key: &[u8], until: Millis) {
        self.begin(key, key.len(), Change::Remove { until });
    }

    fn is_up(&self) -> bool {
        self.link().is_some()
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        async move {
            // All slots at once are to be had only when no write holds one. The semaphore is never closed.
            drop(self.slots.acquire_many(self.settings.max_writes).await);
        }
        .boxed()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("settings", &self.settings)
            .field("up", &self.is_up())
            .finish_non_exhaustive()
    }
}

/// What a write in flight holds.
struct Room {
    link: Arc<Link>,
    _permits: [OwnedSemaphorePermit; 2],
}

/// One write.
struct Job {
    script: Arc<Script>,
    key: Box<[u8]>,
    redis_key: String,
    change: Change,
    latest: Millis,
}

enum Change {
    Put { entry: Arc<Entry>, keep: Duration },
    Remove { until: Millis },
}

impl Job {
    async fn run(self, link: &Link) -> Write {
        let mut call = self.script.key(self.redis_key);
        let done = match self.change {
            Change::Put { entry, keep } => {
                let Ok(envelope) = envelope::encode(&self.key, &entry) else {
                    return Write::TooLarge;
                };
                call.arg(head(entry.born)).arg(self.latest.0).arg(envelope).arg(expiry(keep));
                Write::Written
            }
            Change::Remove { until } => {
                call.arg(head(until)).arg(self.latest.0);
                Write::Removed
            }
        };
        match link.write(&call, WRITE_TIMEOUT).await {
            Ok(true) => done,
            Ok(false) => Write::Older,
            Err(Failure::Slow) => Write::Timeout,
            Err(Failure::WrongType | Failure::Other) => Write::Error,
        }
    }
}

/// The first bytes of an envelope born at `born`.
fn head(born: Millis) -> Vec<u8> {
    [&MAGIC[..], &born.0.to_be_bytes()].concat()
}

/// Redis takes no expiry of 0 ms and none that overflows its clock.
fn expiry(keep: Duration) -> u64 {
    u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).clamp(1, MAX_KEEP_MILLIS)
}

/// `KEYS[1]`: the key. `ARGV`: the first 12 bytes of our envelope; the latest believable birth in milliseconds; and,
/// to put rather than to remove, the envelope and its expiry in milliseconds. Returns 1 if done, 0 if what lies there is
/// younger. Not younger than anything: other types, other formats, other programs' values, and births further ahead
/// than readers believe, which would block the key until then.
const WRITE_UNLESS_YOUNGER: &str = r"
local held = redis.pcall('GETRANGE', KEYS[1], 0, 11)
if type(held) == 'string' and #held == 12 and string.sub(held, 1, 4) == string.sub(ARGV[1], 1, 4) then
    local theirs = struct.unpack('>I8', held, 5)
    local ours = struct.unpack('>I8', ARGV[1], 5)
    if theirs > ours and theirs <= tonumber(ARGV[2]) then
        return 0
    end
end
if ARGV[3] then
    redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
else
    redis.call('DEL', KEYS[1])
end
return 1
";

/// How long a write holds its place before it is given up. Nobody waits for it, so it may take longer than a read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);
/// The most kibibytes of keys and replies in writes in flight: 64 MiB, two of the largest envelopes.
const MAX_WRITE_KIBIBYTES: usize = 64 * 1024;
/// The longest expiry: ten years.
const MAX_KEEP_MILLIS: u64 = 10 * 365 * 24 * 3_600 * 1_000;

#[cfg(test)]
mod tests;
