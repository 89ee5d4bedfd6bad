//! The system's listening sockets: those that the process was given, and those that it binds itself.

use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Accept, Asker, Bind, Bound};

/// Binds over TCP. What was given is used first, and bound is what is missing. Clones have the same sockets.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    given: Arc<Mutex<Vec<Given>>>,
    bound: Arc<Mutex<Vec<Weak<Open>>>>,
    /// Another gateway has handed its sockets over, and ends when this one serves.
    relieves: Arc<AtomicBool>,
}

/// A listening socket that the process was given.
#[derive(Debug)]
pub(super) struct Given {
    /// What its giver calls it.
    pub(super) name: Option<String>,
    /// Where it is bound.
    pub(super) address: SocketAddr,
    pub(super) socket: net::TcpListener,
    /// Whoever opened it keeps it open: what waits there when this process stops is for the next one.
    pub(super) is_kept: bool,
}

/// A bound address.
#[derive(Debug)]
pub struct Listening(Arc<Open>);

/// Its socket, as long as anybody listens there.
#[derive(Debug)]
pub(super) struct Open {
    socket: TcpListener,
    is_kept: bool,
    /// Another process accepts there in place of this one.
    passed_on: CancellationToken,
}

impl Sockets {
    /// With sockets that the process was given.
    pub(super) fn having(given: Vec<Given>) -> Self {
        Self { given: Arc::new(Mutex::new(given)), ..Self::default() }
    }

    /// Adds sockets that another gateway has handed over.
    pub(super) fn add(&self, given: Vec<Given>) {
        self.relieves.store(true, Ordering::Release);
        self.given().extend(given);
    }

    /// Those that somebody listens on.
    pub(super) fn open(&self) -> Vec<Arc<Open>> {
        self.bound().iter().filter_map(Weak::upgrade).collect()
    }

    /// Closes the sockets that were given and not bound since.
    pub(crate) fn close_rest(&self) {
        for Given { name, address, .. } in self.given().drain(..) {
            let name = name.unwrap_or_default();
            warn!(name, %address, "a socket was given that belongs to no listener, and is closed");
        }
    }

    /// The socket on which somebody listens at this very address.
    fn shared(&self, address: SocketAddr) -> Option<Arc<Open>> {
        let is_there = |open: &Arc<Open>| open.address().is_ok_and(|bound| bound == address);
        self.open().into_iter().find(|open| is_there(open) && !open.passed_on.is_cancelled())
    }

    /// The socket that was given for what has this name or address. One that has both comes first.
    fn take(&self, name: &str, address: SocketAddr) -> Option<Given> {
        let mut given = self.given();
        let named = |given: &Given| given.name.as_deref() == Some(name);
        let bound = |given: &Given| covers(given.address, address);
        let at = (given.iter().position(|given| named(given) && bound(given)))
            .or_else(|| given.iter().position(named))
            .or_else(|| given.iter().position(bound))?;
        Some(given.remove(at))
    }

    fn bound(&self) -> MutexGuard<'_, Vec<Weak<Open>>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn given(&self) -> MutexGuard<'_, Vec<Given>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a socket bound to `given` is what was to be bound to `wanted`: systemd binds a bare port for IPv6 and IPv4 at once.
fn covers(given: SocketAddr, wanted: SocketAddr) -> bool {
    let is_any = given.is_ipv6() && given.ip().is_unspecified() && wanted.ip().is_unspecified();
    given == wanted || is_any && given.port() == wanted.port()
}

impl Bind for Sockets {
    type Socket = Listening;

    fn bind(&self, name: &str, address: SocketAddr) -> io::Result<Listening> {
        // What moves from one listener to another keeps who waits there.
        if let Some(open) = self.shared(address) {
            return Ok(Listening(open));
        }
        let (socket, is_kept) = match self.take(name, address) {
            Some(Given { address, socket, is_kept, .. }) => {
                info!(name, %address, "the socket was given");
                (socket, is_kept)
            }
            None => (bind(address)?, false),
        };
        socket.set_nonblocking(true)?;
        let passed_on = CancellationToken::new();
        let open = Arc::new(Open { socket: TcpListener::from_std(socket)?, is_kept, passed_on });
        self.bound().push(Arc::downgrade(&open));
        Ok(Listening(open))
    }

