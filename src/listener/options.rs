//! What the config may say of a listener.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{Finding, Period, Section};

/// An address that clients call, and the backend behind it. The name is free; logs and metrics use it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["bind", "service", "backend"]))]
pub struct Options {
    /// The address to listen on; port 0 takes a free one, which the log names.
    #[schemars(with = "String", extend("x-accepts" = "an address and port such as \"0.0.0.0:9090\""))]
    pub bind: SocketAddr,
    /// The Thrift service that a method name without a `Service:` prefix belongs to.
    pub service: String,
    /// The backend that answers its calls, by its name in `[backends.NAME]`.
    pub backend: String,
    /// The `.thrift` file that declares the service, relative to this file. With it rules may name fields and
    /// exceptions and are checked against it; without it they use ids.
    pub idl: Option<PathBuf>,
    /// How clients delimit messages; `detect` tells by a connection's first bytes.
    pub transport: Transport,
    /// How clients encode messages; `detect` tells by a connection's first bytes.
    pub protocol: Protocol,
    /// How long clients wait for a reply. A later one is not written and the connection is closed, because many
    /// clients take a late reply for the answer to their next call.
    #[schemars(extend("x-least" = "1ms", "x-most" = "1h"))]
    pub client_timeout: Option<Period>,
    /// What a call means whose sequence id is that of a call still unanswered on its connection. `close`: its
    /// client has given up, so the connection is closed unanswered. `allow`: nothing.
    pub duplicate_seqid: DuplicateSeqid,
}

/// How clients delimit messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Told by the first bytes.
    Detect,
    /// A length goes before each message.
    Framed,
    /// A message ends where its last field does.
    Unframed,
}

/// How clients encode messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Told by the first bytes.
    Detect,
    /// Binary, strict or lenient.
    Binary,
    /// Compact.
    Compact,
}

/// What a sequence id that is still unanswered means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateSeqid {
    /// The client has given up: the connection is closed.
    Close,
    /// Nothing.
    Allow,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            service: String::new(),
            backend: String::new(),
            idl: None,
            transport: Transport::Detect,
            protocol: Protocol::Detect,
            client_timeout: None,
            duplicate_seqid: DuplicateSeqid::Close,
        }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let named = self.service.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        if named && !self.service.is_empty() {
            return Vec::new();
        }
        let message = format!("{:?} is no service name: expected letters, digits, `_` and `.`", self.service);
        vec![Finding::new("service", message)]
    }
}
