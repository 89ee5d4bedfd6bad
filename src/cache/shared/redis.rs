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
mod script;
mod settings;
mod supervisor;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rand::Rng;
use redis::Value;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use xxhash_rust::xxh3::xxh3_128;

use crate::cache::envelope::{self, FORMAT, MAX_ENVELOPE, Unreadable};
use crate::clock::Clock;
use crate::dial::Dial;
use crate::entry::Slot;

use super::{Counts, MAX_AHEAD, Read, Store, Write, Writes, judge, read};
use link::{Failure, Link};
use script::Replace;
use supervisor::Supervisor;

pub(crate) use settings::{Secret, Settings, UrlError};

/// The shared tier in one Redis. Dropping it closes the connection.
pub(crate) struct Redis {
    settings: Arc<Settings>,
    clock: Clock,
    counts: Counts,
    replace: Replace,
    writes: Writes,
    link: Arc<ArcSwapOption<Link>>,
    tried: watch::Receiver<bool>,
    supervisor: TaskTracker,
    stop: DropGuard,
}

impl Redis {
    /// Begins to connect, and keeps at it, within the tokio runtime it is called in. `random` spreads the pauses between
    /// attempts.
    pub(crate) fn start(
        settings: Settings,
        dial: Arc<dyn Dial>,
        clock: Clock,
        counts: Counts,
        random: impl Rng + Send + 'static,
    ) -> Self {
        let settings = Arc::new(settings);
        let link = Arc::new(ArcSwapOption::empty());
        let (trying, tried) = watch::channel(false);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let supervisor = Supervisor {
            settings: Arc::clone(&settings),
            dial,
            link: Arc::clone(&link),
            up: counts.up.clone(),
            tried: trying,
        };
        tasks.spawn(supervisor.run(random, stop.clone()));
        tasks.close();
        Self {
            writes: Writes::new(settings.max_writes, counts.clone()),
            replace: Replace::new(),
            settings,
            clock,
            counts,
            link,
            tried,
            supervisor: tasks,
            stop: stop.drop_guard(),
        }
    }

    /// Ends when the first attempt to connect has ended, well or not: at most `connect_timeout` after the start. A
    /// gateway that waits for it does not miss what Redis holds with its first calls.
    pub(crate) async fn tried(&self) {
        let mut tried = self.tried.clone();
        // The other end is dropped only with the supervisor, and then there is nothing to wait for.
        let _ = tried.wait_for(|tried| *tried).await;
    }

    fn link(&self) -> Option<Arc<Link>> {
        self.link.load_full().filter(|link| !link.is_lost())
    }

    async fn look(&self, key: &[u8]) -> Result<Slot, Read> {
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

    async fn write(&self, key: &[u8], slot: &Slot, keep: Duration) -> Write {
        let Some(link) = self.link() else {
            return Write::Skipped;
        };
        let Ok(value) = envelope::encode(key, slot) else {
            return Write::TooLarge;
        };
        let latest = self.clock.now().plus(MAX_AHEAD);
        self.replace.run(&link, &self.redis_key(key), slot, value, latest, keep).await
    }

    fn redis_key(&self, key: &[u8]) -> String {
        format!("{}:{FORMAT}:{:032x}", self.settings.prefix, xxh3_128(key))
    }
}

impl Store for Redis {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Option<Slot>> {
        async move {
            let looked = self.look(key).await;
            self.counts.read(read(&looked));
            looked.ok()
        }
        .boxed()
    }

    fn put<'a>(&'a self, key: &'a [u8], slot: &'a Slot, keep: Duration) -> BoxFuture<'a, Write> {
        self.write(key, slot, keep).boxed()
    }

    fn writes(&self) -> &Writes {
        &self.writes
    }

    fn is_up(&self) -> bool {
        self.link().is_some()
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        async move {
            self.stop.token().cancel();
            self.supervisor.wait().await;
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

#[cfg(test)]
mod tests;
