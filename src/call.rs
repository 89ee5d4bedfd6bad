//! The words that all others use: what is asked, what is answered, and why there is no answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thrift::ApplicationErrorKind;

use crate::wire::cursor::Cursor;
use crate::wire::message::Kind;
use crate::wire::{Protocol, WireError};

/// One call, taken out of its client's buffer: what goes to a backend.
#[derive(Clone, Debug)]
pub struct Call {
    /// The protocol its arguments stand in.
    pub protocol: Protocol,
    /// The method as the client named it, with the prefix of a multiplexed call.
    pub name: Bytes,
    /// [`Kind::Call`] or [`Kind::Oneway`], as the client sent it.
    pub kind: Kind,
    /// The struct of arguments, never re-encoded.
    pub body: Bytes,
}

/// What is known of a method, as far as a backend's answer must be understood.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Whether a call may be sent twice.
    pub repeat: Repeat,
    /// Whether the backend answers at all.
    pub answer: Answering,
    /// What an empty result means.
    pub returns: Returns,
    /// Declared exceptions, by field id, that say the service failed rather than answered.
    pub failures: Arc<[i16]>,
}

/// Whether a call that may have run may be sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repeat {
    /// Its method is not known to be idempotent.
    #[default]
    Once,
    /// Its method is idempotent.
    Idempotent,
}

/// Whether a reply is to be expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answering {
    /// One reply.
    #[default]
    Reply,
    /// None, by the IDL or a rule.
    Oneway,
    /// None for the client, by the message's type alone; the backend may answer or not.
    Unsure,
}

/// What an empty reply means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Returns {
    /// Nobody said: it may be void or a missing result.
    #[default]
    Unknown,
    /// The method returns nothing.
    Void,
    /// The method returns a value; an empty reply lacks it.
    Value,
}

/// What a reply's struct says, by its first field: libraries write one field or none, and read the result before any exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Field 0.
    Result,
    /// No field.
    Nothing,
    /// Another field: a declared exception.
    Declared(i16),
}

impl Said {
    /// Reads the fields of a reply's struct, which must have been walked.
    pub fn of(protocol: Protocol, body: &[u8]) -> Result<Self, WireError> {
        Ok(match Cursor::new(protocol, body, 0).field(0)?.map(|field| field.id) {
            None => Self::Nothing,
            Some(0) => Self::Result,
            Some(id) => Self::Declared(id),
        })
    }
}

/// A backend's answer to one call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What it says.
    pub said: Said,
    /// The struct of the reply, as the backend sent it.
    pub body: Bytes,
}

/// Why there is no answer. Closed: each column of the fault table is one exhaustive match.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// No connection could be opened; no byte was sent.
    #[error("backend {backend} is unreachable: {why}")]
    Unreachable {
        /// The backend's name.
        backend: Arc<str>,
        /// What opening a connection came to.
        why: Arc<str>,
    },
    /// Every endpoint is known to fail, and a probe is on its way.
    #[error("backend {backend} is down: every endpoint fails")]
    Down {
        /// The backend's name.
        backend: Arc<str>,
    },
    /// All connections are in use and the line for them is full.
    #[error("backend {backend} is busy: {waiting} calls wait for a connection")]
    Busy {
        /// The backend's name.
        backend: Arc<str>,
        /// The bound on waiting calls.
        waiting: usize,
    },
    /// No answer came in time.
    #[error("backend {backend} did not answer within {} ms", after.as_millis())]
    Timeout {
        /// The backend's name.
        backend: Arc<str>,
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended after the call was sent.
    #[error("backend {backend} closed the connection without an answer")]
    Closed {
        /// The backend's name.
        backend: Arc<str>,
    },
    /// The answer is no reply to this call.
    #[error("backend {backend} sent no proper reply: {why}")]
    Garbage {
        /// The backend's name.
        backend: Arc<str>,
        /// What is wrong with it.
        why: Arc<str>,
    },
    /// A `TApplicationException` from the backend.
    #[error("backend {backend} answered with an application exception of kind {kind:?}")]
    Exception {
        /// The backend's name.
        backend: Arc<str>,
        /// The exception's kind.
        kind: ApplicationErrorKind,
        /// Its struct, as the backend sent it.
        body: Bytes,
    },
    /// An empty reply from a method that returns a value.
    #[error("backend {backend} answered without a result")]
    MissingResult {
        /// The backend's name.
        backend: Arc<str>,
        /// The empty struct, as the backend sent it.
        body: Bytes,
    },
    /// A declared exception that the rule counts as a failure.
    #[error("backend {backend} answered with failure exception {id}")]
    Failure {
        /// The backend's name.
        backend: Arc<str>,
        /// The exception's field id.
        id: i16,
        /// The struct of the reply, as the backend sent it.
        body: Bytes,
    },
    /// Too many calls wait for the same answer.
    #[error("{waiting} calls wait for the same reply")]
    Crowded {
        /// The bound on waiting calls.
        waiting: usize,
    },
    /// The client's protocol is not its backend's.
    #[error("backend {backend} speaks {theirs}, not {ours}; translation is not supported")]
    Protocol {
        /// The backend's name.
        backend: Arc<str>,
        /// The backend's protocol.
        theirs: &'static str,
        /// The client's protocol.
        ours: &'static str,
    },
}

