//! What happened, as everybody saw it, and what of it must not have happened. It is judged from the record alone.

use std::collections::BTreeMap;
use std::time::Duration;

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
    pub(super) made: Duration,
}

/// A gateway from one start to its end: by its place among the gateways, and how often it had been started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life(pub(super) usize, pub(super) u32);

/// A read that was answered by an answer of a backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) life: Life,
    /// Whom the client asked for, when it did, and whom it got.
    pub(super) asked: i64,
    pub(super) from: Duration,
    pub(super) got: i64,
    /// The place of the answer.
    pub(super) place: u64,
}

/// A change that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) life: Life,
    pub(super) key: i64,
    /// Where it took effect: what has a later place knows of it.
    pub(super) place: u64,
    /// When it was acknowledged.
    pub(super) known: Duration,
    pub(super) reach: Reach,
}

/// How far an acknowledgement claims that a change is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Gateway,
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
    /// The gateway that acknowledged a change answered with what was before it.
    OwnChangeUnseen,
    /// Another gateway did, after all of them were said to know of it.
    FleetChangeUnseen,
}

impl History {
    /// All reads that are wrong; `oldest` is the age that their rule allows at most.
    pub(super) fn wrongs(&self, oldest: Duration) -> Vec<(Wrong, Read)> {
        self.reads.iter().filter_map(|read| Some((self.wrong(read, oldest)?, *read))).collect()
    }

    fn wrong(&self, read: &Read, oldest: Duration) -> Option<Wrong> {
        let Some(answer) = self.answers.get(&read.place) else { return Some(Wrong::NobodySaidSo) };
        if (answer.key, read.got) != (read.asked, read.asked) {
            return Some(Wrong::OtherKey);
        }
        // It had this age when the client asked, at least.
        if read.from.saturating_sub(answer.made) > oldest {
            return Some(Wrong::TooOld);
        }
        let unseen = self.changes.iter().filter(|change| {
            change.key == read.asked && change.known < read.from && read.place < change.place
        });
        let reached = unseen.filter_map(|change| match (change.life == read.life, change.reach) {
            (true, _) => Some(Wrong::OwnChangeUnseen),
            (false, Reach::Fleet) => Some(Wrong::FleetChangeUnseen),
            (false, Reach::Gateway) => None,
        });
        reached.min_by_key(|wrong| *wrong == Wrong::FleetChangeUnseen)
    }

    /// How many reads were answered by what a backend had said before they were asked.
    pub(super) fn kept(&self) -> usize {
        let before =
            |read: &&Read| self.answers.get(&read.place).is_some_and(|answer| answer.made < read.from);
        self.reads.iter().filter(before).count()
    }

    /// All that is known of one key around a read, for who looks for the cause.
    pub(super) fn around(&self, read: &Read) -> String {
        let made = self.answers.get(&read.place).map(|answer| answer.made);
        let changes =
            self.changes.iter().filter(|change| change.key == read.asked && change.place > read.place);
        let changes: Vec<_> = changes.filter(|change| change.known < read.from).collect();
        format!("{read:?}, made {made:?}, before {changes:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::harness::ms;
    use super::*;

    const HERE: Life = Life(0, 0);
    const OLDEST: Duration = ms(100);

    fn read(life: Life, from: u64, place: u64) -> Read {
        Read { life, asked: 1, from: ms(from), got: 1, place }
    }

    /// A backend said something at 1 and at 3, and between them `HERE` changed it, which was acknowledged after 40 ms.
    fn history(reach: Reach, read: Read) -> History {
        let answer = |made| Answer { key: 1, made: ms(made) };
        let change = Change { life: HERE, key: 1, place: 2, known: ms(40), reach };
        let answers =
            BTreeMap::from([(1, answer(10)), (3, answer(30)), (4, Answer { key: 2, made: ms(31) })]);
        History { answers, reads: vec![read], changes: vec![change] }
    }

    fn wrong(reach: Reach, read: Read) -> Option<Wrong> {
        history(reach, read).wrongs(OLDEST).first().map(|(wrong, _)| *wrong)
    }

    #[test]
    fn what_is_right_is_not_found_wrong() {
        let other = Life(1, 0);
        for reach in [Reach::Gateway, Reach::Fleet] {
            // Asked before it was acknowledged; answered with what knows of it.
            for right in [read(HERE, 40, 1), read(other, 20, 1), read(HERE, 41, 3), read(other, 130, 3)] {
                assert_eq!(wrong(reach, right), None, "{right:?}");
            }
        }
        assert_eq!(wrong(Reach::Gateway, read(other, 90, 1)), None);
        assert_eq!(history(Reach::Fleet, read(HERE, 41, 3)).kept(), 1);
    }

    #[test]
    fn who_changed_it_must_see_it() {
        assert_eq!(wrong(Reach::Gateway, read(HERE, 41, 1)), Some(Wrong::OwnChangeUnseen));
        assert_eq!(wrong(Reach::Fleet, read(HERE, 41, 1)), Some(Wrong::OwnChangeUnseen));
    }

    #[test]
    fn all_must_see_what_the_fleet_knows_and_a_gateway_that_was_started_again_is_another() {
        for other in [Life(1, 0), Life(0, 1)] {
            assert_eq!(wrong(Reach::Fleet, read(other, 41, 1)), Some(Wrong::FleetChangeUnseen));
            assert_eq!(wrong(Reach::Gateway, read(other, 41, 1)), None);
        }
    }

    #[test]
    fn ages_have_an_end() {
        assert_eq!(wrong(Reach::Gateway, read(HERE, 130, 3)), None);
        assert_eq!(wrong(Reach::Gateway, read(HERE, 131, 3)), Some(Wrong::TooOld));
    }

    #[test]
    fn replies_belong_to_who_was_asked_for() {
        assert_eq!(wrong(Reach::Gateway, read(HERE, 41, 4)), Some(Wrong::OtherKey));
        let got = Read { got: 2, ..read(HERE, 41, 3) };
        assert_eq!(wrong(Reach::Gateway, got), Some(Wrong::OtherKey));
        assert_eq!(wrong(Reach::Gateway, read(HERE, 41, 9)), Some(Wrong::NobodySaidSo));
    }
}
