//! A connection inside TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection inside TLS, `T` being the library's.
///
/// Where its peer ends without TLS' own farewell, which many libraries leave out, it has ended all the same: messages of Thrift and of HTTP
/// tell by themselves whether they are whole.
#[derive(Debug)]
pub(crate) struct Encrypted<T>(T);

impl<T> Encrypted<T> {
    pub(super) fn new(stream: T) -> Self {
        Self(stream)
    }

    /// The library's connection.
    pub(crate) fn inner(&self) -> &T {
        &self.0
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Encrypted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.0).poll_read(context, into));
        Poll::Ready(read.or_else(|error| match error.kind() == io::ErrorKind::UnexpectedEof {
            true => Ok(()),
            false => Err(error),
        }))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Encrypted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
