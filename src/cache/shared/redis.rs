//! The shared tier in Redis.
//!
//! A call waits for Redis at most `read_timeout`, and only while the server that has its key is up. Each server has a task of ours
//! that looks after it (`supervisor.rs`), because the client's own managed connections let calls wait while they reconnect, and
//! take a server that never answers for a live one:
//!
//! ```text
//!   key --> topology --> node --> links --> door --> dial
//!           which       breaker,  short,    TLS,
//!           server      bounds    writes,   login
//!                                 large
//! ```
//!
//! A server that is down is connected to again after a random pause of up to 50 ms, doubling to 1 s, so that many gateways do not
//! meet at a Redis that comes back. A connection given up is dropped with all that was queued on it; what already lay in
//! the server's socket may still take effect. That is harmless: a put is a script that never replaces a younger entry by
//! an older one, so it may come late or twice.
//!
//! How keys are spelled there is said in `keys.rs`. Reads are bounded by `GETRANGE`, so that a huge foreign value is not fetched.

mod breaker;
mod cluster;
mod door;
mod failure;
mod feed;
mod gather;
mod keys;
mod links;
mod login;
mod node;
mod place;
mod probe;
mod room;
mod script;
mod sentinel;
mod settings;
mod slots;
mod supervisor;
mod topology;
mod url;
mod values;
mod whereabouts;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rand::Rng;
use redis::{Cmd, Value};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::cache::envelope::Unreadable;
use crate::clock::Clock;
use crate::dial::Dial;
use crate::entry::Slot;

use super::counts::Operation;
use super::feed::Feed;
use super::{Counts, Leased, MAX_AHEAD, Read, Store, TierTime, Write, Writes, read};
use door::Door;
use feed::Scripts;
use links::For;
use node::Ask;
use script::{GIVE_BACK, REPLACE, Replacement, expiry, given_back, replaced};
use topology::Topology;
use values::Values;

pub(crate) use failure::Failure;
pub(crate) use login::Login;
pub(crate) use node::State;
pub(crate) use place::{Flaw, Place};
pub(crate) use probe::probe;
pub(crate) use script::Lua;
pub(crate) use settings::{Form, Settings, Watched};
pub(crate) use url::Url;

