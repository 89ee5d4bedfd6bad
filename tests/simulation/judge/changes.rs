//! What was changed by calls or declared wrong by orders, and from when on who must know of it.

use super::record::{Attempt, Call, Line, Record, Reply};
use super::replies::is_silent;
use crate::history::{Moment, Reach};
use crate::purges::{Kind, Wrong};
use crate::rules::{OnLoss, Rule};
use crate::service::{Asked, Content, Returns};
use crate::tags::Name;
use crate::thrift::Kind as Message;
use crate::tier::Tier;

/// Something that was changed, or declared wrong.
#[derive(Debug)]
pub(crate) struct Change {
    pub(super) gateway: usize,
    what: What,
    /// When the first mark of it may have been made.
    begins: Moment,
    /// Until when what is asked through that gateway may not be kept.
    settled: Moment,
    may_be_hard: bool,
    pub(super) marks: Vec<Mark>,
    /// The connection on which it was asked for.
    pub(super) wire: Option<u64>,
}

#[derive(Debug)]
enum What {
    Named(Vec<Name>),
    Wrong(Wrong),
}

/// A mark that was made for certain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// What was asked before then does not know of it.
    pub(super) made: Moment,
    /// It was made by then.
    pub(super) known: Moment,
    /// What is asked through the same gateway before then may not know of it all the same.
    pub(super) settled: Moment,
    pub(super) kind: Kind,
    pub(super) reach: Reach,
}

/// What marks leave of a reply for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// All that its age allows.
    All,
    /// What it may do in an outage.
    Outage,
}

/// An order, and what came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ordered {
    pub(crate) at: Moment,
    pub(crate) wrong: Wrong,
    pub(crate) kind: Kind,
    pub(crate) gateway: usize,
    pub(crate) obeyed: Option<(Moment, Reach)>,
}

/// All changes in a world.
pub(super) fn all(record: &Record<'_>) -> Vec<Change> {
    let mut changes: Vec<Change> = record.orders.values().map(Change::ordered).collect();
    for line in record.lines.values() {
        let pairs = line.pairs(|call| is_silent(record, call));
        for call in &line.calls {
            let reply = pairs.iter().find(|(one, _)| one.asked.call == call.asked.call);
            changes.extend(Change::called(record, line, call, reply.and_then(|(_, reply)| *reply)));
        }
    }
    if record.world.tier.as_ref().is_some_and(Tier::is_steady) {
        changes.iter_mut().for_each(Change::spread);
    }
    changes
}

impl Change {
    fn ordered(order: &Ordered) -> Self {
        let Ordered { at, wrong, kind, gateway, obeyed } = *order;
        let mark = obeyed.map(|(known, reach)| Mark { made: at, known, settled: at, kind, reach });
        Self {
            gateway,
            what: What::Wrong(wrong),
            begins: at,
            settled: obeyed.map_or(at + LONGEST, |(known, _)| known),
            may_be_hard: kind == Kind::Hard,
            marks: mark.into_iter().collect(),
            wire: None,
        }
    }

    /// What a call changes, if its rule says that it changes something.
    fn called(record: &Record<'_>, line: &Line, call: &Call, reply: Option<&Reply>) -> Option<Self> {
        let begins = call.arrived.filter(|_| call.kind != Message::Reply)?;
        let rules = record.rules(call.asked.method, begins, begins);
        let rule = rules.into_iter().flatten().find(|rule| !rule.invalidates.is_empty())?;
        let attempts: Vec<_> =
            record.attempts.values().filter(|one| one.asked.call == call.asked.call).collect();
        let ends = reply.map_or(begins + LONGEST, |reply| reply.written);
        let attempted = attempts.first().map(|attempt| Mark {
            made: begins,
            known: attempt.sent,
            settled: begins,
            kind: Kind::Soft,
            reach: Reach::Gateway,
        });
        let done = reply.and_then(|reply| succeeded(rule, call, reply, &attempts));
        Some(Self {
            gateway: line.gateway,
            what: What::Named(rule.invalidates.iter().map(|tag| tag.of(&call.asked)).collect()),
            begins,
            settled: ends + rule.settle * 1000,
            may_be_hard: attempts.iter().any(|attempt| takes_effect(attempt)),
            marks: attempted.into_iter().chain(done).collect(),
            wire: Some(line.wire),
        })
    }

