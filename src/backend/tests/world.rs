//! The prose that backend tests are written in: scripted servers on a simulated network.

#![allow(clippy::wildcard_enum_match_arm, reason = "a script names the acts that differ")]

pub(super) use std::net::SocketAddr;
pub(super) use std::sync::Arc;
pub(super) use std::time::Duration;

pub(super) use tokio::time::Instant;
pub(super) use tokio_util::sync::CancellationToken;

pub(super) use super::super::standing::{Standing, Why};
pub(super) use super::super::*;
pub(super) use super::act::Act;
pub(super) use super::asking::*;
pub(super) use crate::call::{Answer, Answering, Call, ClientId, Repeat, Returns, Said, Terms};
pub(super) use crate::fault::Fault;
pub(super) use crate::need::{Demand, Need};
pub(super) use crate::wire::{Protocol, Transport};

use std::collections::HashMap;
use std::sync::Mutex;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};

use super::replying::reply;
use crate::dial::simulated::Socket;
use crate::dial::{Dial, Simulated, Stream};
use crate::files::Memory;
use crate::wire::inbound::{Inbound, Look};
use crate::wire::message::{Header, Kind};
use crate::wire::{Bounds, Speech};

/// One server, its script and what it heard.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    script: Arc<Mutex<Act>>,
    /// What it does with the calls of one method.
    only: Arc<Mutex<HashMap<String, Act>>>,
    checks: Arc<Mutex<usize>>,
    heard: Arc<Mutex<Vec<Heard>>>,
    handled: Arc<Mutex<usize>>,
    ended: Arc<Mutex<Vec<usize>>>,
    opened: Arc<Mutex<usize>>,
    patience: Arc<Mutex<Patience>>,
    network: Simulated,
    ends: CancellationToken,
}

/// When a server ends a connection of itself.
#[derive(Clone, Copy, Debug, Default)]
struct Patience {
    /// When nothing came on it for this long.
    rest: Option<Duration>,
    /// When it was opened so long ago, whatever is under way.
    life: Option<Duration>,
    /// When it has answered with an exception.
    after_exceptions: bool,
}

/// A call as its server saw it.
#[derive(Clone, Debug)]
struct Heard {
    connection: usize,
    seqid: i32,
    name: String,
}

impl Server {
    pub(super) fn now(&self, act: Act) {
        *self.script.lock().unwrap() = act;
    }

    /// What it does with the calls of one method alone.
    pub(super) fn at(&self, method: &str, act: Act) {
        self.only.lock().unwrap().insert(method.to_owned(), act);
    }

    /// Ends connections on which nothing comes for `rest`.
    pub(super) fn lets_rest(&self, rest: Duration) {
        self.patience.lock().unwrap().rest = Some(rest);
    }

    /// Ends connections that were opened so long ago, as thriftpy2's asyncio server does.
    pub(super) fn lets_live(&self, life: Duration) {
        self.patience.lock().unwrap().life = Some(life);
    }

    /// Ends connections on which it has answered with an exception, or no more.
    pub(super) fn ends_after_exceptions(&self, ends: bool) {
        self.patience.lock().unwrap().after_exceptions = ends;
    }

    /// Whether it has come to its end.
    pub(super) fn has_ended(&self) -> bool {
        self.ends.is_cancelled()
    }

    /// Checks heard so far.
    pub(super) fn checks(&self) -> usize {
        *self.checks.lock().unwrap()
    }