/// The shared tier in Redis. Dropping it closes its connections.
pub(crate) struct Redis {
    settings: Arc<Settings>,
    time: TierTime,
    counts: Counts,
    replace: Lua,
    give_back: Lua,
    scripts: Scripts,
    writes: Writes,
    values: Values,
    topology: Topology,
    tasks: TaskTracker,
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
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let door = Arc::new(Door { settings: Arc::clone(&settings), dial });
        let topology = Topology::start(door, &counts, random, &tasks, &stop);
        tasks.close();
        Self {
            writes: Writes::new(settings.max_writes, counts.clone()),
            replace: Lua::new(REPLACE),
            give_back: Lua::new(GIVE_BACK),
            scripts: Scripts::new(&settings.prefix),
            values: Values::new(settings.codec.clone()),
            settings,
            time: TierTime::new(clock),
            counts,
            topology,
            tasks,
            stop: stop.drop_guard(),
        }
    }

    /// Ends when the first attempt to connect has ended, well or not: at most `connect_timeout` and `read_timeout` after the
    /// start. A gateway that waits for it does not miss what Redis holds with its first calls.
    pub(crate) async fn tried(&self) {
        self.topology.tried().await;
    }

    /// The servers and what they are.
    pub(crate) fn servers(&self) -> Vec<(String, State)> {
        self.topology.servers()
    }

    /// Asks the server that owns the Redis key `key` a short command of that key, and waits up to `within`.
    ///
    /// # Errors
    /// Why there is no answer; at once where the server is down.
    async fn ask(&self, key: &str, command: &Cmd, within: Duration) -> Result<Value, Failure> {
        self.answer(Operation::Lease, key, Ask::Short(command), within).await
    }

    /// Runs `lua` in the server that owns the Redis key `key`, before writes of entries that wait, and waits up to `within`.
    ///
    /// # Errors
    /// Why there is no answer; at once where the server is down. After [`Failure::Slow`] and [`Failure::Lost`] it may have run, or
    /// may run yet.
    pub(crate) async fn run(
        &self,
        lua: &Lua,
        key: &str,
        arguments: &[&[u8]],
        within: Duration,
    ) -> Result<Value, Failure> {
        self.answer(Operation::Marks, key, Ask::Script(&lua.call(key, arguments), For::Short), within).await
    }

    /// What the server that owns the Redis key `key` answers within a time. Counts how long it took, unless nobody was asked.
    async fn answer(
        &self,
        operation: Operation,
        key: &str,
        ask: Ask<'_>,
        within: Duration,
    ) -> Result<Value, Failure> {
        let began = tokio::time::Instant::now();
        let answer = self.topology.ask(key, ask, within).await;
        if !matches!(answer, Err(Failure::Down | Failure::Full)) {
            self.counts.took(operation, began.elapsed());
        }
        answer
    }

    async fn look(&self, key: &[u8]) -> Result<Slot, Read> {
        let redis_key = self.redis_key(key);
        let value = self
            .answer(Operation::Read, &redis_key, Ask::Value(&redis_key), self.settings.read_timeout)
            .await;
        let value = value.map_err(|failure| match failure {
            Failure::Down => Read::Skipped,
            Failure::Full => Read::Dropped,
            Failure::Slow => Read::Timeout,
            Failure::WrongType => Read::Unreadable(Unreadable::Foreign),
            Failure::Lost | Failure::Unfit | Failure::NoMemory | Failure::Refused => Read::Error,
        })?;
        let Value::BulkString(value) = value else {
            return Err(Read::Error);
        };
        if value.is_empty() {
            return Err(Read::Miss);
        }
        self.values.read(key, value.into(), self.time.now()).await
    }

    async fn write(&self, key: &[u8], slot: &Slot, keep: Duration) -> Write {
        if !self.is_up() {
            return Write::Skipped;
        }
        let value = match self.values.written(key, slot).await {
            Ok(value) => value,
            Err(why) => return why,
        };
        let latest = self.time.now().plus(MAX_AHEAD);
        let replacement = Replacement::new(value, latest, keep);
        let (redis_key, arguments) = (self.redis_key(key), replacement.arguments());
        let call = self.replace.call(&redis_key, &arguments);
        let ask = Ask::Script(&call, For::Writes);
        replaced(&self.answer(Operation::Write, &redis_key, ask, self.settings.write_timeout).await)
    }

    fn lease_key(&self, key: &[u8]) -> String {
        keys::lease(&self.settings.prefix, key)
    }

    fn redis_key(&self, key: &[u8]) -> String {
        keys::entry(&self.settings.prefix, key)
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

    fn name_of(&self, key: &[u8]) -> Option<String> {
        Some(self.redis_key(key))
    }

    fn inspect<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Slot, Read>> {
        self.look(key).boxed()
    }

    fn put<'a>(&'a self, key: &'a [u8], slot: &'a Slot, keep: Duration) -> BoxFuture<'a, Write> {
        self.write(key, slot, keep).boxed()
    }

    fn lease<'a>(&'a self, key: &'a [u8], token: u64, life: Duration) -> BoxFuture<'a, Leased> {
        async move {
            let key = self.lease_key(key);
            let mut take = redis::cmd("SET");
            take.arg(&key).arg(token).arg("NX").arg("PX").arg(expiry(life));
            match self.ask(&key, &take, self.settings.read_timeout).await {
                Ok(Value::Okay) => Leased::Ours,
                Ok(Value::Nil) => Leased::Theirs,
                Ok(_) | Err(_) => Leased::Unknown,
            }
        }
        .boxed()
    }

    fn give_back<'a>(&'a self, key: &'a [u8], token: u64) -> BoxFuture<'a, Write> {
        async move {
            let (key, token) = (self.lease_key(key), token.to_string());
            let arguments = [token.as_bytes()];
            let call = self.give_back.call(&key, &arguments);
            let ask = Ask::Script(&call, For::Writes);
            given_back(&self.answer(Operation::Lease, &key, ask, self.settings.write_timeout).await)
        }
        .boxed()
    }

    fn time(&self) -> &TierTime {
        &self.time
    }

    fn feed(&self) -> &dyn Feed {
        self
    }

    fn writes(&self) -> &Writes {
        &self.writes
    }

    fn is_up(&self) -> bool {
        self.topology.is_up()
    }

    fn servers_away(&self) -> usize {
        self.topology.servers_away()
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        async move {
            self.stop.token().cancel();
            self.tasks.wait().await;
        }
        .boxed()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("settings", &self.settings)
            .field("topology", &self.topology)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
