//! Whether who must know of a change answers with nothing that was asked before it.

use super::ages::{Got, got, is_soft, unchanged};
use super::changes::{Change, Mark};
use super::record::Record;
use super::{Complaint, Sentence};
use crate::history::{Moment, Reach};
use crate::purges::Kind;
use crate::rules::{OnLoss, Rule};

pub(super) fn judge(record: &Record<'_>, say: &mut impl FnMut(Complaint)) {
    if record.changes.is_empty() {
        return;
    }
    for got in got(record) {
        let (asked, sent) = (&got.call.asked, got.attempt.sent);
        let Some(rule) = unchanged(record, asked, sent, got.reply.written) else { continue };
        let marks = record.changes.iter().filter(|change| change.covers(rule, asked));
        let mut marks = marks.flat_map(|change| change.marks.iter().map(move |mark| (change, mark)));
        let unseen = marks.find_map(|(change, mark)| {
            let is_before = mark.known < got.arrived && sent < mark.made;
            let unseen = || unseen(record, rule, &got, (change, mark)).filter(|_| is_before);
            let sentence = unseen().or_else(|| unsettled(&got, (change, mark)))?;
            Some((change, mark, sentence))
        });
        if let Some((change, mark, sentence)) = unseen {
            let why = format!(
                "call {} gets {:?}, asked for at {} ms, though there is a {:?} mark of {} ms since {} ms",
                asked.call,
                got.reply.content,
                sent / 1000,
                mark.kind,
                mark.made / 1000,
                mark.known / 1000,
            );
            let wires = [got.line.wire, got.attempt.wire].into_iter().chain(change.wire).collect();
            say(Complaint { sentence, why, at: got.reply.at, wires, key: Some(asked.key) });
        }
    }
}

/// Which sentence a reply breaks that was asked for before a mark which was known when its call came.
fn unseen(
    record: &Record<'_>,
    rule: &Rule,
    got: &Got<'_>,
    (change, mark): (&Change, &Mark),
) -> Option<Sentence> {
    let in_need = || record.in_need(got.arrived, got.reply.written) || is_soft(got, &[rule]);
    let is_own = change.gateway == got.line.gateway;
    match (mark.kind, is_own, mark.reach) {
        (_, false, Reach::Gateway) => None,
        (Kind::Hard, true, _) => Some(Sentence::OwnChangeSeen),
        (Kind::Hard, false, Reach::Fleet) => {
            (!is_excused(record, rule, got, mark, in_need())).then_some(Sentence::FleetChangeSeen)
        }
        (Kind::Soft, true, _) => (!in_need()).then_some(Sentence::SoftInNeedAlone),
        (Kind::Soft, false, Reach::Fleet) => {
            (!in_need() && !is_excused(record, rule, got, mark, false)).then_some(Sentence::SoftInNeedAlone)
        }
    }
}

/// Whether a reply was kept that was asked for while a change might yet spread.
fn unsettled(got: &Got<'_>, (change, mark): (&Change, &Mark)) -> Option<Sentence> {
    // Who came before it was here has shared the call that brought it.
    let was_kept = got.read < got.arrived && got.attempt.asked.call != got.call.asked.call;
    let spreads = (mark.made..mark.settled.saturating_sub(ONE_MS)).contains(&got.attempt.sent);
    let is_own = change.gateway == got.attempt.gateway;
    (was_kept && spreads && is_own).then_some(Sentence::SettledFirst)
}

/// Whether a gateway that may not have heard of a mark may answer so: its rule says what it does without a lease.
fn is_excused(record: &Record<'_>, rule: &Rule, got: &Got<'_>, mark: &Mark, in_need: bool) -> bool {
    let Some(tier) = &record.world.tier else { return false };
    let (from, until) = (mark.made.saturating_sub(LEASE) / 1000, got.reply.written / 1000 + 1);
    let hears = tier.is_steady_for(got.line.gateway, from, until);
    !hears
        && match rule.on_loss() {
            OnLoss::Serve => true,
            OnLoss::Soft => in_need,
            OnLoss::Hard => false,
        }
}

/// The gateway counts whole milliseconds.
const ONE_MS: Moment = 1_000;
/// How long before a mark a gateway may have lost its lease, to be waited for by nobody.
const LEASE: Moment = 2_000_000;
