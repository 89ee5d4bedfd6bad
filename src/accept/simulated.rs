//! The way in of a simulated network.

use std::io;
use std::net::SocketAddr;

use tokio::sync::{Mutex, mpsc};

use super::{Accept, Asker, Bind, Bound, Client, Peer};
use crate::dial::Simulated;
use crate::dial::simulated::Socket;

/// An address bound on a simulated network.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    arrivals: Mutex<mpsc::Receiver<Socket>>,
}

impl Bind for Simulated {
    type Socket = Door;

    fn bind(&self, _: &str, address: SocketAddr) -> io::Result<Door> {
        let address = self.free(address);
        Ok(Door { address, arrivals: Mutex::new(self.listen(address, BACKLOG)) })
    }
}

impl Bound for Door {
    fn address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Accept for Door {
    type Stream = Socket;

    async fn accept(&self) -> io::Result<(Socket, Asker)> {
        match self.arrivals.lock().await.recv().await {
            Some(socket) => {
                let from = socket.route().from;
                Ok((socket, from.into()))
            }
            // Another listens here now.
            None => std::future::pending().await,
        }
    }

    fn waiting(&self) -> Option<(Socket, Asker)> {
        let socket = self.arrivals.try_lock().ok()?.try_recv().ok()?;
        let from = socket.route().from;
        Some((socket, from.into()))
    }

    fn prepare(_: &Socket) {}
}

impl Client for Socket {
    fn peer(&self) -> Peer {
        match (self.is_reset(), self.has_ended()) {
            (true, _) => Peer::Gone,
            (false, true) => Peer::Finished,
            (false, false) => Peer::Open,
        }
    }

    /// A read finds at once what has come.
    fn has_unread(&self) -> bool {
        false
    }
}

/// Connections that wait until they are accepted.
const BACKLOG: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn what_is_dialled_is_accepted_with_its_address() {
        let network = Simulated::default();
        let door = network.bind("one", "10.0.0.1:0".parse().unwrap()).unwrap();
        let address = door.address().unwrap();
        assert_ne!(address.port(), 0);
        let mut client = network.host("10.0.0.7".parse().unwrap()).dial_socket(address).await.unwrap();
        let (mut stream, peer) = door.accept().await.unwrap();
        assert_eq!(peer.host().to_string(), "10.0.0.7");
        client.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
    }
}
