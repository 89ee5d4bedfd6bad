//! Where a client's messages become calls under way: the part of a connection that does no I/O.

use std::sync::Arc;

use thrift::ApplicationErrorKind;
use tokio::time::Instant;

use super::end::End;
use super::line::{Line, put};
use super::{DuplicateSeqid, Settings};
use crate::call::CallRef;
use crate::gateway::reply::Reply;
use crate::gateway::{Batch, Gateway, Scratch, Session};
use crate::rule::sessions::Leaves;
use crate::wire::inbound::Whole;
use crate::wire::message::{Header, Kind, Message};
use crate::wire::{Speech, WireError};

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
    scratch: Scratch,
}

/// What came of looking for the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is answered, or under way.
    Taken,
    /// It is not here, or must wait for those under way.
    Waits,
    /// It has so many values that others get their turn before it is read to its end.
    Unfinished,
}

impl Desk {
    /// A desk with no calls under way.
    pub fn new(settings: Arc<Settings>, gateway: Arc<Gateway>) -> Self {
        Self {
            line: Line::new(),
            scratch: Scratch::new(settings.bounds.depth),
            session: gateway.session(),
            settings,
            gateway,
        }
    }

    /// Answers or starts the call that a message is, unless it must wait.
    #[inline]
    pub fn take(
        &mut self,
        whole: &Whole<'_>,
        speech: Speech,
        batch: &Batch,
        arrived: Instant,
    ) -> Result<Step, End> {
        let Message { header, body } = whole.message;
        match (whole.flaw, header.kind) {
            (None, _) if self.repeats(header.seqid) => Err(End::DuplicateSeqid),
            (None, Kind::Call | Kind::Oneway) => {
                let call = CallRef { protocol: speech.protocol, header, body, shared: whole.shared };
                Ok(self.start(&call, speech, batch, arrived))
            }
            // What was asked before is answered first.
            _ if !self.line.is_empty() => Ok(Step::Waits),
            (None, Kind::Reply | Kind::Exception) => {
                let kind = ApplicationErrorKind::InvalidMessageType;
                self.refuse(speech, &header, kind, "the message is no call");
                Ok(Step::Taken)
            }
            (Some(error), _) => {
                self.count_limit(error);
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
        let route = batch.routes.find(call.header.name);
        if !line.admits(route, settings.calls_max) {
            return Step::Waits;
        }
        if route.leaves == Leaves::Session && session.is_none() {
            gateway.counts.session();
            *session = Some(gateway.own_session());
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
