//! What the config may say of a listener, and what the listener is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dial::Address;
use crate::limits;
use crate::rule::sessions::Sessions;
use crate::setting::{Finding, Mode, Period, Section};
use crate::tls::Server;
use crate::tls::options::ServerOptions;
use crate::wire::{self, Bounds};

/// An address that clients call, and the backend behind it; rules may name others. The name is free; logs and metrics use it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["bind", "service", "backend"]))]
pub(crate) struct Options {
    /// The address to listen on; port 0 takes a free one, which the log names. Or a socket in the file system, at a path that begins with / and
    /// has at most 100 bytes.
    #[schemars(with = "String", extend("x-accepts" =
        "an address and port such as \"0.0.0.0:9090\", or a socket such as \"unix:/run/larder/users.sock\""))]
    pub bind: Address,
    /// Who may connect where `bind` is a socket: the mode of its file, in octal. Whoever may write it may.
    #[schemars(with = "String", extend("x-accepts" = "an octal mode such as \"0660\""))]
    pub socket_mode: Mode,
    /// The Thrift service that a method name without a `Service:` prefix belongs to.
    pub service: String,
    /// The backend that answers its calls, but for those whose rule names another, by its name in `[backends.NAME]`.
    pub backend: String,
    /// The `.thrift` file that declares the service, relative to this file. With it rules may name fields and
    /// exceptions and are checked against it; without it they use ids.
    pub idl: Option<PathBuf>,
    /// Folders in which a file that the `idl` includes is looked for, in their order, if it is not beside the one that includes it; relative
    /// to this file. Beside the `idl` itself it is looked for last.
    #[schemars(length(max = 64))]
    pub idl_paths: Vec<PathBuf>,
    /// How clients delimit messages; `detect` tells by a connection's first bytes.
    pub transport: Transport,
    /// How clients encode messages; `detect` tells by a connection's first bytes.
    pub protocol: Protocol,
    /// How long clients wait for a reply, counted from the arrival of a call's first byte. A later one is not written and the
    /// connection is closed, because many clients take a late reply for the answer to their next call. Set it below the clients' own
    /// timeout, by more than a reply takes on the network. `larder_gave_up_seconds` shows after how long they were seen to give up.
    #[schemars(extend("x-least" = "1ms", "x-most" = "1h"))]
    pub client_timeout: Option<Period>,
    /// What a call means whose sequence id is that of a call still unanswered on its connection. `close`: its
    /// client has given up, so the connection is closed unanswered. `allow`: nothing.
    pub duplicate_seqid: DuplicateSeqid,
    /// What a client gets whose call the backend ended the connection on without a reply, where no rule caches the method: `exception`
    /// says so and keeps the client's connection, `close` closes it, as the client would see it without the gateway; its calls behind
    /// that one get no reply either. For clients that connect anew after a transport error and know no exception that says the same.
    pub on_close: OnClose,
    /// What a call of a method means that is known to make a session, such as `set_ugi`, `OpenSession`, `login` or
    /// `authenticate`. `own`: its connection gets a backend connection of its own from then on, and nothing of it is
    /// answered from the cache, kept or shared. `shared`: nothing; for services that remember nothing for a connection.
    pub sessions: Sessions,
    /// Whether the gateway itself answers fb303's `getStatus`, `getStatusDetails`, `getName`, `getVersion`, `aliveSince`, `getCounters` and
    /// `getCounter`: about itself, and not about the service behind it. A backend that has such methods is not asked them any more.
    pub fb303: bool,
    /// TLS 1.2 or 1.3 to clients, and nothing else there. Its files are looked at each second: connections that begin later have what they hold
    /// then.
    pub tls: Option<ServerOptions>,
}

/// How clients delimit messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    /// Told by the first bytes.
    Detect,
    /// A length goes before each message.
    Framed,
    /// A message ends where its last field does.
    Unframed,
    /// Thrift's header transport (`THeader`): a frame for each message, with headers of its own.
    Header,
}

