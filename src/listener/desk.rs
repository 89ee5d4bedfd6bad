//! Where a client's messages become calls under way, and their replies bytes to be written: the part of a connection that does no I/O.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use thrift::ApplicationErrorKind;
use tokio::time::Instant;

use super::arrived::Arrived;
use super::end::End;
use super::fence::Fence;
use super::line::{Asked, Line, Stage};
use super::outbox::Outbox;
use super::told::Told;
use super::{DuplicateSeqid, Front, OnClose};
use crate::accept::Asker;
use crate::backend::Place;
use crate::call::CallRef;
use crate::clock::Millis;
use crate::gateway::caller::Caller;
use crate::gateway::reply::{Body, Reply};
use crate::gateway::route::{Decision, Route};
use crate::gateway::{Batch, Turn};
use crate::outcome::Outcome;
use crate::rule::sessions::Leaves;
use crate::wire::inbound::{Inbound, Look, Whole};
use crate::wire::message::{Header, Kind, Message};
use crate::wire::{Speech, WireError};

/// What a connection needs to answer its calls.
pub(super) struct Desk {
    /// Replies to be written.
    pub(super) outbox: Outbox,
    front: Arc<Front>,
    /// Where the client is.
    client: Asker,
    line: Line,
    fence: Fence,
    caller: Caller,
    /// What became of the calls of this read that were answered at once.
    at_once: Vec<AtOnce>,
}

/// A call that was answered at once.
#[derive(Clone, Copy, Debug)]
struct AtOnce {
    outcome: Outcome,
    age: Option<Duration>,
    arrived: Instant,
}

/// What came of looking for the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is answered, or under way.
    Taken,
    /// It is not here, or must wait for those under way.
    Waits,
    /// It has so many values that others get their turn before it is read to its end.
    Unfinished,
    /// No more is answered before something is written.
    Full,
}

impl Desk {
    /// A desk with no calls under way, for the client at this address.
    pub(super) fn new(front: Arc<Front>, client: Asker) -> Self {
        Self {
            outbox: Outbox::default(),
            line: Line::default(),
            fence: Fence::default(),
            caller: front.gateway.caller(front.settings.bounds.depth),
            at_once: Vec::new(),
            front,
            client,
        }
    }

