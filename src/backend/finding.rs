//! What an endpoint is asked in a check, and what its answer says of it.

use std::time::Duration;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::connection::Verified;
use crate::call::{Call, ClientId, Said};
use crate::dial::Refusal;
use crate::wire::Protocol;
use crate::wire::cursor::{Cursor, U32_VARINT, zigzag};
use crate::wire::message::Kind as Message;

/// How an endpoint is asked for a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A call without arguments; any proper reply is a sign of life, an exception too.
    Call,
    /// fb303's `getStatus`, by its answer.
    Fb303,
    /// A connection that opens.
    Tcp,
    /// Not at all: an endpoint returns when its time is over.
    Off,
}

/// What an endpoint is asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    /// The method that [`Kind::Call`] calls.
    pub(super) method: Bytes,
    pub(super) expects: Expects,
    pub(super) timeout: Duration,
}

/// Which answer to a check is a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expects {
    /// Any, an exception too: the default method is one that nobody has.
    Any,
    /// A result.
    Result,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// A sign of life.
    Alive,
    /// A sign of life of one that says it is not quite well.
    Warning,
    /// It says that it is starting or stopping.
    Draining,
    /// No connection, or no way there.
    Refused,
    /// It does not prove to be the endpoint, or does not take this gateway, or speaks no TLS.
    Untrusted,
    /// The connection ended without an answer.
    Closed,
    /// Nothing in time, though there was nothing that could hold it up.
    Late,
    /// What came is no answer, or says that it is not well.
    Unwell,
    /// Nothing can be told.
    Nothing,
}

impl Finding {
    /// All there are.
    pub(super) const ALL: [Self; 9] = [
        Self::Alive,
        Self::Warning,
        Self::Draining,
        Self::Refused,
        Self::Untrusted,
        Self::Closed,
        Self::Late,
        Self::Unwell,
        Self::Nothing,
    ];

    /// The word for it in metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Warning => "warning",
            Self::Draining => "draining",
            Self::Refused => "refused",
            Self::Untrusted => "untrusted",
            Self::Closed => "closed",
            Self::Late => "late",
            Self::Unwell => "unwell",
            Self::Nothing => "nothing",
        }
    }

    /// What an endpoint says of itself that gave no connection.
    pub(super) fn unreached(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Refused | Refusal::NoRoute => Self::Refused,
            Refusal::Untrusted => Self::Untrusted,
            Refusal::Cut => Self::Closed,
            Refusal::Silent => Self::Late,
            Refusal::Nameless | Refusal::Ours => Self::Nothing,
        }
    }
}

impl Asked {
    pub(super) fn call(&self, protocol: Protocol) -> Call {
        let name = match self.kind {
            Kind::Fb303 => Bytes::from_static(STATUS.as_bytes()),
            Kind::Call | Kind::Tcp | Kind::Off => self.method.clone(),
        };
        // A struct without fields is the same in both protocols.
        Call {
            client: ClientId::default(),
            protocol,
            name,
            kind: Message::Call,
            body: Bytes::from_static(&[0]),
            identity: None,
            info: None,
        }
    }

    pub(super) fn judge(&self, reply: &Verified) -> Finding {
        let protocol = reply.protocol;
        let said = Said::of(protocol, &reply.body);
        let result = reply.kind == Message::Reply && said == Ok(Said::Result);
        match (self.kind, self.expects) {
            (Kind::Fb303, _) => match result.then(|| status(protocol, &reply.body)).flatten() {
                Some(ALIVE) => Finding::Alive,
                Some(WARNING) => Finding::Warning,
                Some(STARTING | STOPPING) => Finding::Draining,
                // DEAD and STOPPED, and what is no status at all.
                Some(_) | None => Finding::Unwell,
            },
            (Kind::Call | Kind::Tcp | Kind::Off, Expects::Result) if !result => Finding::Unwell,
            (Kind::Call | Kind::Tcp | Kind::Off, Expects::Any | Expects::Result) => match said {
                Ok(_) => Finding::Alive,
                Err(_) => Finding::Unwell,
            },
        }
    }
}

/// What fb303 calls the question for its status.
pub(super) const STATUS: &str = "getStatus";

/// The number that it answers.
fn status(protocol: Protocol, body: &[u8]) -> Option<i64> {
    let mut cursor = Cursor::new(protocol, body, 0);
    cursor.field(0).ok()??;
    match protocol {
        Protocol::Binary => cursor.array().ok().map(|bytes| i32::from_be_bytes(bytes).into()),
        Protocol::Compact => cursor.varint(U32_VARINT).ok().map(zigzag),
    }
}

/// fb303's words for a service that takes no calls yet, and for one that takes no more.
const STARTING: i64 = 1;
const STOPPING: i64 = 3;
/// fb303's word for a service that is well.
const ALIVE: i64 = 2;
/// fb303's word for one that is not quite, and answers.
const WARNING: i64 = 5;
