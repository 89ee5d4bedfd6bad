//! One connection to an endpoint: a call goes out, its reply comes back, and both must fit.

mod pipelined;
mod receiving;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

pub(super) use pipelined::{Moved, Spelled};

use super::chance::Seqids;
use super::closing::Closing;
use super::proof::Proof;
use super::pulse::Pulse;
use crate::call::Call;
use crate::call::identity::{Digest, NOBODY};
use crate::dial::{End, Stream};
use crate::wire::header::info::Info;
use crate::wire::inbound::{Inbound, LARGE};
use crate::wire::message::{Form, Header, Kind, put_header, put_wrapped_header};
use crate::wire::{Bounds, Protocol, Speech, Transport, WireError};

/// A connection that has at most one call on it that is answered, behind any number of calls that are not.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    protocol: Protocol,
    transport: Transport,
    bounds: Bounds,
    outbound: BytesMut,
    /// What follows it: a large struct.
    apart: Bytes,
    /// How much has left of both.
    written: usize,
    /// How much has left before them, since it was counted anew.
    turned_over: usize,
    inbound: Inbound,
    seqids: Seqids,
    /// The numbers of the calls without a reply that may not be handled yet, in their order. Some servers answer them.
    unfinished: VecDeque<i32>,
    pub(super) opened: Instant,
    /// Since when it lies idle.
    pub(super) idle_since: Instant,
    open: Open,
    /// What is heard of its endpoint.
    pulse: Arc<Pulse>,
    /// Whether anything ever came on it.
    pub(super) proof: Arc<Proof>,
    /// What came last.
    pub(super) last: Last,
    /// Whose it is, by the session calls that were made on it.
    pub(super) owner: Digest,
}

/// A verified reply.
#[derive(Debug)]
pub(super) struct Verified {
    /// [`Kind::Reply`] or [`Kind::Exception`].
    pub(super) kind: Kind,
    /// How its body is spelled.
    pub(super) protocol: Protocol,
    /// Its struct.
    pub(super) body: Bytes,
    /// The info headers that came with it.
    pub(super) info: Option<Arc<Info>>,
    /// What the connection is good for.
    pub(super) after: After,
}

/// What a connection is good for after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The next call.
    Clean,
    /// Nothing: bytes followed that nobody asked for.
    Unsolicited,
}

/// Why there is no reply. The connection is good for nothing after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// No byte of the call left.
    Unsent,
    /// It ended before the first byte of a reply.
    Closed(End),
    /// What came is no reply to the call.
    Garbage(Arc<str>),
    /// What came is a reply to the call, and exceeds this bound.
    Oversized(WireError),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Connection")
            .field("unfinished", &self.unfinished.len())
            .field("idle_since", &self.idle_since)
            .finish_non_exhaustive()
    }
}

/// What came last on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// Nothing yet, or a reply.
    Reply,
    /// The protocol's own exception.
    Exception,
}

/// What an idle connection has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// Nothing, as it should.
    Quiet,
    /// Its peer has closed it.
    Closed,
    /// Bytes that nobody asked for.
    Unsolicited,
}

/// Counts a connection as open while it lives.
#[derive(Debug)]
pub(super) struct Open(Arc<AtomicUsize>);

