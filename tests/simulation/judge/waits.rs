//! Whether who has an entry that may answer is answered by it when the backend takes too long.

use super::outage::{Known, Windows, known};
use super::record::{Call, Line, Record, Reply};
use super::replies::{alone, is_silent};
use super::{Complaint, Sentence};
use crate::history::Moment;
use crate::rules::{Ms, Rule};
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
    let soft = rules.iter().map(|rule| rule.soft).collect::<Option<Vec<_>>>();
    let soft = soft.and_then(|soft| soft.into_iter().max());
    held_up(0, Windows::Well).or_else(|| held_up(soft?, Windows::Outage))
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

/// How long after its time an old entry may answer.
const SLACK: Moment = 5_000;