    /// Where nothing is wrong with the shared tier, all gateways know of each mark a while after it was made.
    fn spread(&mut self) {
        let spread = |mark: &Mark| Mark { known: mark.known + HEARD, reach: Reach::Fleet, ..*mark };
        let everywhere: Vec<Mark> = self.marks.iter().map(spread).collect();
        self.marks.extend(everywhere);
    }

    /// Whether it concerns what `rule` keeps for a call.
    pub(super) fn covers(&self, rule: &Rule, asked: &Asked) -> bool {
        match &self.what {
            What::Named(names) => names.iter().any(|name| rule.names(asked, *name)),
            What::Wrong(Wrong::Named(name)) => rule.names(asked, *name),
            What::Wrong(Wrong::Call { method, key, other }) => {
                (asked.method, asked.key, asked.other) == (*method, *key, *other)
            }
            What::Wrong(Wrong::Method(method)) => asked.method == *method,
            What::Wrong(Wrong::All) => true,
        }
    }

    /// Until when what is asked through a gateway may not be kept.
    fn settled_at(&self, record: &Record<'_>, gateway: usize) -> Moment {
        match &record.world.tier {
            _ if gateway == self.gateway => self.settled,
            // Who is cut off hears of it when he is not any more.
            Some(tier) if !tier.is_steady() => Moment::MAX,
            Some(_) | None => self.settled + HEARD,
        }
    }
}

impl Record<'_> {
    /// What is left of a reply that `gateway` had asked for at `sent` and had read at `read`, if that is certain.
    pub(super) fn left(
        &self,
        rule: &Rule,
        asked: &Asked,
        gateway: usize,
        (sent, read): (Moment, Moment),
        until: Moment,
    ) -> Option<Left> {
        let covering = self.changes.iter().filter(|change| change.covers(rule, asked));
        let mut bearing =
            covering.filter(|change| change.begins <= until && sent <= change.settled_at(self, gateway));
        let mut left = self.left_unheard(rule)?;
        let certain = bearing.all(|change| {
            left = Left::Outage;
            !change.may_be_hard && read < change.begins
        });
        certain.then_some(left)
    }

    /// What is left of a reply for certain where its gateway may not hear what others have marked.
    fn left_unheard(&self, rule: &Rule) -> Option<Left> {
        let hears = self.world.tier.as_ref().is_none_or(Tier::is_steady);
        match rule.on_loss() {
            _ if hears => Some(Left::All),
            OnLoss::Serve => Some(Left::All),
            OnLoss::Soft => Some(Left::Outage),
            OnLoss::Hard => None,
        }
    }

    /// Whether something that bears on what `rule` keeps for a call may have been changed in this time.
    pub(super) fn is_touched(
        &self,
        rule: &Rule,
        asked: &Asked,
        gateway: usize,
        time: (Moment, Moment),
    ) -> bool {
        let (from, until) = time;
        self.changes.iter().any(|change| {
            change.covers(rule, asked) && change.begins <= until && from <= change.settled_at(self, gateway)
        })
    }
}

/// The mark that a successful call makes.
fn succeeded(rule: &Rule, call: &Call, reply: &Reply, attempts: &[&Attempt]) -> Option<Mark> {
    let is_success = match &reply.content {
        Content::Result { .. } => true,
        Content::Empty => call.asked.method.returns() == Returns::Void,
        Content::Declared { .. }
        | Content::Exception { .. }
        | Content::Fallback
        | Content::Fault(_)
        | Content::Strange(_) => false,
    };
    let read = attempts.iter().find_map(|attempt| attempt.answer.as_ref()?.read);
    let made = read.filter(|_| is_success && call.kind == Message::Call)?;
    // A reply that was held for as long as that was let go without what it was held for.
    let reach = match rule.holds && reply.written < made + HELD_LEAST {
        true => Reach::Fleet,
        false => Reach::Gateway,
    };
    let settled = made + rule.settle * 1000;
    Some(Mark { made, known: reply.written, settled, kind: Kind::Hard, reach })
}

/// Whether a backend may have said of a call that it took effect.
fn takes_effect(attempt: &Attempt) -> bool {
    attempt.answer.as_ref().is_some_and(|answer| {
        answer.honest && matches!(answer.content, Content::Result { .. } | Content::Empty)
    })
}

/// Longer than any call or order is under way.
const LONGEST: Moment = 45_000_000;
/// How long after a mark was made the other gateways have heard of it, if nothing is wrong.
const HEARD: Moment = 500_000;
/// How long a reply is held at most for others to know of its mark is more than this.
const HELD_LEAST: Moment = 1_400_000;
