//! The calls of one connection that are under way, and their replies in the order of the calls.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;

use crate::call::CallRef;
use crate::gateway::reply::{Body, Reply};
use crate::gateway::route::Route;
use crate::gateway::{Gateway, Turn};
use crate::outcome::Outcome;
use crate::wire::Speech;
use crate::wire::message::{Form, Header, Kind, put_message, split_name};

/// Calls under way, and the bytes of replies that are due.
#[expect(missing_debug_implementations, reason = "futures and streams show nothing")]
pub struct Line {
    /// Replies to be written.
    pub outbox: BytesMut,
    pending: FuturesOrdered<BoxFuture<'static, Answered>>,
    /// The sequence ids of the calls under way whose clients wait for a reply.
    unanswered: VecDeque<Option<i32>>,
    place: Place,
    /// What became of the calls of this read that were answered at once.
    at_once: Vec<(Outcome, Option<Duration>)>,
}

/// Whether calls may start beside those under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Beside,
    Alone,
}

/// What a reply must know of its call.
#[expect(missing_debug_implementations, reason = "futures and streams show nothing")]
pub struct Asked {
    name: Bytes,
    seqid: i32,
    form: Form,
    arrived: Instant,
    route: Arc<Route>,
}

/// A reply whose turn has come.
#[expect(missing_debug_implementations, reason = "futures and streams show nothing")]
pub struct Answered {
    asked: Asked,
    reply: Reply,
}

/// A reply that came after its client had stopped waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late;

impl Line {
    /// No calls under way.
    pub fn new() -> Self {
        Self {
            outbox: BytesMut::new(),
            pending: FuturesOrdered::new(),
            unanswered: VecDeque::new(),
            place: Place::Beside,
            at_once: Vec::new(),
        }
    }

    /// Calls under way.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether no call is under way.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether a call with this sequence id is still unanswered.
    #[inline]
    pub fn awaits(&self, seqid: i32) -> bool {
        self.unanswered.contains(&Some(seqid))
    }

    /// Whether a call of `route` may start beside those under way, of which there may be `calls_max`.
    #[inline]
    pub fn admits(&self, route: &Route, calls_max: usize) -> bool {
        self.pending.is_empty()
            || self.place == Place::Beside && !route.keeps_place() && self.pending.len() < calls_max
    }

    /// Queues what answers `call`. What is here already and whose turn it is goes straight to the outbox.
    #[inline]
    pub fn push(
        &mut self,
        turn: Turn,
        call: &CallRef<'_>,
        route: &Arc<Route>,
        speech: Speech,
        arrived: Instant,
        gateway: &Gateway,
    ) {
        let header = &call.header;
        match turn {
            Turn::Now(reply) if self.pending.is_empty() => {
                put(&mut self.outbox, &reply, speech, header.method(), header.seqid, header.form);
                route.counts.call(reply.outcome);
                self.at_once.push((reply.outcome, reply.age));
                log(&reply, route, gateway);
            }
            Turn::Now(reply) => {
                let asked = Asked::new(call, route, arrived);
                self.wait(Some(header.seqid), Box::pin(ready(Answered { asked, reply })));
            }
            Turn::Later(reply) => {
                self.place = if route.keeps_place() { Place::Alone } else { Place::Beside };
                let asked = Asked::new(call, route, arrived);
                // A client that expects no reply may use the number again at once.
                let seqid = (!route.asking(header.kind).is_silent()).then_some(header.seqid);
                self.wait(seqid, Box::pin(async move { Answered { asked, reply: reply.await } }));
            }
        }
    }

    /// Counts the calls of a read that were answered at once: one look at the clock for all of them.
    #[inline]
    pub fn count(&mut self, gateway: &Gateway, arrived: Instant) {
        if self.at_once.is_empty() {
            return;
        }
        let ended = Instant::now();
        let (took, now) = (ended.saturating_duration_since(arrived), gateway.clock.at(ended));
        for (outcome, age) in self.at_once.drain(..) {
            gateway.counts.call(outcome, took, age, now);
        }
    }

    /// The next reply whose turn has come, or `None` if no call is under way.
    pub async fn next(&mut self) -> Option<Answered> {
        self.pending.next().await
    }

    /// The next reply, if its turn has come already.
    pub fn next_now(&mut self) -> Option<Answered> {
        self.pending.next().now_or_never().flatten()
    }

    /// Puts a reply into the outbox, unless its client has stopped waiting for it.
    pub fn settle(
        &mut self,
        answered: &Answered,
        speech: Speech,
        client_timeout: Option<Duration>,
        gateway: &Gateway,
    ) -> Result<(), Late> {
        let Answered { asked, reply } = answered;
        self.unanswered.pop_front();
        record(reply, &asked.route, asked.arrived, gateway);
        if client_timeout.is_some_and(|bound| asked.arrived.elapsed() >= bound) {
            return Err(Late);
        }
        put(&mut self.outbox, reply, speech, split_name(&asked.name).1, asked.seqid, asked.form);
        Ok(())
    }

    fn wait(&mut self, seqid: Option<i32>, answered: BoxFuture<'static, Answered>) {
        self.unanswered.push_back(seqid);
        self.pending.push_back(answered);
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Asked {
    fn new(call: &CallRef<'_>, route: &Arc<Route>, arrived: Instant) -> Self {
        let CallRef { header, .. } = call;
        Self {
            name: Bytes::copy_from_slice(header.name),
            seqid: header.seqid,
            form: header.form,
            arrived,
            route: Arc::clone(route),
        }
    }
}

/// Spells a reply with the number and the name that its client expects: that of the call, without the prefix of a multiplexed one.
#[inline]
pub fn put(out: &mut BytesMut, reply: &Reply, speech: Speech, name: &[u8], seqid: i32, form: Form) {
    let (kind, body) = match &reply.body {
        Body::Kept(entry) => (Kind::Reply, &entry.body),
        Body::Struct(kind, body) => (*kind, body),
        Body::Silence => return,
    };
    let header = Header { kind, name, seqid, form };
    put_message(out, speech.transport, speech.protocol, &header, body);
}

/// Counts and logs what became of a call that was answered later.
fn record(reply: &Reply, route: &Route, arrived: Instant, gateway: &Gateway) {
    let ended = Instant::now();
    let took = ended.saturating_duration_since(arrived);
    route.counts.call(reply.outcome);
    gateway.counts.call(reply.outcome, took, reply.age, gateway.clock.at(ended));
    log(reply, route, gateway);
}

/// Logs a call that met a fault, whatever answered it, at a bounded rate. That an entry answers while it is refreshed is no news.
#[inline]
fn log(reply: &Reply, route: &Route, gateway: &Gateway) {
    if reply.fault.is_none() && reply.outcome != Outcome::StaleIfError {
        return;
    }
    let Some(dropped) = gateway.lines.admit() else { return };
    let fault = reply.fault.as_ref().map(tracing::field::display);
    let (listener, backend, method) =
        (gateway.counts.listener(), gateway.backend.name(), route.counts.method());
    let age_ms = reply.age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let outcome = reply.outcome.as_str();
    tracing::warn!(%listener, %backend, %method, outcome, fault, age_ms, dropped, "call");
}
