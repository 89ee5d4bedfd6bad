//! The connections to one server: some for short reads, one for writes and one for large values, so that none of them waits
//! behind another kind. They stand and fall together.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, Value};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::door::{Door, Opened, Unreachable, Way, greet};
use super::gather::Gather;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Short,
    Writes,
    Large,
}

/// Why a server is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Left {
    /// A connection ended.
    Lost,
    /// It said that it does not serve: it is a replica, loads its data, or wants another login.
    Unfit,
    /// It did not answer, or too many of its answers were late or errors.
    Failing,
    /// It is not the one to ask any more.
    Replaced,
}

impl Left {
    pub(super) const ALL: [Self; 4] = [Self::Lost, Self::Unfit, Self::Failing, Self::Replaced];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Unfit => "unfit",
            Self::Failing => "failing",
            Self::Replaced => "replaced",
        }
    }
}

/// The connections to one server, up until they are left.
pub(super) struct Links {
    short: Vec<MultiplexedConnection>,
    next: AtomicUsize,
    gather: Arc<Gather>,
    writes: MultiplexedConnection,
    large: MultiplexedConnection,
    /// Bytes that came on the connection for large values.
    large_came: Arc<AtomicU64>,
    left: DropGuard,
    why: OnceLock<Left>,
}

impl Links {
    /// Opens them all on one way, and makes `tasks` move their bytes until they are left or dropped.
    pub(super) async fn open(
        door: &Door,
        way: &Way,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Self, Unreachable> {
        let settings = &door.settings;
        let count = settings.connections as usize + 2;
        let opening = (0..count).map(|_| door.open(way, &settings.login, settings.database));
        let left = stop.child_token();
        let guard = left.clone().drop_guard();
        let (mut all, mut came) = (Vec::with_capacity(count), Arc::default());
        for Opened { mut connection, driver, came: counted } in try_join_all(opening).await? {
            let left = left.clone();
            tasks.spawn(async move {
                // Whoever looks after the server sees that one connection ended.
                left.run_until_cancelled(driver).await;
                left.cancel();
            });
            greet(&mut connection, &settings.client_name).await?;
            all.push(connection);
            came = counted;
        }
        let (Some(large), Some(writes)) = (all.pop(), all.pop()) else {
            return Err(Unreachable::Unknown("no connection was to be opened".to_owned()));
        };
        let (next, gather, why) = (AtomicUsize::new(0), Gather::new(tasks), OnceLock::new());
        Ok(Self { short: all, next, gather, writes, large, large_came: came, left: guard, why })
    }

    /// Whether they are left.
    pub(super) fn are_left(&self) -> bool {
        self.token().is_cancelled()
    }

    /// Leaves them: all that waits on them ends. The first reason is the one that is told.
    pub(super) fn leave(&self, why: Left) {
        // Who comes second has nothing to add.
        let _ = self.why.set(why);
        self.token().cancel();
    }

    /// Ends when they are left, and tells why.
    pub(super) async fn left(&self) -> Left {
        self.token().cancelled().await;
        self.why.get().copied().unwrap_or(Left::Lost)
    }

    /// Asks on a connection for short reads, together with what else is asked so at this moment. `None` when no answer came `within` that
    /// time.
    pub(super) async fn read(&self, command: Cmd, within: Duration) -> Option<RedisResult<Value>> {
        let pick = || self.connection(For::Short).clone();
        self.gather.ask(command, Instant::now() + within, pick).await
    }

    /// Asks on a connection for `purpose`; `asking` for a slot that is on its way to this server. `None` when no answer came `within`
    /// that time, or for large values, when nothing at all came on their connection for that long.
    pub(super) async fn ask(
        &self,
        purpose: For,
        ask: &Cmd,
        asking: bool,
        within: Duration,
    ) -> Option<RedisResult<Value>> {
        let mut connection = self.connection(purpose).clone();
        let answer = async move {
            let value = if asking {
                let mut both = Pipeline::with_capacity(2);
                both.cmd("ASKING").add_command(ask.clone());
                let mut values = connection.send_packed_commands(&both, 1, 1).await?;
                values.pop().unwrap_or(Value::Nil)
            } else {
                connection.send_packed_command(ask).await?
            };
            value.extract_error()
        };
        match purpose {
            For::Short | For::Writes => timeout(within, answer).await.ok(),
            For::Large => self.patiently(answer, within).await,
        }
    }

    async fn patiently(
        &self,
        answer: impl Future<Output = RedisResult<Value>>,
        within: Duration,
    ) -> Option<RedisResult<Value>> {
        let mut answer = std::pin::pin!(answer);
        let longest = Instant::now() + within.saturating_mul(PATIENCE);
        loop {
            let before = self.large_came.load(Ordering::Relaxed);
            if let Ok(answer) = timeout(within, &mut answer).await {
                return Some(answer);
            }
            let stands_still = self.large_came.load(Ordering::Relaxed) == before;
            if stands_still || Instant::now() >= longest {
                return None;
            }
        }
    }

    fn connection(&self, purpose: For) -> &MultiplexedConnection {
        match purpose {
            For::Writes => &self.writes,
            For::Large => &self.large,
            For::Short => {
                let turn = self.next.fetch_add(1, Ordering::Relaxed);
                let at = turn.checked_rem(self.short.len()).unwrap_or_default();
                self.short.get(at).unwrap_or(&self.writes)
            }
        }
    }

    fn token(&self) -> &CancellationToken {
        self.left.token()
    }
}

/// How many times as long as a short read a large one may take, while it comes.
const PATIENCE: u32 = 10;