/// When a call that met a fault may be tried on another endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Always: no byte of it was sent.
    Unsent,
    /// If its method is idempotent: it may have run.
    Idempotent,
    /// Never: another endpoint would say the same.
    Never,
}

impl Fault {
    /// Whether an old entry, or the rule's fallback, may answer instead.
    ///
    /// What the caller did wrong must reach the caller: an unknown method stays one during an outage.
    pub fn allows_stale(&self) -> bool {
        match self {
            Self::Exception { kind, .. } => matches!(
                kind,
                ApplicationErrorKind::Unknown
                    | ApplicationErrorKind::BadSequenceId
                    | ApplicationErrorKind::MissingResult
                    | ApplicationErrorKind::InternalError
                    | ApplicationErrorKind::ProtocolError
            ),
            Self::Unreachable { .. }
            | Self::Down { .. }
            | Self::Busy { .. }
            | Self::Timeout { .. }
            | Self::Closed { .. }
            | Self::Garbage { .. }
            | Self::MissingResult { .. }
            | Self::Failure { .. }
            | Self::Crowded { .. } => true,
            Self::Protocol { .. } => false,
        }
    }

    /// Whether the endpoint that was asked counts it as a failure of its own.
    ///
    /// A connection closed without an answer alone never does: thriftpy2 answers an undeclared exception so, and one such
    /// call would otherwise eject every endpoint in turn.
    pub fn blames_endpoint(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Garbage { .. } | Self::Failure { .. } => {
                true
            }
            Self::Down { .. }
            | Self::Busy { .. }
            | Self::Closed { .. }
            | Self::Exception { .. }
            | Self::MissingResult { .. }
            | Self::Crowded { .. }
            | Self::Protocol { .. } => false,
        }
    }

    /// When another endpoint may be tried.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } => Retry::Unsent,
            Self::Timeout { .. } | Self::Closed { .. } | Self::Garbage { .. } | Self::Failure { .. } => {
                Retry::Idempotent
            }
            Self::Down { .. }
            | Self::Exception { .. }
            | Self::MissingResult { .. }
            | Self::Crowded { .. }
            | Self::Protocol { .. } => Retry::Never,
        }
    }

    /// The word for it in metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Down { .. } => "down",
            Self::Busy { .. } => "busy",
            Self::Timeout { .. } => "timeout",
            Self::Closed { .. } => "closed",
            Self::Garbage { .. } => "garbage",
            Self::Exception { .. } => "exception",
            Self::MissingResult { .. } => "missing_result",
            Self::Failure { .. } => "failure",
            Self::Crowded { .. } => "crowded",
            Self::Protocol { .. } => "protocol",
        }
    }
}

/// Everything that can become of a call. Closed; these words are the metric label, the log field and the table in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Outcome {
    /// A fresh entry of the local tier answered.
    HitLocal,
    /// A fresh entry of the shared tier answered.
    HitShared,
    /// A stale entry answered while one call refreshed it.
    Stale,
    /// The call asked a backend, and its reply answered.
    Miss,
    /// Another call had asked a backend the same; its reply answered.
    Coalesced,
    /// A backend failed, and an old entry answered.
    StaleIfError,
    /// A backend failed, and the rule's fallback answered.
    Fallback,
    /// No rule caches the call: it went to a backend.
    Passed,
    /// A rule caches the call, but it has no key: it went to a backend.
    PassedUnkeyable,
    /// The call went to a backend; an observed rule would have answered it from the cache.
    ObservedHit,
    /// The call went to a backend; an observed rule would have asked one too.
    ObservedMiss,
    /// The call has no reply.
    Oneway,
    /// A fault answered.
    Failed,
}

impl Outcome {
    /// All there are, in their order.
    pub const ALL: [Self; 13] = [
        Self::HitLocal,
        Self::HitShared,
        Self::Stale,
        Self::Miss,
        Self::Coalesced,
        Self::StaleIfError,
        Self::Fallback,
        Self::Passed,
        Self::PassedUnkeyable,
        Self::ObservedHit,
        Self::ObservedMiss,
        Self::Oneway,
        Self::Failed,
    ];

    /// The word for it in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HitLocal => "hit_local",
            Self::HitShared => "hit_shared",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
            Self::StaleIfError => "stale_if_error",
            Self::Fallback => "fallback",
            Self::Passed => "passed",
            Self::PassedUnkeyable => "passed_unkeyable",
            Self::ObservedHit => "observed_hit",
            Self::ObservedMiss => "observed_miss",
            Self::Oneway => "oneway",
            Self::Failed => "failed",
        }
    }

    /// Whether what answered was older than its rule calls fresh.
    pub fn is_stale(self) -> bool {
        matches!(self, Self::Stale | Self::StaleIfError)
    }
}
