//! A real Redis server that a test starts, stops and kills. The unit tests and those with whole gateways share it.

use std::env;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::{sleep, yield_now};
use std::time::Duration;

use redis::{Client, Cmd, Connection, FromRedisValue, RedisResult};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A Redis of the test's own, gone with the test.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    arguments: Vec<String>,
    child: Child,
    gone: bool,
    /// What it writes stays here.
    folder: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), &[&MEMORY_ALONE, arguments].concat(), free_port)
    }

    /// Starts one that may be part of a cluster.
    pub(crate) fn clustered() -> Self {
        let arguments = [
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes.conf",
            "--cluster-node-timeout",
            "1500",
            "--cluster-require-full-coverage",
            "no",
        ];
        // The servers of a cluster listen for each other on a port that is higher by 10000.
        let low = || (0..1_000).map(|_| free_port()).find(|port| *port < 55_000).unwrap();
        Self::start_in(tempfile::tempdir().unwrap(), &[&MEMORY_ALONE[..], &arguments].concat(), low)
    }

    /// Starts a sentinel that is told this.
    pub(crate) fn sentinel(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sentinel.conf"), text).unwrap();
        Self::start_in(folder, &["sentinel.conf", "--sentinel"], free_port)
    }

    /// The port may be taken by another between being found free and being bound: then the next one is tried.
    fn start_in(folder: TempDir, arguments: &[&str], port: impl Fn() -> u16) -> Self {
        let started = (0..10).find_map(|_| {
            let port = port();
            Some((spawn(&folder, arguments, port)?, port))
        });
        let (child, port) = started.unwrap();
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Self { port, arguments, child, gone: false, folder }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.gone = true;
    }

    /// Whether it was killed.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Starts it again after a kill.
    pub(crate) fn restart(&mut self) {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.child = spawn(&self.folder, &arguments, self.port).unwrap();
        self.gone = false;
    }

    /// The same with these arguments in place of the former.
    pub(crate) fn restart_with(&mut self, arguments: &[&str]) {
        self.arguments = MEMORY_ALONE.iter().chain(arguments).map(ToString::to_string).collect();
        self.restart();
    }

    pub(crate) fn signal(&self, which: Signal) {
        kill_process(Pid::from_child(&self.child), which).unwrap();
    }

    /// Asks until there is an answer: a server that changes its role ends its connections.
    pub(crate) fn ask<T: FromRedisValue>(&self, ask: &Cmd) -> T {
        loop {
            match self.try_ask(ask) {
                Err(error) if error.is_io_error() => sleep(Duration::from_millis(10)),
                answered => return answered.unwrap(),
            }
        }
    }

    /// Asks it something that may end the connection, or that it may not answer.
    pub(crate) fn try_ask<T: FromRedisValue>(&self, ask: &Cmd) -> RedisResult<T> {
        ask.query(&mut self.connection()?)
    }

    fn connection(&self) -> RedisResult<Connection> {
        let client = Client::open(format!("redis://127.0.0.1:{}", self.port))?;
        let connection = client.get_connection_with_timeout(ANSWERS_WITHIN)?;
        connection.set_read_timeout(Some(ANSWERS_WITHIN))?;
        Ok(connection)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already; either way nothing is left of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for what servers agree on among themselves.
pub(crate) fn settles(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("never happened: {what}");
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// What is started: `LARDER_REDIS_SERVER`, such as a Valkey, if it is given.
pub(crate) fn program() -> OsString {
    env::var_os("LARDER_REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
}

fn spawn(folder: &TempDir, arguments: &[&str], port: u16) -> Option<Child> {
    let mut command = Command::new(program());
    command.args(arguments).args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    let mut child = command.current_dir(folder.path()).stdout(Stdio::null()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() {
        if answers(port, child.id()) {
            return Some(child);
        }
        yield_now();
    }
    None
}

/// Whether the Redis on `port` is the process `id`, and not another test's that was faster. One that wants a login tells nobody.
fn answers(port: u16, id: u32) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return false;
    };
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let (mut told, mut part) = (String::new(), [0; 4096]);
    if stream.write_all(b"INFO server\r\n").is_err() {
        return false;
    }
    while let Ok(count @ 1..) = stream.read(&mut part) {
        told.push_str(&String::from_utf8_lossy(&part[..count]));
        if told.contains(&format!("process_id:{id}\r\n")) || told.starts_with("-NOAUTH") {
            return true;
        }
    }
    false
}

/// Nothing is written to disk.
const MEMORY_ALONE: [&str; 4] = ["--save", "", "--appendonly", "no"];
/// A server that is stopped does not.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
