//! The only way in: every address that Larder listens on is bound here.

mod peer;
mod simulated;

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::dial::Tcp;

pub(crate) use peer::{Client, Peer};

/// Binds addresses. A type for each network, so that a connection's reads and writes are direct calls.
pub trait Bind: Debug + Send + Sync + 'static {
    /// What is bound.
    type Socket: Accept;

    /// Listens on `address`, whose port may be 0 for any that is free.
    ///
    /// # Errors
    /// What the system says of it: taken, not this machine's, not permitted.
    fn bind(&self, address: SocketAddr) -> io::Result<Self::Socket>;
}

/// A bound address that clients connect to.
pub trait Accept: Debug + Send + Sync + 'static {
    /// A client's connection.
    type Stream: Client + 'static;

    /// Where it is bound.
    ///
    /// # Errors
    /// What the system says.
    fn address(&self) -> io::Result<SocketAddr>;

    /// The next connection, and where it comes from. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// What the system says; most often that no file descriptor is left.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// Makes a connection fit to carry calls. Apart from [`accept`](Self::accept), so that its own task does it.
    fn prepare(stream: &Self::Stream);
}

impl Bind for Tcp {
    type Socket = TcpListener;

    fn bind(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    }
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    fn address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        Self::accept(self)
    }

    fn prepare(stream: &TcpStream) {
        // A reply goes out in one write; waiting to fill a segment would only delay it.
        let _ = stream.set_nodelay(true);
        // A client that vanished without a word is noticed, even if nothing is to be written to it.
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
        let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
    }
}

/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 1024;
/// Silence after which the system asks whether a client is still there: nobody waits for one that is gone, and there may be
/// thousands of them.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
/// Time between two such questions; Linux gives up after nine.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
