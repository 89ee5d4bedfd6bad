//! What can be known of a client besides its bytes.

use std::io;
use std::mem::MaybeUninit;

use futures_util::FutureExt;
use socket2::SockRef;
use tokio::io::{DuplexStream, Interest, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::unconstrained;

use crate::dial::Stream;

/// A client's connection.
pub trait Client: Stream {
    /// What is known of the other end, without waiting and without reading.
    fn peer(&self) -> Peer;

    /// Whether bytes have come of which the task may not have been told yet, so that a read would still wait for them.
    fn has_unread(&self) -> bool;
}

/// What is known of the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// It may send and read.
    Open,
    /// It sends nothing more. Whether it still reads cannot be told.
    Finished,
    /// It is gone.
    Gone,
}

impl Client for TcpStream {
    fn peer(&self) -> Peer {
        seen(&self.take_error(), unconstrained(self.ready(Interest::READABLE)).now_or_never().as_ref())
    }

    fn has_unread(&self) -> bool {
        SockRef::from(self).peek(&mut [MaybeUninit::uninit()]).is_ok_and(|bytes| bytes > 0)
    }
}

impl Client for UnixStream {
    fn peer(&self) -> Peer {
        seen(&self.take_error(), unconstrained(self.ready(Interest::READABLE)).now_or_never().as_ref())
    }

    fn has_unread(&self) -> bool {
        SockRef::from(self).peek(&mut [MaybeUninit::uninit()]).is_ok_and(|bytes| bytes > 0)
    }
}

/// What the system's words say of a peer: its error, and what a socket is ready for, if for anything.
fn seen(error: &io::Result<Option<io::Error>>, ready: Option<&io::Result<Ready>>) -> Peer {
    if !matches!(error, Ok(None)) {
        return Peer::Gone;
    }
    match ready {
        Some(Ok(ready)) if ready.is_read_closed() => Peer::Finished,
        Some(Err(_)) => Peer::Gone,
        Some(Ok(_)) | None => Peer::Open,
    }
}

/// A pipe inside the process: nothing but reading and writing tells of its other end.
impl Client for DuplexStream {
    fn peer(&self) -> Peer {
        Peer::Open
    }

    fn has_unread(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::{Accept, Bind, Bound, Sockets};
    use crate::dial::Tcp;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;

    /// Waits until the client of a connection, which does as told, is known to be in a state.
    async fn becomes(linger: Option<Duration>, unread: bool, expected: Peer) {
        let door = Sockets::default().bind("one", "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = door.address().unwrap();
        let (dialled, accepted) = tokio::join!(crate::dial::Dial::dial(&Tcp, address), door.accept());
        let (mut client, (mut stream, _)) = (dialled.unwrap(), accepted.unwrap());
        assert_eq!(stream.peer(), Peer::Open);
        client.write_all(b"unread").await.unwrap();
        if unread {
            stream.write_all(b"unread").await.unwrap();
        }
        let _ = SockRef::from(&stream).set_linger(linger);
        drop(client);
        while stream.peer() != expected {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_client_that_closes_is_known_to_behind_bytes_that_nobody_reads() {
        becomes(None, false, Peer::Finished).await;
    }

    #[tokio::test]
    async fn a_client_that_closes_without_reading_is_gone() {
        becomes(None, true, Peer::Gone).await;
    }
}
