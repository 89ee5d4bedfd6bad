//! A gateway, its backend and its clients on a simulated network.

use std::path::Path as File;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::cache::shared::Store;
use crate::clock::{Clock, Millis};
use crate::config::{Changes, Config};
use crate::dial::Simulated;
use crate::dial::simulated::{Path, Socket};
use crate::files::Memory;
use crate::server::{Running, Surroundings, UnderWay, Watch, start};
use crate::wire::inbound::{Inbound, Look};
use crate::wire::message::{Form, Header, Kind, put_message};
use crate::wire::{Bounds, Protocol, Speech, Transport};

pub(super) const SPEECH: Speech = Speech { transport: Transport::Framed, protocol: Protocol::Binary };
const BACKEND: &str = "10.0.0.1:9090";

/// Everything there is.
pub(super) struct World {
    pub(super) network: Simulated,
    pub(super) gateway: Running,
    heard: Heard,
    text: String,
    idl: &'static str,
}

/// The names of the calls that a backend has heard.
pub(super) type Heard = Arc<Mutex<Vec<String>>>;

/// What is configured besides addresses.
#[derive(Default)]
pub(super) struct Given<'a> {
    pub(super) limits: &'a str,
    pub(super) listener: &'a str,
    pub(super) backend: &'a str,
    pub(super) rules: &'a str,
    pub(super) store: Option<Arc<dyn Store>>,
    /// What an IDL declares, if there is one.
    pub(super) idl: Option<&'static str>,
    /// The backend's; binary if nothing is said.
    pub(super) protocol: Option<Protocol>,
}

impl World {
    pub(super) async fn new(given: Given<'_>) -> Self {
        let network = Simulated::default();
        let heard = Heard::default();
        let Given { limits, listener, backend: pool, rules, store, idl, protocol } = given;
        let declared = if idl.is_some() { "idl = 'it.thrift'" } else { "" };
        let speech = Speech { protocol: protocol.unwrap_or(SPEECH.protocol), ..SPEECH };
        let protocol = speech.protocol.as_str();
        serve(&network, BACKEND, &heard, speech);
        let text = format!(
            "[admin]\nbind = '10.0.0.9:99'\n[limits]\n{limits}\n\
             [listeners.it]\nbind = '10.0.0.9:9090'\nservice = 'S'\nbackend = 'it'\n{declared}\n{listener}\n\
             [backends.it]\nendpoints = ['{BACKEND}']\nprotocol = '{protocol}'\ntransport = 'framed'\n{pool}\n{rules}\n"
        );
        let idl = idl.unwrap_or_default();
        let config = read(&text, idl);
        let surroundings = Surroundings {
            clock: Clock::starting_at(Millis(1_000_000)),
            dial: Arc::new(network.clone()),
            bind: network.clone(),
            files: Arc::new(Memory::default()),
            seed: 1,
            store,
            watch: Watch::Beside,
        };
        let gateway = start(config, surroundings).await.unwrap();
        Self { network, gateway, heard, text, idl }
    }

    /// Another backend, at this address.
    pub(super) fn serves(&self, address: &str) -> Heard {
        let heard = Heard::default();
        serve(&self.network, address, &heard, SPEECH);
        heard
    }

    /// Another configuration is put in force.
    pub(super) fn reload(&mut self, change: impl FnOnce(&str) -> String) -> Changes {
        self.text = change(&self.text);
        self.gateway.reload(read(&self.text, self.idl)).unwrap()
    }

    pub(super) async fn client(&self) -> Client {
        self.client_speaking(SPEECH).await
    }

    pub(super) async fn client_speaking(&self, speech: Speech) -> Client {
        let socket = self.network.dial_socket("10.0.0.9:9090".parse().unwrap()).await.unwrap();
        Client { socket, speech, inbound: Inbound::new(speech, Bounds::default()) }
    }

    /// From here on, connections hold so many bytes in each direction.
    pub(super) fn narrow(&self, buffer: usize) {
        self.network.weather(move |_| [Path { buffer, ..Path::default() }; 2]);
    }

    /// The backend refuses connections from here on.
    pub(super) fn dies(&self) {
        drop(self.network.listen(BACKEND.parse().unwrap(), 1));
    }

    pub(super) fn under_way(&self) -> UnderWay {
        self.gateway.under_way()
    }

