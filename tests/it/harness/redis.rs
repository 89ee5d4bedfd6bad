//! A real Redis without persistence, on a port that stays its own while it is down.

use std::net::SocketAddr;
use std::process::Command;

use redis::{Client, Commands, Connection};
use rustix::process::Signal;
use socket2::Socket;

use super::process::Process;
use super::{backend, eventually, server as servers};

/// Starts a Redis.
pub(crate) fn redis() -> Redis {
    let (reserved, address) = backend::reserve();
    let mut redis = Redis { process: server(address), address, _reserved: reserved };
    redis.comes_up();
    redis
}

#[derive(Debug)]
pub(crate) struct Redis {
    process: Process,
    address: SocketAddr,
    _reserved: Socket,
}

impl Redis {
    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it, with all it held.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it as SIGSTOP does: connections stand, nothing is answered.
    pub(crate) fn stop(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn cont(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Starts it again after a kill, empty, on the same port.
    pub(crate) fn restart(&mut self) {
        self.process = server(self.address);
        self.comes_up();
    }

    /// The keys of all entries.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.connection().keys("*").unwrap();
        keys.retain(|key| !key.contains("{marks}") && !key.contains(":lease:"));
        keys
    }

    /// The keys that match a pattern, as `redis-cli --scan` finds them.
    pub(crate) fn scan(&self, pattern: &str) -> Vec<String> {
        let mut connection = self.connection();
        let keys = connection.scan_match(pattern).unwrap();
        keys.map(|key| key.unwrap()).collect()
    }

    /// Forgets everything.
    pub(crate) fn flush(&self) {
        self.connection().flushall::<()>().unwrap();
    }

    /// The value of a key.
    pub(crate) fn value(&self, key: &str) -> Vec<u8> {
        self.connection().get(key).unwrap()
    }

    /// Puts another value in its place.
    pub(crate) fn set(&self, key: &str, value: &[u8]) {
        self.connection().set(key, value).unwrap()
    }

    /// Waits until there is exactly one key, and gives it.
    #[track_caller]
    pub(crate) fn only_key(&self) -> String {
        eventually(|| self.keys().len() == 1);
        self.keys().remove(0)
    }

    fn connection(&self) -> Connection {
        self.try_connection().expect("the test's own Redis answers")
    }

    fn try_connection(&self) -> Option<Connection> {
        Client::open(self.url()).ok()?.get_connection_with_timeout(super::PATIENCE).ok()
    }

    fn comes_up(&mut self) {
        eventually(|| {
            assert!(!self.process.has_ended(), "redis-server ended:\n{}", self.process.lines().join("\n"));
            self.try_connection().is_some()
        });
    }
}

fn server(address: SocketAddr) -> Process {
    let port = address.port().to_string();
    let mut command = Command::new(servers::program());
    command.args([
        "--bind",
        "127.0.0.1",
        "--port",
        &port,
        "--save",
        "",
        "--appendonly",
        "no",
        "--loglevel",
        "warning",
    ]);
    Process::start(&mut command)
}
