//! A network inside one process: dialling hands a duplex stream to whoever listens on the address.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use super::{Dial, Stream, found};

/// A simulated network. Clones are the same network.
#[derive(Debug, Clone, Default)]
pub struct Simulated {
    network: Arc<Mutex<Network>>,
}

impl Simulated {
    /// Accepts what is dialled to `address` from here on, in place of whoever listened there before. Up to `backlog`
    /// (at least 1) connections wait to be received; dialling then hangs, as it does against a full backlog. Dropping
    /// the receiver makes the address refuse.
    pub fn listen(&self, address: SocketAddr, backlog: usize) -> mpsc::Receiver<DuplexStream> {
        let (arrivals, accepted) = mpsc::channel(backlog.max(1));
        self.network().listeners.insert(address, arrivals);
        accepted
    }

    /// Makes `host` resolve to `addresses`, in place of what it resolved to before.
    pub fn name(&self, host: &str, addresses: Vec<IpAddr>) {
        self.network().names.insert(host.to_owned(), addresses);
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        // The maps are whole between any two statements, so a panic elsewhere cannot have left them half changed.
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dial for Simulated {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let listener = self.network().listeners.get(&address).cloned();
        async move {
            let arrivals = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
            let (near, far) = tokio::io::duplex(SOCKET_BUFFER);
            arrivals.send(far).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
            Ok(Box::new(near) as Box<dyn Stream>)
        }
        .boxed()
    }

    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let literal = host.parse().ok().map(|address: IpAddr| vec![address]);
        let addresses = literal.or_else(|| self.network().names.get(host).cloned()).unwrap_or_default();
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        std::future::ready(found(addresses, host)).boxed()
    }
}

#[derive(Debug, Default)]
struct Network {
    listeners: HashMap<SocketAddr, mpsc::Sender<DuplexStream>>,
    names: HashMap<String, Vec<IpAddr>>,
}

/// Bytes each direction of a simulated connection holds before its writer waits, as a socket's buffers would.
const SOCKET_BUFFER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn address() -> SocketAddr {
        "10.0.0.1:9090".parse().unwrap()
    }

    #[tokio::test]
    async fn what_is_dialled_arrives_at_the_listener() {
        let network = Simulated::default();
        let mut accepted = network.listen(address(), 1);
        let mut near = network.dial(address()).await.unwrap();
        let mut far = accepted.recv().await.unwrap();
        near.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
    }

    #[tokio::test]
    async fn an_address_nobody_listens_on_refuses() {
        let network = Simulated::default();
        let refused = network.dial(address()).await.map(drop).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        drop(network.listen(address(), 1));
        let refused = network.dial(address()).await.map(drop).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn names_resolve_as_told() {
        let network = Simulated::default();
        network.name("db", vec![address().ip()]);
        assert_eq!(network.resolve("db", 9090).await.unwrap(), vec![address()]);
        assert_eq!(network.resolve("10.0.0.1", 9090).await.unwrap(), vec![address()]);
        assert!(network.resolve("elsewhere", 9090).await.is_err());
    }
}