    /// Whether no call is under way.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Bytes of the calls under way and of replies that are not written.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.line.held() + self.outbox.held()
    }

    /// When the first call arrived whose client waits for a reply.
    pub(super) fn awaits_since(&self) -> Option<Instant> {
        self.line.awaits_since()
    }

    /// Whether the backend connection of this client's own has ended.
    pub(super) fn is_session_lost(&self) -> bool {
        self.caller.is_session_lost()
    }

    /// Answers or starts the call that a message is, at `now`, unless it must wait.
    #[inline]
    pub(super) fn take(&mut self, arrived: &Arrived<'_>, batch: &Batch, now: Instant) -> Result<Step, End> {
        if self.outbox.is_full() {
            return Ok(Step::Full);
        }
        let Whole { message: Message { header, body }, flaw, shared, preamble } = arrived.whole;
        let flaw = flaw.filter(|flaw| !flaw.is_future_type());
        match (flaw, header.kind) {
            (None, Kind::Call | Kind::Oneway) => {
                if !self.line.is_empty() || self.outbox.blocked().is_some() {
                    self.repeats(header.seqid, now)?;
                }
                let (client, protocol) = (self.caller.client(), arrived.speech.protocol);
                let info = preamble.and_then(|preamble| preamble.info.as_ref());
                let call = CallRef { client, protocol, header, body, shared, info };
                self.start(&call, arrived, batch, now)
            }
            // What was asked before is answered first.
            _ if !self.line.is_empty() => Ok(Step::Waits),
            (None, Kind::Reply | Kind::Exception) => {
                let kind = ApplicationErrorKind::InvalidMessageType;
                self.refuse(arrived, &header, kind, "the message is no call");
                Ok(Step::Taken)
            }
            (Some(error), _) => {
                if let Some(limit) = error.limit() {
                    self.front.gateway.counts.limit(limit);
                }
                let kind = ApplicationErrorKind::ProtocolError;
                self.refuse(arrived, &header, kind, &error.to_string());
                Ok(Step::Taken)
            }
        }
    }

    /// The stream cannot be told apart any further.
    pub(super) fn lost(&self, error: WireError) -> End {
        self.front.strangers.tell(self.front.gateway.counts.listener(), self.client, &error);
        End::Wire(error)
    }

    /// Looks at the numbers of the calls that wait unread, as far as their headers are here. Whether some are left to be looked at.
    pub(super) fn look_ahead(&mut self, inbound: &mut Inbound, now: Instant) -> Result<bool, End> {
        if self.front.settings.duplicate_seqid == DuplicateSeqid::Allow {
            // What waits is found all the same, so that it is known how much is more than one message.
            return Ok(inbound.first() == Ok(Look::Unfinished));
        }
        let (line, outbox) = (&self.line, &self.outbox);
        let unanswered = |seqid| line.awaits(seqid).or_else(|| outbox.withholds(seqid));
        self.fence.look(inbound, unanswered).map_err(|reused| self.given_up(reused.since, now))
    }

    /// Notes that the first message was taken out.
    #[inline]
    pub(super) fn taken(&mut self) {
        self.fence.taken();
    }

    /// Counts the calls of a read that were answered at once: one look at the clock for all of them.
    #[inline]
    pub(super) fn count(&mut self) {
        if self.at_once.is_empty() {
            return;
        }
        let (ended, counts) = (Instant::now(), &self.front.gateway.counts);
        for together in self.at_once.chunk_by(|one, next| one.arrived == next.arrived) {
            let arrived = together.first().map_or(ended, |first| first.arrived);
            let took = ended.saturating_duration_since(arrived);
            together.iter().for_each(|one| counts.call(one.outcome, took, one.age));
        }
        self.at_once.clear();
    }

    /// Moves the calls under way on, and puts the replies whose turn has come into the outbox. Whether there were any.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>, speech: Option<Speech>) -> Result<bool, End> {
        let Some(speech) = speech else { return Ok(false) };
        let mut settled = false;
        while !self.line.is_empty() {
            self.line.poll(cx);
            if self.outbox.is_full() || !self.settle_first(speech)? {
                break;
            }
            settled = true;
        }
        Ok(settled)
    }

    /// Gives back the memory that one large call took.
    #[inline]
    pub(super) fn shrink(&mut self) {
        self.caller.shrink();
        if self.at_once.capacity() > AT_ONCE_KEPT {
            self.at_once = Vec::new();
        }
    }

    /// Starts a call unless it must wait for those under way. What is answered at once and whose turn it is goes straight to the outbox.
    #[inline]
    fn start(
        &mut self,
        call: &CallRef<'_>,
        arrived: &Arrived<'_>,
        batch: &Batch,
        now: Instant,
    ) -> Result<Step, End> {
        let Front { gateway, settings, .. } = &*self.front;
        let route = batch.routes.find(call.header.name);
        if self.caller.is_stranded(|backend| batch.routes.lead_to(backend)) {
            return if self.line.is_empty() { Err(End::Session) } else { Ok(Step::Waits) };
        }
        // On a connection of its client's own, calls wait for each other.
        let runs = !self.caller.is_private_at(route.backend()) && route.runs(call.header.kind);
        if !self.line.admits(route, runs, settings.calls_max) {
            return Ok(Step::Waits);
        }
        if arrived.at != now && self.is_late(arrived.at, now) && !route.asking(call.header.kind).is_silent() {
            return Err(End::LateReply);
        }
        // Nobody knows where a struct with a type of the future ends, so what a server reads behind it is its own client's affair.
        let may_leave_something = route.leaves == Leaves::Session || arrived.whole.flaw.is_some();
        if may_leave_something && !self.caller.is_private_at(route.backend()) {
            if !self.line.is_empty() {
                return Ok(Step::Waits);
            }
            gateway.counts.session();
            self.caller.become_private_at(route.backend());
        }
        let place = self.place(runs, arrived.followed);
        self.caller.place = place;
        let turn = gateway.answer(call, route, batch.now, &mut self.caller);
        match turn {
            Turn::Now(mut reply) if self.line.is_empty() => {
                self.outbox.answer(&mut reply, &arrived.echo(&call.header), route);
                route.count(&reply, batch.now);
                let Reply { outcome, age, .. } = reply;
                self.at_once.push(AtOnce { outcome, age, arrived: arrived.at });
                let (name, client) = (call.header.name, self.client);
                let call = Some(*call);
                Told { reply: &reply, route, name, arrived: arrived.at, client, call }.tell(gateway);
            }
            turn @ (Turn::Now(_) | Turn::Later(..)) => {
                if let Some(leak) = &route.leak {
                    leak.tell(gateway, route.counts.method(), route.backend());
                }
                self.line.push(turn, call, (route, place), (arrived.at, arrived.packing()));
            }
        }
        Ok(Step::Taken)
    }

    /// Where a call stands that may start now: it begins a run if it may and others are here that may follow it.
    fn place(&self, runs: bool, followed: bool) -> Place {
        match (runs, self.line.is_empty(), followed) {
            (true, false, _) => Place::Behind,
            (true, true, true) => Place::First,
            (true, true, false) | (false, ..) => Place::Alone,
        }
    }

    /// Puts the reply to the first call into the outbox, or has it sought anew if it is too old by now. False if it is not here.
    fn settle_first(&mut self, speech: Speech) -> Result<bool, End> {
        let Some(pending) = self.line.first() else { return Ok(false) };
        if matches!(pending.stage, Stage::Sought) {
            return Ok(false);
        }
        let now = Instant::now();
        if pending.asked.is_awaited() && self.is_late(pending.asked.arrived, now) {
            return Err(End::LateReply);
        }
        let gateway = &self.front.gateway;
        let time = gateway.clock.at(now);
        let anew = match (&pending.stage, pending.asked.again()) {
            (Stage::Here(reply), Some(call)) => {
                let holds = gateway.holds(reply, &call, &pending.asked.route, time, &mut self.caller);
                (!holds).then_some(call)
            }
            (_, call) => call.filter(|_| matches!(pending.stage, Stage::Postponed)),
        };
        let anew = anew.map(|call| gateway.answer(&call, &pending.asked.route, time, &mut self.caller));
        let anew = match anew {
            Some(Turn::Later(_, reply)) => {
                self.line.seek_again(reply);
                return Ok(true);
            }
            Some(Turn::Now(reply)) => Some(reply),
            None => None,
        };
        let Some(pending) = self.line.pop() else { return Ok(false) };
        let (asked, reply) = match (anew, pending.stage) {
            (Some(reply), _) | (None, Stage::Here(reply)) => (pending.asked, reply),
            (None, Stage::Sought | Stage::Postponed) => return Ok(true),
        };
        self.hand_out(&asked, aged(reply, time), (now, time), speech)?;
        Ok(true)
    }

    /// Puts the reply to a call whose turn has come into the outbox, and counts and tells it.
    fn hand_out(
        &mut self,
        asked: &Asked,
        mut reply: Reply,
        (now, time): (Instant, Millis),
        speech: Speech,
    ) -> Result<(), End> {
        let route = &asked.route;
        let ends = self.hands_on(&reply, route);
        if !ends {
            self.outbox.answer(&mut reply, &asked.echo(speech), route);
        }
        let gateway = &self.front.gateway;
        route.count(&reply, time);
        let took = now.saturating_duration_since(asked.arrived);
        route.counts.waited(took);
        gateway.counts.call(reply.outcome, took, reply.age);
        let (name, arrived) = (asked.name(), asked.arrived);
        let (client, call) = (self.client, asked.again());
        Told { reply: &reply, route, name, arrived, client, call }.tell(gateway);
        if ends {
            return Err(End::Backend);
        }
        if route.leaves == Leaves::Identity && self.caller.is_session_lost() {
            return Err(End::Session);
        }
        Ok(())
    }

    /// Whether the client of a call has stopped waiting.
    #[inline]
    fn is_late(&self, arrived: Instant, now: Instant) -> bool {
        let bound = self.front.settings.client_timeout;
        bound.is_some_and(|bound| now.saturating_duration_since(arrived) >= bound)
    }

    /// Whether what the backend did to its own connection is done to the client's.
    fn hands_on(&self, reply: &Reply, route: &Route) -> bool {
        let passes = match &route.decision {
            Decision::Pass | Decision::Observe(_) => true,
            Decision::Cache(_) | Decision::Identify(_) | Decision::Own(_) | Decision::Refuse => false,
        };
        passes && self.front.settings.on_close == OnClose::Close && reply.stands_for_a_close()
    }

    fn repeats(&self, seqid: i32, now: Instant) -> Result<(), End> {
        let since = self.line.awaits(seqid).or_else(|| self.outbox.withholds(seqid));
        match (self.front.settings.duplicate_seqid, since) {
            (DuplicateSeqid::Close, Some(since)) => Err(self.given_up(Some(since), now)),
            (DuplicateSeqid::Close, None) | (DuplicateSeqid::Allow, _) => Ok(()),
        }
    }

    /// The client has used the number of a call again that has waited since then, where that is known.
    fn given_up(&self, since: Option<Instant>, now: Instant) -> End {
        if let Some(since) = since {
            self.front.gave_up(now.saturating_duration_since(since));
        }
        End::DuplicateSeqid
    }

    fn refuse(&mut self, arrived: &Arrived<'_>, header: &Header<'_>, kind: ApplicationErrorKind, why: &str) {
        let reply = Reply::refusal(arrived.speech.protocol, kind, why);
        self.outbox.say(&reply, &arrived.echo(header));
    }
}

/// The reply with the age that its entry has when it is written.
fn aged(reply: Reply, now: Millis) -> Reply {
    let age = match &reply.body {
        Body::Kept(entry) => Some(now.since(entry.born)),
        Body::Struct(..) | Body::Silence => reply.age,
    };
    Reply { age, ..reply }
}

/// Room for calls answered at once that is kept.
const AT_ONCE_KEPT: usize = 256;
