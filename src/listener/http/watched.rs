//! A client's connection under HTTP: what was read of it before comes first, and its time has the bounds of every connection.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::listener::Settings;
use crate::listener::alarm::Alarm;
use crate::listener::end::End;

/// What the client of a connection is doing.
#[derive(Debug)]
pub(super) struct Watch(Mutex<State>);

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The bound that ended it.
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// It has no request under way.
    Idle(Instant),
    /// The head of a request has begun.
    Asking(Instant),
    /// A request is read or answered.
    Answered,
}

impl Default for Watch {
    fn default() -> Self {
        // What was read is the beginning of a head.
        Self(Mutex::new(State { phase: Phase::Asking(Instant::now()), end: None }))
    }
}

impl Watch {
    /// A request begins: its head is here.
    pub(super) fn begins(&self) {
        self.state().phase = Phase::Answered;
    }

    /// It is answered.
    pub(super) fn ends(&self) {
        self.state().phase = Phase::Idle(Instant::now());
    }

    /// The bound that has ended it, if one has.
    pub(super) fn end(&self) -> Option<End> {
        self.state().end.clone()
    }

    fn came(&self) {
        let mut state = self.state();
        if let Phase::Idle(_) = state.phase {
            state.phase = Phase::Asking(Instant::now());
        }
    }

    fn ended(&self, end: End) -> io::Error {
        self.state().end = Some(end);
        io::ErrorKind::TimedOut.into()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Two plain values at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    /// What was read before.
    read: BytesMut,
    watch: Arc<Watch>,
    message_time: Duration,
    write_time: Duration,
    idle_time: Option<Duration>,
    reading: Alarm,
    writing: Alarm,
    /// Since when it takes nothing.
    blocked: Option<Instant>,
}

impl<S> Watched<S> {
    /// A connection of which something was read.
    pub(super) fn new((stream, read): (S, BytesMut), settings: &Settings, watch: Arc<Watch>) -> Self {
        let Settings { message_time, write_time, idle_time, .. } = *settings;
        let (reading, writing) = (Alarm::default(), Alarm::default());
        Self { stream, read, watch, message_time, write_time, idle_time, reading, writing, blocked: None }
    }

    /// Nothing comes: whether that has lasted for too long.
    fn poll_waited(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let (until, end) = match self.watch.state().phase {
            Phase::Idle(since) => (self.idle_time.map(|bound| since + bound), End::Idle),
            Phase::Asking(since) => (Some(since + self.message_time), End::MessageTime),
            Phase::Answered => (None, End::MessageTime),
        };
        self.reading.poll(cx, until).map(|()| self.watch.ended(end))
    }

    /// What came of writing, or that nothing was taken for too long.
    fn poll_wrote<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.blocked = None;
            return wrote;
        }
        let until = *self.blocked.get_or_insert_with(Instant::now) + self.write_time;
        self.writing.poll(cx, Some(until)).map(|()| Err(self.watch.ended(End::WriteTime)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.read.is_empty() {
            let count = self.read.len().min(into.remaining());
            into.put_slice(self.read.get(..count).unwrap_or_default());
            self.read.advance(count);
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, into) {
            Poll::Ready(read) => {
                if into.filled().len() > before {
                    self.watch.came();
                }
                Poll::Ready(read)
            }
            Poll::Pending => self.poll_waited(cx).map(Err),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.poll_wrote(cx, wrote)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.poll_wrote(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.poll_wrote(cx, shut)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.poll_wrote(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
