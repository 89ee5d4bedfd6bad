//! One direction of a simulated connection: bytes on their way, late, in pieces, held up or lost.

use std::collections::VecDeque;
use std::io;
use std::ops::RangeInclusive;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::ReadBuf;
use tokio::time::Instant;

/// What one direction of a connection is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The shortest time from writer to reader.
    pub delay: Duration,
    /// By how much more a piece may be delayed; pieces never overtake each other.
    pub jitter: Duration,
    /// Bytes of the largest piece that what is written is split into, at least 1.
    pub piece_max: usize,
    /// Bytes that are on their way or unread before the writer waits, as a socket's buffers would hold.
    pub buffer: usize,
    /// Where its jitter and its pieces begin.
    pub seed: u64,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            piece_max: usize::MAX,
            buffer: SOCKET_BUFFER,
            seed: 0,
        }
    }
}

impl Path {
    /// Waits for as long as a packet without jitter takes.
    pub(super) async fn travel(&self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }
}

/// Bytes that arrive together.
#[derive(Debug)]
struct Piece {
    at: Instant,
    bytes: Bytes,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Pipe {
    path: Path,
    random: StdRng,
    pieces: VecDeque<Piece>,
    held: usize,
    latest: Instant,
    ended: Option<Instant>,
    reset: Option<Instant>,
    /// What a reset is to its reader.
    cause: io::ErrorKind,
    deaf: bool,
    stalled: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a reader finds.
pub(super) enum Found {
    /// Bytes, or the end if there are none.
    Read,
    /// Nothing before this moment.
    Later(Instant),
    /// Nothing until somebody wakes it.
    Nothing,
}

impl Pipe {
    pub(super) fn new(path: Path) -> Self {
        Self {
            path,
            random: StdRng::seed_from_u64(path.seed),
            pieces: VecDeque::new(),
            held: 0,
            latest: Instant::now(),
            ended: None,
            reset: None,
            cause: io::ErrorKind::ConnectionReset,
            deaf: false,
            stalled: false,
            reader: None,
            writer: None,
        }
    }

    /// Takes bytes to be read later: as many as there is room for.
    pub(super) fn write(&mut self, context: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        if self.ended.is_some() || self.reset.is_some_and(|reset| reset <= now) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.deaf {
            // What a closed peer gets is answered with a reset; until that is here, nobody knows.
            let answered = now + 2 * self.path.delay;
            self.reset = Some(self.reset.map_or(answered, |reset| reset.min(answered)));
            return Poll::Ready(if self.path.delay.is_zero() {
                Err(io::ErrorKind::BrokenPipe.into())
            } else {
                Ok(bytes.len())
            });
        }
        let taken = bytes.len().min(self.path.buffer.saturating_sub(self.held));
        if taken == 0 && !bytes.is_empty() {
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let mut left = Bytes::copy_from_slice(bytes.get(..taken).unwrap_or_default());
        while !left.is_empty() {
            let most = self.path.piece_max.clamp(1, left.len());
            let size =
                if self.path.piece_max < usize::MAX { self.random.random_range(1..=most) } else { most };
            let at = self.arrival(now);
            self.pieces.push_back(Piece { at, bytes: left.split_to(size) });
        }
        self.held += taken;
        wake(&mut self.reader);
        Poll::Ready(Ok(taken))
    }

    /// What is here for the reader.
    pub(super) fn read(&mut self, context: &Context<'_>, into: &mut ReadBuf<'_>) -> io::Result<Found> {
        let now = Instant::now();
        self.reader = Some(context.waker().clone());
        let mut taken = 0;
        while let Some(piece) = self.pieces.front_mut().filter(|piece| !self.stalled && piece.at <= now)
            && into.remaining() > 0
        {
            let count = piece.bytes.len().min(into.remaining());
            into.put_slice(piece.bytes.get(..count).unwrap_or_default());
            piece.bytes.advance(count);
            if piece.bytes.is_empty() {
                self.pieces.pop_front();
            }
            taken += count;
        }
        if taken > 0 {
            self.held -= taken;
            wake(&mut self.writer);
            return Ok(Found::Read);
        }
        if self.reset.is_some_and(|reset| reset <= now) {
            return Err(self.cause.into());
        }
        if self.stalled {
            return Ok(self.reset.map_or(Found::Nothing, Found::Later));
        }
        let end = self.ended.filter(|_| self.pieces.is_empty());
        if end.is_some_and(|end| end <= now) {
            return Ok(Found::Read);
        }
        let next = self.pieces.front().map(|piece| piece.at);
        let next = [next, end, self.reset].into_iter().flatten().min();
        Ok(next.map_or(Found::Nothing, Found::Later))
    }

    /// Whether its writer has ended it, as far as the reader can know by now.
    pub(super) fn has_ended(&self) -> bool {
        !self.stalled && self.ended.is_some_and(|end| end <= Instant::now())
    }

    /// Whether it is broken, as far as the reader can know by now.
    pub(super) fn is_reset(&self) -> bool {
        self.reset.is_some_and(|reset| reset <= Instant::now())
    }

    /// No more is written; the reader learns it behind all that was.
    pub(super) fn end(&mut self) {
        if self.ended.is_none() {
            self.ended = Some(self.arrival(Instant::now()));
            wake(&mut self.reader);
        }
    }

    /// Whether its writer has ended it, whoever knows.
    pub(super) fn is_shut(&self) -> bool {
        self.ended.is_some()
    }

    /// Nobody reads any more. Says whether bytes are left unread, which a closing socket answers with a reset.
    pub(super) fn deafen(&mut self) -> bool {
        self.deaf = true;
        let unread = self.held > 0;
        self.pieces.clear();
        self.held = 0;
        wake(&mut self.writer);
        unread
    }

    /// Breaks it `after` a time: what has not arrived by then is lost.
    pub(super) fn reset(&mut self, after: Duration) {
        let at = Instant::now() + after;
        self.reset = Some(self.reset.map_or(at, |reset| reset.min(at)));
        while let Some(piece) = self.pieces.pop_back_if(|piece| piece.at > at) {
            self.held -= piece.bytes.len();
        }
        wake(&mut self.reader);
        wake(&mut self.writer);
    }

    /// Breaks it at once, as a system does that hears nothing of the other end's host.
    pub(super) fn lose(&mut self) {
        self.cause = io::ErrorKind::TimedOut;
        self.reset(Duration::ZERO);
    }

    /// Holds up what is on its way, or lets it go on.
    pub(super) fn stall(&mut self, stalled: bool) {
        self.stalled = stalled;
        wake(&mut self.reader);
    }

    pub(super) fn delay(&self) -> Duration {
        self.path.delay
    }

    fn arrival(&mut self, now: Instant) -> Instant {
        let jitter = self.random.random_range(spread(self.path.jitter));
        self.latest = self.latest.max(now + self.path.delay + Duration::from_micros(jitter));
        self.latest
    }
}

fn spread(jitter: Duration) -> RangeInclusive<u64> {
    0..=u64::try_from(jitter.as_micros()).unwrap_or(u64::MAX)
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Bytes each direction of a simulated connection holds before its writer waits, as a socket's buffers would.
const SOCKET_BUFFER: usize = 64 * 1024;
