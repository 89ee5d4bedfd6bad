//! The calls of one connection that are under way, in the order in which they came.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;

use super::outbox::Echo;
use crate::backend::Place;
use crate::call::{Call, CallRef};
use crate::gateway::Turn;
use crate::gateway::reply::{Body, Reply};
use crate::gateway::route::{Decision, Route};
use crate::wire::Speech;
use crate::wire::header::Packing;
use crate::wire::message::{Form, Header, split_name};

/// Calls under way.
#[derive(Debug, Default)]
pub(super) struct Line {
    calls: VecDeque<Pending>,
    /// The number of the first place.
    first: u64,
    /// One whose reply is sought; most calls are alone in their line, and need no queue.
    one: Option<Flying>,
    /// The others.
    others: FuturesUnordered<Flying>,
    company: Company,
    held: usize,
}

/// Which calls may start beside those under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Company {
    #[default]
    Welcome,
    /// Only of those that may follow on the connection that these are sent on.
    Run,
    Refused,
}

/// One call under way.
#[derive(Debug)]
pub(super) struct Pending {
    /// What must be known of the call.
    pub(super) asked: Asked,
    /// How far it is.
    pub(super) stage: Stage,
    held: usize,
}

/// How far a call is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its reply is sought.
    Sought,
    /// Its reply is here.
    Here(Reply),
    /// It could have been answered at once, and will be when its turn comes: what answers may be too old by then.
    Postponed,
}

/// What a reply must know of its call.
#[derive(Debug)]
pub(super) struct Asked {
    /// When its first byte arrived.
    pub(super) arrived: Instant,
    /// Its rule and counters.
    pub(super) route: Arc<Route>,
    /// Its number.
    seqid: i32,
    /// How its header was written.
    form: Form,
    /// How it was packed.
    packing: Packing,
    name: Bytes,
    /// Whether its client waits for a reply.
    awaited: bool,
    /// The call itself, where it may have to be answered anew.
    call: Option<Call>,
}

/// A call whose reply is sought.
struct Flying {
    number: u64,
    reply: BoxFuture<'static, Reply>,
}

impl Future for Flying {
    type Output = (u64, Reply);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = ready!(self.reply.as_mut().poll(cx));
        Poll::Ready((self.number, reply))
    }
}

impl std::fmt::Debug for Flying {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Flying").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Line {
    /// Whether no call is under way.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Bytes of the calls under way, and of their replies that are here.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// When the call with this number arrived, if it is still unanswered and its client waits for a reply.
    #[inline]
    pub(super) fn awaits(&self, seqid: i32) -> Option<Instant> {
        let mut awaited = self.calls.iter().filter(|pending| pending.asked.awaited);
        awaited.find(|pending| pending.asked.seqid == seqid).map(|pending| pending.asked.arrived)
    }

    /// When the first call arrived whose client waits for a reply.
    pub(super) fn awaits_since(&self) -> Option<Instant> {
        self.calls.iter().find(|pending| pending.asked.awaited).map(|pending| pending.asked.arrived)
    }

    /// Whether a call of `route` may start beside those under way, of which there may be `calls_max`; `runs` says if it can follow
    /// others on one connection.
    #[inline]
    pub(super) fn admits(&self, route: &Route, runs: bool, calls_max: usize) -> bool {
        if self.calls.is_empty() {
            return true;
        }
        let welcome = match self.company {
            Company::Welcome => !route.keeps_place(),
            Company::Run => runs && self.calls.back().is_some_and(|last| last.asked.is_beside(route)),
            Company::Refused => false,
        };
        welcome && self.calls.len() < calls_max
    }

    /// Takes a call behind the others.
    pub(super) fn push(
        &mut self,
        turn: Turn,
        call: &CallRef<'_>,
        (route, place): (&Arc<Route>, Place),
        (arrived, packing): (Instant, Packing),
    ) {
        self.company = match (route.keeps_place(), place) {
            (false, _) => Company::Welcome,
            (true, Place::First | Place::Behind) => Company::Run,
            (true, Place::Alone) => Company::Refused,
        };
        let number = self.first + self.calls.len() as u64;
        let header = &call.header;
        let (stage, call) = match turn {
            Turn::Now(_) => (Stage::Postponed, call.to_call(None)),
            Turn::Later(call, reply) => {
                self.seek(Flying { number, reply });
                (Stage::Sought, call)
            }
        };
        let may_repeat = matches!(stage, Stage::Postponed) || matches!(route.decision, Decision::Cache(_));
        let held = weight(&call, &route.decision);
        let asked = Asked {
            arrived,
            route: Arc::clone(route),
            seqid: header.seqid,
            form: header.form,
            packing,
            // A client that expects no reply may use the number again at once.
            awaited: !route.asking(header.kind).is_silent(),
            // A slice of a large call would hold all of it.
            name: if held > COPIED { Bytes::copy_from_slice(&call.name) } else { call.name.clone() },
            call: may_repeat.then_some(call),
        };
        self.held += held;
        self.calls.push_back(Pending { asked, stage, held });
    }

