//! Bytes as people read them: messages as they go over the wire, and what lies in Redis.
//!
//! Nothing here is on the way of a call. What is read may come from anywhere, so it is walked before it is believed.

mod kept;
mod message;
mod names;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::cache::envelope::{self, Unreadable};
use crate::idl::value;
use crate::wire::walk::Walk;
use crate::wire::{Bounds, Protocol, Transport, WireError};

pub(crate) use names::Names;

/// One thing that was found in bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Found {
    /// A call, or what answers one.
    Message(Message),
    /// What Larder keeps in Redis.
    Kept(Kept),
}

/// A message.
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    /// `call`, `oneway`, `reply` or `exception`.
    pub kind: &'static str,
    /// The method as named on the wire.
    pub name: String,
    /// Its number on its connection.
    pub seqid: i32,
    /// How it is told apart from others.
    pub transport: Transport,
    /// How it is spelled.
    pub protocol: Protocol,
    /// The bytes of its struct.
    pub bytes: usize,
    /// What it says.
    pub says: Said,
}

/// What a struct says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// The arguments of a call by name.
    Arguments(Map<String, Json>),
    /// A `TApplicationException`.
    Failed {
        /// What kind of failure it says.
        kind: String,
        /// Its message.
        message: String,
    },
    /// Fields by their ids and types, where no IDL tells more.
    Fields(Map<String, Json>),
    /// It cannot be read.
    Unreadable(String),
    /// What a reply says, by the IDL.
    #[serde(untagged)]
    Reply(value::Said),
}

/// What Larder keeps under a key in Redis.
#[derive(Debug, Serialize)]
pub(crate) struct Kept {
    /// The backend whose answer it is.
    pub backend: String,
    /// The method, as `Service.method`.
    pub method: String,
    /// When the call was sent that brought it, by RFC 3339.
    pub born: String,
    /// The arguments of the call.
    pub call: Said,
    /// As whom it was made, where its client has said who it is: a digest, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// What is kept; nothing of what was proved wrong.
    pub reply: Option<KeptReply>,
}

/// A reply that is kept.
#[derive(Debug, Serialize)]
pub(crate) struct KeptReply {
    /// How it is spelled.
    pub protocol: Protocol,
    /// The bytes of its struct.
    pub bytes: usize,
    /// What of tags and their forms marks may cover it by.
    pub covers: usize,
    /// Up to where in the fleet's log of marks its gateway had come when it was asked for.
    pub version: String,
    /// What it says.
    pub says: Said,
}

/// Why bytes cannot be read any further.
#[derive(Debug, Error)]
pub(crate) enum DecodeError {
    /// They are no message.
    #[error("at byte {at}: {why}")]
    NoMessage {
        /// Where it would begin.
        at: u64,
        /// What is wrong.
        why: WireError,
    },
    /// They end too early.
    #[error("at byte {at}: {left} bytes begin a message that is not whole")]
    Unfinished {
        /// Where it begins.
        at: u64,
        /// What is there of it.
        left: usize,
    },
    /// They look like what Larder keeps, and are not.
    #[error("the value that larder keeps cannot be read: {0}")]
    Kept(#[from] Unreadable),
}

/// What stands in `bytes`, one after the other, in the names that `names` has; and why there is no more, if they do not end with the last.
pub(crate) fn decode(bytes: &Bytes, names: &Names) -> (Vec<Found>, Option<DecodeError>) {
    if envelope::begins(bytes) {
        return match kept::read(bytes, names) {
            Ok(kept) => (vec![Found::Kept(kept)], None),
            Err(unreadable) => (Vec::new(), Some(unreadable.into())),
        };
    }
    message::read(bytes, names)
}

/// Walks a struct that is to fill `body`.
fn walked(protocol: Protocol, body: &[u8]) -> Result<(), WireError> {
    Walk::new(protocol, 0, body.len(), Bounds::default().depth).whole(protocol, body, 0)
}

#[cfg(test)]
mod tests;