    /// The names of the calls that the backend has heard.
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// The sum of all samples whose line begins so.
    pub(super) fn metric(&self, line: &str) -> f64 {
        let page = self.gateway.subject().metrics();
        let lines = page.lines().filter(|one| one.starts_with(line));
        lines.map(|one| one.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// How many connections were closed for this reason.
    pub(super) fn closed(&self, reason: &str) -> u64 {
        self.metric(&format!("larder_connections_closed_total{{listener=\"it\",reason=\"{reason}\"}}")) as u64
    }
}

/// One client.
pub(super) struct Client {
    pub(super) socket: Socket,
    speech: Speech,
    inbound: Inbound,
}

impl Client {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// Calls methods with one number each, in one write, numbered from 1.
    pub(super) async fn call(&mut self, calls: &[(&str, i32)]) {
        let calls = (1..).zip(calls);
        let bytes: Vec<u8> = calls.flat_map(|(seqid, (name, value))| call(name, seqid, *value)).collect();
        self.send(&bytes).await;
    }

    /// The next reply: its number, what it is, and the number in it; nothing once the connection is closed.
    pub(super) async fn reply(&mut self) -> Option<(i32, Kind, i32)> {
        while self.inbound.first().unwrap() != Look::Whole {
            match self.socket.read_buf(self.inbound.room()).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
        let taken = self.inbound.take().unwrap();
        let header = taken.header();
        Some((header.seqid, header.kind, number(&taken.body())))
    }

    pub(super) fn speech(&self) -> Speech {
        self.speech
    }
}

/// A call with a number as its argument, from a client that speaks as most do.
pub(super) fn call(name: &str, seqid: i32, value: i32) -> BytesMut {
    call_of(SPEECH, Form::Strict, name, seqid, &argument(value))
}

pub(super) fn call_of(speech: Speech, form: Form, name: &str, seqid: i32, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    let header = Header { kind: Kind::Call, name: name.as_bytes(), seqid, form };
    put_message(&mut out, speech.transport, speech.protocol, &header, body);
    out
}

/// A struct whose field 1 is this number.
fn argument(value: i32) -> Vec<u8> {
    [&[8, 0, 1][..], &value.to_be_bytes(), &[0]].concat()
}

/// A struct whose field 1 is a text of so many bytes.
pub(super) fn text(length: u32) -> Vec<u8> {
    [&[11, 0, 1][..], &length.to_be_bytes(), &vec![b'x'; length as usize], &[0]].concat()
}

fn number(body: &Bytes) -> i32 {
    body.get(3..7).map_or(0, |bytes| i32::from_be_bytes(bytes.try_into().unwrap()))
}

/// A service that counts its answers, and whose methods do what their names say:
/// `ugi` takes its connection for that of its number, and of the one before it, but of 13, `mine` answers with what that is,
/// `echo` its number, `second` the number of the second, `wait` so many milliseconds, `blob` of so many bytes, `hang` for ever, `once` for ever but
/// for the first time, `close` without an answer, `lack` with the declared exception 1 for the first time.
fn serve(network: &Simulated, address: &str, heard: &Heard, speech: Speech) {
    let mut accepted = network.listen(address.parse().unwrap(), 64);
    let (heard, answered, since) = (Arc::clone(heard), Arc::new(AtomicI32::new(0)), Instant::now());
    tokio::spawn(async move {
        while let Some(socket) = accepted.recv().await {
            tokio::spawn(converse(socket, speech, Arc::clone(&heard), (Arc::clone(&answered), since)));
        }
    });
}

fn read(text: &str, idl: &str) -> Config {
    let file = |path: &File| {
        let content = if path.extension().is_some_and(|is| is == "thrift") { idl } else { text };
        Ok(content.to_owned())
    };
    let loaded = Config::load(File::new("larder.toml"), &file, &|_| None);
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.problems))
}

async fn converse(
    mut socket: Socket,
    speech: Speech,
    heard: Heard,
    (answered, since): (Arc<AtomicI32>, Instant),
) -> Option<()> {
    let mut inbound = Inbound::new(speech, Bounds::default());
    let mut owner = 0;
    loop {
        if inbound.first().ok()? != Look::Whole {
            let read = socket.read_buf(inbound.room()).await.ok()?;
            if read == 0 {
                return None;
            }
            continue;
        }
        let taken = inbound.take()?;
        let Header { name, seqid, .. } = taken.header();
        let name = String::from_utf8_lossy(name).into_owned();
        let again = heard.lock().unwrap().contains(&name);
        let is_check = name == "larder_check";
        if !is_check {
            heard.lock().unwrap().push(name.clone());
        }
        let value = number(&taken.body());
        let result = match name.as_str() {
            "hang" => continue,
            "once" if again => continue,
            "close" => return None,
            "wait" => {
                tokio::time::sleep(Duration::from_millis(u64::try_from(value).unwrap_or_default())).await;
                None
            }
            "blob" => Some(value),
            _ => None,
        };
        let count = answered.fetch_add(i32::from(!is_check), Ordering::Relaxed) + 1;
        let body = match result {
            Some(length) => {
                [&[11, 0, 0][..], &length.to_be_bytes(), &vec![b'x'; length as usize], &[0]].concat()
            }
            None if let Some(owned) = owned(&name, value, &mut owner) => owned,
            None if name == "echo" => [&[8, 0, 0][..], &value.to_be_bytes(), &[0]].concat(),
            None if name == "second" => {
                [&[8, 0, 0][..], &(since.elapsed().as_secs() as i32).to_be_bytes(), &[0]].concat()
            }
            None if name == "lack" && !again => [&[8, 0, 1][..], &count.to_be_bytes(), &[0]].concat(),
            None => [&[8, 0, 0][..], &count.to_be_bytes(), &[0]].concat(),
        };
        let mut out = BytesMut::new();
        let header = Header { kind: Kind::Reply, name: name.as_bytes(), seqid, form: Form::Strict };
        put_message(&mut out, speech.transport, speech.protocol, &header, &body);
        socket.write_all(&out).await.ok()?;
    }
}

/// What is answered by who a connection belongs to, of a method that knows it.
fn owned(name: &str, value: i32, owner: &mut i32) -> Option<Vec<u8>> {
    let answer = |field: u8, number: i32| Some([&[8, 0, field][..], &number.to_be_bytes(), &[0]].concat());
    match (name, value) {
        ("ugi", 13) => answer(1, value),
        ("ugi", _) => {
            *owner = *owner % 100 * 100 + value;
            answer(0, *owner)
        }
        ("mine", _) => answer(0, *owner),
        _ => None,
    }
}

/// Waits, without waiting longer than any bound that is tested, until something holds.
pub(super) async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..100_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to hold");
}

pub(super) async fn pass(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
