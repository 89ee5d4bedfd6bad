//! One connection to an endpoint: a call goes out, its reply comes back, and both must fit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::Settings;
use super::chance::Seqids;
use crate::call::Call;
use crate::dial::Stream;
use crate::wire::inbound::{Inbound, LARGE, Look};
use crate::wire::message::{Form, Header, Kind, put_header, put_message, split_name};
use crate::wire::{Protocol, Speech, Transport};

/// A connection that has no call on it, or exactly one.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    protocol: Protocol,
    transport: Transport,
    outbound: BytesMut,
    inbound: Inbound,
    seqids: Seqids,
    /// The number of the last call.
    seqid: i32,
    /// Since when it lies idle.
    pub(super) idle_since: Instant,
    /// Until when a reply that nobody asked for may come.
    pub(super) rests_until: Option<Instant>,
    _open: Open,
}

/// A verified reply.
#[derive(Debug)]
pub(super) struct Verified {
    /// [`Kind::Reply`] or [`Kind::Exception`].
    pub(super) kind: Kind,
    /// Its struct.
    pub(super) body: Bytes,
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
    Closed,
    /// What came is no reply to the call.
    Garbage(Arc<str>),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Connection")
            .field("seqid", &self.seqid)
            .field("idle_since", &self.idle_since)
            .finish_non_exhaustive()
    }
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
    /// Counts one more, unless there are `bound` already.
    pub(super) fn reserve(count: &Arc<AtomicUsize>, bound: usize) -> Option<Self> {
        let more = |open: usize| (open < bound).then_some(open + 1);
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok().map(|_| Self(Arc::clone(count)))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Connection {
    pub(super) fn new(stream: Box<dyn Stream>, settings: &Settings, seqids: Seqids, open: Open) -> Self {
        let speech = Speech { transport: settings.transport, protocol: settings.protocol };
        Self {
            stream,
            protocol: settings.protocol,
            transport: settings.transport,
            outbound: BytesMut::new(),
            inbound: Inbound::new(speech, settings.bounds),
            seqids,
            seqid: 0,
            idle_since: Instant::now(),
            rests_until: None,
            _open: open,
        }
    }

    /// Sends a call and reads its reply.
    pub(super) async fn exchange(&mut self, call: &Call) -> Result<Verified, Broken> {
        self.send(call).await?;
        self.receive(&call.name).await
    }

    /// Sends a call.
    pub(super) async fn send(&mut self, call: &Call) -> Result<(), Broken> {
        self.seqid = self.seqids.draw();
        let header = Header { kind: call.kind, name: &call.name, seqid: self.seqid, form: Form::Strict };
        self.outbound.clear();
        let sent = if call.body.len() < LARGE {
            put_message(&mut self.outbound, self.transport, self.protocol, &header, &call.body);
            self.write(&[]).await
        } else {
            put_header(&mut self.outbound, self.transport, self.protocol, &header, call.body.len());
            self.write(&call.body).await
        };
        if self.outbound.capacity() > OUTBOUND_KEPT {
            self.outbound = BytesMut::new();
        }
        sent
    }

    /// Ends the sending side, then waits for the peer to end its own.
    pub(super) async fn finish(mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let mut bytes = [0; 512];
        loop {
            match self.stream.read(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
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

    /// Drops what came while no call was on it, without waiting; says whether anything did.
    pub(super) fn discard(&mut self) -> Idle {
        let mut seen = Idle::Quiet;
        let mut bytes = [0; 512];
        loop {
            match tokio::task::unconstrained(self.stream.read(&mut bytes)).now_or_never() {
                None => return seen,
                Some(Ok(0) | Err(_)) => return Idle::Closed,
                Some(Ok(_)) => seen = Idle::Unsolicited,
            }
        }
    }

    /// Writes what is spelled out, and `body` behind it: a large one is not copied for that.
    async fn write(&mut self, body: &[u8]) -> Result<(), Broken> {
        let mut written = 0;
        for part in [&self.outbound, body] {
            let mut left = part;
            while !left.is_empty() {
                match self.stream.write(left).await {
                    Ok(count) if count > 0 => {
                        written += count;
                        left = left.get(count..).unwrap_or_default();
                    }
                    Ok(_) | Err(_) if written == 0 => return Err(Broken::Unsent),
                    Ok(_) | Err(_) => return Err(Broken::Closed),
                }
            }
        }
        self.stream.flush().await.map_err(|_| Broken::Closed)
    }

    async fn receive(&mut self, name: &[u8]) -> Result<Verified, Broken> {
        loop {
            match self.inbound.first() {
                Ok(Look::Whole) => break,
                Ok(Look::Needs(_)) => self.read().await?,
                Ok(Look::Unfinished) => tokio::task::yield_now().await,
                Err(error) => return Err(garbage(error.to_string())),
            }
        }
        let Some(taken) = self.inbound.take() else {
            return Err(garbage("nothing".to_owned()));
        };
        let after = if self.inbound.is_empty() { After::Clean } else { After::Unsolicited };
        if let Some(error) = &taken.flaw {
            return Err(garbage(error.to_string()));
        }
        let header = taken.header();
        self.verify(&header, name)?;
        Ok(Verified { kind: header.kind, body: taken.body(), after })
    }

    fn verify(&self, header: &Header<'_>, name: &[u8]) -> Result<(), Broken> {
        if header.seqid != self.seqid {
            return Err(garbage(format!("sequence id {} instead of {}", header.seqid, self.seqid)));
        }
        match header.kind {
            Kind::Reply | Kind::Exception => {}
            kind @ (Kind::Call | Kind::Oneway) => {
                return Err(garbage(format!("a message of type {kind:?}")));
            }
        }
        if header.name != name && header.name != split_name(name).1 {
            return Err(garbage("a reply to another method".to_owned()));
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Broken> {
        let held = self.inbound.len();
        match self.stream.read_buf(self.inbound.room()).await {
            Ok(count) if count > 0 => Ok(()),
            Ok(_) | Err(_) if held > 0 => Err(garbage("the connection ended inside it".to_owned())),
            Ok(_) | Err(_) => Err(Broken::Closed),
        }
    }
}

fn garbage(why: String) -> Broken {
    Broken::Garbage(why.into())
}

/// The largest write buffer that a connection keeps between calls.
const OUTBOUND_KEPT: usize = 64 << 10;
