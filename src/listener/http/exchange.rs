//! What the connection of one request reads and writes: a message that is all here, and its reply.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::accept::{Client, Peer};

/// Both directions of a connection that has one message to read.
#[derive(Debug)]
pub(super) struct Exchange {
    unread: Bytes,
    written: BytesMut,
    is_shut: bool,
}

impl Exchange {
    /// Nothing of `frame` is read yet.
    pub(super) fn new(frame: Bytes) -> Self {
        Self { unread: frame, written: BytesMut::new(), is_shut: false }
    }

    /// What was written to it.
    pub(super) fn into_written(self) -> Bytes {
        self.written.freeze()
    }
}

impl AsyncRead for Exchange {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.unread.len().min(into.remaining());
        into.put_slice(self.unread.get(..count).unwrap_or_default());
        self.unread.advance(count);
        // Nobody wakes who waits for more: its connection ends by itself.
        if count > 0 || self.is_shut { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncWrite for Exchange {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_shut = true;
        Poll::Ready(Ok(()))
    }
}

impl Client for Exchange {
    fn peer(&self) -> Peer {
        Peer::Open
    }

    fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }
}
