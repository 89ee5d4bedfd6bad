//! Why there is no answer: the closed table of faults, and what each allows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thrift::ApplicationErrorKind;

use crate::dial::{End, Refusal};
use crate::wire::Protocol;
use crate::wire::translate::Untranslatable;

/// Why there is no answer. Closed: each column of the fault table is one exhaustive match.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// No connection could be opened; no byte was sent.
    #[error("backend {backend} is unreachable: {why}")]
    Unreachable {
        /// The backend's name.
        backend: Arc<str>,
        /// What that proves, and of whom.
        refusal: Refusal,
        /// What opening a connection came to.
        why: Arc<str>,
    },
    /// Every endpoint is known to fail, at least at this method, and as many calls as may are finding out.
    #[error("backend {backend} is down: {why}")]
    Down {
        /// The backend's name.
        backend: Arc<str>,
        /// Whether that is so of all its methods.
        why: &'static str,
    },
    /// All connections are in use, or as many calls are under way as may be for now, and the line is full or did not move in time; no byte
    /// was sent.
    #[error("backend {backend} is busy: {waiting} calls wait for their turn")]
    Busy {
        /// The backend's name.
        backend: Arc<str>,
        /// Calls in the line.
        waiting: usize,
    },
    /// What was kept is lost, or nothing was kept yet, and the backend is given no more calls for that at once than it is seen to bear; no byte
    /// was sent.
    #[error(
        "backend {backend} is given no more calls that nothing kept answers: {waiting} calls wait for their turn"
    )]
    Shed {
        /// The backend's name.
        backend: Arc<str>,
        /// Calls in the line.
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
    #[error("backend {backend} {}", end.as_deed())]
    Closed {
        /// The backend's name.
        backend: Arc<str>,
        /// How it ended.
        end: End,
    },
    /// The answer is no reply to this call.
    #[error("backend {backend} sent no proper reply: {why}")]
    Garbage {
        /// The backend's name.
        backend: Arc<str>,
        /// What is wrong with it.
        why: Arc<str>,
    },
    /// The answer is a reply to this call, and larger than a reply may be.
    #[error("backend {backend} sent a reply that is too large: {why}")]
    Oversized {
        /// The backend's name.
        backend: Arc<str>,
        /// The bound, and what it was held against.
        why: Arc<str>,
    },
    /// A `TApplicationException` from the backend.
    #[error("backend {backend} answered with an application exception of kind {kind:?}")]
    Exception {
        /// The backend's name.
        backend: Arc<str>,
        /// The exception's kind.
        kind: ApplicationErrorKind,
        /// How its struct is spelled.
        protocol: Protocol,
        /// Its struct, as the backend sent it.
        body: Bytes,
    },
    /// An empty reply from a method that returns a value.
    #[error("backend {backend} answered without a result")]
    MissingResult {
        /// The backend's name.
        backend: Arc<str>,
        /// How the empty struct is spelled.
        protocol: Protocol,
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
        /// How the struct of the reply is spelled.
        protocol: Protocol,
        /// The struct of the reply, as the backend sent it.
        body: Bytes,
    },
    /// A session call that was replayed for the caller was answered with a declared exception.
    #[error(
        "backend {backend} does not take the caller for who he said he is: replayed, {method} was answered with an exception"
    )]
    Session {
        /// The backend's name.
        backend: Arc<str>,
        /// The session call's method.
        method: Arc<str>,
    },
    /// Too many calls wait for the same answer, or for any.
    #[error("{0}")]
    Crowded(Crowd),
    /// Endpoints have died of calls with this one's key, or may have: it is sent nowhere for a time.
    #[error("backend {backend} is not asked this for another {} ms: endpoints have broken off at it", left.as_millis())]
    Quarantined {
        /// The backend's name.
        backend: Arc<str>,
        /// For how long.
        left: Duration,
    },
    /// The gateway itself failed at this call: its log tells where.
    #[error("the gateway failed at this call, see its log")]
    Internal,
    /// The gateway was stopped before it had an answer.
    #[error("the gateway was stopped before there was an answer")]
    Stopped,
    /// The call has no spelling in its backend's protocol, or the reply none in the client's.
    #[error("{message} has no spelling in {}, which {}: {why}", protocol.as_str(), message.reader(.backend))]
    Untranslatable {
        /// The backend's name.
        backend: Arc<str>,
        /// Which of the two it is.
        message: Translated,
        /// The protocol that has none for it.
        protocol: Protocol,
        /// What has none, and where.
        why: Untranslatable,
    },
}

