//! Whether calls are answered: once, in order, in time, and with what belongs to them.

use super::record::{Call, Line, Record, Reply};
use super::{Complaint, Sentence};
use crate::history::Moment;
use crate::rules::{Mode, Rule};
use crate::service::{Content, Method, Returns};
use crate::thrift::Kind;

pub(super) fn judge(record: &Record<'_>, say: &mut impl FnMut(Complaint)) {
    for line in record.lines.values() {
        let mut complain = |sentence, call: Option<&Call>, why: String| {
            let at = call.map_or(Moment::MAX, |call| end_of(record, line, call));
            say(Complaint {
                sentence,
                why,
                at,
                wires: vec![line.wire],
                key: call.map(|call| call.asked.key),
            });
        };
        count(record, line, &mut complain);
        order(record, line, &mut complain);
        for (call, reply) in line.pairs(|call| is_silent(record, call)) {
            if let Some(reply) = reply {
                content(record, line, call, reply, &mut complain);
                time(record, line, call, reply, &mut complain);
                late(record, line, call, reply, &mut complain);
            }
        }
        ending(record, line, &mut complain);
    }
}

/// When a call was answered, or when it was asked.
fn end_of(record: &Record<'_>, line: &Line, call: &Call) -> Moment {
    let pairs = line.pairs(|call| is_silent(record, call));
    let reply =
        pairs.into_iter().find(|(one, _)| one.asked.call == call.asked.call).and_then(|(_, reply)| reply);
    reply.map_or(call.at, |reply| reply.at)
}

type Complain<'a> = dyn FnMut(Sentence, Option<&Call>, String) + 'a;

/// Whether a call has no reply: its method is oneway, or its type says so and nothing else is known of it.
pub(super) fn is_silent(record: &Record<'_>, call: &Call) -> bool {
    if call.kind == Kind::Reply {
        return false;
    }
    let declared = record.world.idl && call.asked.method != Method::Unknown;
    call.asked.method == Method::Tell || call.kind == Kind::Oneway && !declared
}

fn count(record: &Record<'_>, line: &Line, complain: &mut Complain<'_>) {
    let pairs = line.pairs(|call| is_silent(record, call));
    if line.replies.len() > pairs.len() {
        let (replies, calls) = (line.replies.len(), pairs.len());
        complain(Sentence::AnsweredOnce, None, format!("{replies} replies to {calls} two-way calls"));
    }
    let over = line.ended.is_some() || line.left.is_some();
    // Whom the end of the world has found waiting has not waited in vain.
    let in_vain = |call: &Call| !over && call.at + IN_VAIN < record.quiet;
    if let Some((call, _)) = pairs.iter().find(|(call, reply)| reply.is_none() && in_vain(call)) {
        let why = format!("call {} has no reply, and its connection stays open", call.asked.call);
        complain(Sentence::AnsweredOnce, Some(call), why);
    }
}

fn order(record: &Record<'_>, line: &Line, complain: &mut Complain<'_>) {
    for (call, reply) in line.pairs(|call| is_silent(record, call)) {
        let Some(reply) = reply else { return };
        if reply.seqid != call.seqid || reply.name != call.asked.method.name() {
            let why = format!(
                "call {} ({} {}) is answered as {} {}",
                call.asked.call,
                call.asked.method.name(),
                call.seqid,
                reply.name,
                reply.seqid
            );
            return complain(Sentence::InOrder, Some(call), why);
        }
    }
}

fn content(record: &Record<'_>, line: &Line, call: &Call, reply: &Reply, complain: &mut Complain<'_>) {
    let from = call.arrived.unwrap_or(call.at);
    let rules = record.rules(call.asked.method, from, reply.written);
    let number = call.asked.call;
    let mut wrong = |sentence, why: String| complain(sentence, Some(call), format!("call {number}: {why}"));
    let refused = matches!(&reply.content, Content::Fault(text) if text.contains("is no call"));
    if refused || call.kind == Kind::Reply {
        if refused != (call.kind == Kind::Reply) {
            wrong(
                Sentence::RightReply,
                format!("is a {:?}, and answered with {:?}", call.kind, reply.content),
            );
        }
        return;
    }
    match &reply.content {
        Content::Strange(what) => wrong(Sentence::RightReply, format!("is answered with {what}")),
        Content::Fault(text) => {
            let passive = rules.iter().all(|rule| rule.is_some_and(|rule| rule.mode != Mode::On));
            if passive
                && text.contains("did not answer within")
                && record.world.limits.backend_timeout.is_none()
            {
                wrong(
                    Sentence::ModesChangeNothing,
                    format!("fails with {text:?}, a time that no rule in force gives"),
                );
            }
            if let Some(why) = groundless(record, line, call, reply, text) {
                wrong(Sentence::NobodyElsePays, format!("fails with {text:?}, {why}"));
            }
        }
        Content::Fallback => {
            if !rules.iter().flatten().any(|rule| rule.fallback) {
                wrong(Sentence::RightReply, "gets a fallback that no rule has".to_owned());
            } else if !record.troubled(from, reply.written) && !connections_are_few(record) {
                wrong(Sentence::RightReply, "gets the fallback while all is well".to_owned());
            }
        }
        Content::Empty => {
            let void = matches!(call.asked.method.returns(), Returns::Void | Returns::Nothing);
            let said = record.attempts.values().any(|attempt| {
                attempt.asked.asks_as(&call.asked)
                    && attempt.answer.as_ref().is_some_and(|answer| answer.content == Content::Empty)
            });
            if !void && !said {
                wrong(Sentence::RightReply, "gets an empty reply that no backend gave".to_owned());
            }
        }
        Content::Result { serial } | Content::Declared { serial, .. } | Content::Exception { serial, .. } => {
            if let Some((sentence, why)) = foreign(record, line, call, reply, *serial, &rules) {
                wrong(sentence, format!("reply {serial} {why}"));
            }
        }
    }
}

