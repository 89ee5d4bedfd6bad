//! Whether who has an entry that may answer is answered by it when the backend takes too long.

use super::outage::known;
use super::record::{Call, Line, Record, Reply};
use super::replies::{alone, is_silent};
use super::{Complaint, Sentence};
use crate::history::Moment;

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
    let soft = rules.iter().map(|rule| rule.filter(|rule| rule.caches())?.soft);
    let soft = soft.collect::<Option<Vec<_>>>()?.into_iter().max()?;
    let until = arrived + soft * 1000 + SLACK;
    let answered = line.full.answered(reply);
    if answered <= until {
        return None;
    }
    let attempt = known(record, call, arrived, until, line.gateway)?;
    Some(format!(
        "call {} is answered after {} ms with {:?}, though call {} was answered within the window, and may answer after {soft} ms",
        call.asked.call,
        (answered - arrived) / 1000,
        reply.content,
        attempt.asked.call
    ))
}

/// How long after its time an old entry may answer.
const SLACK: Moment = 5_000;
