//! One client: reads its calls, hands them to the gateway, and writes the replies in the order of the calls.
//!
//! All whole messages of a read are answered before anything is written, and all their replies leave in one write. A call not known
//! to be idempotent starts when all before it have ended, and those after it start when it has. While a client does not read its
//! replies, nothing is read from it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::desk::{Desk, Step};
use super::end::End;
use super::held::Share;
use super::line::Answered;
use crate::gateway::{Batch, Gateway};
use crate::wire::inbound::{Inbound, Look};

/// A connection and what it has under way.
#[expect(missing_debug_implementations, reason = "futures and streams show nothing")]
pub struct Connection<S> {
    stream: S,
    inbound: Inbound,
    desk: Desk,
    reading: Reading,
    /// Since when a message is unfinished that nothing but the client holds up.
    started: Option<Instant>,
    share: Share,
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

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// A connection on which nothing has happened.
    pub fn new(stream: S, settings: Arc<Settings>, gateway: Arc<Gateway>, share: Share) -> Self {
        Self {
            inbound: Inbound::detecting(settings.transport, settings.protocol, settings.bounds),
            desk: Desk::new(settings, gateway),
            reading: Reading::Open,
            started: None,
            share,
            stream,
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
            if answered? == Step::Unfinished {
                tokio::task::yield_now().await;
                continue;
            }
            if let Some(end) = self.end() {
                return Ok(end);
            }
            let (reads, waits) = (self.reads(), !self.desk.line.is_empty());
            let (started, open) = (self.started, self.reading == Reading::Open);
            let message_time = self.desk.settings.message_time;
            let Self { stream, inbound, desk, .. } = self;
            tokio::select! {
                biased;
                Some(answered) = desk.line.next(), if waits => self.settle_all(&answered)?,
                read = stream.read_buf(inbound.room()), if reads => self.received(&read)?,
                () = &mut stopped, if open => self.reading = Reading::Draining,
                () = overdue(started, message_time), if started.is_some() => {
                    self.desk.gateway.counts.limit("message_time");
                    return Err(End::MessageTime);
                }
            }
        }
    }

    /// Starts all calls that may start, and puts the replies of those that are answered at once into the outbox.
    fn answer_calls(&mut self) -> Result<Step, End> {
        if self.inbound.is_empty() {
            self.started = None;
            // Less is never too much.
            let _ = self.share.hold(0);
            return Ok(Step::Waits);
        }
        let arrived = Instant::now();
        let batch = self.desk.gateway.batch(self.desk.gateway.clock.at(arrived));
        let mut step = Ok(Step::Taken);
        while step == Ok(Step::Taken) {
            step = self.answer_next(&batch, arrived);
        }
        self.desk.line.count(&self.desk.gateway, arrived);
        let step = step?;
        // What waits for other calls is not held up by its client.
        let unfinished = !self.inbound.is_empty() && self.desk.line.is_empty();
        self.started = unfinished.then(|| self.started.unwrap_or(arrived));
        let held = self.inbound.len() + self.desk.line.outbox.len();
        if self.share.hold(held) {
            return Ok(step);
        }
        self.desk.gateway.counts.limit("buffered");
        Err(End::Buffered)
    }

    /// Answers or starts the first call in the inbox.
    #[inline]
    fn answer_next(&mut self, batch: &Batch, arrived: Instant) -> Result<Step, End> {
        match self.inbound.first() {
            Ok(Look::Whole) => {}
            Ok(Look::Needs(_)) => return Ok(Step::Waits),
            Ok(Look::Unfinished) => return Ok(Step::Unfinished),
            // What was asked before is answered first.
            Err(_) if !self.desk.line.is_empty() => return Ok(Step::Waits),
            Err(error) => return Err(self.desk.lost(error)),
        }
        let (Some(speech), Some(whole)) = (self.inbound.speech(), self.inbound.message()) else {
            return Ok(Step::Waits);
        };
        let step = self.desk.take(&whole, speech, batch, arrived)?;
        if step == Step::Taken {
            self.inbound.skip();
        }
        Ok(step)
    }

    /// Puts a reply whose turn has come into the outbox, and those behind it that are here too: they leave in one write.
    fn settle_all(&mut self, answered: &Answered) -> Result<(), End> {
        self.settle(answered)?;
        while let Some(answered) = self.desk.line.next_now() {
            self.settle(&answered)?;
        }
        Ok(())
    }

    fn settle(&mut self, answered: &Answered) -> Result<(), End> {
        let Some(speech) = self.inbound.speech() else {
            return Ok(());
        };
        let timeout = self.desk.settings.client_timeout;
        self.desk.line.settle(answered, speech, timeout, &self.desk.gateway).map_err(|_| End::LateReply)
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.desk.line.outbox.is_empty() {
            return Ok(());
        }
        // A plain write: the kernel makes more work of a vectored one, even of a single part.
        self.stream.write_all(&self.desk.line.outbox).await.map_err(|_| End::Broken)?;
        self.desk.line.outbox.clear();
        if self.desk.line.outbox.capacity() > OUTBOX_KEPT {
            self.desk.line.outbox = bytes::BytesMut::new();
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
            Reading::Open => self.desk.line.is_empty() || self.inbound.len() < READ_AHEAD,
            Reading::Draining => self.desk.line.is_empty(),
            Reading::Ended => false,
        }
    }

    fn end(&self) -> Option<End> {
        if !self.desk.line.is_empty() {
            return None;
        }
        match self.reading {
            _ if self.session_lost() => Some(End::Session),
            Reading::Ended if self.inbound.is_empty() => Some(End::Client),
            Reading::Ended => Some(End::Broken),
            Reading::Draining if self.inbound.is_empty() => Some(End::Drained),
            Reading::Draining | Reading::Open => None,
        }
    }

    fn session_lost(&self) -> bool {
        let session = self.desk.session.as_ref().and_then(|session| session.try_lock().ok());
        session.is_some_and(|session| session.is_lost())
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
