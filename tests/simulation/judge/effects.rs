//! Whether effects happen as often as, and in the order in which, their clients asked for them.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Attempt, Call, Line, Record};
use super::replies::is_silent;
use super::{Complaint, Sentence};
use crate::rules::{Mode, Rule};
use crate::service::{Content, Method};
use crate::thrift::Kind;

pub(super) fn judge(record: &Record<'_>, say: &mut impl FnMut(Complaint)) {
    let mut attempts: BTreeMap<u64, Vec<&Attempt>> = BTreeMap::new();
    for attempt in record.attempts.values() {
        attempts.entry(attempt.asked.call).or_default().push(attempt);
    }
    for line in record.lines.values() {
        for call in line.calls.iter().filter(|call| call.kind == Kind::Reply) {
            if let Some(one) = attempts.get(&call.asked.call).and_then(|tries| tries.first()) {
                let why = format!("message {}, which is no call, ran", call.asked.call);
                let (at, wires) = (one.began, vec![line.wire, one.wire]);
                say(Complaint { sentence: Sentence::PassedUntouched, why, at, wires, key: None });
            }
        }
        for call in line.calls.iter().filter(|call| has_effect(record, call)) {
            let tries = attempts.get(&call.asked.call).map_or(&[][..], Vec::as_slice);
            if tries.len() > 1 {
                let (method, number) = (call.asked.method.name(), call.asked.call);
                let why = format!("call {number} of {method} ran {} times", tries.len());
                let wires = tries.iter().map(|attempt| attempt.wire).chain([line.wire]).collect();
                let at = tries[1].began;
                // A rule that is not in force gives its method no second try.
                let rules = record.rules(call.asked.method, call.at, at);
                let ruled = rules.into_iter().flatten().any(|rule| rule.mode != Mode::On);
                let sentence = if ruled { Sentence::ModesChangeNothing } else { Sentence::OnceAtMost };
                say(Complaint { sentence, why, at, wires, key: Some(call.asked.key) });
            }
        }
        if let Some(complaint) = reordered(record, line, &attempts) {
            say(complaint);
        }
    }
}

/// Whether a call must not run twice, nor out of its turn.
fn has_effect(record: &Record<'_>, call: &Call) -> bool {
    let from = call.arrived.unwrap_or(call.at);
    let rules = record.rules(call.asked.method, from, record.quiet);
    // `again` and cached methods have none; a rule that is not in force says nothing of its method.
    !rules.into_iter().flatten().any(Rule::repeats)
        && call.asked.method != Method::Unknown
        && call.kind != Kind::Reply
}

fn reordered(record: &Record<'_>, line: &Line, attempts: &BTreeMap<u64, Vec<&Attempt>>) -> Option<Complaint> {
    let mut last: Option<&Attempt> = None;
    // Who was told of a fault, or of nothing, does not know what of all before it is still to run.
    let faults = line.pairs(|call| is_silent(record, call)).into_iter().filter_map(|(call, reply)| {
        reply
            .is_none_or(|reply| matches!(reply.content, Content::Fault(_) | Content::Fallback))
            .then_some(call.asked.call)
    });
    let faults: BTreeSet<u64> = faults.collect();
    // A client that gave up, or whose connection broke, does not know itself what it waits for.
    let until = line.gave_up.first().copied().unwrap_or(u64::MAX);
    for call in line.calls.iter().filter(|call| call.at < until && has_effect(record, call)) {
        if faults.contains(&call.asked.call) {
            last = None;
            continue;
        }
        let Some(attempt) = attempts.get(&call.asked.call).and_then(|tries| tries.first().copied()) else {
            continue;
        };
        // What was on its way on a connection that broke may still be read. So may what was sent to an endpoint that left the
        // rotation since: its client's next call goes where there is an answer.
        let broke =
            |before: &Attempt| record.disturbed.get(&before.wire).is_some_and(|at| *at <= before.began);
        let broken = |before: &&Attempt| broke(before) || record.may_be_out(before, attempt.sent);
        if let Some(before) = last.filter(|before| before.began > attempt.began && !broken(before)) {
            let why = format!("call {} began before call {}", attempt.asked.call, before.asked.call);
            let wires = vec![line.wire, before.wire, attempt.wire];
            let (sentence, at) = (Sentence::EffectsInOrder, before.began);
            return Some(Complaint { sentence, why, at, wires, key: None });
        }
        last = Some(attempt);
    }
    None
}
