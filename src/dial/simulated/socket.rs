//! The two ends of a simulated connection, and a handle to break it by.

use std::fmt::{self, Debug};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;
use tokio::time::Sleep;

use super::pipe::{Found, Path, Pipe};
use super::{Direction, Passage, Route, Tap};

/// One end of a simulated connection. Dropped, it is closed: with a reset if bytes were left unread, as a socket is.
pub struct Socket {
    route: Route,
    reads: Direction,
    inbound: Arc<Mutex<Pipe>>,
    outbound: Arc<Mutex<Pipe>>,
    timer: Option<Pin<Box<Sleep>>>,
    tap: Option<Tap>,
}

/// A connection as the network sees it.
#[derive(Debug, Clone)]
pub struct Link {
    /// Who opened it to whom.
    pub route: Route,
    out: Weak<Mutex<Pipe>>,
    back: Weak<Mutex<Pipe>>,
}

/// A connection's near end, which dialled, and its far end, which accepts.
pub(super) fn pair(route: Route, paths: [Path; 2], tap: Option<Tap>) -> (Socket, Socket) {
    let [out, back] = paths.map(|path| Arc::new(Mutex::new(Pipe::new(path))));
    let near = Socket {
        route,
        reads: Direction::Back,
        inbound: Arc::clone(&back),
        outbound: Arc::clone(&out),
        timer: None,
        tap: tap.clone(),
    };
    let far = Socket { route, reads: Direction::Out, inbound: out, outbound: back, timer: None, tap };
    (near, far)
}

impl Socket {
    /// Who opened the connection to whom.
    pub fn route(&self) -> Route {
        self.route
    }

    /// Breaks the connection at once, in place of closing it: the other end loses what it had not received.
    pub fn abort(self) {
        self.link().cut();
    }

    /// Whether the other end sends nothing more, as far as can be known by now.
    pub fn has_ended(&self) -> bool {
        lock(&self.inbound).has_ended()
    }

    /// Whether the connection is broken, as far as can be known by now.
    pub fn is_reset(&self) -> bool {
        lock(&self.inbound).is_reset()
    }

    pub(super) fn link(&self) -> Link {
        let (out, back) = match self.reads {
            Direction::Back => (&self.outbound, &self.inbound),
            Direction::Out => (&self.inbound, &self.outbound),
        };
        Link { route: self.route, out: Arc::downgrade(out), back: Arc::downgrade(back) }
    }

    fn tell(&self, direction: Direction, passage: Passage<'_>) {
        if let Some(tap) = &self.tap {
            tap(&self.route, direction, passage);
        }
    }
}

impl Link {
    /// Whether an end is left.
    pub fn is_open(&self) -> bool {
        self.out.strong_count() > 1 && self.back.strong_count() > 1
    }

    /// Whether its writer has ended a direction, or nobody is left to tell.
    pub fn is_shut(&self, direction: Direction) -> bool {
        self.pipe(direction).upgrade().is_none_or(|pipe| lock(&pipe).is_shut())
    }

    fn pipe(&self, direction: Direction) -> &Weak<Mutex<Pipe>> {
        match direction {
            Direction::Out => &self.out,
            Direction::Back => &self.back,
        }
    }

    /// Breaks the connection: both ends get a reset, and what is on its way is lost.
    pub fn cut(&self) {
        for pipe in [&self.out, &self.back].into_iter().filter_map(Weak::upgrade) {
            lock(&pipe).reset(Duration::ZERO);
        }
    }

    /// Breaks the connection as each end's system does that hears nothing of the other's host.
    pub fn lose(&self) {
        for pipe in [&self.out, &self.back].into_iter().filter_map(Weak::upgrade) {
            lock(&pipe).lose();
        }
    }

    /// Holds up what is on its way in one direction, or lets it go on.
    pub fn stall(&self, direction: Direction, stalled: bool) {
        if let Some(pipe) = self.pipe(direction).upgrade() {
            lock(&pipe).stall(stalled);
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let coop = ready!(coop::poll_proceed(context));
        loop {
            let before = into.filled().len();
            let found = lock(&self.inbound).read(context, into);
            match found? {
                Found::Read => {
                    coop.made_progress();
                    let bytes = into.filled().get(before..).unwrap_or_default();
                    self.tell(self.reads, Passage::Read(bytes));
                    return Poll::Ready(Ok(()));
                }
                Found::Nothing => return Poll::Pending,
                Found::Later(at) => {
                    let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
                    timer.as_mut().reset(at);
                    ready!(timer.as_mut().poll(context));
                }
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let coop = ready!(coop::poll_proceed(context));
        let taken = ready!(lock(&self.outbound).write(context, bytes))?;
        coop.made_progress();
        let other = match self.reads {
            Direction::Out => Direction::Back,
            Direction::Back => Direction::Out,
        };
        self.tell(other, Passage::Written(bytes.get(..taken).unwrap_or_default()));
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.outbound).end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let unread = lock(&self.inbound).deafen();
        let mut outbound = lock(&self.outbound);
        outbound.end();
        if unread {
            let after = outbound.delay();
            outbound.reset(after);
        }
    }
}

impl Debug for Socket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Socket")
            .field("route", &self.route)
            .field("reads", &self.reads)
            .finish_non_exhaustive()
    }
}

fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    // Nothing panics between two states of a pipe.
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}
