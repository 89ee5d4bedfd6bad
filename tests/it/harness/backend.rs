//! A backend that does what a script says, good or bad, and counts what it sees.

use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::thrift::{Fields, Kind, Message, Value, Wire};
use super::{UNKNOWN_METHOD, users};

/// A framed binary backend that answers as `idl/users.thrift` says.
pub(crate) fn backend() -> Backend {
    backend_speaking(Wire::framed())
}

/// The same with another wire.
pub(crate) fn backend_speaking(wire: Wire) -> Backend {
    let (reserved, address) = reserve();
    let shared =
        Arc::new(Shared { wire, port: address.port(), state: Mutex::default(), changed: Condvar::new() });
    let mut backend = Backend { shared, address, listener: None, _reserved: reserved };
    backend.revive();
    backend
}

/// What the backend does with a call.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Replies with a user of the id asked for, whose email is `call-<n>@backend-<port>`.
    User,
    /// Replies with this struct.
    Reply(Fields),
    /// Replies with what this makes of the call.
    By(Maker),
    /// Replies with a `TApplicationException`.
    Exception(i32, &'static str),
    /// Answers after this time as the other act says.
    Late(Duration, Box<Self>),
    /// Answers when it is released.
    Held,
    /// Does the other act when it is released.
    HeldThen(Box<Self>),
    /// Never answers.
    Silence,
    /// Closes the connection without an answer.
    Close,
    /// Sends half a reply and closes.
    HalfReply,
    /// Sends these bytes instead of a reply.
    Bytes(Vec<u8>),
    /// Replies under another seqid.
    OtherSeqid,
    /// Replies under another name.
    OtherName,
    /// Replies with a message of type CALL.
    OtherKind,
}

impl Act {
    /// Replies with what `make` makes of the call, in its own time.
    pub(crate) fn by(make: impl Fn(&Message) -> Fields + Send + Sync + 'static) -> Self {
        Self::By(Maker(Arc::new(make)))
    }
}

/// What makes a reply of a call.
#[derive(Clone)]
pub(crate) struct Maker(Arc<dyn Fn(&Message) -> Fields + Send + Sync>);

impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Maker")
    }
}

#[derive(Debug)]
pub(crate) struct Backend {
    shared: Arc<Shared>,
    address: SocketAddr,
    listener: Option<TcpListener>,
    _reserved: Socket,
}

#[derive(Debug)]
struct Shared {
    wire: Wire,
    port: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    acts: HashMap<String, Act>,
    seen: Vec<Message>,
    open: Vec<(u64, TcpStream)>,
    connections: u64,
    most_open: usize,
    released: u64,
    stalled: bool,
}

/// A call as it was seen: whoever has seen it counted may release it.
#[derive(Debug)]
struct Noted {
    act: Act,
    number: usize,
    released: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Close,
}

impl Backend {
    /// What it speaks.
    pub(crate) fn wire(&self) -> Wire {
        self.shared.wire
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, calls of this method get this.
    pub(crate) fn does(&self, method: &str, act: Act) {
        self.shared.state().acts.insert(method.to_owned(), act);
    }

    /// How many calls have come, of any method; checks are none.
    pub(crate) fn calls(&self) -> usize {
        self.shared.state().seen.len()
    }

    /// All calls that came, in order.
    pub(crate) fn seen(&self) -> Vec<Message> {
        self.shared.state().seen.clone()
    }

    /// How many connections were ever opened.
    pub(crate) fn connections(&self) -> u64 {
        self.shared.state().connections
    }

    /// How many connections are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.shared.state().open.len()
    }

    /// The most connections that were open at once.
    pub(crate) fn most_open_connections(&self) -> usize {
        self.shared.state().most_open
    }

    /// Answers the calls that were held until now.
    pub(crate) fn release(&self) {
        self.shared.state().released += 1;
        self.shared.changed.notify_all();
    }

    /// Goes on accepting, and answers nothing, as a stopped process does.
    pub(crate) fn stall(&self) {
        self.shared.state().stalled = true;
    }

    /// Goes on after a stall.
    pub(crate) fn resume(&self) {
        self.shared.state().stalled = false;
        self.shared.changed.notify_all();
    }

    /// Resets all connections and refuses further ones.
    pub(crate) fn kill(&mut self) {
        if let Some(listener) = self.listener.take() {
            // Ends the accept that another thread waits in.
            SockRef::from(&listener).shutdown(Shutdown::Both).unwrap();
        }
        self.reset_connections();
    }

