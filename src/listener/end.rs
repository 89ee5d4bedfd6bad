//! Why a connection ended.

use crate::metrics::ListenerCounts;
use crate::tls::Failed;
use crate::wire::WireError;

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client closed it.
    Client,
    /// The gateway stops.
    Drained,
    /// It broke, or the client closed it in the middle of a message.
    Broken,
    /// The client speaks HTTP, which is served otherwise.
    Posts,
    /// What the client sent is not Thrift, or exceeds a limit after which its messages cannot be told apart.
    Wire(WireError),
    /// The client was to speak TLS, and its handshake came to nothing.
    Handshake(Failed),
    /// The client sent a call with the sequence id of one still unanswered.
    DuplicateSeqid,
    /// A reply came later than the client waits.
    LateReply,
    /// A started message was not finished in time.
    MessageTime,
    /// The client took none of its replies for too long.
    WriteTime,
    /// The client closed its half, and an answer did not come in time.
    HalfClosed,
    /// Nothing happened for too long.
    Idle,
    /// All connections together hold too many bytes, and this one was to give way.
    Buffered,
    /// The backend connection that belongs to this client was lost, or nobody knows who the client is.
    Session,
    /// The backend closed its connection on a call of this client, which is to see that.
    Backend,
}

impl End {
    /// Counts the end by its reason, and the limit that was exceeded if it was one.
    pub(super) fn count(&self, counts: &ListenerCounts) {
        counts.closed(match self {
            Self::Client => "client",
            Self::Drained => "drained",
            Self::Broken => "broken",
            Self::Posts => "http",
            Self::Wire(error) => error.reason(),
            Self::Handshake(failed) => failed.reason(),
            Self::DuplicateSeqid => "duplicate_seqid",
            Self::LateReply => "late_reply",
            Self::MessageTime => "message_time",
            Self::WriteTime => "write_time",
            Self::HalfClosed => "half_closed_time",
            Self::Idle => "idle_time",
            Self::Buffered => "buffered",
            Self::Session => "session",
            Self::Backend => "backend",
        });
        let limit = match self {
            Self::MessageTime | Self::Handshake(Failed::Late) => "message_time",
            Self::WriteTime => "write_time",
            Self::HalfClosed => "half_closed_time",
            Self::Idle => "idle_time",
            Self::Buffered => "buffered",
            Self::Wire(error) => match error.limit() {
                Some(limit) => limit,
                None => return,
            },
            Self::Client
            | Self::Drained
            | Self::Broken
            | Self::Handshake(_)
            | Self::Posts
            | Self::DuplicateSeqid
            | Self::LateReply
            | Self::Session
            | Self::Backend => return,
        };
        counts.limit(limit);
    }
}
