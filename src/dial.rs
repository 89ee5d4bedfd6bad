//! The only way out: every connection Larder opens, and every name it looks up, goes through here.

mod refusal;
pub mod simulated;

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

pub use refusal::Refusal;
pub use simulated::Simulated;

/// A connection in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens connections and looks up names. Neither is bounded in time: the caller brings the deadline.
pub trait Dial: Send + Sync + Debug {
    /// Opens a connection to `address`.
    ///
    /// # Errors
    /// What the system says of it; [`Refusal::of`] tells whom that blames.
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;

    /// The addresses behind `host`, in the resolver's order, each with `port`. A literal address is its own answer.
    ///
    /// # Errors
    /// What the resolver says; a name without addresses is [`io::ErrorKind::NotFound`].
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;
}

/// Dials over TCP, without Nagle's delay, with keepalive so that a silent peer's connection ends some day.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Dial for Tcp {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        async move { Ok(Box::new(connect(address).await?) as Box<dyn Stream>) }.boxed()
    }

    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        async move { found(tokio::net::lookup_host((host, port)).await?.collect(), host) }.boxed()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that opens TCP connections")]
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&keepalive())?;
    Ok(stream)
}

/// When the system asks whether a silent peer is still there.
pub fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL)
}

fn found(addresses: Vec<SocketAddr>, host: &str) -> io::Result<Vec<SocketAddr>> {
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address")));
    }
    Ok(addresses)
}

/// Silence after which the system asks whether the peer is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
/// Time between two such questions; Linux gives up after nine.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_tcp_connection_has_neither_delay_nor_silence_for_ever() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = connect(address).await.unwrap();
        assert!(stream.nodelay().unwrap());
        assert!(SockRef::from(&stream).keepalive().unwrap());
        assert!(Tcp.dial(address).await.is_ok());
    }

    #[tokio::test]
    async fn a_literal_address_is_its_own_answer() {
        let addresses = Tcp.resolve("127.0.0.1", 6379).await.unwrap();
        assert_eq!(addresses, vec!["127.0.0.1:6379".parse().unwrap()]);
    }

    #[test]
    fn a_name_without_addresses_is_not_found() {
        assert_eq!(found(vec![], "nowhere").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