impl Open {
    /// Counts one more.
    pub(super) fn count(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a wait for room to write came to.
enum Progress {
    Wrote(io::Result<usize>),
    Read(io::Result<usize>),
}

impl Connection {
    pub(super) fn new(
        stream: Box<dyn Stream>,
        (speech, bounds): (Speech, Bounds),
        seqids: Seqids,
        (open, pulse, proof): (Open, Arc<Pulse>, Arc<Proof>),
    ) -> Self {
        let now = Instant::now();
        Self {
            stream,
            protocol: speech.protocol,
            transport: speech.transport,
            bounds,
            outbound: BytesMut::new(),
            apart: Bytes::new(),
            written: 0,
            turned_over: 0,
            inbound: Inbound::new(speech, bounds),
            seqids,
            unfinished: VecDeque::new(),
            opened: now,
            idle_since: now,
            open,
            pulse,
            proof,
            last: Last::Reply,
            owner: NOBODY,
        }
    }

    /// Whether it was opened when replies had these bounds.
    pub(super) fn is_bounded_by(&self, bounds: Bounds) -> bool {
        self.bounds == bounds
    }

    /// Sends a call and reads its reply. Servers handle the calls of a connection one after another: with the reply here,
    /// all calls before it are handled.
    pub(super) async fn exchange(&mut self, call: &Call) -> Result<Verified, Broken> {
        let seqid = self.write(call).await?;
        let wait = self.pulse.wait();
        let reply = self.receive(seqid, &call.name).await?;
        wait.answered();
        Ok(reply)
    }

    /// Sends a call that has no reply.
    pub(super) async fn send(&mut self, call: &Call) -> Result<(), Broken> {
        let seqid = self.write(call).await?;
        self.unfinished.push_back(seqid);
        Ok(())
    }

    /// What is left of a call that is not to be sent any further: a connection as it was, if no byte of the call has left.
    pub(super) fn withdraw(&self) -> Result<(), Broken> {
        if self.written == 0 { Ok(()) } else { Err(Broken::Closed(End::Closed)) }
    }

    /// How many calls without a reply may not be handled yet.
    pub(super) fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// The connection as something that ends, and what counts it.
    pub(super) fn into_closing(self) -> (Closing, Open) {
        (Closing::new(self.stream), self.open)
    }

    /// Looks, without waiting, whether anything came while no call was on it.
    pub(super) fn look(&mut self) -> Idle {
        let mut byte = [0];
        let read = tokio::task::unconstrained(self.stream.read(&mut byte)).now_or_never();
        match read {
            None => Idle::Quiet,
            Some(Ok(0) | Err(_)) => Idle::Closed,
            Some(Ok(_)) => Idle::Unsolicited,
        }
    }

    /// Writes a call under a number of its own.
    async fn write(&mut self, call: &Call) -> Result<i32, Broken> {
        self.begin();
        let seqid = self.spell(call);
        let sent = self.write_all().await;
        // A connection at rest keeps no large struct.
        self.begin();
        sent.map(|()| seqid)
    }

    /// Forgets what was spelled out.
    fn begin(&mut self) {
        match self.outbound.capacity() > OUTBOUND_KEPT {
            true => self.outbound = BytesMut::new(),
            false => self.outbound.clear(),
        }
        self.apart = Bytes::new();
        self.written = 0;
    }

    /// Spells a call out behind what is to be written. A large struct is not copied for that, and nothing can be spelled behind it.
    fn spell(&mut self, call: &Call) -> i32 {
        let seqid = self.draw();
        let header = Header { kind: call.kind, name: &call.name, seqid, form: Form::Strict };
        match (self.transport, &call.info) {
            (Transport::Header, Some(info)) => {
                put_wrapped_header(&mut self.outbound, (self.protocol, info), &header, call.body.len());
            }
            // Info headers end where a transport has no place for them.
            (transport, _) => {
                put_header(&mut self.outbound, transport, self.protocol, &header, call.body.len());
            }
        }
        match call.body.len() < LARGE {
            true => self.outbound.extend_from_slice(&call.body),
            false => self.apart = call.body.clone(),
        }
        seqid
    }

    fn draw(&mut self) -> i32 {
        loop {
            let seqid = self.seqids.draw();
            if !self.unfinished.contains(&seqid) {
                return seqid;
            }
        }
    }

    /// Bytes that are spelled out, written or not.
    fn spelled(&self) -> usize {
        self.outbound.len() + self.apart.len()
    }

    /// Writes what is spelled out. Where calls without a reply may be answered, it reads meanwhile.
    async fn write_all(&mut self) -> Result<(), Broken> {
        while self.written < self.spelled() {
            let went_on = match self.progress(!self.unfinished.is_empty()).await {
                Progress::Wrote(Ok(count)) if count > 0 => {
                    self.written += count;
                    Ok(())
                }
                Progress::Read(Ok(count)) if count > 0 => self.drop_whole_strays(),
                Progress::Wrote(Ok(_)) | Progress::Read(Ok(_)) => Err(Broken::Closed(End::Closed)),
                Progress::Wrote(Err(error)) | Progress::Read(Err(error)) => Err(ended(&error)),
            };
            went_on.map_err(|broken| if self.written == 0 { Broken::Unsent } else { broken })?;
        }
        self.stream.flush().await.map_err(|error| ended(&error))
    }

    /// Writes what can be written. Where something may come it reads meanwhile: a server whose answers are not read stops reading.
    async fn progress(&mut self, reads: bool) -> Progress {
        let Self { stream, outbound, apart, written, inbound, .. } = self;
        let left = match outbound.get(*written..) {
            Some(left) if !left.is_empty() => left,
            Some(_) | None => apart.get(*written - outbound.len()..).unwrap_or_default(),
        };
        if !reads {
            return Progress::Wrote(stream.write(left).await);
        }
        poll_fn(|context| {
            if !left.is_empty()
                && let Poll::Ready(wrote) = Pin::new(&mut *stream).poll_write(context, left)
            {
                return Poll::Ready(Progress::Wrote(wrote));
            }
            pin!(stream.read_buf(inbound.room())).poll(context).map(Progress::Read)
        })
        .await
    }
}

fn ended(error: &io::Error) -> Broken {
    Broken::Closed(End::of(error))
}

fn garbage(why: String) -> Broken {
    Broken::Garbage(why.into())
}

/// The largest write buffer that a connection keeps between calls.
const OUTBOUND_KEPT: usize = 64 << 10;
