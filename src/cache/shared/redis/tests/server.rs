//! A real Redis server that a test starts, stops and kills.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::dial::{Dial, Tcp};

/// A Redis of the test's own, gone with the test.
pub(super) struct Server {
    pub(super) port: u16,
    child: Child,
    gone: bool,
    /// What it writes stays here.
    _folder: TempDir,
}

impl Server {
    pub(super) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further arguments.
    pub(super) fn start_with(arguments: &[&str]) -> Self {
        // The port may be taken by another between being found free and being bound: then the next one is tried.
        (0..10).find_map(|_| Self::start_on(free_port(), arguments)).unwrap()
    }

    /// Starts one that may be part of a cluster, and keeps what it knows of it in this file.
    pub(super) fn clustered(file: &Path) -> Self {
        let arguments = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "1500",
            "--cluster-require-full-coverage",
            "no",
        ];
        // The servers of a cluster listen for each other on a port that is higher by 10000.
        let low = || (0..1_000).map(|_| free_port()).find(|port| *port < 55_000).unwrap();
        let start = |port| {
            let mut command = Command::new("redis-server");
            command.args(["--save", "", "--appendonly", "no", "--cluster-config-file"]).arg(file);
            Self::spawn(command.args(arguments), port)
        };
        (0..10).find_map(|_| start(low())).unwrap()
    }

    /// Starts a sentinel that keeps what it knows in this file.
    pub(super) fn sentinel(file: &Path) -> Self {
        let arguments = [file.to_str().unwrap(), "--sentinel"];
        (0..10).find_map(|_| Self::spawn(Command::new("redis-server").args(arguments), free_port())).unwrap()
    }

    fn start_on(port: u16, arguments: &[&str]) -> Option<Self> {
        let mut command = Command::new("redis-server");
        Self::spawn(command.args(["--save", "", "--appendonly", "no"]).args(arguments), port)
    }

    fn spawn(command: &mut Command, port: u16) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut child = command
            .current_dir(folder.path())
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() {
            if answers(port, child.id()) {
                return Some(Self { port, child, gone: false, _folder: folder });
            }
            std::thread::yield_now();
        }
        None
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.gone = true;
    }

    /// Whether it was killed.
    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    pub(super) fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// Starts it again after a kill, with further arguments.
    pub(super) fn restart_with(&mut self, arguments: &[&str]) {
        *self = Self::start_on(self.port, arguments).unwrap();
    }

    pub(super) fn signal(&self, which: Signal) {
        kill_process(Pid::from_child(&self.child), which).unwrap();
    }

    /// Asks until there is an answer: a server that changes its role ends its connections.
    pub(super) async fn ask<T: redis::FromRedisValue>(&self, ask: &redis::Cmd) -> T {
        loop {
            match self.try_ask(ask).await {
                Err(error) if error.is_io_error() => tokio::time::sleep(Duration::from_millis(10)).await,
                answered => return answered.unwrap(),
            }
        }
    }

    /// Asks it something that may end the connection.
    pub(super) async fn try_ask<T: redis::FromRedisValue>(&self, ask: &redis::Cmd) -> redis::RedisResult<T> {
        let stream = Tcp.dial((Ipv4Addr::LOCALHOST, self.port).into()).await.unwrap();
        let login = redis::RedisConnectionInfo::default();
        let (mut connection, driver) = MultiplexedConnection::new(&login, stream).await?;
        tokio::select! {
            biased;
            answer = ask.query_async(&mut connection) => answer,
            () = driver => Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already; either way nothing is left of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the Redis on `port` is the process `id`, and not another test's that was faster. One that wants a login tells nobody.
fn answers(port: u16, id: u32) -> bool {
    let Ok(mut stream) = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
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

pub(super) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