/// What is wrong with a backend's reply as the reply to this call.
fn foreign(
    record: &Record<'_>,
    line: &Line,
    call: &Call,
    reply: &Reply,
    serial: i64,
    rules: &[Option<&Rule>],
) -> Option<(Sentence, String)> {
    let Some(attempt) = record.attempts.get(&serial) else {
        return Some((Sentence::RightReply, "was given by nobody".to_owned()));
    };
    let answer = attempt.answer.as_ref()?;
    // Where what was said is not taken any more, whoever has said it is told so.
    let is_who = attempt.asked.method == Method::Ugi && attempt.asked.key == call.asked.who;
    if is_who && matches!(reply.content, Content::Exception { .. }) {
        return None;
    }
    if !attempt.asked.asks_as(&call.asked) {
        return Some((Sentence::RightReply, format!("was given to another key: {:?}", attempt.asked)));
    }
    if !answer.honest || answer.content != reply.content {
        return Some((Sentence::RightReply, "was no proper reply to its call".to_owned()));
    }
    if answer.read.is_none_or(|read| read > reply.written) {
        return Some((Sentence::RightReply, "is written before it was read".to_owned()));
    }
    if record.world.tier.is_none() && attempt.gateway != line.gateway {
        return Some((Sentence::RightReply, "was given to another gateway".to_owned()));
    }
    let caches = rules.iter().flatten().any(|rule| rule.caches());
    if !caches && attempt.asked.call != call.asked.call {
        let why = format!("was given to call {}, and no rule caches it", attempt.asked.call);
        return Some((Sentence::PassedUntouched, why));
    }
    None
}

/// Why a fault should not have been, if so.
fn groundless(
    record: &Record<'_>,
    line: &Line,
    call: &Call,
    reply: &Reply,
    text: &str,
) -> Option<&'static str> {
    let from = call.arrived.unwrap_or(call.at);
    if text.contains("has no spelling") {
        return Some("though all that is said has a spelling in either protocol");
    }
    let crowded = text.contains("is busy") || text.contains("did not answer within");
    let whose = record.manner(line).is_polite();
    (whose && !record.troubled(from, reply.written) && !(crowded && connections_are_few(record)))
        .then_some("while all is well")
}

/// Where connections are few, who waits for one may wait in vain.
fn connections_are_few(record: &Record<'_>) -> bool {
    record.world.limits.max_connections < 64 || record.world.limits.max_waiting < 64
}

/// When a call arrived, if nothing of its own client's can hold up its reply.
pub(super) fn alone(record: &Record<'_>, line: &Line, call: &Call) -> Option<Moment> {
    let width =
        record.world.clients.iter().find(|client| client.number == line.client).map(|client| client.width);
    // A call behind a oneway of its own client waits until that is written.
    let before = line.calls.iter().take_while(|other| other.asked.call != call.asked.call).last();
    let held = !record.manner(line).is_polite() || before.is_some_and(|before| is_silent(record, before));
    call.arrived.filter(|_| width == Some(1) && line.disturbed.is_empty() && !held)
}

fn time(record: &Record<'_>, line: &Line, call: &Call, reply: &Reply, complain: &mut Complain<'_>) {
    let Some(arrived) = alone(record, line, call) else { return };
    let rules = record.rules(call.asked.method, arrived, reply.written);
    let bounds = rules.iter().map(|rule| bound(record, *rule));
    let Some(bound) = bounds.collect::<Option<Vec<_>>>().and_then(|bounds| bounds.into_iter().max()) else {
        return;
    };
    let took = reply.written.saturating_sub(arrived);
    if took > bound * 1000 + turn(record, bound) + slack(record) {
        let why =
            format!("call {} is answered after {} ms, and may take {bound} ms", call.asked.call, took / 1000);
        complain(Sentence::InTime, Some(call), why);
    }
}

