//! Whether backends are asked more often than the budget of retries allows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::record::{Attempt, Record};
use super::{Complaint, Sentence};
use crate::history::Moment;
use crate::service::Method;

/// What changes a budget.
enum Change<'a> {
    /// A call has arrived: it may be a first try.
    Call,
    /// A backend is asked for a call that it was asked for before.
    Again(&'a Attempt),
}

pub(super) fn judge(record: &Record<'_>, say: &mut impl FnMut(Complaint)) {
    let limits = &record.world.limits;
    let (part, burst) = (f64::from(limits.retry_percent) / 100.0, f64::from(limits.retry_burst));
    for (gateway, changes) in changes(record) {
        let (mut left, mut before) = (burst, 0);
        let mut arrived = VecDeque::new();
        for (at, change) in changes {
            while arrived.front().is_some_and(|first| first + LINE < at) {
                arrived.pop_front();
            }
            // What is put in while a retry waits that is paid for is not lost here, though it may be there.
            let most = burst + LINE as f64 / 1e6 + part * arrived.len() as f64;
            left = (left + (at - before) as f64 / 1e6).min(most);
            before = at;
            match change {
                Change::Call => {
                    arrived.push_back(at);
                    left += part;
                }
                Change::Again(attempt) => {
                    left -= 1.0;
                    if left < -SLACK {
                        let call = attempt.asked.call;
                        let why =
                            format!("gateway {gateway} has no retry left, but asks for call {call} again");
                        let (wires, key) = (vec![attempt.wire], Some(attempt.asked.key));
                        say(Complaint { sentence: Sentence::RetriesPaidFor, why, at, wires, key });
                        break;
                    }
                }
            }
        }
    }
}

/// What changes the budget of each gateway, in its order.
fn changes<'a>(record: &'a Record<'_>) -> BTreeMap<usize, Vec<(Moment, Change<'a>)>> {
    let mut all: BTreeMap<usize, Vec<(Moment, Change<'_>)>> = BTreeMap::new();
    for line in record.lines.values() {
        let arrived = line.calls.iter().filter_map(|call| call.arrived);
        all.entry(line.gateway).or_default().extend(arrived.map(|at| (at, Change::Call)));
    }
    // The backup has a budget of its own; and beside what it answers, or has answered, one call may find out whether its backend is back.
    let mut attempts: Vec<&Attempt> = record
        .attempts
        .values()
        .filter(|attempt| !record.is_backup(attempt) && !is_replayed(attempt))
        .collect();
    let backed_up = |attempt: &&Attempt| {
        let rules = record.rules(attempt.asked.method, 0, attempt.sent);
        record.world.has_backup && rules.into_iter().flatten().any(|rule| rule.backed_up().is_some())
    };
    let backed_up = attempts.iter().copied().filter(backed_up);
    let mut spare: BTreeSet<_> = backed_up.map(|one| (one.gateway, one.asked.call)).collect();
    attempts.sort_by_key(|attempt| attempt.sent);
    let mut asked = BTreeSet::new();
    for attempt in attempts {
        let call = (attempt.gateway, attempt.asked.call);
        if !asked.insert(call) && !spare.remove(&call) {
            all.entry(attempt.gateway).or_default().push((attempt.sent, Change::Again(attempt)));
        }
    }
    for changes in all.values_mut() {
        changes.sort_by_key(|(at, _)| *at);
    }
    all
}

/// Whether it may be made again for whoever has made it before: on each new connection that is his.
fn is_replayed(attempt: &Attempt) -> bool {
    attempt.asked.method == Method::Ugi
}

/// How long a retry may wait, paid for, until it is sent: for its pause, and in the line for a connection.
const LINE: Moment = 3_000_000;
/// How many retries a budget may seem to lack: a reply that is too old once its turn comes is sought again.
const SLACK: f64 = 2.0;