    /// Calls heard so far.
    pub(super) fn calls(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// The number of each call's connection.
    pub(super) fn heard(&self) -> Vec<usize> {
        self.heard.lock().unwrap().iter().map(|call| call.connection).collect()
    }

    /// The sequence id of each call.
    pub(super) fn seqids(&self) -> Vec<i32> {
        self.heard.lock().unwrap().iter().map(|call| call.seqid).collect()
    }

    /// The method of each call, in the order in which they were begun.
    pub(super) fn methods(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().map(|call| call.name.clone()).collect()
    }

    /// Calls whose handlers have come to their end.
    pub(super) fn handled(&self) -> usize {
        *self.handled.lock().unwrap()
    }

    pub(super) fn opened(&self) -> usize {
        *self.opened.lock().unwrap()
    }

    /// Connections whose client has ended its sending side.
    pub(super) fn ended(&self) -> usize {
        self.ended.lock().unwrap().len()
    }

    async fn converse(self, stream: impl Stream, settings: Settings) {
        let number = {
            let mut opened = self.opened.lock().unwrap();
            *opened += 1;
            *opened
        };
        let ends = self.ends.clone();
        let life = self.patience.lock().unwrap().life.unwrap_or(FOREVER);
        let listening = tokio::time::timeout(life, self.listen(number, stream, &settings));
        let listening = ends.run_until_cancelled(listening.map(|listened| listened.unwrap_or(Some(()))));
        if listening.await.is_some_and(|listened| listened.is_none()) {
            self.ended.lock().unwrap().push(number);
        }
    }

    /// A check is answered as thriftpy2 answers a method that it does not have, if it is answered.
    fn act(&self, header: &Header<'_>, is_check: bool) -> Act {
        let method = std::str::from_utf8(header.method()).unwrap();
        let only = self.only.lock().unwrap().get(method).copied();
        match only.unwrap_or_else(|| *self.script.lock().unwrap()) {
            act if !is_check || only.is_some() => act,
            act @ (Act::Hang | Act::HangUp) => act,
            _ => Act::Refuse,
        }
    }

    fn checked(&self) -> i16 {
        *self.checks.lock().unwrap() += 1;
        0
    }

    /// Notes a call, and counts it.
    fn hear(&self, connection: usize, header: &Header<'_>) -> i16 {
        let name = String::from_utf8(header.method().to_vec()).unwrap();
        let mut heard = self.heard.lock().unwrap();
        heard.push(Heard { connection, seqid: header.seqid, name });
        heard.len().try_into().unwrap()
    }

    async fn listen(&self, number: usize, mut stream: impl Stream, settings: &Settings) -> Option<()> {
        let speech = Speech { transport: settings.transport, protocol: settings.protocol };
        let mut inbound = Inbound::new(speech, Bounds::default());
        loop {
            if inbound.first().unwrap() != Look::Whole {
                let rest = self.patience.lock().unwrap().rest.unwrap_or(FOREVER);
                let read = tokio::time::timeout(rest, stream.read_buf(inbound.room()));
                let Ok(read) = read.await else { return Some(()) };
                if read.ok()? == 0 {
                    return None;
                }
                continue;
            }
            let message = inbound.take().unwrap();
            let header = message.header();
            let is_check = header.method() == b"larder_check";
            let call = if is_check { self.checked() } else { self.hear(number, &header) };
            let act = self.act(&header, is_check);
            tokio::time::sleep(act.time(header.method())).await;
            *self.handled.lock().unwrap() += 1;
            let written = match act {
                Act::Hang => continue,
                Act::Handle(_) if header.kind == Kind::Oneway => continue,
                Act::HangUp => return Some(()),
                Act::Die => {
                    drop(self.network.listen(self.address, 1));
                    self.ends.cancel();
                    return Some(());
                }
                Act::AnswerCount => reply(settings, &header, Act::AnswerField(call)),
                act => reply(settings, &header, act),
            };
            stream.write_all(&written).await.ok()?;
            if act == Act::AnswerAhead {
                // By then the gateway has looked at the connection and found nothing.
                stream.read_buf(inbound.room()).await.ok()?;
                let ahead = Header { seqid: header.seqid + 1, ..header };
                stream.write_all(&reply(settings, &ahead, Act::AnswerField(9))).await.ok()?;
            }
            let excepted = act == Act::Refuse && self.patience.lock().unwrap().after_exceptions;
            if act == Act::AnswerHalf || excepted {
                return Some(());
            }
        }
    }
}

/// A network with servers on it.
pub(super) struct World {
    pub(super) network: Simulated,
    pub(super) files: Memory,
    pub(super) settings: Settings,
    pub(super) servers: Vec<Server>,
    pub(super) counts: Counts,
    full: Option<(mpsc::Receiver<Socket>, Box<dyn Stream>)>,
}

impl World {
    /// Servers that answer, one for each of `count` endpoints.
    pub(super) fn of(count: usize) -> Self {
        let settings = Settings {
            name: "users".into(),
            endpoints_file: None,
            endpoints: (1..=count).map(|n| (format!("10.0.0.{n}"), 9090)).collect(),
            weights: [].into(),
            slow_start: Duration::from_secs(10),
            protocol: Protocol::Binary,
            tls: None,
            transport: Transport::Framed,
            posts: None,
            connections: Sharing::Shared,
            timeout: None,
            connect_timeout: Duration::from_millis(250),
            attempt_timeout: None,
            retries: 2,
            retry_percent: 20,
            retry_burst: 10,
            max_connections: 4,
            max_waiting: 2,
            idle_timeout: Duration::from_millis(2500),
            max_age: None,
            resolve_interval: Duration::from_secs(10),
            check: finding::Kind::Call,
            check_method: "larder_check".to_owned(),
            check_expects: finding::Expects::Any,
            check_timeout: Duration::from_millis(500),
            check_interval: Duration::from_millis(500),
            check_always: None,
            ejection_failures: 3,
            ejection_time: Duration::from_secs(1),
            ejection_time_max: Duration::from_secs(8),
            bounds: Bounds::default(),
            steer: Steer::default(),
        };
        Self {
            network: Simulated::default(),
            files: Memory::default(),
            settings,
            servers: Vec::new(),
            counts: Counts::default(),
            full: None,
        }
    }

