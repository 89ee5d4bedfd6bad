//! One client: reads its calls, hands them to the gateway, and writes the replies in the order of the calls.
//!
//! Reading, writing and the calls under way go on side by side in the connection's one task: a client that does not read holds up
//! nothing but its own replies. All whole messages of a read are answered before anything is written, and all their replies leave in
//! one write. A call not known to be idempotent starts when all before it have ended, and those after it start when it has.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Front;
use super::alarm::Alarm;
use super::arrivals::Arrivals;
use super::arrived::Arrived;
use super::clocks::{Clocks, Due};
use super::desk::{Desk, Step};
use super::end::End;
use super::held::{Allowed, Share};
use super::parting;
use super::stop::Stop;
use crate::accept::{Asker, Client, Peer};
use crate::gateway::Batch;
use crate::wire::detect::Foreign;
use crate::wire::inbound::{Inbound, Look};
use crate::wire::{Transport, WireError};

/// A connection and what it has under way.
pub(super) struct Connection<S> {
    stream: S,
    front: Arc<Front>,
    inbound: Inbound,
    arrivals: Arrivals,
    /// Where the bytes begin that were read last, until their arrival is noted.
    unnoted: Option<u64>,
    desk: Desk,
    reading: Reading,
    /// Something has come before the gateway stopped, and is to be read first.
    unread: bool,
    /// What the last look for a call came to.
    step: Step,
    /// The bytes cannot be told apart any further: what was asked before is answered, then this ends it.
    lost: Option<End>,
    share: Share,
    /// Since when the client sends nothing more, or when it was answered last after that.
    finished: Option<Instant>,
    clocks: Clocks,
    alarm: Alarm,
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

impl<S: Client> Connection<S> {
    /// A connection from `client` on which nothing has happened.
    pub(super) fn new(stream: S, client: Asker, front: Arc<Front>, share: Share) -> Self {
        let transport = front.settings.transport;
        Self::speaking(transport, stream, client, (front, share))
    }

    /// The same of one that speaks this transport, where it is not told from the first bytes.
    pub(super) fn speaking(
        transport: Option<Transport>,
        stream: S,
        client: Asker,
        (front, share): (Arc<Front>, Share),
    ) -> Self {
        let settings = &front.settings;
        Self {
            inbound: Inbound::detecting(transport, settings.protocol, settings.bounds),
            arrivals: Arrivals::default(),
            unnoted: None,
            desk: Desk::new(Arc::clone(&front), client),
            reading: Reading::Open,
            unread: false,
            step: Step::Waits,
            lost: None,
            share,
            finished: None,
            clocks: Clocks::new(Instant::now()),
            alarm: Alarm::default(),
            front,
            stream,
        }
    }

    /// The stream, what was read of it and not taken, and what is held.
    pub(super) fn into_parts(self) -> (S, BytesMut, Share) {
        (self.stream, self.inbound.into_bytes(), self.share)
    }

    /// Answers calls until the client, the gateway or a fault ends it.
    pub(super) async fn serve(&mut self, stop: &CancellationToken) -> End {
        let mut stop = Stop::new(stop);
        let end = loop {
            if let Err(end) = self.answer_calls() {
                break end;
            }
            if let Err(end) = poll_fn(|cx| self.poll(cx, &mut stop)).await {
                break end;
            }
            if self.step == Step::Unfinished {
                tokio::task::yield_now().await;
            }
        };
        // What was answered before leaves, if the socket takes it at once.
        poll_fn(|cx| Poll::Ready(self.desk.outbox.poll_write(cx, &mut self.stream).is_ready())).await;
        // What was answered last must not be lost over calls that are not answered any more.
        if matches!(end, End::Drained | End::Session) {
            parting::part(&mut self.stream).await;
        }
        end
    }

