//! Whether what was kept may still answer: its age, what was removed, what was younger, and what was no answer at all.

use super::record::{Attempt, Call, Line, Record, Reply};
use super::replies::is_silent;
use super::{Complaint, Sentence};
use crate::history::Moment;
use crate::rules::{Ms, Rule, Tiers};
use crate::service::{Asked, Content};

/// A call that got a reply which a backend gave.
#[derive(Clone, Copy)]
pub(super) struct Got<'a> {
    pub(super) line: &'a Line,
    pub(super) call: &'a Call,
    pub(super) reply: &'a Reply,
    pub(super) attempt: &'a Attempt,
    pub(super) arrived: Moment,
    /// When the gateway had the reply.
    pub(super) read: Moment,
}

pub(super) fn judge(record: &Record<'_>, say: &mut impl FnMut(Complaint)) {
    let all = got(record);
    for one in &all {
        if let Some((sentence, why)) = aged(record, one) {
            let why = format!("call {}: {why}", one.call.asked.call);
            say(complaint(one, sentence, why));
        }
    }
    for (at, one) in all.iter().enumerate() {
        if let Some(why) = returned(record, one, &all[..at]) {
            say(complaint(one, Sentence::NoReturn, why));
        }
    }
}

fn complaint(got: &Got<'_>, sentence: Sentence, why: String) -> Complaint {
    let wires = vec![got.line.wire, got.attempt.wire];
    Complaint { sentence, why, at: got.reply.at, wires, key: Some(got.call.asked.key) }
}

/// Everything that clients got from backends, by the time it was written.
fn got<'a>(record: &'a Record<'_>) -> Vec<Got<'a>> {
    let mut all = Vec::new();
    for line in record.lines.values() {
        for (call, reply) in line.pairs(|call| is_silent(record, call)) {
            let Some(reply) = reply else { continue };
            let attempt = reply.content.serial().and_then(|serial| record.attempts.get(&serial));
            let Some(attempt) = attempt else { continue };
            let read = attempt.answer.as_ref().and_then(|answer| answer.read);
            if let (Some(arrived), Some(read)) = (call.arrived, read) {
                all.push(Got { line, call, reply, attempt, arrived, read });
            }
        }
    }
    all.sort_by_key(|got| got.reply.written);
    all
}

fn aged(record: &Record<'_>, got: &Got<'_>) -> Option<(Sentence, String)> {
    let rules = record.rules(got.call.asked.method, got.arrived, got.reply.written);
    let rules: Vec<&Rule> = rules.into_iter().flatten().filter(|rule| rule.caches()).collect();
    if rules.is_empty() || got.attempt.asked.call == got.call.asked.call && got.read >= got.arrived {
        return None;
    }
    let most =
        |of: &dyn Fn(&Rule) -> Ms| rules.iter().map(|rule| of(rule)).max().unwrap_or(0) * 1000 + ONE_MS;
    let age = got.reply.written.saturating_sub(got.attempt.sent);
    // What was not here when the call came was brought by a flight that it joined.
    let young = got.attempt.sent + most(&|rule| rule.ttl.unwrap_or(0)) >= got.arrived;
    let brought = got.read + HERE >= got.arrived;
    let in_window = |window: Moment| age < window || record.is_blocked(got.line, got.reply);
    let kept = match &got.reply.content {
        Content::Declared { id, .. } => {
            let kept = rules.iter().any(|rule| rule.kept_exceptions.contains(id));
            kept && in_window(most(&|rule| rule.exception_ttl))
        }
        Content::Exception { .. } => false,
        _ => {
            in_window(most(&Rule::well))
                || record.troubled(got.arrived, got.reply.written) && in_window(most(&Rule::outage))
        }
    };
    if kept || brought && young {
        return None;
    }
    let failure = matches!(got.reply.content, Content::Exception { .. } | Content::Declared { .. });
    let told = format!("{:?} was asked for {} ms before it was written", got.reply.content, age / 1000);
    if brought {
        return Some((Sentence::YoungFlight, format!("{told}, in a flight that began too early")));
    }
    let sentence = if failure { Sentence::NoFailureKept } else { Sentence::InWindow };
    Some((sentence, told))
}

/// What a call got that should have been gone by then.
fn returned(record: &Record<'_>, got: &Got<'_>, before: &[Got<'_>]) -> Option<String> {
    // Where it joined a flight, that was under way before.
    if got.read >= got.arrived || record.world.tier.is_some() {
        return None;
    }
    let earlier = |one: &&Got<'_>| {
        one.line.gateway == got.line.gateway
            && one.call.asked.asks_as(&got.call.asked)
            && one.reply.written < got.arrived
            && got.attempt.sent < led_at(record, one.attempt).unwrap_or(0)
    };
    before.iter().filter(earlier).find_map(|one| {
        let rule =
            unchanged(record, &got.call.asked, one.attempt.sent.min(got.attempt.sent), got.reply.written)?;
        let size = one.attempt.answer.as_ref().map_or(0, |answer| answer.size);
        let certain = match &one.reply.content {
            Content::Result { .. } => is_kept(record, rule, size),
            // An exception that is neither kept nor a failure is the service's word that there is nothing.
            Content::Declared { id, .. } => {
                !rule.failure_exceptions.contains(id) && !rule.kept_exceptions.contains(id)
            }
            _ => false,
        };
        certain.then(|| {
            format!(
                "call {} gets {:?}, though call {} had got the younger {:?}",
                got.call.asked.call, got.reply.content, one.call.asked.call, one.reply.content
            )
        })
    })
}

/// Whether a result of this size is kept for certain.
pub(super) fn is_kept(record: &Record<'_>, rule: &Rule, size: usize) -> bool {
    let roomy = record.world.limits.local_capacity > 8 << 20;
    roomy && size < rule.reply_max && matches!(rule.tiers, Tiers::Local | Tiers::Both)
}

/// The one rule that was in force for a method all the time.
pub(super) fn unchanged<'a>(
    record: &'a Record<'_>,
    asked: &Asked,
    from: Moment,
    until: Moment,
) -> Option<&'a Rule> {
    let rules = record.rules(asked.method, from, until);
    let first = rules.first().copied().flatten()?;
    (first.caches() && rules.iter().all(|rule| *rule == Some(first))).then_some(first)
}

/// When the call arrived that led to an attempt.
pub(super) fn led_at(record: &Record<'_>, attempt: &Attempt) -> Option<Moment> {
    let calls = record.lines.values().flat_map(|line| &line.calls);
    calls.filter(|call| call.asked.call == attempt.asked.call).find_map(|call| call.arrived)
}

impl Record<'_> {
    /// Whether a reply was held up by its own client: written in a later moment than the bytes before it could be.
    pub(super) fn is_blocked(&self, line: &Line, reply: &Reply) -> bool {
        let air = self.world.weather.clients;
        let disturbed = line.disturbed.iter().any(|at| *at <= reply.written);
        disturbed
            || line.deaf.is_some_and(|deaf| deaf <= reply.written)
            || air.buffer < 4_096
            || reply.at < reply.written
    }
}

/// The gateway counts whole milliseconds.
const ONE_MS: Moment = 1_000;
/// What a flight brought in the same moment as a call came may have been here or not.
const HERE: Moment = 0;