    /// Starts the servers and gives the backend to ask them through.
    pub(super) fn start(&mut self) -> Arc<Backend> {
        for n in 1..=self.settings.endpoints.len() {
            let address = format!("10.0.0.{n}:9090").parse().unwrap();
            let server = self.serve(address);
            self.servers.push(server);
        }
        self.backend()
    }

    /// The same, and watches over them.
    pub(super) fn watch(&mut self) -> Arc<Backend> {
        let backend = self.start();
        tokio::spawn(Arc::clone(&backend).run(CancellationToken::new()));
        backend
    }

    pub(super) fn backend(&self) -> Arc<Backend> {
        Backend::new(self.settings.clone(), self.outside(), Seed::new(42), &self.counts)
    }

    pub(super) fn serve(&self, address: SocketAddr) -> Server {
        self.serve_with(address, Semaphore::MAX_PERMITS)
    }

    /// Makes an address accept nothing and refuse nothing.
    pub(super) async fn fill(&mut self, address: SocketAddr) {
        let accepted = self.network.listen(address, 1);
        self.full = Some((accepted, self.network.dial(address).await.unwrap()));
    }

    /// Makes it accept who waits there.
    pub(super) async fn drain(&mut self, address: SocketAddr) -> Server {
        let (mut accepted, first) = self.full.take().unwrap();
        drop((accepted.recv().await, first));
        self.serve_from(address, accepted, Semaphore::MAX_PERMITS)
    }

    /// A server that reads so many connections at once.
    pub(super) fn serve_with(&self, address: SocketAddr, workers: usize) -> Server {
        self.serve_from(address, self.network.listen(address, 64), workers)
    }

    fn serve_from(
        &self,
        address: SocketAddr,
        mut accepted: mpsc::Receiver<Socket>,
        workers: usize,
    ) -> Server {
        let server = Server {
            address,
            script: Arc::new(Mutex::new(Act::Answer)),
            only: Arc::default(),
            checks: Arc::default(),
            heard: Arc::default(),
            handled: Arc::default(),
            ended: Arc::default(),
            opened: Arc::default(),
            patience: Arc::default(),
            network: self.network.clone(),
            ends: CancellationToken::new(),
        };
        let (listening, settings) = (server.clone(), self.settings.clone());
        tokio::spawn(async move {
            let workers = Arc::new(Semaphore::new(workers));
            while let Some(stream) = accepted.recv().await {
                let worker = Arc::clone(&workers).acquire_owned().await.unwrap();
                let conversation = listening.clone().converse(stream, settings.clone());
                tokio::spawn(conversation.map(|()| drop(worker)));
            }
        });
        server
    }

    /// Makes an address refuse.
    pub(super) fn refuse(&self, address: SocketAddr) {
        drop(self.network.listen(address, 1));
    }

    pub(super) fn all(&self, act: Act) {
        self.servers.iter().for_each(|server| server.now(act));
    }

    pub(super) fn calls(&self) -> usize {
        self.servers.iter().map(Server::calls).sum()
    }

    pub(super) fn opened(&self) -> usize {
        self.servers.iter().map(Server::opened).sum()
    }

    /// The value of one exported line.
    pub(super) fn counted(&self, line: &str) -> u64 {
        let (mut registry, mut text) = (prometheus_client::registry::Registry::default(), String::new());
        self.counts.register(&mut registry);
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let value = text.lines().find_map(|one| one.strip_prefix(line));
        value.unwrap_or_else(|| panic!("{line} in {text}")).trim().parse().unwrap()
    }
}

/// What no test waits for.
const FOREVER: Duration = Duration::from_secs(1 << 20);
