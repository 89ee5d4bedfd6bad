//! One connection to Redis: its calls, and when it is given up.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError, ScriptInvocation, Value};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// One connection that is, or was, up.
pub(super) struct Link {
    connection: MultiplexedConnection,
    timeouts: AtomicU32,
    given_up: CancellationToken,
}

impl Link {
    pub(super) fn new(connection: MultiplexedConnection) -> Self {
        Self { connection, timeouts: AtomicU32::new(0), given_up: CancellationToken::new() }
    }

    /// Whether it has been given up.
    pub(super) fn is_lost(&self) -> bool {
        self.given_up.is_cancelled()
    }

    /// Asks and waits up to `within`. The third time in a row without an answer gives the connection up.
    pub(super) async fn read(&self, ask: &Cmd, within: Duration) -> Result<Value, Failure> {
        let answer = timeout(within, ask.query_async(&mut self.connection.clone())).await;
        let Ok(answer) = answer else {
            let before = self.timeouts.fetch_add(1, Ordering::Relaxed);
            if before.saturating_add(1) >= MAX_TIMEOUTS {
                self.given_up.cancel();
            }
            return Err(Failure::Slow);
        };
        self.timeouts.store(0, Ordering::Relaxed);
        answer.map_err(|error| self.failed(&error))
    }

    /// Runs a script and waits up to `within`. A slow write says little of reads, which have far less time; it gives
    /// nothing up.
    pub(super) async fn write<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
        within: Duration,
    ) -> Result<T, Failure> {
        match timeout(within, call.invoke_async(&mut self.connection.clone())).await {
            Ok(answer) => answer.map_err(|error| self.failed(&error)),
            Err(_elapsed) => Err(Failure::Slow),
        }
    }

    /// Gives the connection up.
    pub(super) fn lose(&self) {
        self.given_up.cancel();
    }

    /// Ends when the connection is given up.
    pub(super) async fn lost(&self) {
        self.given_up.cancelled().await;
    }

    fn failed(&self, error: &RedisError) -> Failure {
        if error.is_unrecoverable_error() {
            self.given_up.cancel();
        }
        tracing::debug!(%error, "shared tier");
        if error.code() == Some("WRONGTYPE") { Failure::WrongType } else { Failure::Other }
    }
}

/// Why a call brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer in time.
    Slow,
    /// The key holds a list, a set or the like.
    WrongType,
    /// An error answer or a dead connection.
    Other,
}

/// Reads in a row without an answer in time after which a connection is given up.
const MAX_TIMEOUTS: u32 = 3;
