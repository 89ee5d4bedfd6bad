//! A sample backend: the service of `idl/users.thrift`, on the official crate's blocking server, in a process of its own.
#![expect(clippy::print_stdout, reason = "tells the process that started it where it listens")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rand::Rng;
use thrift::protocol::{TBinaryInputProtocolFactory, TBinaryOutputProtocolFactory};
use thrift::server::TServer;
use thrift::transport::{TFramedReadTransportFactory, TFramedWriteTransportFactory};

use crate::clock::Clock;

use super::generated::users::{Address, NotFound, User, UserServiceSyncHandler, UserServiceSyncProcessor};

/// Where a sample backend listens.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The port on the loopback address; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

/// Why a sample backend ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackendError {
    /// No port could be had.
    #[error("no free port on the loopback address: {0}")]
    Port(io::Error),
    /// The server ended.
    #[error("the sample backend at {address} ended: {why}")]
    Ended {
        /// Where it listened.
        address: SocketAddr,
        /// What the server said.
        why: thrift::Error,
    },
}

/// Serves until its standard input ends, which is when the process that started it is gone. Prints its address once it accepts.
///
/// # Errors
/// If the port cannot be had.
pub(crate) fn run(arguments: &Arguments) -> Result<(), BackendError> {
    let address = address(arguments.port).map_err(BackendError::Port)?;
    thread::spawn(end_with_parent);
    thread::spawn(move || announce(address));
    let service = Users { address, clock: Clock::system() };
    let mut server = TServer::new(
        TFramedReadTransportFactory::new(),
        TBinaryInputProtocolFactory::new(),
        TFramedWriteTransportFactory::new(),
        TBinaryOutputProtocolFactory::new(),
        UserServiceSyncProcessor::new(service),
        WORKERS,
    );
    match server.listen(address) {
        Ok(()) => Ok(()),
        Err(why) => Err(BackendError::Ended { address, why }),
    }
}

/// Connections that one backend serves at a time: its server has one thread for each.
pub(crate) const WORKERS: usize = 24;

/// The name of user attribute that tells when the backend made its answer, in milliseconds since the Unix epoch.
pub(crate) const ANSWERED_AT: &str = "answered_at";

#[derive(Debug)]
struct Users {
    address: SocketAddr,
    clock: Clock,
}

impl Users {
    fn user(&self, id: i64) -> User {
        let pick = |names: &[&'static str], by: i64| {
            let at = usize::try_from(by).unwrap_or(0) % names.len().max(1);
            names.get(at).copied().unwrap_or("").to_owned()
        };
        let name = pick(&NAMES, id);
        let attributes = BTreeMap::from([
            (ANSWERED_AT.to_owned(), self.clock.now().0.to_string()),
            ("answered_by".to_owned(), self.address.to_string()),
        ]);
        let address = Address::new(format!("{} Mill Lane", id % 200), pick(&CITIES, id / 7), "IS".to_owned());
        User::new(id, name.clone(), format!("{}.{id}@example.org", name.to_lowercase()), attributes, address)
    }
}

impl UserServiceSyncHandler for Users {
    fn handle_get_user(&self, id: i64, _trace_id: String) -> thrift::Result<User> {
        work();
        if id < 0 {
            return Err(NotFound::new(id).into());
        }
        Ok(self.user(id))
    }

    fn handle_list_users(
        &self,
        ids: BTreeSet<i64>,
        _filter: BTreeMap<String, String>,
    ) -> thrift::Result<Vec<User>> {
        work();
        Ok(ids.into_iter().filter(|id| *id >= 0).map(|id| self.user(id)).collect())
    }

    fn handle_ping(&self) -> thrift::Result<()> {
        Ok(())
    }

    fn handle_rename_user(&self, _id: i64, _name: String) -> thrift::Result<()> {
        work();
        Ok(())
    }

    fn handle_touch(&self, _id: i64) -> thrift::Result<()> {
        Ok(())
    }
}

/// What a real service would spend on its database.
fn work() {
    thread::sleep(WORK);
}

/// A free port below the range that systems take outgoing ports from: while the backend is dead, a connection attempt to a port of that
/// range could be given the very same port as its own and reach itself.
fn address(port: u16) -> io::Result<SocketAddr> {
    if port != 0 {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let mut random = rand::rng();
    let candidates = (0..TRIES).map(|_| random.random_range(PORTS));
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in candidates {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(free) => return free.local_addr(),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Prints the address as soon as somebody accepts there.
fn announce(address: SocketAddr) {
    while TcpStream::connect(address).is_err() {
        thread::sleep(Duration::from_millis(5));
    }
    println!("{address}");
}

fn end_with_parent() {
    let mut nothing = [0; 64];
    let mut input = io::stdin();
    while matches!(input.read(&mut nothing), Ok(read) if read > 0) {}
    std::process::exit(0);
}

const WORK: Duration = Duration::from_millis(8);
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const TRIES: usize = 64;
const NAMES: [&str; 8] = ["Ada", "Bj\u{f6}rk", "Chidi", "Dagny", "Emre", "Freya", "Goro", "Halla"];
const CITIES: [&str; 5] = ["Akureyri", "Reykjav\u{ed}k", "Selfoss", "H\u{fa}sav\u{ed}k", "V\u{ed}k"];
