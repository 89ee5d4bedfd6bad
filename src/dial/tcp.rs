//! Connections over TCP, of which the system itself finds out within seconds that their peer's host is lost.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{Dial, Stream, found};

/// Dials over TCP, without Nagle's delay.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Dial for Tcp {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        async move { Ok(Box::new(Guarded::new(connect(address).await?)) as Box<dyn Stream>) }.boxed()
    }

    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        async move { found(tokio::net::lookup_host((host, port)).await?.collect(), host) }.boxed()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that opens TCP connections")]
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(ASKED_AFTER).with_interval(ASKED_EVERY).with_retries(QUESTIONS);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

/// A connection that the system ends when its peer's host acknowledges nothing for [`LOST_AFTER`]: neither a question
/// after a silence, nor what was written. A peer that is only slow, or stopped, lives on: its host answers for it.
///
/// The bound on what was written counts the time for which a peer reads nothing, too. So it is lifted for good once more was
/// written since the peer was last heard than its host surely takes: how much of it is read cannot be known from here.
#[derive(Debug)]
struct Guarded {
    stream: TcpStream,
    /// Bytes written since something was last read.
    unanswered: usize,
    bound: Bound,
}

/// How long written bytes may lie unacknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// For [`LOST_AFTER`].
    Ours,
    /// For as long as the system has it: many minutes.
    System,
}

impl Guarded {
    fn new(stream: TcpStream) -> Self {
        // Where the system knows no such bound, silence and checks find a lost host.
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(LOST_AFTER));
        Self { stream, unanswered: 0, bound: Bound::Ours }
    }

    fn before_write(&mut self, length: usize) {
        if self.bound == Bound::Ours && self.unanswered.saturating_add(length) > TAKEN_UNREAD {
            let _ = SockRef::from(&self.stream).set_tcp_user_timeout(None);
            self.bound = Bound::System;
        }
    }

    fn written(&mut self, count: usize) -> Poll<io::Result<usize>> {
        self.unanswered = self.unanswered.saturating_add(count);
        Poll::Ready(Ok(count))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        if into.filled().len() > before {
            self.unanswered = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.before_write(bytes.len());
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.written(count)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.before_write(parts.iter().map(|part| part.len()).sum());
        let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, parts))?;
        self.written(count)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Silence after which the system asks the peer's host whether it is still there: rarely while calls come and go, and one
/// packet in two seconds for a call that takes long.
const ASKED_AFTER: Duration = Duration::from_secs(2);
/// Time between two such questions.
const ASKED_EVERY: Duration = Duration::from_secs(1);
/// Questions without an answer after which the host is lost.
const QUESTIONS: u32 = 3;
/// The same in all, and for what was written: three retransmissions in a row get lost on no network that works, and a
/// link that fails over is back.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// Bytes that a host takes though its process reads nothing: a quarter of the window that systems begin with.
const TAKEN_UNREAD: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (Guarded, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = connect(listener.local_addr().unwrap()).await.unwrap();
        (Guarded::new(near), listener.accept().await.unwrap().0)
    }

    /// How long the system lets written bytes lie unacknowledged.
    fn bound(guarded: &Guarded) -> Option<Duration> {
        SockRef::from(&guarded.stream).tcp_user_timeout().unwrap()
    }

    #[tokio::test]
    async fn a_connection_has_no_delay_and_is_asked_after_a_silence_of_seconds() {
        let (near, _far) = pair().await;
        assert!(near.stream.nodelay().unwrap());
        let socket = SockRef::from(&near.stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), ASKED_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), ASKED_EVERY);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), QUESTIONS);
        assert_eq!(bound(&near), Some(LOST_AFTER));
        assert_eq!(ASKED_AFTER + QUESTIONS * ASKED_EVERY, LOST_AFTER);
    }

    /// Else a peer that is busy with something else would be taken for lost by who writes it more than its host takes.
    #[tokio::test]
    async fn what_a_peer_may_leave_unread_has_no_bound() {
        let (mut near, mut far) = pair().await;
        for _ in 0..2 {
            near.write_all(&[0; TAKEN_UNREAD]).await.unwrap();
            far.write_all(&[1]).await.unwrap();
            near.read_u8().await.unwrap();
        }
        near.write_all(&[0; TAKEN_UNREAD]).await.unwrap();
        assert_eq!(bound(&near), Some(LOST_AFTER));
        near.write_all(&[0]).await.unwrap();
        assert_eq!(bound(&near), None);
    }

    #[tokio::test]
    async fn one_large_write_has_no_bound_either() {
        let (mut near, _far) = pair().await;
        let parts = [io::IoSlice::new(&[0; TAKEN_UNREAD]), io::IoSlice::new(&[0])];
        assert_eq!(near.write_vectored(&parts).await.unwrap(), TAKEN_UNREAD + 1);
        assert_eq!(bound(&near), None);
    }

    #[tokio::test]
    async fn a_literal_address_is_its_own_answer() {
        let addresses = Tcp.resolve("127.0.0.1", 6379).await.unwrap();
        assert_eq!(addresses, vec!["127.0.0.1:6379".parse().unwrap()]);
    }
}