/// What looking into the shared tier may add to a call's time, and waking up.
fn slack(record: &Record<'_>) -> Moment {
    if record.world.tier.is_some() { TIER + SLACK } else { SLACK }
}

/// What the others of several gateways may add to it: while one asks they wait for what it brings.
fn turn(record: &Record<'_>, bound: u64) -> Moment {
    if record.world.gateways > 1 { (bound / 2).min(TURN) * 1000 + 2 * TIER } else { 0 }
}

/// How long a call under a rule may take, in milliseconds.
fn bound(record: &Record<'_>, rule: Option<&Rule>) -> Option<u64> {
    let backend = record.world.limits.backend_timeout;
    match rule {
        Some(rule) => {
            let held = if rule.holds { HELD } else { 0 };
            rule.timeout().map(|own| rule.timeout.or(backend).unwrap_or(own) + held).or(backend)
        }
        None => backend,
    }
}

/// A reply whose number stands in a later call that the gateway has read by then.
fn late(record: &Record<'_>, line: &Line, call: &Call, reply: &Reply, complain: &mut Complain<'_>) {
    if call.kind == Kind::Reply {
        return;
    }
    let later = line.calls.iter().skip_while(|other| other.asked.call != call.asked.call).skip(1);
    let later = later.filter(|other| other.seqid == call.seqid && !is_silent(record, other));
    // Who sent a oneway call waits for nothing, and so has given nothing up.
    let mut known = later.filter(|_| call.kind == Kind::Call);
    let known = known.find(|other| other.numbered.is_some_and(|numbered| numbered < reply.written));
    // What lies here because its client does not take it is unanswered too.
    if let Some(other) = known {
        let why = format!(
            "call {} is answered when call {} of the same number is here",
            call.asked.call, other.asked.call
        );
        complain(Sentence::NoLateReply, Some(call), why);
    }
    let Some(bound) = record.world.limits.client_timeout else { return };
    // It is judged when it is answered: what its client does not take then counts as written.
    let answered = line.full.answered(reply);
    let waited = call.arriving.map_or(0, |arriving| answered.saturating_sub(arriving));
    if waited > bound * 1000 + ONE_MS {
        let why = format!("call {} is answered {} ms after it came", call.asked.call, waited / 1000);
        complain(Sentence::NoLateReply, Some(call), why);
    }
}

/// A well-behaved client's connection ends when it wants.
fn ending(record: &Record<'_>, line: &Line, complain: &mut Complain<'_>) {
    let Some((at, how)) = line.ended else { return };
    if how == "unreadable" {
        let next = line.pairs(|call| is_silent(record, call)).into_iter().find(|(_, reply)| reply.is_none());
        return complain(
            Sentence::RightReply,
            next.map(|(call, _)| call),
            "what a client gets is no message".to_owned(),
        );
    }
    if !record.manner(line).is_polite() || !line.disturbed.is_empty() || at > record.quiet {
        return;
    }
    let pairs = line.pairs(|call| is_silent(record, call));
    let unanswered = pairs.iter().find(|(_, reply)| reply.is_none());
    // Whose word is not taken, nobody knows who he is.
    let is_refused = |(call, reply): &(&Call, Option<&Reply>)| {
        let refused = reply.is_some_and(|reply| !matches!(reply.content, Content::Result { .. }));
        call.asked.method == Method::Ugi && refused
    };
    if pairs.iter().any(is_refused) {
        return;
    }
    let late = |bound: Moment| {
        unanswered
            .is_some_and(|(call, _)| call.arriving.is_some_and(|arriving| at >= arriving + bound * 1000))
    };
    if record.world.limits.client_timeout.is_some_and(late) {
        return;
    }
    // Who sends nothing more may have gone: its answers are waited for, but not for ever.
    let waited = line.half_closed.is_some_and(|half| unanswered.is_none() || at >= half + HALF_CLOSED);
    if !waited {
        complain(Sentence::NobodyElsePays, None, format!("a polite client's connection is {how}"));
    }
}

/// Longer than any call takes once nothing is wrong any more.
const IN_VAIN: Moment = 10_000_000;
/// How long answers are waited for whose client has ended its sending side.
const HALF_CLOSED: Moment = 10_000_000;
const ONE_MS: Moment = 1_000;
/// How long a look into the shared tier may take.
const TIER: Moment = 50_000;
/// How long another gateway is waited for at most, in milliseconds.
const TURN: u64 = 1_000;
/// How long the reply to a change is held at most until others know of it, in milliseconds.
const HELD: u64 = 1_500;
/// How long after its time a call may be answered.
const SLACK: Moment = 5_000;