    /// Moves the calls under way on; their replies are kept with them.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(Poll::Ready((number, reply))) = self.one.as_mut().map(|one| one.poll_unpin(cx)) {
            self.one = None;
            self.found(number, reply);
        }
        while !self.others.is_empty()
            && let Poll::Ready(Some((number, reply))) = self.others.poll_next_unpin(cx)
        {
            self.found(number, reply);
        }
    }

    /// The first call.
    pub(super) fn first(&self) -> Option<&Pending> {
        self.calls.front()
    }

    /// Seeks another reply to the first call.
    pub(super) fn seek_again(&mut self, reply: BoxFuture<'static, Reply>) {
        if let Some(pending) = self.calls.front_mut() {
            pending.stage = Stage::Sought;
            self.seek(Flying { number: self.first, reply });
        }
    }

    /// Takes the first call out.
    pub(super) fn pop(&mut self) -> Option<Pending> {
        let pending = self.calls.pop_front()?;
        self.first += 1;
        self.held -= pending.held;
        if self.calls.is_empty() && self.calls.capacity() > KEPT {
            self.calls = VecDeque::new();
        }
        Some(pending)
    }

    /// Polls it first behind all that came before: the calls of a run are sent in the order in which they are polled first.
    fn seek(&mut self, call: Flying) {
        match self.one {
            None if self.others.is_empty() => self.one = Some(call),
            None | Some(_) => self.others.push(call),
        }
    }

    fn found(&mut self, number: u64, reply: Reply) {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let Some(pending) = index.and_then(|index| self.calls.get_mut(index)) else { return };
        let call = pending.asked.call.as_ref().map_or(0, |call| call.name.len() + call.body.len());
        self.held -= pending.held;
        pending.held = OVERHEAD + call + length(&reply);
        self.held += pending.held;
        pending.stage = Stage::Here(reply);
    }
}

impl Asked {
    /// Whether calls of `route` are for the same backend.
    fn is_beside(&self, route: &Route) -> bool {
        Arc::ptr_eq(self.route.backend(), route.backend())
    }

    /// Whether the client waits for a reply.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// The method as its client named it.
    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// What a reply to it repeats.
    pub(super) fn echo(&self, speech: Speech) -> Echo<'_> {
        let Self { seqid, form, packing, .. } = *self;
        Echo { speech, packing, method: split_name(&self.name).1, seqid, form }
    }

    /// The call, where it may have to be answered anew.
    pub(super) fn again(&self) -> Option<CallRef<'_>> {
        let call = self.call.as_ref()?;
        let header = Header { kind: call.kind, name: &call.name, seqid: self.seqid, form: self.form };
        let Call { client, protocol, body, info, .. } = call;
        let (client, protocol, info) = (*client, *protocol, info.as_ref());
        Some(CallRef { client, protocol, header, body, shared: None, info })
    }
}

/// Bytes that a call under way takes. One that is looked for under a key is held a second time in it, about as long.
fn weight(call: &Call, decision: &Decision) -> usize {
    let own = call.name.len() + call.body.len();
    match decision {
        Decision::Cache(_) | Decision::Identify(_) => OVERHEAD + 2 * own,
        Decision::Pass | Decision::Observe(_) | Decision::Own(_) | Decision::Refuse => OVERHEAD + own,
    }
}

fn length(reply: &Reply) -> usize {
    match &reply.body {
        Body::Kept(entry) => entry.body.len(),
        Body::Struct(_, _, body) => body.len(),
        Body::Silence => 0,
    }
}

/// What a call under way takes besides its bytes: its place, and what seeks its reply.
const OVERHEAD: usize = 1 << 10;
/// Calls from this length on do not live on in their name.
const COPIED: usize = 16 << 10;
/// Places that an empty line keeps.
const KEPT: usize = 8;
