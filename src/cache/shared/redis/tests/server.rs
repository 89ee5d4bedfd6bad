//! A real Redis server that a test starts, stops and kills.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use redis::aio::MultiplexedConnection;
use rustix::process::{Pid, Signal, kill_process};

use crate::dial::{Dial, Tcp};

/// A Redis of the test's own, gone with the test.
pub(super) struct Server {
    pub(super) port: u16,
    child: Child,
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

    fn start_on(port: u16, arguments: &[&str]) -> Option<Self> {
        let mut child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() {
            if answers(port, child.id()) {
                return Some(Self { port, child });
            }
            std::thread::yield_now();
        }
        None
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
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

    pub(super) async fn ask<T: redis::FromRedisValue>(&self, ask: &redis::Cmd) -> T {
        self.try_ask(ask).await.unwrap()
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

/// Whether the Redis on `port` is the process `id`, and not another test's that was faster.
fn answers(port: u16, id: u32) -> bool {
    let Ok(mut stream) = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return false;
    };
    let mut told = String::new();
    stream.write_all(b"INFO server\r\nQUIT\r\n").is_ok()
        && stream.read_to_string(&mut told).is_ok()
        && (told.contains(&format!("process_id:{id}\r\n")) || told.contains("NOAUTH"))
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
