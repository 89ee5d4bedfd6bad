//! The only way out: every connection Larder opens, and every name it looks up, goes through here.

mod address;
mod end;
mod local;
mod refusal;
pub mod simulated;
mod tcp;

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

pub use address::Address;
pub(crate) use address::UNIX;
pub use end::End;
pub(crate) use local::{is_heard, local};
pub use refusal::Refusal;
pub(crate) use refusal::Unproven;
pub use simulated::Simulated;
pub use tcp::Tcp;

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

fn found(addresses: Vec<SocketAddr>, host: &str) -> io::Result<Vec<SocketAddr>> {
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address")));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_addresses_is_not_found() {
        assert_eq!(found(vec![], "nowhere").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