    /// Starts all calls that may start, and puts the replies of those that are answered at once into the outbox.
    fn answer_calls(&mut self) -> Result<(), End> {
        self.step = Step::Waits;
        self.clocks.message = self.clocks.message.filter(|_| !self.inbound.is_empty());
        if self.inbound.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        if let Some(from) = self.unnoted.take() {
            self.arrivals.note(from, now);
        }
        if self.clocks.crowded.is_some() || self.lost.is_some() {
            return Ok(());
        }
        let batch = self.front.gateway.batch(self.front.gateway.clock.at(now));
        let mut taken = false;
        let step = loop {
            match self.answer_next(&batch, now) {
                Ok(Step::Taken) => taken = true,
                Ok(step) => break Ok(step),
                Err(end) => break Err(end),
            }
        };
        self.desk.count();
        self.desk.shrink();
        self.step = match step {
            Err(end @ End::Wire(_)) => {
                self.lost = Some(end);
                Step::Waits
            }
            step => step?,
        };
        let backed_up = !self.desk.is_empty() || self.step == Step::Full;
        let unanswered = backed_up || self.desk.outbox.blocked().is_some();
        if unanswered && !self.inbound.is_empty() && self.desk.look_ahead(&mut self.inbound, now)? {
            self.step = Step::Unfinished;
        }
        // Each message has its own time, and what waits for other calls is not held up by its client.
        let waits_for_client = self.step == Step::Waits && !backed_up && !self.inbound.is_empty();
        let began = self.clocks.message.filter(|_| !taken).unwrap_or(now);
        self.clocks.message = waits_for_client.then_some(began);
        Ok(())
    }

    /// Answers or starts the first call in the inbox.
    #[inline]
    fn answer_next(&mut self, batch: &Batch, now: Instant) -> Result<Step, End> {
        match self.inbound.first() {
            Ok(Look::Whole) => {}
            Ok(Look::Needs(_)) => return Ok(Step::Waits),
            Ok(Look::Unfinished) => return Ok(Step::Unfinished),
            // What was asked before is answered first.
            Err(_) if !self.desk.is_empty() => return Ok(Step::Waits),
            Err(WireError::Foreign(Foreign::Http)) if self.posts() => return Err(End::Posts),
            Err(error) => return Err(self.desk.lost(error)),
        }
        let at = self.arrivals.of(self.inbound.position()).unwrap_or(now);
        let followed = self.inbound.behind_first() > 0;
        let (Some(speech), Some(whole)) = (self.inbound.speech(), self.inbound.message()) else {
            return Ok(Step::Waits);
        };
        let step = self.desk.take(&Arrived { whole, speech, at, followed }, batch, now)?;
        if step == Step::Taken {
            self.inbound.skip();
            self.desk.taken();
        }
        Ok(step)
    }

    /// Whether it begins as Thrift over HTTP does, where transports are told by the first bytes.
    fn posts(&self) -> bool {
        self.front.settings.transport.is_none() && self.inbound.starts_with(b"POST")
    }

    /// Moves everything on that can be. Ready when there may be calls to answer.
    fn poll(&mut self, cx: &mut Context<'_>, stop: &mut Stop<'_>) -> Poll<Result<(), End>> {
        if self.exchange(cx)? {
            return Poll::Ready(Ok(()));
        }
        if let Some(end) = self.end() {
            return Poll::Ready(Err(end));
        }
        if !self.has_room(cx)? {
            // It is over: calls that were left unread are looked at.
            return Poll::Ready(Ok(()));
        }
        if self.reads() && self.poll_read(cx)?.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if self.reading == Reading::Open && stop.has_come(cx) {
            self.reading = Reading::Draining;
            self.unread = self.stream.has_unread();
            self.clocks.draining = Some(Instant::now());
            return Poll::Ready(Ok(()));
        }
        self.poll_clocks(cx)
    }

