//! Listening sockets go from a running gateway to the one that takes its place, through a socket in the file system.
//!
//! The new gateway connects to the old one's socket and gets all its listening sockets, this one too. Both have them from then on. When the
//! new one serves, it says which of them it has taken; the old one accepts nothing more there, and ends. Until then the old one serves as
//! if nothing were, so that a start that fails, or hangs, harms nobody.
//!
//! | from | byte | with it |
//! |---|---|---|
//! | old | `l`, or `k` if whoever gave it to the old one keeps it | a listening TCP socket |
//! | old | `h` | the socket for handovers, last |
//! | new | `t` taken, `r` refused | for each TCP socket, in their order |

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net;
use std::path::Path;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::descriptors::{receive, send};
use super::local::listen;
use super::sockets::{Given, Sockets};
use crate::dial;

/// By which a gateway is asked for its sockets.
#[derive(Debug)]
pub(crate) struct Handover {
    asked: UnixListener,
}

/// The gateway whose place this one is about to take.
#[derive(Debug)]
pub(crate) struct Predecessor {
    stream: UnixStream,
    /// Of the sockets that it handed over, in their order.
    addresses: Vec<SocketAddr>,
    handover: Handover,
}

impl Predecessor {
    /// Asks the gateway that listens at `path` for its sockets, which `sockets` has from then on. Nothing if there is no such gateway.
    ///
    /// # Errors
    /// What the system says; a gateway that does not hand over within [`PATIENCE`] is [`io::ErrorKind::TimedOut`].
    pub(crate) async fn ask(path: &Path, sockets: &Sockets) -> io::Result<Option<Self>> {
        use io::ErrorKind::{ConnectionRefused, NotFound};
        let stream = match dial::local(path).await {
            Ok(stream) => stream,
            // A file may be left of one that has ended.
            Err(error) if matches!(error.kind(), NotFound | ConnectionRefused) => return Ok(None),
            Err(error) => return Err(error),
        };
        let (given, handover) = timeout(PATIENCE, handed_over(&stream)).await??;
        let addresses: Vec<_> = given.iter().map(|given| given.address).collect();
        info!(sockets = addresses.len(), "the gateway that runs hands its sockets over");
        sockets.add(given);
        Ok(Some(Self { stream, addresses, handover }))
    }

    /// Says that this gateway serves now, and on which of the sockets. The other one ends.
    pub(crate) async fn relieve(self, sockets: &Sockets) -> Handover {
        let bound: Vec<_> = sockets.open().iter().filter_map(|open| open.address().ok()).collect();
        for address in &self.addresses {
            let word = if bound.contains(address) { TAKEN } else { REFUSED };
            if let Err(error) = send(&self.stream, word, None).await {
                warn!(%error, "the gateway that ran has ended before it was told to");
                break;
            }
        }
        self.handover
    }
}

/// All that the gateway at the other end has.
async fn handed_over(stream: &UnixStream) -> io::Result<(Vec<Given>, Handover)> {
    let mut given = Vec::new();
    loop {
        let (what, Some(descriptor)) = receive(stream).await? else { return Err(nonsense()) };
        let is_kept = match what {
            OWN => false,
            KEPT => true,
            LAST => return Ok((given, Handover::of(descriptor.into())?)),
            _ => return Err(nonsense()),
        };
        let socket = TcpListener::from(descriptor);
        given.push(Given { name: None, address: socket.local_addr()?, socket, is_kept });
    }
}

