//! Whether endpoints are left alone that are not listed.

use super::record::Record;
use super::{Complaint, Sentence};
use crate::history::Moment;

pub(super) fn judge(record: &Record<'_>, say: &mut impl FnMut(Complaint)) {
    let ends = record.generations.iter().skip(1).map(|(at, _)| *at).chain([Moment::MAX]);
    let times = record.generations.iter().map(|(at, _)| *at).zip(ends);
    for (generation, (from, until)) in record.world.generations.iter().zip(times) {
        let Some(absent) = record.world.absent(generation) else { continue };
        let is_late = |sent: Moment| (from + SLACK..until).contains(&sent);
        for attempt in record.attempts.values().filter(|one| one.endpoint == absent && is_late(one.sent)) {
            let why = format!(
                "endpoint {absent} is asked for call {} though it was not listed for {} ms",
                attempt.asked.call,
                (attempt.sent - from) / 1000
            );
            let (wires, key) = (vec![attempt.wire], Some(attempt.asked.key));
            say(Complaint { sentence: Sentence::OnlyListed, why, at: attempt.sent, wires, key });
        }
    }
}

/// How long a call that was under way may take to be sent: a connection that is being opened has 250 ms.
const SLACK: Moment = 500_000;