    /// Writes what the socket takes, and moves the calls under way on whether it takes anything or not. Whether there may be calls to
    /// answer by now.
    fn exchange(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut settled = false;
        loop {
            let full = self.desk.outbox.is_full();
            let more = !self.desk.is_empty() && self.desk.settle(cx, self.inbound.speech())?;
            settled |= more;
            match self.desk.outbox.poll_write(cx, &mut self.stream) {
                Poll::Ready(Err(_)) => return Err(self.gone()),
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            if self.desk.outbox.is_full() || !more && !full {
                break;
            }
        }
        self.clocks.blocked = self.desk.outbox.blocked();
        if settled && self.finished.is_some() {
            self.finished = Some(Instant::now());
        }
        let again = match self.step {
            Step::Unfinished => true,
            Step::Full => !self.desk.outbox.is_full(),
            Step::Waits | Step::Taken => settled,
        };
        Ok(again)
    }

    /// Notes what the connection holds. False once if it has had to wait for others to hold less, and need not any longer.
    fn has_room(&mut self, cx: &Context<'_>) -> Result<bool, End> {
        self.share.hold(self.inbound.held() + self.desk.held(), self.clocks.blocked);
        match self.share.allows(cx) {
            Allowed::All => Ok(self.clocks.crowded.take().is_none()),
            Allowed::Less => {
                if self.clocks.crowded.is_none() {
                    self.front.gateway.counts.limit("buffered");
                    self.clocks.crowded = Some(Instant::now());
                    self.clocks.message = None;
                }
                Ok(true)
            }
            Allowed::Nothing => Err(End::Buffered),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let from = self.inbound.end();
        let read = ready!(pin!(self.stream.read_buf(self.inbound.room())).poll(cx));
        self.clocks.idle = None;
        self.unread = false;
        match read {
            Ok(0) => {
                self.reading = Reading::Ended;
                self.finished();
            }
            Ok(_) => {
                self.unnoted.get_or_insert(from);
            }
            Err(_) => return Poll::Ready(Err(self.gone())),
        }
        Poll::Ready(Ok(()))
    }

    fn poll_clocks(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let settings = &self.front.settings;
        let quiet = self.desk.is_empty() && self.inbound.is_empty() && self.desk.outbox.is_empty();
        if settings.idle_time.is_some() && quiet {
            self.clocks.idle.get_or_insert_with(Instant::now);
        } else {
            self.clocks.idle = None;
        }
        self.clocks.half_closed = self.finished.filter(|_| !self.desk.is_empty());
        // While something is held and nothing is read, nobody else would notice that the client has gone.
        let unseen = !self.reads() && (!self.desk.is_empty() || self.clocks.crowded.is_some());
        self.clocks.looked = if unseen { self.clocks.looked.or_else(|| Some(Instant::now())) } else { None };
        loop {
            let next = self.clocks.next(&self.front.settings);
            ready!(self.alarm.poll(cx, next));
            let now = Instant::now();
            match self.clocks.due(&self.front.settings, now) {
                Some(Due::End(end)) => return Poll::Ready(Err(end)),
                Some(Due::Relieve) => {
                    self.clocks.crowded = Some(now);
                    self.share.relieve();
                }
                Some(Due::Look) => {
                    self.clocks.looked = Some(now);
                    match self.stream.peer() {
                        Peer::Open => {}
                        Peer::Finished => self.finished(),
                        Peer::Gone => return Poll::Ready(Err(self.gone())),
                    }
                }
                None => {}
            }
        }
    }

    /// Whether bytes are to be read: always for the message that is due, but not without bound for those that wait.
    fn reads(&self) -> bool {
        if self.clocks.crowded.is_some() || self.lost.is_some() {
            return false;
        }
        let due = self.desk.is_empty() && self.step != Step::Full;
        match self.reading {
            Reading::Open => due || self.inbound.behind_first() < READ_AHEAD,
            Reading::Draining => due,
            Reading::Ended => false,
        }
    }

    /// The client sends nothing more: it waits for its answers, or has given up on them.
    fn finished(&mut self) {
        if self.finished.is_none() {
            self.finished = Some(Instant::now());
            self.note_patience();
        }
    }

    /// The client is gone.
    fn gone(&self) -> End {
        if self.finished.is_none() {
            self.note_patience();
        }
        End::Broken
    }

    fn note_patience(&self) {
        if let Some(since) = self.desk.awaits_since() {
            self.front.gave_up(since.elapsed());
        }
    }

    fn end(&mut self) -> Option<End> {
        if !self.desk.is_empty() || !self.desk.outbox.is_empty() {
            return None;
        }
        if self.lost.is_some() {
            return self.lost.take();
        }
        let answered = self.inbound.is_empty();
        match self.reading {
            _ if self.desk.is_session_lost() => Some(End::Session),
            Reading::Ended if answered => Some(End::Client),
            Reading::Ended if self.step == Step::Waits && self.clocks.crowded.is_none() => Some(End::Broken),
            Reading::Draining if answered && !self.unread => Some(End::Drained),
            Reading::Ended | Reading::Draining | Reading::Open => None,
        }
    }
}

/// Bytes that are read ahead of the first message that waits: enough for its successors, and for a sequence id used again to be seen.
const READ_AHEAD: usize = 64 << 10;
