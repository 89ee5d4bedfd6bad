//! One server: what it is asked, and when it is left.
//!
//! ```text
//!          reached, logged in, no replica; PING answered within connect_timeout
//!       +-------------------------------------------------------------------------+
//!       |                                                                         v
//!    +------+        +-----------+   as many PINGs in a row, each              +----+
//!    | down |        | half-open |   within read_timeout, as it failed lately  | up |
//!    +------+        +-----------+ ------------------------------------------> +----+
//!       ^               ^                                                       |  |
//!       |               +-------- it did not answer, or half of its answers ----+  |
//!       |                         were errors or late (the breaker)                |
//!       +------------- a connection ended, or it said that it does not serve ------+
//! ```
//!
//! Only while it is up is it asked anything; else all ends at once. `supervisor.rs` is what moves it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::{Cmd, RedisError, Value};

use crate::bounded::Bounded;
use crate::cache::envelope::{self, MAX_ENVELOPE};

use super::Counts;
use super::breaker::Breaker;
use super::failure::{Failure, Setback};
use super::links::{For, Left, Links};
use super::room::Room;
use super::script::Call;

/// One server.
pub(super) struct Node {
    /// What it is called in logs and metrics.
    pub(super) name: String,
    read_timeout: Duration,
    counts: Counts,
    links: ArcSwapOption<Up>,
    state: AtomicU8,
    reads: Bounded,
    large: Room,
    writes: Room,
}

/// A server's connections, and the breaker that judges them.
struct Up {
    links: Arc<Links>,
    breaker: Breaker,
}

/// What can be asked of a server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ask<'a> {
    /// The value of a key, a miss being empty; one that is no envelope only in part.
    Value(&'a str),
    /// A short command.
    Short(&'a Cmd),
    /// A script, on the connection for short reads or the one for writes.
    Script(&'a Call<'a>, For),
}

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Not reached, or not serving.
    Down,
    /// It failed, and is to prove itself.
    HalfOpen,
    /// It answers.
    Up,
}

impl State {
    /// All there are.
    pub(crate) const ALL: [Self; 3] = [Self::Down, Self::HalfOpen, Self::Up];

    /// In metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::HalfOpen => "half_open",
            Self::Up => "up",
        }
    }
}

impl Node {
    /// A server that is down, with room for `max_writes` at a time.
    pub(super) fn new(name: String, read_timeout: Duration, max_writes: u32, counts: Counts) -> Self {
        counts.servers.note(&name, State::Down.as_str(), &State::ALL.map(State::as_str));
        Self {
            name,
            read_timeout,
            counts,
            links: ArcSwapOption::empty(),
            state: AtomicU8::new(0),
            reads: Bounded::default(),
            large: Room::new(LARGE_MAX, LARGE_BYTES_MAX),
            writes: Room::new(max_writes as usize, WRITTEN_BYTES_MAX),
        }
    }

    /// What it is now.
    pub(super) fn state(&self) -> State {
        let at = usize::from(self.state.load(Ordering::Relaxed));
        State::ALL.get(at).copied().unwrap_or(State::Down)
    }

    /// Whether it is asked.
    pub(super) fn is_up(&self) -> bool {
        self.up().is_some()
    }

    /// It is reached by `links` from now on.
    pub(super) fn rise(&self, links: &Arc<Links>) {
        let up = Up { links: Arc::clone(links), breaker: Breaker::new() };
        self.links.store(Some(Arc::new(up)));
        self.become_one(State::Up);
    }

    /// It is not asked any more, and is `state`.
    pub(super) fn fall(&self, state: State) {
        self.links.store(None);
        self.become_one(state);
    }

    /// It is left after it was up.
    pub(super) fn leave(&self, why: Left) {
        self.counts.servers.left(&self.name, why.as_str());
        self.fall(match why {
            Left::Failing => State::HalfOpen,
            Left::Lost | Left::Unfit | Left::Replaced => State::Down,
        });
    }

    /// It is none any more.
    pub(super) fn end(&self) {
        self.fall(State::Down);
        let (states, reasons) = (State::ALL.map(State::as_str), Left::ALL.map(Left::as_str));
        self.counts.servers.forget(&self.name, &states, &reasons);
    }

    fn become_one(&self, state: State) {
        let at = State::ALL.iter().position(|one| *one == state).unwrap_or_default();
        let before = self.state.swap(u8::try_from(at).unwrap_or_default(), Ordering::Relaxed);
        let was_up = State::ALL.get(usize::from(before)) == Some(&State::Up);
        if was_up != (state == State::Up) {
            self.counts.server_is_up(!was_up);
        }
        self.counts.servers.note(&self.name, state.as_str(), &State::ALL.map(State::as_str));
    }

    /// Asks it, and waits up to `within`; for a large value longer, while it comes. `asking` for a slot that is on its way to this
    /// server.
    pub(super) async fn ask(&self, ask: Ask<'_>, asking: bool, within: Duration) -> Result<Value, Setback> {
        match ask {
            Ask::Value(key) => self.value(key, asking, within).await,
            Ask::Short(command) => self.read(command, asking, within).await,
            Ask::Script(call, purpose) => {
                let known = self.run(&call.known(), call.size(), purpose, asking, within).await;
                match known {
                    Err(Setback::NoScript) => {
                        self.run(&call.whole(), call.size(), purpose, asking, within).await
                    }
                    Ok(_) | Err(Setback::Failed(_) | Setback::Elsewhere(_)) => known,
                }
            }
        }
    }