    /// Resets all connections, and accepts further ones.
    pub(crate) fn reset_connections(&self) {
        for (_, stream) in self.shared.state().open.drain(..) {
            // Either fails only where the other side was quicker.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Listens again on the same port.
    pub(crate) fn revive(&mut self) {
        let mut waited = None;
        super::eventually(|| {
            waited = TcpListener::bind(self.address).ok();
            waited.is_some()
        });
        let listener = waited.unwrap();
        self.listener = Some(listener.try_clone().unwrap());
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || shared.accept(&listener));
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.resume();
        self.release();
        self.kill();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        while let Ok((stream, _)) = listener.accept() {
            let id = {
                let mut state = self.state();
                state.connections += 1;
                let id = state.connections;
                state.open.push((id, stream.try_clone().unwrap()));
                state.most_open = state.most_open.max(state.open.len());
                id
            };
            let shared = Arc::clone(&self);
            thread::spawn(move || {
                shared.serve(stream);
                shared.state().open.retain(|(each, _)| *each != id);
            });
        }
    }

    fn serve(&self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        while let Ok(Some(call)) = Message::read(&mut stream, self.wire) {
            let noted = self.note(&call);
            let (bytes, then) = self.act(&call, noted.act.clone(), &noted);
            if stream.write_all(&bytes).is_err() || then == Then::Close {
                break;
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn note(&self, call: &Message) -> Noted {
        let mut state = self.changed.wait_while(self.state(), |state| state.stalled).unwrap();
        let method = call.name.rsplit(':').next().unwrap_or_default();
        if method != CHECK {
            state.seen.push(call.clone());
        }
        let act = state.acts.get(method).cloned().unwrap_or_else(|| usual(method));
        Noted { act, number: state.seen.len(), released: state.released }
    }

    /// What to send, and whether the connection goes on.
    fn act(&self, call: &Message, act: Act, noted: &Noted) -> (Vec<u8>, Then) {
        let number = noted.number;
        let method = call.name.rsplit(':').next().unwrap_or_default();
        let reply =
            |fields| Message { kind: Kind::Reply, name: method.to_owned(), seqid: call.seqid, fields };
        let user = || reply(users::user(asked_id(call), &format!("call-{number}@backend-{}", self.port)));
        let message = match act {
            Act::User => user(),
            Act::Reply(fields) => reply(fields),
            Act::By(Maker(make)) => reply(make(call)),
            Act::Exception(code, text) => Message::exception(method, call.seqid, code, text),
            Act::OtherSeqid => Message { seqid: call.seqid.wrapping_add(77), ..user() },
            Act::OtherName => Message { name: "getOther".to_owned(), ..user() },
            Act::OtherKind => Message { kind: Kind::Call, ..user() },
            Act::Late(time, then) => {
                thread::sleep(time);
                return self.act(call, *then, noted);
            }
            Act::Held => {
                self.wait_for_release(noted.released);
                user()
            }
            Act::HeldThen(then) => {
                self.wait_for_release(noted.released);
                return self.act(call, *then, noted);
            }
            Act::Silence => return (Vec::new(), Then::GoOn),
            Act::Close => return (Vec::new(), Then::Close),
            Act::HalfReply => return (half(user().bytes(self.wire)), Then::Close),
            Act::Bytes(bytes) => return (bytes, Then::GoOn),
        };
        let silent = call.kind == Kind::Oneway || method == "touch";
        (if silent { Vec::new() } else { message.bytes(self.wire) }, Then::GoOn)
    }

    fn wait_for_release(&self, since: u64) {
        drop(self.changed.wait_while(self.state(), |state| state.released == since).unwrap());
    }
}

/// A loopback port that nobody else is given while the socket lives, and that refuses connections until someone listens.
pub(crate) fn reserve() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn usual(method: &str) -> Act {
    match method {
        "getUser" => Act::User,
        "listUsers" => Act::Reply(vec![(0, Value::List(Vec::new()))]),
        "ping" | "renameUser" | "touch" => Act::Reply(Vec::new()),
        _ => Act::Exception(UNKNOWN_METHOD, "unknown method"),
    }
}

fn asked_id(call: &Message) -> i64 {
    match call.field(1) {
        Some(Value::I64(id)) => *id,
        _ => 0,
    }
}

/// What a gateway calls that wants a sign of life.
const CHECK: &str = "larder_check";
