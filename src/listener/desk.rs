//! Where a client's messages become calls under way: the part of a connection that does no I/O.

use std::sync::Arc;

use thrift::ApplicationErrorKind;
use tokio::time::Instant;

use super::line::{Line, put};
use super::{DuplicateSeqid, Settings};
use crate::call::CallRef;
use crate::gateway::reply::Reply;
use crate::gateway::{Batch, Gateway, Scratch, Session};
use crate::metrics::ListenerCounts;
use crate::wire::message::{Header, Kind, Message};
use crate::wire::walk::Walk;
use crate::wire::{Protocol, Speech, Transport, WireError};

/// What a connection needs to answer its calls.
#[expect(missing_debug_implementations, reason = "futures show nothing")]
pub struct Desk {
    /// What the listener knows of its clients.
    pub settings: Arc<Settings>,
    /// What answers.
    pub gateway: Arc<Gateway>,
    /// The calls under way.
    pub line: Line,
    /// The backend connection of this client's own, if the backend wants one for each.
    pub session: Option<Session>,
    walk: Walk,
    scratch: Scratch,
}

/// What came of looking for the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is answered, or under way.
    Taken,
    /// It is not here, or must wait for those under way.
    Waits,
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closed it.
    Client,
    /// The gateway stops.
    Drained,
    /// It broke, or the client closed it in the middle of a message.
    Broken,
    /// What the client sent is not Thrift, or exceeds a limit after which its messages cannot be told apart.
    Wire(WireError),
    /// The client sent a call with the sequence id of one still unanswered.
    DuplicateSeqid,
    /// A reply came later than the client waits.
    LateReply,
    /// A started message was not finished in time.
    MessageTime,
    /// All connections together hold too many bytes.
    Buffered,
    /// The backend connection that belongs to this client was lost.
    Session,
}

impl Desk {
    /// A desk with no calls under way.
    pub fn new(settings: Arc<Settings>, gateway: Arc<Gateway>) -> Self {
        Self {
            line: Line::new(),
            walk: Walk::new(Protocol::Binary, 0, 0, settings.bounds.depth),
            scratch: Scratch::new(settings.bounds.depth),
            session: gateway.session(),
            settings,
            gateway,
        }
    }

    /// Answers or starts the call that fills `bytes`, unless it must wait.
    #[inline]
    pub fn take(
        &mut self,
        bytes: &[u8],
        speech: Speech,
        batch: &Batch,
        arrived: Instant,
    ) -> Result<Step, End> {
        let message = match speech.transport {
            Transport::Framed => Message::parse(speech.protocol, bytes, &mut self.walk),
            Transport::Unframed => Message::parse_walked(speech.protocol, bytes),
        };
        match message {
            Ok(Message { header, .. }) if self.repeats(header.seqid) => Err(End::DuplicateSeqid),
            Ok(Message { header, body }) if matches!(header.kind, Kind::Call | Kind::Oneway) => {
                let call = CallRef { protocol: speech.protocol, header, body };
                Ok(self.start(&call, speech, batch, arrived))
            }
            // What was asked before is answered first.
            Ok(_) | Err(_) if !self.line.is_empty() => Ok(Step::Waits),
            Ok(Message { header, .. }) => {
                self.refuse(
                    speech,
                    &header,
                    ApplicationErrorKind::InvalidMessageType,
                    "the message is no call",
                );
                Ok(Step::Taken)
            }
            Err(error) => {
                let Ok((header, _)) = Header::parse(speech.protocol, bytes) else {
                    return Err(self.lost(error));
                };
                self.count_limit(&error);
                self.refuse(speech, &header, ApplicationErrorKind::ProtocolError, &error.to_string());
                Ok(Step::Taken)
            }
        }
    }

    /// The stream cannot be told apart any further.
    pub fn lost(&self, error: WireError) -> End {
        self.count_limit(&error);
        tracing::debug!(listener = %self.gateway.counts.listener(), %error, "a client's bytes cannot be read");
        End::Wire(error)
    }

    /// Starts a call unless it must wait for those under way.
    #[inline]
    fn start(&mut self, call: &CallRef<'_>, speech: Speech, batch: &Batch, arrived: Instant) -> Step {
        let Self { gateway, line, scratch, session, settings, .. } = self;
        let found;
        let route = match batch.names.get(call.header.name) {
            Some(route) => route,
            None => {
                found = batch.routes.find(call.header.name, &gateway.counts);
                &found
            }
        };
        if !line.admits(route, settings.calls_max) {
            return Step::Waits;
        }
        let turn = gateway.answer(call, route, batch.now, scratch, session.as_ref());
        line.push(turn, call, route, speech, arrived, gateway);
        Step::Taken
    }

    fn repeats(&self, seqid: i32) -> bool {
        self.settings.duplicate_seqid == DuplicateSeqid::Close && self.line.awaits(seqid)
    }

    fn refuse(&mut self, speech: Speech, header: &Header<'_>, kind: ApplicationErrorKind, why: &str) {
        let reply = Reply::refusal(speech.protocol, kind, why);
        put(&mut self.line.outbox, &reply, speech, header.method(), header.seqid, header.form);
    }

    fn count_limit(&self, error: &WireError) {
        if let Some(limit) = error.limit() {
            self.gateway.counts.limit(limit);
        }
    }
}

impl End {
    /// Counts the end by its reason.
    pub fn count(&self, counts: &ListenerCounts) {
        counts.closed(match self {
            Self::Client => "client",
            Self::Drained => "drained",
            Self::Broken => "broken",
            Self::Wire(error) => error.reason(),
            Self::DuplicateSeqid => "duplicate_seqid",
            Self::LateReply => "late_reply",
            Self::MessageTime => "message_time",
            Self::Buffered => "buffered",
            Self::Session => "session",
        });
    }
}
