//! The only way in: every address that Larder listens on is bound here.

mod asker;
mod descriptors;
mod encrypted;
pub(crate) mod handover;
mod inherited;
mod local;
mod peer;
mod simulated;
mod sockets;

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;

pub(crate) use asker::Asker;
pub(crate) use inherited::inherited;
pub(crate) use local::Local;
pub(crate) use peer::{Client, Peer};
pub(crate) use sockets::Sockets;

/// Binds addresses. A type for each network, so that a connection's reads and writes are direct calls. Clones bind on the
/// same network.
pub trait Bind: Clone + Debug + Send + Sync + 'static {
    /// What is bound.
    type Socket: Bound;

    /// Listens on `address`, whose port may be 0 for any that is free, or on a socket that was given under `name`.
    ///
    /// # Errors
    /// What the system says of it: taken, not this machine's, not permitted.
    fn bind(&self, name: &str, address: SocketAddr) -> io::Result<Self::Socket>;

    /// Whether a gateway that runs still is to be relieved, so that what it listens on may be taken from it.
    fn relieves(&self) -> bool {
        false
    }
}

/// What is bound to an address of a network.
pub trait Bound: Accept {
    /// Where it is bound.
    ///
    /// # Errors
    /// What the system says.
    fn address(&self) -> io::Result<SocketAddr>;
}

/// What clients connect to.
pub trait Accept: Debug + Send + Sync + 'static {
    /// A client's connection.
    type Stream: Client + 'static;

    /// The next connection, and whose it is. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// What the system says; most often that no file descriptor is left.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Asker)>> + Send;

    /// A connection that has come already, if nobody else would ever accept it. To be asked for when no others are to be accepted.
    fn waiting(&self) -> Option<(Self::Stream, Asker)>;

    /// Makes a connection fit to carry calls. Apart from [`accept`](Self::accept), so that its own task does it.
    fn prepare(stream: &Self::Stream);
}