    fn relieves(&self) -> bool {
        self.relieves.load(Ordering::Acquire)
    }
}

impl Open {
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Leaves all who connect from here on to another process.
    pub(super) fn pass_on(&self) {
        self.passed_on.cancel();
    }
}

impl AsFd for Open {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn bind(address: SocketAddr) -> io::Result<net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Bound for Listening {
    fn address(&self) -> io::Result<SocketAddr> {
        self.0.address()
    }
}

impl Accept for Listening {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Asker)> {
        let Open { socket, passed_on, .. } = &*self.0;
        match passed_on.run_until_cancelled(socket.accept()).await {
            Some(accepted) => accepted.map(|(stream, from)| (stream, from.into())),
            None => std::future::pending().await,
        }
    }

    fn waiting(&self) -> Option<(TcpStream, Asker)> {
        let Open { socket, is_kept, passed_on } = &*self.0;
        let is_shared = Arc::strong_count(&self.0) > 1;
        if *is_kept || is_shared || passed_on.is_cancelled() {
            return None;
        }
        // The runtime may not have heard of them yet.
        let (stream, from) = SockRef::from(socket).accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream.into()).ok()?, from.as_socket()?.into()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use tokio::io::AsyncReadExt;

    fn given(name: &str, address: &str) -> (Given, SocketAddr) {
        let socket = net::TcpListener::bind(address).unwrap();
        let address = socket.local_addr().unwrap();
        let name = Some(name).filter(|name| !name.is_empty()).map(str::to_owned);
        (Given { name, address, socket, is_kept: true }, address)
    }

    #[tokio::test]
    async fn a_socket_goes_to_who_has_its_name_and_else_to_who_has_its_address() {
        let (one, first) = given("users", "127.0.0.1:0");
        let (two, second) = given("larder.socket", "127.0.0.1:0");
        let (three, third) = given("users", "127.0.0.1:0");
        let sockets = Sockets::having(vec![one, two, three]);
        assert_eq!(sockets.bind("users", third).unwrap().address().unwrap(), third);
        assert_eq!(sockets.bind("orders", second).unwrap().address().unwrap(), second);
        let other = "127.0.0.1:0".parse().unwrap();
        assert_eq!(sockets.bind("users", other).unwrap().address().unwrap(), first);
        assert!(![first, second, third].contains(&sockets.bind("users", other).unwrap().address().unwrap()));
    }

    #[test]
    fn a_socket_for_all_addresses_is_for_those_of_either_version() {
        let covers = |given: &str, wanted: &str| covers(given.parse().unwrap(), wanted.parse().unwrap());
        assert!(covers("[::]:9090", "0.0.0.0:9090") && covers("[::]:9090", "[::]:9090"));
        assert!(!covers("[::]:9090", "0.0.0.0:9091") && !covers("[::]:9090", "127.0.0.1:9090"));
        assert!(!covers("0.0.0.0:9090", "[::]:9090"));
    }

    #[tokio::test]
    async fn an_address_that_moves_to_another_keeps_its_socket_and_who_waits_there() {
        let sockets = Sockets::default();
        let old = sockets.bind("users", "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = old.address().unwrap();
        let client = net::TcpStream::connect(address).unwrap();
        let new = sockets.bind("people", address).unwrap();
        assert!(old.waiting().is_none(), "who waits is left to the new one");
        drop(old);
        assert_eq!(new.accept().await.unwrap().1, client.local_addr().unwrap().into());
        assert_eq!(sockets.open().len(), 1);
    }

    #[tokio::test]
    async fn what_nobody_is_to_have_is_closed() {
        let (one, address) = given("users", "127.0.0.1:0");
        Sockets::having(vec![one]).close_rest();
        assert!(net::TcpStream::connect(address).is_err());
    }

    #[tokio::test]
    async fn who_waits_is_left_to_the_next_where_the_socket_was_given() {
        let (one, kept) = given("", "127.0.0.1:0");
        let sockets = Sockets::having(vec![one]);
        for (address, waits) in [(kept, false), ("127.0.0.1:0".parse().unwrap(), true)] {
            let socket = sockets.bind("users", address).unwrap();
            let mut client = net::TcpStream::connect(socket.address().unwrap()).unwrap();
            client.write_all(b"hello").unwrap();
            let waiting = socket.waiting();
            assert_eq!(waiting.is_some(), waits);
            if let Some((mut stream, from)) = waiting {
                assert_eq!(from, client.local_addr().unwrap().into());
                stream.read_exact(&mut [0; 5]).await.unwrap();
                assert!(socket.waiting().is_none());
            }
        }
    }
}
