//! What happened, as everybody saw it, and what of it must not have happened. It is judged from the record alone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rules::Method;

/// What clients, backends and who changed something have seen. Times count from the start of the run.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// What backends answered, by its place in the order in which they did anything at all.
    pub(super) answers: BTreeMap<u64, Answer>,
    pub(super) reads: Vec<Read>,
    pub(super) changes: Vec<Change>,
}

/// A state that a backend told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) key: i64,
    /// It has this birth, wherever it is kept.
    pub(super) made: Duration,
}

/// A gateway from one start to its end: by its place among the gateways, and how often it had been started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life(pub(super) usize, pub(super) u32);

/// A read that was answered by an answer of a backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) life: Life,
    pub(super) method: Method,
    /// Whom the client asked for, when it did, and whom it got.
    pub(super) asked: i64,
    pub(super) from: Duration,
    pub(super) got: i64,
    /// The place of the answer.
    pub(super) place: u64,
}

/// A write or a purge that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) life: Life,
    pub(super) covers: Covers,
    pub(super) kind: Kind,
    pub(super) since: Since,
    /// When it was acknowledged.
    pub(super) known: Duration,
    pub(super) reach: Reach,
}

/// Whose replies are wrong by a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Covers {
    Key(i64),
    Call(Method, i64),
    Method(Method),
    All,
}

/// What is left of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What outages need: nobody knows here whether a backend failed at a call, so no read is wrong by it.
    Soft,
    /// Nothing.
    Hard,
}

/// Which answers know of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// A write took effect there: those of a later place.
    Place(u64),
    /// A purge was asked for then: those that were made later.
    Moment(Duration),
}

/// How far an acknowledgement claims that a change is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Gateway,
    /// Redis has it, and may lose it.
    Redis,
    Fleet,
}

/// What must not have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// No backend ever said this.
    NobodySaidSo,
    /// It belongs to another key.
    OtherKey,
    /// It is older than its rule allows by any of its windows.
    TooOld,
    /// The gateway that acknowledged a write answered with what was before it.
    OwnChangeUnseen,
    /// Another gateway did, after all of them were said to know of it.
    FleetChangeUnseen,
    /// The same of a purge.
    OwnPurgeUnseen,
    FleetPurgeUnseen,
}

impl History {
    /// All reads that are wrong.
    pub(super) fn wrongs(&self) -> Vec<(Wrong, Read)> {
        self.reads.iter().filter_map(|read| Some((self.wrong(read)?, *read))).collect()
    }

    fn wrong(&self, read: &Read) -> Option<Wrong> {
        let Some(answer) = self.answers.get(&read.place) else { return Some(Wrong::NobodySaidSo) };
        if (answer.key, read.got) != (read.asked, read.asked) {
            return Some(Wrong::OtherKey);
        }
        // It had this age when the client asked, at least.
        if read.from.saturating_sub(answer.made) > read.method.oldest() {
            return Some(Wrong::TooOld);
        }
        let unseen = self.changes.iter().filter_map(|change| change.unseen(read, answer));
        unseen.min_by_key(|wrong| matches!(wrong, Wrong::FleetChangeUnseen | Wrong::FleetPurgeUnseen))
    }

    /// How many reads were answered by what a backend had said before they were asked.
    pub(super) fn kept(&self) -> usize {
        let before =
            |read: &&Read| self.answers.get(&read.place).is_some_and(|answer| answer.made < read.from);
        self.reads.iter().filter(before).count()
    }

    /// All that is known of a wrong read, for who looks for the cause.
    pub(super) fn around(&self, read: &Read) -> String {
        let Some(answer) = self.answers.get(&read.place) else { return format!("{read:?}") };
        let changes: Vec<_> = self.changes.iter().filter(|change| change.is_before(read, answer)).collect();
        format!("{read:?}, made {:?}, before {changes:?}", answer.made)
    }
}

impl Change {
    /// What is wrong with a read that does not know of it.
    fn unseen(&self, read: &Read, answer: &Answer) -> Option<Wrong> {
        if self.kind == Kind::Soft || !self.is_before(read, answer) {
            return None;
        }
        match (self.life == read.life, self.reach, self.since) {
            (true, _, Since::Place(_)) => Some(Wrong::OwnChangeUnseen),
            (true, _, Since::Moment(_)) => Some(Wrong::OwnPurgeUnseen),
            (false, Reach::Gateway | Reach::Redis, _) => None,
            // Nobody knows here whether its gateway held a lease.
            (false, Reach::Fleet, _) if read.method.outlives_leases() => None,
            (false, Reach::Fleet, Since::Place(_)) => Some(Wrong::FleetChangeUnseen),
            (false, Reach::Fleet, Since::Moment(_)) => Some(Wrong::FleetPurgeUnseen),
        }
    }

    /// Whether it was acknowledged before a read that got what was before it.
    fn is_before(&self, read: &Read, answer: &Answer) -> bool {
        let covers = match self.covers {
            Covers::Key(key) => key == read.asked,
            Covers::Call(method, key) => (method, key) == (read.method, read.asked),
            Covers::Method(method) => method == read.method,
            Covers::All => true,
        };
        let is_older = match self.since {
            Since::Place(place) => read.place < place,
            Since::Moment(asked) => answer.made < asked,
        };
        covers && is_older && self.known < read.from
    }
}

#[cfg(test)]
mod tests;
