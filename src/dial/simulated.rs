//! A network inside one process: dialling hands one end of a simulated connection to whoever listens on the address.
//!
//! All time is tokio's, so a paused runtime drives it, and nothing in it is random but what a [`Path`] draws from its seed.

mod pipe;
mod socket;

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Debug};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::{Dial, Stream, found};

pub use pipe::Path;
pub use socket::{Link, Socket};

/// A simulated network. Clones are the same network, seen from the same host.
#[derive(Debug, Clone)]
pub struct Simulated {
    host: IpAddr,
    network: Arc<Mutex<Network>>,
}

/// Who opens a connection to whom; each has a number of its own, in the order they are dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Counts from 1.
    pub number: u64,
    /// The address that dials.
    pub from: SocketAddr,
    /// The address that is dialled.
    pub to: SocketAddr,
}

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From who dialled to who accepted.
    Out,
    /// From who accepted to who dialled.
    Back,
}

/// Bytes that passed one end of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage<'a> {
    /// The writer's socket took them.
    Written(&'a [u8]),
    /// The reader's socket gave them.
    Read(&'a [u8]),
}

type Weather = Box<dyn FnMut(&Route) -> [Path; 2] + Send>;
pub(super) type Tap = Arc<dyn Fn(&Route, Direction, Passage<'_>) + Send + Sync>;

impl Simulated {
    /// The same network as another host sees it: what it dials comes from `host`.
    #[must_use]
    pub fn host(&self, host: IpAddr) -> Self {
        Self { host, network: Arc::clone(&self.network) }
    }

    /// Accepts what is dialled to `address` from here on, in place of whoever listened there before. Up to `backlog`
    /// (at least 1) connections wait to be received; dialling then hangs, as it does against a full backlog. Dropping
    /// the receiver makes the address refuse.
    pub fn listen(&self, address: SocketAddr, backlog: usize) -> mpsc::Receiver<Socket> {
        let (arrivals, accepted) = mpsc::channel(backlog.max(1));
        self.network().listeners.insert(address, arrivals);
        accepted
    }

    /// Lets nothing be dialled to `address`, for this error number of the system, until told that there is none.
    pub fn fail(&self, address: SocketAddr, error: Option<i32>) {
        let failing = &mut self.network().failing;
        match error {
            Some(error) => drop(failing.insert(address, error)),
            None => drop(failing.remove(&address)),
        }
    }

    /// `address` itself, or the same host's next free port if its port is 0.
    pub fn free(&self, address: SocketAddr) -> SocketAddr {
        if address.port() != 0 {
            return address;
        }
        let network = self.network();
        let mut ports = FIRST_PORT..=u16::MAX;
        let free = ports.find(|port| !network.listeners.contains_key(&SocketAddr::new(address.ip(), *port)));
        SocketAddr::new(address.ip(), free.unwrap_or(FIRST_PORT))
    }

    /// Makes `host` resolve to `addresses`, in place of what it resolved to before.
    pub fn name(&self, host: &str, addresses: Vec<IpAddr>) {
        self.network().names.insert(host.to_owned(), addresses);
    }

    /// Makes no resolver answer for `host`.
    pub fn leave_unanswered(&self, host: &str) {
        self.network().unanswered.insert(host.to_owned());
    }

    /// Decides for each connection dialled from here on what its way there and its way back are like.
    pub fn weather(&self, weather: impl FnMut(&Route) -> [Path; 2] + Send + 'static) {
        self.network().weather = Some(Box::new(weather));
    }

    /// Tells `tap` of all bytes on the connections dialled from here on.
    pub fn tap(&self, tap: impl Fn(&Route, Direction, Passage<'_>) + Send + Sync + 'static) {
        self.network().tap = Some(Arc::new(tap));
    }

    /// The connections of which neither end is dropped, in the order they were dialled.
    pub fn links(&self) -> Vec<Link> {
        let mut network = self.network();
        network.links.retain(Link::is_open);
        network.links.clone()
    }

    fn connect(&self, to: SocketAddr) -> (Socket, Socket, Path) {
        let mut network = self.network();
        network.dialled += 1;
        // Ports of one host come again after some ten thousand connections, as they do in life.
        let port = u16::try_from(network.dialled % u64::from(u16::MAX - FIRST_PORT)).unwrap_or_default();
        let from = SocketAddr::new(self.host, FIRST_PORT + port);
        let route = Route { number: network.dialled, from, to };
        let paths = match &mut network.weather {
            Some(weather) => weather(&route),
            None => [Path::default(); 2],
        };
        let (near, far) = socket::pair(route, paths, network.tap.clone());
        network.links.push(near.link());
        (near, far, paths[0])
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        // The maps are whole between any two statements, so a panic elsewhere cannot have left them half changed.
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Simulated {
    fn default() -> Self {
        Self { host: IpAddr::V4(Ipv4Addr::LOCALHOST), network: Arc::default() }
    }
}

impl Dial for Simulated {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        async move { Ok(Box::new(self.dial_socket(address).await?) as Box<dyn Stream>) }.boxed()
    }

    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        if self.network().unanswered.contains(host) {
            return std::future::pending().boxed();
        }
        let literal = host.parse().ok().map(|address: IpAddr| vec![address]);
        let addresses = literal.or_else(|| self.network().names.get(host).cloned()).unwrap_or_default();
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        std::future::ready(found(addresses, host)).boxed()
    }
}

impl Simulated {
    /// Opens a connection to `address`, after one way there and back.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] where nobody listens; what [`fail`](Self::fail) was told.
    pub async fn dial_socket(&self, address: SocketAddr) -> io::Result<Socket> {
        if let Some(error) = self.network().failing.get(&address) {
            return Err(io::Error::from_raw_os_error(*error));
        }
        let (near, far, path) = self.connect(address);
        path.travel().await;
        let arrivals = self.network().listeners.get(&address).cloned();
        let arrivals = arrivals.ok_or(io::ErrorKind::ConnectionRefused)?;
        arrivals.send(far).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        path.travel().await;
        Ok(near)
    }
}

#[derive(Default)]
struct Network {
    listeners: HashMap<SocketAddr, mpsc::Sender<Socket>>,
    names: HashMap<String, Vec<IpAddr>>,
    unanswered: HashSet<String>,
    /// Error numbers in place of connections.
    failing: HashMap<SocketAddr, i32>,
    dialled: u64,
    weather: Option<Weather>,
    tap: Option<Tap>,
    links: Vec<Link>,
}

impl Debug for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Network")
            .field("listeners", &self.listeners)
            .field("names", &self.names)
            .field("dialled", &self.dialled)
            .finish_non_exhaustive()
    }
}

/// The first port of the range that connections are dialled from.
const FIRST_PORT: u16 = 32_768;

#[cfg(test)]
mod tests;