/// What is spelled in another protocol on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Translated {
    /// A call: no byte of it was sent.
    Call,
    /// The reply to a call that has run.
    Reply,
}

impl Translated {
    /// Who was to read it.
    fn reader(self, backend: &str) -> String {
        match self {
            Self::Call => format!("backend {backend} speaks"),
            Self::Reply => format!("the client of backend {backend} speaks"),
        }
    }
}

impl std::fmt::Display for Translated {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Call => "the call",
            Self::Reply => "the reply",
        })
    }
}

/// The bound on flights that a call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Crowd {
    /// On the calls that wait for one of them.
    #[error("{0} calls wait for the same reply, as many as flights.max_waiters allows")]
    Waiters(usize),
    /// On how many there are.
    #[error("{0} flights are under way, as many as flights.max_flights allows")]
    Flights(usize),
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

/// Whom a fault blames: what it proves counts against that alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The endpoint: no method can be asked there.
    Endpoint,
    /// The method at the endpoint; others are asked there as before.
    Method,
    /// Nobody.
    Nobody,
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
            | Self::Shed { .. }
            | Self::Timeout { .. }
            | Self::Closed { .. }
            | Self::Garbage { .. }
            | Self::Oversized { .. }
            | Self::MissingResult { .. }
            | Self::Failure { .. }
            | Self::Crowded(_)
            | Self::Quarantined { .. }
            | Self::Internal
            | Self::Stopped => true,
            Self::Session { .. } | Self::Untranslatable { .. } => false,
        }
    }

    /// Whom it blames.
    ///
    /// A connection closed without an answer alone blames nobody: thriftpy2 answers an undeclared exception so, and one such
    /// call would otherwise eject every endpoint in turn. It has the endpoint checked. One that ended because
    /// its host is lost blames the endpoint. A timeout blames who had the time to answer:
    /// not who was asked, or dialled, when the call's time was nearly spent.
    pub fn blames(&self) -> Blame {
        match self {
            Self::Unreachable { refusal, .. } if refusal.blames_endpoint() => Blame::Endpoint,
            Self::Closed { end, .. } if end.blames_endpoint() => Blame::Endpoint,
            Self::Timeout { .. } | Self::Garbage { .. } | Self::Failure { .. } => Blame::Method,
            Self::Unreachable { .. }
            | Self::Down { .. }
            | Self::Closed { .. }
            | Self::Busy { .. }
            | Self::Shed { .. }
            | Self::Oversized { .. }
            | Self::Exception { .. }
            | Self::MissingResult { .. }
            | Self::Session { .. }
            | Self::Crowded(_)
            | Self::Quarantined { .. }
            | Self::Internal
            | Self::Stopped
            | Self::Untranslatable { .. } => Blame::Nobody,
        }
    }

    /// When another endpoint may be tried.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Shed { .. } => Retry::Unsent,
            Self::Timeout { .. } | Self::Closed { .. } | Self::Garbage { .. } | Self::Failure { .. } => {
                Retry::Idempotent
            }
            Self::Down { .. }
            | Self::Oversized { .. }
            | Self::Exception { .. }
            | Self::MissingResult { .. }
            | Self::Session { .. }
            | Self::Crowded(_)
            | Self::Quarantined { .. }
            | Self::Internal
            | Self::Stopped
            | Self::Untranslatable { .. } => Retry::Never,
        }
    }

    /// The word for it in metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unreachable { refusal: Refusal::Ours, .. } => "ours",
            Self::Unreachable { .. } => "unreachable",
            Self::Down { .. } => "down",
            Self::Busy { .. } => "busy",
            Self::Shed { .. } => "shed",
            Self::Timeout { .. } => "timeout",
            Self::Closed { end: End::Lost, .. } => "lost",
            Self::Closed { .. } => "closed",
            Self::Garbage { .. } => "garbage",
            Self::Oversized { .. } => "oversized",
            Self::Exception { .. } => "exception",
            Self::MissingResult { .. } => "missing_result",
            Self::Failure { .. } => "failure",
            Self::Session { .. } => "session",
            Self::Crowded(_) => "crowded",
            Self::Quarantined { .. } => "quarantined",
            Self::Internal => "internal",
            Self::Stopped => "stopped",
            Self::Untranslatable { message: Translated::Call, .. } => "untranslatable_call",
            Self::Untranslatable { message: Translated::Reply, .. } => "untranslatable_reply",
        }
    }
}
