//! One client: reads its calls, hands them to the gateway, and writes the replies in the order of the calls.
//!
//! All whole messages of a read are answered before anything is written, and all their replies leave in one write. A call not known
//! to be idempotent starts when all before it have ended, and those after it start when it has.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use thrift::ApplicationErrorKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::held::{Held, Share};
use super::inbox::Inbox;
use super::{DuplicateSeqid, Settings};
use crate::gateway::reply::{Body, Reply};
use crate::gateway::route::Route;
use crate::gateway::{Batch, CallRef, Gateway, Scratch, Session, Turn};
use crate::metrics::ListenerCounts;
use crate::wire::message::{Form, Header, Kind, Message, put_message, split_name};
use crate::wire::walk::Walk;
use crate::wire::{Protocol, Transport, WireError};

/// A connection and the calls that it has under way.
pub struct Connection<S> {
    stream: S,
    settings: Arc<Settings>,
    gateway: Arc<Gateway>,
    session: Option<Session>,
    inbox: Inbox,
    outbox: BytesMut,
    walk: Walk,
    scratch: Scratch,
    pending: FuturesOrdered<BoxFuture<'static, Answered>>,
    unanswered: VecDeque<i32>,
    /// Whether the one call under way must end before another starts.
    alone: bool,
    reading: Reading,
    /// When the client last got a message going without finishing it.
    started: Option<Instant>,
    share: Share,
    reply_bytes: usize,
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closed it.
    Client,
    /// The gateway stops.
    Drained,
    /// The client closed it in the middle of a message, or could not be written to.
    Broken,
    /// What it sent is not Thrift, or exceeds a limit after which messages cannot be told apart.
    Wire(WireError),
    /// It sent a call with the sequence id of one still unanswered.
    DuplicateSeqid,
    /// A reply came later than the client waits.
    LateReply,
    /// A started message was not finished in time.
    MessageTime,
    /// All connections together hold too many bytes.
    Buffered,
    /// The backend's own connection for this client was lost.
    Session,
}

/// Whether more is read from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Open,
    /// Only to finish what was started.
    Draining,
    /// The client has closed its half.
    Ended,
}

/// What a pending reply must know of its call.
struct Asked {
    name: Bytes,
    seqid: i32,
    form: Form,
    arrived: Instant,
    route: Option<Arc<Route>>,
}

struct Answered {
    asked: Asked,
    reply: Reply,
}

/// What the next message came to.
enum Step {
    Taken,
    Waits,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// A connection on which nothing has happened.
    pub fn new(stream: S, settings: Arc<Settings>, gateway: Arc<Gateway>, held: Held) -> Self {
        Self {
            inbox: Inbox::new(&settings),
            outbox: BytesMut::new(),
            walk: Walk::new(Protocol::Binary, 0, 0, settings.bounds.depth),
            scratch: Scratch::new(settings.bounds.depth),
            pending: FuturesOrdered::new(),
            unanswered: VecDeque::new(),
            alone: false,
            reading: Reading::Open,
            started: None,
            share: held.share(),
            reply_bytes: 0,
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
        loop {
            self.answer_calls()?;
            self.flush().await?;
            if let Some(end) = self.ended() {
                return Ok(end);
            }
            let (reads, started) = (self.reads(), self.started);
            tokio::select! {
                biased;
                Some(answered) = self.pending.next(), if !self.pending.is_empty() => self.settle(answered)?,
                read = self.stream.read_buf(self.inbox.room()), if reads => self.received(read)?,
                () = stop.cancelled(), if self.reading == Reading::Open => self.reading = Reading::Draining,
                () = overdue(started, self.settings.message_time), if started.is_some() => return Err(End::MessageTime),
            }
        }
    }

    /// Starts all calls that may start, and puts the replies of those that are answered at once into the outbox.
    fn answer_calls(&mut self) -> Result<(), End> {
        if self.inbox.is_empty() {
            return Ok(());
        }
        let arrived = Instant::now();
        let batch = self.gateway.batch(self.gateway.clock.at(arrived));
        while let Step::Taken = self.answer_next(&batch, arrived)? {}
        self.note_started(arrived);
        Ok(())
    }

    fn answer_next(&mut self, batch: &Batch, arrived: Instant) -> Result<Step, End> {
        let Some(bytes) = self.inbox.first(&self.settings).map_err(End::Wire)? else {
            return Ok(Step::Waits);
        };
        let bytes: *const [u8] = bytes;
        let _ = bytes;
        Ok(Step::Waits)
    }
}
