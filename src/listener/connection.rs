//! One client: reads its calls, hands them to the gateway, and writes the replies in the order of the calls.
//!
//! All whole messages of a read are answered before anything is written, and all their replies leave in one write. A call not known
//! to be idempotent starts when all before it have ended, and those after it start when it has. While a client does not read its
//! replies, nothing is read from it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use thrift::ApplicationErrorKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::held::Share;
use super::inbox::Inbox;
use super::line::{Answered, Line, Speech, put};
use super::{DuplicateSeqid, Settings};
use crate::gateway::reply::Reply;
use crate::gateway::{Batch, CallRef, Gateway, Scratch, Session};
use crate::metrics::ListenerCounts;
use crate::wire::message::{Header, Kind, Message};
use crate::wire::walk::Walk;
use crate::wire::{Protocol, Transport, WireError};

/// A connection and what it has under way.
#[expect(missing_debug_implementations, reason = "futures and streams show nothing")]
pub struct Connection<S> {
    stream: S,
    settings: Arc<Settings>,
    gateway: Arc<Gateway>,
    session: Option<Session>,
    inbox: Inbox,
    line: Line,
    walk: Walk,
    scratch: Scratch,
    reading: Reading,
    /// Since when a message is unfinished that nothing but the client holds up.
    started: Option<Instant>,
    share: Share,
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

/// Whether more is read from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Open,
    /// Only to finish what was started.
    Draining,
    /// The client has closed its half; what it asked is answered.
    Ended,
}