impl Handover {
    /// Listens at `path`, where only the gateway's own user may ask. What another gateway has left there is replaced, and nothing else.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        Self::of(listen(path)?)
    }

    fn of(socket: net::UnixListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { asked: UnixListener::from_std(socket)? })
    }

    /// Hands the sockets over to whoever asks, one after another, until one of them serves in place of this gateway. What the next one is to
    /// find when it starts is done `before`.
    pub(crate) async fn taken(&self, sockets: &Sockets, before: impl AsyncFn()) {
        while let Err(error) = self.hand_over(sockets, &before).await {
            warn!(%error, "a handover came to nothing, and this gateway goes on");
            sleep(PAUSE).await;
        }
    }

    async fn hand_over(&self, sockets: &Sockets, before: impl AsyncFn()) -> io::Result<()> {
        let (stream, _) = self.asked.accept().await?;
        info!("another gateway asks for the sockets");
        before().await;
        let open = sockets.open();
        for socket in &open {
            send(&stream, if socket.is_kept() { KEPT } else { OWN }, Some(socket.as_fd())).await?;
        }
        send(&stream, LAST, Some(self.asked.as_fd())).await?;
        let mut taken = Vec::new();
        for socket in open {
            match receive(&stream).await? {
                (TAKEN, None) => taken.push(socket),
                (REFUSED, None) => {}
                _ => return Err(nonsense()),
            }
        }
        taken.iter().for_each(|socket| socket.pass_on());
        Ok(())
    }
}

fn nonsense() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what is at the other end is no gateway, or speaks otherwise")
}

const OWN: u8 = b'l';
const KEPT: u8 = b'k';
const LAST: u8 = b'h';
const TAKEN: u8 = b't';
const REFUSED: u8 = b'r';

/// How long a gateway may take to hand over: it may be busy with another.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before the next is handed anything after one has failed.
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::accept::sockets::Listening;
    use crate::accept::{Accept, Bind, Bound};
    use futures_util::FutureExt;

    const ANY: &str = "127.0.0.1:0";

    fn bound(sockets: &Sockets, address: SocketAddr) -> Listening {
        sockets.bind("users", address).unwrap()
    }

    /// A gateway with a socket, and where it is asked.
    fn gateway(folder: &Path) -> (Sockets, Listening, Handover) {
        let sockets = Sockets::default();
        let socket = bound(&sockets, ANY.parse().unwrap());
        (sockets, socket, Handover::bind(&folder.join("handover")).unwrap())
    }

    #[tokio::test]
    async fn what_is_taken_is_accepted_by_the_next_alone_and_what_is_refused_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("handover");
        let (old, first, handover) = gateway(folder.path());
        let second = bound(&old, ANY.parse().unwrap());
        let new = Sockets::default();
        let next = async {
            let predecessor = Predecessor::ask(&path, &new).await.unwrap().unwrap();
            let taken = bound(&new, first.address().unwrap());
            new.close_rest();
            (predecessor.relieve(&new).await, taken)
        };
        let ((_next, taken), ()) = tokio::join!(next, handover.taken(&old, async || {}));
        let _clients = [&first, &second].map(|socket| net_client(socket.address().unwrap()));
        assert!(first.accept().now_or_never().is_none() && first.waiting().is_none());
        assert!(taken.accept().await.is_ok() && second.waiting().is_some());
    }

    fn net_client(address: SocketAddr) -> std::net::TcpStream {
        std::net::TcpStream::connect(address).unwrap()
    }

    #[tokio::test]
    async fn a_gateway_goes_on_when_the_next_one_does_not_come_to_serve() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("handover");
        let (old, socket, handover) = gateway(folder.path());
        let failing = async {
            drop(Predecessor::ask(&path, &Sockets::default()).await.unwrap().unwrap());
        };
        let ((), handed_over) = tokio::join!(failing, handover.hand_over(&old, async || {}));
        assert!(handed_over.is_err());
        let _client = net_client(socket.address().unwrap());
        assert!(socket.accept().await.is_ok());
    }

    #[tokio::test]
    async fn its_own_user_alone_may_ask_and_no_other_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("handover");
        assert!(Predecessor::ask(&path, &Sockets::default()).await.unwrap().is_none());
        drop(Handover::bind(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Predecessor::ask(&path, &Sockets::default()).await.unwrap().is_none());
        drop(Handover::bind(&path).unwrap());
        let file = folder.path().join("larder.toml");
        fs::write(&file, "").unwrap();
        assert_eq!(Handover::bind(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