    /// The first part of a value on the connection for short reads, which is all of most; the whole of a longer one on the other.
    async fn value(&self, key: &str, asking: bool, within: Duration) -> Result<Value, Setback> {
        let first = self.first_part(key, asking, within).await?;
        if !is_part_of_envelope(&first) {
            return Ok(first);
        }
        let up = self.up().ok_or(DOWN)?;
        let mut length = redis::cmd("STRLEN");
        length.arg(key);
        let length = up.heard(&self.name, up.links.ask(For::Large, &length, asking, within).await)?;
        let length = redis::from_redis_value::<usize>(length).map_err(|_| REFUSED)?;
        let _place = self.large.take(length).ok_or(FULL)?;
        // One byte above the bound: longer values are told from those that fit.
        let whole = range(key, MAX_ENVELOPE + 1);
        up.heard(&self.name, up.links.ask(For::Large, &whole, asking, within).await)
    }

    async fn first_part(&self, key: &str, asking: bool, within: Duration) -> Result<Value, Setback> {
        let range = range(key, FIRST_PART);
        if asking {
            return self.read(&range, asking, within).await;
        }
        let up = self.up().ok_or(DOWN)?;
        let _place = self.reads.join(READS_MAX).ok_or(FULL)?;
        up.judged(&self.name, up.links.read(range, within).await)
    }

    async fn read(&self, command: &Cmd, asking: bool, within: Duration) -> Result<Value, Setback> {
        let up = self.up().ok_or(DOWN)?;
        let _place = self.reads.join(READS_MAX).ok_or(FULL)?;
        up.judged(&self.name, up.links.ask(For::Short, command, asking, within).await)
    }

    async fn run(
        &self,
        command: &Cmd,
        size: usize,
        purpose: For,
        asking: bool,
        within: Duration,
    ) -> Result<Value, Setback> {
        match purpose {
            For::Short => self.read(command, asking, within).await,
            For::Writes | For::Large => {
                let up = self.up().ok_or(DOWN)?;
                let _place = self.writes.take(size).ok_or(FULL)?;
                up.heard(&self.name, up.links.ask(For::Writes, command, asking, within).await)
            }
        }
    }

    /// Asks for a sign of life beside all calls, which counts as one of them.
    pub(super) async fn check(&self) {
        // What came of it is counted; nobody wants the answer.
        let _ = self.read(&redis::cmd("PING"), false, self.read_timeout).await;
    }

    fn up(&self) -> Option<Arc<Up>> {
        self.links.load_full().filter(|up| !up.links.are_left())
    }
}

impl Up {
    /// What an answer on the connection for short reads is worth. The breaker counts it.
    fn judged(&self, name: &str, answer: Option<Result<Value, RedisError>>) -> Result<Value, Setback> {
        let heard = self.heard(name, answer);
        let good = match &heard {
            Err(Setback::Failed(failure)) => !failure.is_held_against(),
            Ok(_) | Err(Setback::NoScript | Setback::Elsewhere(_)) => true,
        };
        if self.breaker.opens(good) {
            self.links.leave(Left::Failing);
        }
        heard
    }

    /// What any answer is worth. How long a large value or a write takes says little of short reads, so it opens no breaker.
    fn heard(&self, name: &str, answer: Option<Result<Value, RedisError>>) -> Result<Value, Setback> {
        let Some(answer) = answer else {
            return Err(Setback::Failed(Failure::Slow));
        };
        answer.map_err(|error| {
            tracing::debug!(server = name, %error, "shared tier");
            let setback = Setback::of(&error);
            if Setback::is_of_server(&error) {
                let lost = setback == Setback::Failed(Failure::Lost);
                self.links.leave(if lost { Left::Lost } else { Left::Unfit });
            }
            setback
        })
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("name", &self.name).field("state", &self.state()).finish_non_exhaustive()
    }
}

/// Whether this is the first part of an envelope that can be read, and not all of it.
fn is_part_of_envelope(value: &Value) -> bool {
    matches!(value, Value::BulkString(bytes) if bytes.len() == FIRST_PART && envelope::begins(bytes))
}

fn range(key: &str, length: usize) -> Cmd {
    let mut range = Cmd::with_capacity(RANGE_WORDS, RANGE_BYTES + key.len());
    range.arg("GETRANGE").arg(key).arg(0).arg(length.saturating_sub(1));
    range
}

/// Words of a command for a range, and their bytes beside the key's.
const RANGE_WORDS: usize = 4;
const RANGE_BYTES: usize = "GETRANGE".len() + "0".len() + "33554432".len();
const DOWN: Setback = Setback::Failed(Failure::Down);
const FULL: Setback = Setback::Failed(Failure::Full);
const REFUSED: Setback = Setback::Failed(Failure::Refused);

/// What a short read brings at most: it takes half a millisecond at 1 Gbit/s, and most values are shorter.
pub(super) const FIRST_PART: usize = 64 << 10;
/// Short reads at one server at a time; each brings [`FIRST_PART`] at most.
const READS_MAX: usize = 1024;
/// Large values that are read from one server at a time, and their bytes.
const LARGE_MAX: usize = 64;
const LARGE_BYTES_MAX: usize = 64 << 20;
/// Bytes of writes under way to one server.
const WRITTEN_BYTES_MAX: usize = 64 << 20;
