//! Whether what was answered before is answered in an outage.

use super::ages::{is_kept, is_shared, led_at, unchanged};
use super::changes::Left;
use super::record::{Attempt, Call, Record, Reply};
use super::replies::is_silent;
use super::{Complaint, Sentence};
use crate::history::Moment;
use crate::service::Content;
use crate::thrift::Kind;

pub(super) fn judge(record: &Record<'_>, say: &mut impl FnMut(Complaint)) {
    for line in record.lines.values() {
        for (call, reply) in line.pairs(|call| is_silent(record, call)) {
            let Some((reply, arrived)) = reply.zip(call.arrived) else { continue };
            if !allows_stale(record, call, reply, arrived) {
                continue;
            }
            let when =
                Known { arrived, until: reply.written, gateway: line.gateway, windows: Windows::Outage };
            if let Some(attempt) = known(record, call, when) {
                let why = format!(
                    "call {} gets {:?}, though call {} was answered within the window",
                    call.asked.call, reply.content, attempt.asked.call
                );
                let wires = vec![line.wire, attempt.wire];
                let key = Some(call.asked.key);
                say(Complaint { sentence: Sentence::OutageAnswered, why, at: reply.at, wires, key });
            }
        }
    }
}

/// Whether what a call got is a fault in whose place an old entry answers.
pub(super) fn allows_stale(record: &Record<'_>, call: &Call, reply: &Reply, arrived: Moment) -> bool {
    if call.kind == Kind::Reply {
        return false;
    }
    match &reply.content {
        Content::Fault(text) => !text.contains("speaks") && !text.contains("does not pass"),
        Content::Exception { code, .. } => *code == 6,
        Content::Declared { id, .. } => {
            let rules = record.rules(call.asked.method, arrived, reply.written);
            !rules.is_empty()
                && rules.iter().all(|rule| rule.is_some_and(|rule| rule.failure_exceptions.contains(id)))
        }
        // Without an IDL nobody knows that something is missing.
        Content::Empty => record.world.idl,
        Content::Fallback => true,
        Content::Result { .. } | Content::Strange(_) => false,
    }
}

/// What is looked for: something that was known when a call arrived, and may answer it by these windows until some moment.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) arrived: Moment,
    pub(super) until: Moment,
    pub(super) gateway: usize,
    pub(super) windows: Windows,
}

/// The windows in which an entry answers.
#[derive(Clone, Copy)]
pub(super) enum Windows {
    /// At once, whatever backends do.
    Well,
    /// In place of a fault.
    Outage,
}

impl Windows {
    /// Whether what marks leave of an entry may answer in these windows.
    fn lets(self, left: Left) -> bool {
        match (self, left) {
            (Self::Well, Left::All) | (Self::Outage, _) => true,
            (Self::Well, Left::Outage) => false,
        }
    }
}

/// What was kept for the same key that the gateway had when a call arrived, and must still have had at a later moment.
pub(super) fn known<'a>(record: &'a Record<'_>, call: &Call, when: Known) -> Option<&'a Attempt> {
    let Known { arrived, until, gateway, windows } = when;
    // What another gateway learnt is known here where they share a tier.
    let alike = record.attempts.values().filter(|attempt| attempt.asked.asks_as(&call.asked));
    let read = |attempt: &Attempt| attempt.answer.as_ref().and_then(|answer| answer.read);
    let attempts: Vec<&Attempt> = alike.collect();
    // What was sent as a oneway call passes, whatever its method's rule says.
    // What the backup has said is kept apart.
    let kept = |attempt: &&Attempt| {
        attempt.gateway == gateway && attempt.kind == Kind::Call && !record.is_backup(attempt)
    };
    attempts.iter().copied().filter(kept).find(|attempt| {
        let Some(answer) = attempt.answer.as_ref().filter(|answer| answer.honest) else { return false };
        let Some(here) = answer.read.filter(|read| *read < arrived) else { return false };
        let Some(born) = led_at(record, attempt) else { return false };
        let Some(rule) = unchanged(record, &call.asked, born, until) else { return false };
        let left = record.left(rule, &call.asked, gateway, (born, here), until);
        let Some(left) = left.filter(|left| windows.lets(*left)) else { return false };
        let window = match (&answer.content, windows) {
            (Content::Result { .. }, Windows::Outage) => match left {
                Left::All => rule.outage_least(),
                Left::Outage => rule.marked_least(),
            },
            (Content::Result { .. }, Windows::Well) => rule.well_least(),
            (Content::Declared { id, .. }, _) if !rule.kept_exceptions.contains(id) => return false,
            (Content::Declared { .. }, Windows::Outage) => rule.exception_outage(),
            (Content::Declared { .. }, Windows::Well) => rule.exception_ttl,
            _ => return false,
        };
        let in_window = born + window * 1000 > until + ONE_MS;
        // An answer since then may have removed or replaced it, whichever of the two was asked first. A result has the window of another.
        let replaces = |content: &Content| match (content, &answer.content) {
            (Content::Declared { .. }, _) => true,
            (Content::Result { .. }, content) => matches!(content, Content::Declared { .. }),
            _ => false,
        };
        let doubtful = attempts.iter().filter(|other| !std::ptr::eq(**other, *attempt)).any(|other| {
            let replaces = other.answer.as_ref().is_some_and(|answer| replaces(&answer.content));
            replaces && read(other).is_none_or(|read| read + LATE >= born) && other.sent <= until
        });
        let is_there =
            is_kept(record, rule, answer.size) || is_shared(record, rule, answer.size, here, arrived);
        in_window && !doubtful && is_there
    })
}

const ONE_MS: Moment = 1_000;
const LATE: Moment = 3_000_000;
