//! Whether who has an entry that may answer is answered by it when the backend takes too long.

use super::ages::FAR_LEAST;
use super::outage::{Known, Windows, known};
use super::record::{Call, Line, Record, Reply};
use super::replies::{alone, is_silent};
use super::{Complaint, Sentence};
use crate::history::Moment;
use crate::rules::{Backup, Ms, Rule};
use crate::service::{Content, Method};
use crate::thrift::Kind;
use crate::tier::{LOOK, TierState};

pub(super) fn judge(record: &Record<'_>, say: &mut impl FnMut(Complaint)) {
    for line in record.lines.values() {
        for (call, reply) in line.pairs(|call| is_silent(record, call)) {
            let Some(reply) = reply else { continue };
            if let Some(why) = held_up(record, line, call, reply) {
                let (wires, key) = (vec![line.wire], Some(call.asked.key));
                say(Complaint { sentence: Sentence::NotHeldUp, why, at: reply.at, wires, key });
            }
        }
    }
}

fn held_up(record: &Record<'_>, line: &Line, call: &Call, reply: &Reply) -> Option<String> {
    let arrived = alone(record, line, call)?;
    let rules = record.rules(call.asked.method, arrived, reply.written);
    let rules: Vec<&Rule> = rules.into_iter().collect::<Option<_>>()?;
    if call.kind != Kind::Call || rules.is_empty() || !rules.iter().all(|rule| rule.caches()) {
        return None;
    }
    let answered = line.full.answered(reply);
    let held_up = |wait: Ms, windows| {
        let until = arrived + wait * 1000 + slack(record);
        let when = Known { arrived, until, gateway: line.gateway, windows };
        let attempt = (answered > until).then(|| known(record, call, when))??;
        Some(format!(
            "call {} is answered after {} ms with {:?}, though call {} was answered within the window, and may answer after {wait} ms",
            call.asked.call,
            (answered - arrived) / 1000,
            reply.content,
            attempt.asked.call
        ))
    };
    let soft =
        rules.iter().map(|rule| rule.soft.or_else(|| far_longer(record, line.gateway, call, rule, arrived)));
    let soft = soft.collect::<Option<Vec<_>>>().and_then(|soft| soft.into_iter().max());
    held_up(0, Windows::Well).or_else(|| held_up(soft?, Windows::Outage))
}

/// How long a call waits at most where its rule does not say how long: ten times what the method's slowest answer took, and a second at
/// least, once there were enough. None where a backup comes before old entries, and where what an answer took includes session calls that
/// were said before on the same connection.
fn far_longer(record: &Record<'_>, gateway: usize, call: &Call, rule: &Rule, arrived: Moment) -> Option<Ms> {
    let says_who = record.attempts.values().any(|attempt| attempt.asked.method == Method::Ugi);
    if says_who || rule.backed_up() == Some(Backup::BeforeStale) {
        return None;
    }
    let alike = record.attempts.values().filter(|attempt| {
        attempt.gateway == gateway && attempt.asked.method == call.asked.method && !record.is_backup(attempt)
    });
    let took = alike.filter_map(|attempt| {
        let answer =
            attempt.answer.as_ref().filter(|answer| matches!(answer.content, Content::Result { .. }))?;
        answer.read.filter(|read| *read < arrived).map(|read| read - attempt.sent)
    });
    let took: Vec<Moment> = took.collect();
    let slowest = took.iter().max().filter(|_| took.len() >= ANSWERS)?;
    Some((slowest.div_ceil(1000) * 10 * 5 / 4).max(FAR_LEAST))
}

/// How long after its time an entry may answer.
fn slack(record: &Record<'_>) -> Moment {
    let tier = record.world.tier.iter().flat_map(|tier| &tier.changes);
    let looks = tier.map(|(_, state)| match state {
        TierState::Up(delay) => (*delay).min(LOOK) * 1000,
        TierState::Down | TierState::Emptied | TierState::Foreign | TierState::Lost(_) => 0,
    });
    SLACK + looks.max().unwrap_or_default()
}

/// Answers of which a median is known. Some come at one moment, or tell what there is to do and not what is usual.
const ANSWERS: usize = 16;
/// How long after its time an old entry may answer.
const SLACK: Moment = 5_000;
