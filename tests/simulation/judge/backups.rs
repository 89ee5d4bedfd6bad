//! Whether a backup answers where its backend fails, and only there. In worlds that have one, it is always well.

use super::ages::led_at;
use super::outage::{Known, Windows, allows_stale, known};
use super::record::{Attempt, Call, Line, Record, Reply};
use super::replies::{alone, is_silent};
use super::{Complaint, Sentence};
use crate::history::Moment;
use crate::rules::{Backup, Ms, Rule};
use crate::service::Method;
use crate::thrift::Kind;

pub(super) fn judge(record: &Record<'_>, say: &mut impl FnMut(Complaint)) {
    if !record.world.has_backup {
        return;
    }
    for line in record.lines.values() {
        for (call, reply) in line.pairs(|call| is_silent(record, call)) {
            let Some(reply) = reply else { continue };
            if let Some(why) = failed(record, line, call, reply) {
                let (wires, key) = (vec![line.wire], Some(call.asked.key));
                say(Complaint { sentence: Sentence::BackupAnswers, why, at: reply.at, wires, key });
            }
        }
    }
    // Who is asked there is told first who calls.
    let asked = |one: &&Attempt| record.is_backup(one) && one.asked.method != Method::Ugi;
    for attempt in record.attempts.values().filter(asked) {
        if let Some(why) = needless(record, attempt) {
            let why = format!("the backup is asked for call {}{why}", attempt.asked.call);
            let (wires, key) = (vec![attempt.wire], Some(attempt.asked.key));
            say(Complaint { sentence: Sentence::BackupWaits, why, at: attempt.sent, wires, key });
        }
    }
}

/// What is wrong with the reply to a call that has a backup.
fn failed(record: &Record<'_>, line: &Line, call: &Call, reply: &Reply) -> Option<String> {
    let arrived = alone(record, line, call)?;
    let rules = record.rules(call.asked.method, arrived, reply.written);
    let rules: Vec<&Rule> = rules.into_iter().collect::<Option<_>>()?;
    let backup = rules.iter().map(|rule| rule.backed_up()).collect::<Option<Vec<_>>>()?;
    if call.kind != Kind::Call || rules.is_empty() || !can_answer(record, &rules, arrived, reply.written) {
        return None;
    }
    let (number, content) = (call.asked.call, &reply.content);
    if allows_stale(record, call, reply, arrived) {
        return Some(format!("call {number} gets {content:?}, though the backup is well"));
    }
    let serial = content.serial()?;
    let attempt = record.attempts.get(&serial).filter(|one| one.asked.call != call.asked.call)?;
    let well = rules.iter().map(|rule| rule.well()).max()?;
    let is_old = attempt.sent + well * 1000 + SLACK < arrived;
    let is_soft = rules.iter().any(|rule| rule.soft.is_some());
    let before = backup.iter().all(|backup| *backup == Backup::BeforeStale);
    (before && is_old && !is_soft && matches!(content, crate::service::Content::Result { .. }))
        .then(|| format!("call {number} gets the old {content:?} before the backup was asked"))
}

/// Whether nothing keeps the backup from answering a call in time.
fn can_answer(record: &Record<'_>, rules: &[&Rule], from: Moment, until: Moment) -> bool {
    let limits = &record.world.limits;
    let roomy = limits.max_connections >= 64 && limits.max_waiting >= 64;
    let least = rules.iter().map(|rule| rule.timeout.or(limits.backend_timeout).unwrap_or(Ms::MAX)).min();
    let befell = record.befell.iter().any(|at| (from.saturating_sub(LASTS)..=until).contains(at));
    roomy && least.is_some_and(|least| least >= TIME) && !befell && until < record.quiet
}

/// Why a backup should not have been asked for a call, if so.
fn needless(record: &Record<'_>, attempt: &Attempt) -> Option<String> {
    let arrived = led_at(record, attempt)?;
    let rules = record.rules(attempt.asked.method, arrived, attempt.sent);
    let backups: Vec<Backup> = rules.into_iter().flatten().filter_map(Rule::backed_up).collect();
    if backups.is_empty() {
        return Some(", which has none".to_owned());
    }
    let limits = &record.world.limits;
    let roomy = limits.max_connections >= 64 && limits.max_waiting >= 64;
    if roomy && !record.troubled(arrived, attempt.sent) {
        return Some(" while all is well".to_owned());
    }
    let calls = record.lines.values().flat_map(|line| &line.calls);
    let call = calls.into_iter().find(|call| call.asked.call == attempt.asked.call)?;
    let when = Known { arrived, until: attempt.sent, gateway: attempt.gateway, windows: Windows::Outage };
    let old = known(record, call, when).filter(|_| backups.iter().all(|one| *one == Backup::AfterStale))?;
    Some(format!(", though call {} was answered within the window", old.asked.call))
}

/// The least time, in milliseconds, in which usual backend, shared tier and backup can be asked one after another.
const TIME: Ms = 700;
/// How long what befell a connection may be felt.
const LASTS: Moment = 5_000_000;
/// How much older than it may be an entry must be to be called old.
const SLACK: Moment = 3_000_000;