/// What came of looking for the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Taken,
    Waits,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// A connection on which nothing has happened.
    pub fn new(stream: S, settings: Arc<Settings>, gateway: Arc<Gateway>, share: Share) -> Self {
        Self {
            inbox: Inbox::new(&settings),
            line: Line::new(),
            walk: Walk::new(Protocol::Binary, 0, 0, settings.bounds.depth),
            scratch: Scratch::new(settings.bounds.depth),
            reading: Reading::Open,
            started: None,
            share,
            session: gateway.session(),
            stream,
            settings,
            gateway,
        }
    }

    /// Answers calls until the client, the gateway or a fault ends it.
    pub async fn serve(mut self, stop: &CancellationToken) -> End {
        match self.run(stop).await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn run(&mut self, stop: &CancellationToken) -> Result<End, End> {
        // Registered once: a call costs no lock of what all connections share.
        let mut stopped = pin!(stop.cancelled());
        loop {
            let answered = self.answer_calls();
            self.flush().await?;
            answered?;
            if let Some(end) = self.end() {
                return Ok(end);
            }
            let (reads, waits) = (self.reads(), !self.line.is_empty());
            let (started, open) = (self.started, self.reading == Reading::Open);
            let Self { stream, inbox, line, .. } = self;
            tokio::select! {
                biased;
                Some(answered) = line.next(), if waits => self.settle(&answered)?,
                read = stream.read_buf(inbox.room()), if reads => self.received(&read)?,
                () = &mut stopped, if open => self.reading = Reading::Draining,
                () = overdue(started, self.settings.message_time), if started.is_some() => {
                    self.gateway.counts.limit("message_time");
                    return Err(End::MessageTime);
                }
            }
        }
    }

    /// Starts all calls that may start, and puts the replies of those that are answered at once into the outbox.
    fn answer_calls(&mut self) -> Result<(), End> {
        if self.inbox.is_empty() {
            self.started = None;
            return Ok(());
        }
        let arrived = Instant::now();
        let batch = self.gateway.batch(self.gateway.clock.at(arrived));
        let mut step = Ok(Step::Taken);
        while step == Ok(Step::Taken) {
            step = self.answer_next(&batch, arrived);
        }
        self.line.count(&self.gateway, arrived);
        step?;
        // What waits for other calls is not held up by its client.
        let unfinished = !self.inbox.is_empty() && self.line.is_empty();
        self.started = unfinished.then(|| self.started.unwrap_or(arrived));
        let held = self.inbox.len() + self.line.outbox.len();
        if self.share.hold(held) {
            return Ok(());
        }
        self.gateway.counts.limit("buffered");
        Err(End::Buffered)
    }

    /// Answers or starts the first call in the inbox.
    #[inline]
    fn answer_next(&mut self, batch: &Batch, arrived: Instant) -> Result<Step, End> {
        let Self { inbox, settings, gateway, walk, scratch, session, line, .. } = self;
        let range = match inbox.first(settings) {
            Ok(Some(range)) => range,
            Ok(None) => return Ok(Step::Waits),
            // What was asked before is answered first.
            Err(_) if !line.is_empty() => return Ok(Step::Waits),
            Err(error) => return Err(lost(error, gateway)),
        };
        let Some(speech) = inbox.speech() else {
            return Ok(Step::Waits);
        };
        let bytes = inbox.bytes(range);
        let message = match speech.transport {
            Transport::Framed => Message::parse(speech.protocol, bytes, walk),
            Transport::Unframed => Message::parse_walked(speech.protocol, bytes),
        };
        match message {
            Ok(Message { header, body }) => {
                let call = CallRef { protocol: speech.protocol, header, body };
                if line.awaits(header.seqid) && settings.duplicate_seqid == DuplicateSeqid::Close {
                    return Err(End::DuplicateSeqid);
                }
                if header.kind == Kind::Reply || header.kind == Kind::Exception {
                    if !line.is_empty() {
                        return Ok(Step::Waits);
                    }
                    refuse(
                        line,
                        speech,
                        &header,
                        ApplicationErrorKind::InvalidMessageType,
                        "the message is no call",
                    );
                } else if !start(
                    line,
                    &call,
                    batch,
                    speech,
                    arrived,
                    settings,
                    gateway,
                    scratch,
                    session.as_ref(),
                ) {
                    return Ok(Step::Waits);
                }
            }
            Err(_) if !line.is_empty() => return Ok(Step::Waits),
            Err(error) => {
                let Ok((header, _)) = Header::parse(speech.protocol, bytes) else {
                    return Err(lost(error, gateway));
                };
                count_limit(&error, gateway);
                refuse(line, speech, &header, ApplicationErrorKind::ProtocolError, &error.to_string());
            }
        }
        inbox.take();
        Ok(Step::Taken)
    }

    /// Puts a reply whose turn has come into the outbox.
    fn settle(&mut self, answered: &Answered) -> Result<(), End> {
        let Some(speech) = self.inbox.speech() else {
            return Ok(());
        };
        let timeout = self.settings.client_timeout;
        self.line.settle(answered, speech, timeout, &self.gateway).map_err(|_| End::LateReply)
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.line.outbox.is_empty() {
            return Ok(());
        }
        self.stream.write_all_buf(&mut self.line.outbox).await.map_err(|_| End::Broken)?;
        if self.line.outbox.capacity() > OUTBOX_KEPT {
            self.line.outbox = bytes::BytesMut::new();
        }
        Ok(())
    }

    fn received(&mut self, read: &io::Result<usize>) -> Result<(), End> {
        match read {
            Ok(0) => self.reading = Reading::Ended,
            Ok(_) => {}
            Err(_) => return Err(End::Broken),
        }
        Ok(())
    }

    /// Whether bytes are to be read: always for the message that is due, but not without bound for those that wait.
    fn reads(&self) -> bool {
        match self.reading {
            Reading::Open => self.line.is_empty() || self.inbox.len() < READ_AHEAD,
            Reading::Draining => self.line.is_empty(),
            Reading::Ended => false,
        }
    }

    fn end(&self) -> Option<End> {
        if !self.line.is_empty() {
            return None;
        }
        match self.reading {
            _ if self.session_lost() => Some(End::Session),
            Reading::Ended if self.inbox.is_empty() => Some(End::Client),
            Reading::Ended => Some(End::Broken),
            Reading::Draining if self.inbox.is_empty() => Some(End::Drained),
            Reading::Draining | Reading::Open => None,
        }
    }

    fn session_lost(&self) -> bool {
        let session = self.session.as_ref().and_then(|session| session.try_lock().ok());
        session.is_some_and(|session| session.is_lost())
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

/// Starts a call unless it must wait for those under way.
#[expect(clippy::too_many_arguments, reason = "the parts of one connection, borrowed apart from its buffer")]
#[inline]
fn start(
    line: &mut Line,
    call: &CallRef<'_>,
    batch: &Batch,
    speech: Speech,
    arrived: Instant,
    settings: &Settings,
    gateway: &Arc<Gateway>,
    scratch: &mut Scratch,
    session: Option<&Session>,
) -> bool {
    let found;
    let route = match batch.names.get(call.header.name) {
        Some(route) => route,
        None => {
            found = batch.routes.find(call.header.name, &gateway.counts);
            &found
        }
    };
    if !line.admits(route, settings.calls_max) {
        return false;
    }
    let turn = gateway.answer(call, route, batch.now, scratch, session);
    line.push(turn, call, route, speech, arrived, gateway);
    true
}

fn refuse(line: &mut Line, speech: Speech, header: &Header<'_>, kind: ApplicationErrorKind, why: &str) {
    let reply = Reply::refusal(speech.protocol, kind, why);
    put(&mut line.outbox, &reply, speech, header.method(), header.seqid, header.form);
}

/// The stream cannot be told apart any further.
fn lost(error: WireError, gateway: &Gateway) -> End {
    count_limit(&error, gateway);
    tracing::debug!(listener = %gateway.counts.listener(), %error, "a client's bytes cannot be read");
    End::Wire(error)
}

fn count_limit(error: &WireError, gateway: &Gateway) {
    if let Some(limit) = error.limit() {
        gateway.counts.limit(limit);
    }
}

async fn overdue(started: Option<Instant>, bound: Duration) {
    match started {
        Some(started) => tokio::time::sleep_until(started + bound).await,
        None => std::future::pending().await,
    }
}

/// Bytes that are read ahead while calls are under way: enough for their successors, and for a sequence id given twice to be seen.
const READ_AHEAD: usize = 64 << 10;
/// Capacity of an outbox that an idle connection keeps.
const OUTBOX_KEPT: usize = 64 << 10;
