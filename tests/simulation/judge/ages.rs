//! Whether what was kept may still answer: its age, what was removed, what was younger, and what was no answer at all.

use super::record::{Attempt, Call, Line, Record, Reply};
use super::replies::is_silent;
use super::{Complaint, Sentence};
use crate::history::Moment;
use crate::rules::{Ms, Rule, Tiers};
use crate::service::{Asked, Content};
use crate::thrift::Kind;
use crate::tier::{Tier, TierState};

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
pub(super) fn got<'a>(record: &'a Record<'_>) -> Vec<Got<'a>> {
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
    // What its client does not take lies where it was put when it was judged.
    let answered = got.line.full.answered(got.reply);
    let age = answered.saturating_sub(got.attempt.sent);
    // What was not here when the call came was brought by a flight that it joined.
    let young = got.attempt.sent + most(&|rule| rule.ttl.unwrap_or(0)) >= got.arrived;
    let brought = got.read + HERE >= got.arrived;
    let in_windows = |well: &dyn Fn(&Rule) -> Ms, outage: &dyn Fn(&Rule) -> Ms| {
        age < most(well)
            || (record.troubled(got.arrived, got.reply.written) || is_soft(got, &rules)) && age < most(outage)
    };
    let kept = match &got.reply.content {
        Content::Declared { id, .. } => {
            let kept = rules.iter().any(|rule| rule.kept_exceptions.contains(id));
            kept && in_windows(&|rule| rule.exception_ttl, &Rule::exception_outage)
        }
        Content::Exception { .. } => false,
        _ => in_windows(&Rule::well, &Rule::outage),
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

/// Whether a call has waited as long as a rule has it wait while there is an old entry.
pub(super) fn is_soft(got: &Got<'_>, rules: &[&Rule]) -> bool {
    let waited = got.line.full.answered(got.reply).saturating_sub(got.arrived);
    rules.iter().any(|rule| waited >= rule.soft.unwrap_or(FAR_LEAST) * 1000)
}

/// What a call got that should have been gone by then.
fn returned(record: &Record<'_>, got: &Got<'_>, before: &[Got<'_>]) -> Option<String> {
    // Where it joined a flight, that was under way before.
    if got.read >= got.arrived {
        return None;
    }
    let younger = |one: &&Got<'_>| {
        // What the backup has said replaces nothing that its backend has.
        let may_replace = !record.is_backup(one.attempt) || record.is_backup(got.attempt);
        may_replace
            && one.call.asked.asks_as(&got.call.asked)
            && one.attempt.kind == Kind::Call
            && got.attempt.sent < led_at(record, one.attempt).unwrap_or(0)
    };
    before.iter().filter(younger).find_map(|one| {
        let from = one.attempt.sent.min(got.attempt.sent);
        let rule = unchanged(record, &got.call.asked, from, got.reply.written)?;
        // What was asked after a change may not be kept, and what was asked before it may be all there is in an outage.
        if record.is_touched(rule, &got.call.asked, got.line.gateway, (from, got.reply.written)) {
            return None;
        }
        let size = one.attempt.answer.as_ref().map_or(0, |answer| answer.size);
        let here = one.line.gateway == got.line.gateway && one.reply.written < got.arrived;
        let certain = match &one.reply.content {
            Content::Result { .. } => here && is_kept(record, rule, size),
            // An exception that is neither kept nor a failure is the service's word that there is nothing.
            Content::Declared { id, .. } => {
                let removes = !rule.failure_exceptions.contains(id) && !rule.kept_exceptions.contains(id);
                removes && (here && is_roomy(record) || is_told(record, rule, one, got))
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

/// Whether a gateway that keeps nothing itself finds in the shared tier what another has removed.
fn is_told(record: &Record<'_>, rule: &Rule, removed: &Got<'_>, got: &Got<'_>) -> bool {
    let forgets =
        |state: &TierState| matches!(state, TierState::Down | TierState::Emptied | TierState::Foreign);
    let lasting = record.world.tier.as_ref().is_some_and(|tier| {
        tier.severed.is_empty()
            && tier.changes.iter().all(|(at, state)| *at * 1000 > got.reply.written || !forgets(state))
    });
    // A flight that it joined may have looked before.
    let looked = got.arrived.saturating_sub(rule.ttl.unwrap_or(0) * 1000);
    rule.tiers == Tiers::Shared && lasting && looked > removed.read + TIER_WRITES
}

/// Whether a result of this size is kept for certain.
pub(super) fn is_kept(record: &Record<'_>, rule: &Rule, size: usize) -> bool {
    is_roomy(record) && size < rule.reply_max && matches!(rule.tiers, Tiers::Local | Tiers::Both)
}

/// Whether a result of this size, read by then, is in the shared tier alone for certain, and found there within its time.
pub(super) fn is_shared(record: &Record<'_>, rule: &Rule, size: usize, read: Moment, asked: Moment) -> bool {
    let certain = record.world.tier.as_ref().is_some_and(Tier::is_steady);
    rule.tiers == Tiers::Shared && certain && size < rule.reply_max && read + TIER_WRITES < asked
}

/// Whether the local tier drops nothing for want of room.
fn is_roomy(record: &Record<'_>) -> bool {
    record.world.limits.local_capacity > 8 << 20
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

/// How long a call waits at least where its rule does not say how long.
pub(super) const FAR_LEAST: Ms = 1_000;
/// The gateway counts whole milliseconds.
const ONE_MS: Moment = 1_000;
/// Longer than any write to the shared tier takes.
const TIER_WRITES: Moment = 100_000;
/// What a flight brought in the same moment as a call came may have been here or not.
const HERE: Moment = 0;