/// How clients encode messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Protocol {
    /// Told by the first bytes.
    Detect,
    /// Binary, strict or lenient.
    Binary,
    /// Compact.
    Compact,
}

/// What a call means that has the sequence id of one still unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DuplicateSeqid {
    /// Its client has given up on the first: the connection is closed, so that no late reply is taken for the answer.
    Close,
    /// Its client pipelines and does not number its calls.
    Allow,
}

/// What becomes of a client's connection when the backend ended its own on a call of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnClose {
    /// The call is answered by an exception that says so.
    Exception,
    /// It is closed too.
    Close,
}

/// What a listener must know of its clients.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The transport, where it is not told from a client's first bytes.
    pub transport: Option<wire::Transport>,
    /// The protocol, where it is not told from a client's first bytes.
    pub protocol: Option<wire::Protocol>,
    /// A reply later than this is not written: the client has given up and would take it for the answer to its next call.
    pub client_timeout: Option<Duration>,
    /// What a call means that has the sequence id of one still unanswered.
    pub duplicate_seqid: DuplicateSeqid,
    /// What becomes of a client's connection when the backend ended its own on a call that no rule caches.
    pub on_close: OnClose,
    /// What a call of a method means that is known to make a session.
    pub sessions: Sessions,
    /// Whether the gateway itself answers what fb303 asks.
    pub fb303: bool,
    /// How clients speak TLS; without it they speak none.
    pub tls: Option<Server>,
    /// Bounds on messages.
    pub bounds: Bounds,
    /// Calls of one connection that are answered at a time; further ones are not read.
    pub calls_max: usize,
    /// Time to finish a started message.
    pub message_time: Duration,
    /// Time in which a client must take something of what is written to it.
    pub write_time: Duration,
    /// Time in which a client that has ended its sending side must be answered.
    pub half_closed_time: Duration,
    /// Time for which a connection may have no call.
    pub idle_time: Option<Duration>,
}

impl Options {
    /// What the listener is told, within the bounds that hold for all of them, with the TLS that was made of what its options name.
    pub(crate) fn settings(&self, limits: &limits::Settings, tls: Option<Server>) -> Settings {
        Settings {
            transport: match self.transport {
                Transport::Detect => None,
                Transport::Framed => Some(wire::Transport::Framed),
                Transport::Unframed => Some(wire::Transport::Unframed),
                Transport::Header => Some(wire::Transport::Header),
            },
            protocol: match self.protocol {
                Protocol::Detect => None,
                Protocol::Binary => Some(wire::Protocol::Binary),
                Protocol::Compact => Some(wire::Protocol::Compact),
            },
            client_timeout: self.client_timeout.map(Period::duration),
            duplicate_seqid: self.duplicate_seqid,
            on_close: self.on_close,
            sessions: self.sessions,
            fb303: self.fb303,
            tls,
            bounds: limits.bounds,
            calls_max: limits.calls_per_connection,
            message_time: limits.message_time,
            write_time: limits.write_time,
            half_closed_time: limits.half_closed_time,
            idle_time: limits.idle_time,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(),
            socket_mode: Mode::OWN_USER,
            service: String::new(),
            backend: String::new(),
            idl: None,
            idl_paths: Vec::new(),
            transport: Transport::Detect,
            protocol: Protocol::Detect,
            client_timeout: None,
            duplicate_seqid: DuplicateSeqid::Close,
            on_close: OnClose::Exception,
            sessions: Sessions::Own,
            fb303: false,
            tls: None,
        }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let socket = self.bind.socket().and_then(|path| match path.is_absolute() {
            true => Finding::of_socket("bind", path),
            false => Some(Finding::new("bind", format!("{} does not begin with /", path.display()))),
        });
        let named = self.service.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        let message = format!("{:?} is no service name: expected letters, digits, `_` and `.`", self.service);
        let unnamed = !named || self.service.is_empty();
        socket.into_iter().chain(unnamed.then(|| Finding::new("service", message))).collect()
    }
}
