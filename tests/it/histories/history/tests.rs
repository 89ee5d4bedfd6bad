//! What is right is not found wrong, and what is wrong is.

use super::super::super::harness::ms;
use super::*;

const HERE: Life = Life(0, 0);
const OTHER: Life = Life(1, 0);

fn read(life: Life, from: u64, place: u64) -> Read {
    Read { life, method: Method::Get, asked: 1, from: ms(from), got: 1, place }
}

/// A write between the answers at 1 and 3, which was acknowledged after 40 ms.
fn write(reach: Reach) -> Change {
    let since = Since::Place(2);
    Change { life: HERE, covers: Covers::Key(1), kind: Kind::Hard, since, known: ms(40), reach }
}

/// A purge that was asked for at 20 ms.
fn purge(covers: Covers, kind: Kind) -> Change {
    Change { covers, kind, since: Since::Moment(ms(20)), ..write(Reach::Fleet) }
}

/// A backend said something at 1 and at 3, and of another key at 4.
fn wrong(change: Change, read: Read) -> Option<Wrong> {
    let answer = |made| Answer { key: 1, made: ms(made) };
    let answers = BTreeMap::from([(1, answer(10)), (3, answer(30)), (4, Answer { key: 2, made: ms(31) })]);
    let history = History { answers, reads: vec![read], changes: vec![change] };
    assert_eq!(history.kept(), history.reads.iter().filter(|read| read.place != 9).count());
    history.wrongs().first().map(|(wrong, _)| *wrong)
}

#[test]
fn what_is_right_is_not_found_wrong() {
    for reach in [Reach::Gateway, Reach::Redis, Reach::Fleet] {
        // Asked before it was acknowledged; answered with what knows of it.
        for right in [read(HERE, 40, 1), read(OTHER, 20, 1), read(HERE, 41, 3), read(OTHER, 130, 3)] {
            assert_eq!(wrong(write(reach), right), None, "{right:?}");
        }
    }
    for reach in [Reach::Gateway, Reach::Redis] {
        assert_eq!(wrong(write(reach), read(OTHER, 90, 1)), None);
    }
}

#[test]
fn who_changed_it_must_see_it() {
    for reach in [Reach::Gateway, Reach::Fleet] {
        assert_eq!(wrong(write(reach), read(HERE, 41, 1)), Some(Wrong::OwnChangeUnseen));
    }
}

#[test]
fn all_must_see_what_the_fleet_knows_and_a_gateway_that_was_started_again_is_another() {
    for other in [OTHER, Life(0, 1)] {
        assert_eq!(wrong(write(Reach::Fleet), read(other, 41, 1)), Some(Wrong::FleetChangeUnseen));
        assert_eq!(wrong(write(Reach::Gateway), read(other, 41, 1)), None);
        let recalled = Read { method: Method::Recall, ..read(other, 41, 1) };
        assert_eq!(wrong(write(Reach::Fleet), recalled), None, "it may have no lease");
    }
    let recalled = Read { method: Method::Recall, ..read(HERE, 41, 1) };
    assert_eq!(wrong(write(Reach::Fleet), recalled), Some(Wrong::OwnChangeUnseen));
}

#[test]
fn what_is_purged_is_what_was_asked_for_before() {
    for covers in [Covers::Key(1), Covers::Call(Method::Get, 1), Covers::Method(Method::Get), Covers::All] {
        let purge = purge(covers, Kind::Hard);
        assert_eq!(wrong(purge, read(HERE, 41, 1)), Some(Wrong::OwnPurgeUnseen));
        assert_eq!(wrong(purge, read(OTHER, 41, 1)), Some(Wrong::FleetPurgeUnseen));
        assert_eq!(wrong(purge, read(HERE, 41, 3)), None);
        assert_eq!(wrong(purge, read(HERE, 40, 1)), None);
    }
    for covers in [Covers::Key(2), Covers::Call(Method::Get, 2), Covers::Method(Method::Find)] {
        assert_eq!(wrong(purge(covers, Kind::Hard), read(HERE, 41, 1)), None);
    }
}

#[test]
fn a_soft_purge_leaves_what_outages_need() {
    for life in [HERE, OTHER] {
        assert_eq!(wrong(purge(Covers::All, Kind::Soft), read(life, 41, 1)), None);
    }
}

#[test]
fn ages_have_an_end() {
    for (method, oldest) in [(Method::Get, 5_200), (Method::Find, 2_200)] {
        let read = |from| Read { method, ..read(HERE, from, 3) };
        assert_eq!(wrong(write(Reach::Gateway), read(30 + oldest)), None);
        assert_eq!(wrong(write(Reach::Gateway), read(31 + oldest)), Some(Wrong::TooOld));
    }
}

#[test]
fn replies_belong_to_who_was_asked_for() {
    assert_eq!(wrong(write(Reach::Gateway), read(HERE, 41, 4)), Some(Wrong::OtherKey));
    let got = Read { got: 2, ..read(HERE, 41, 3) };
    assert_eq!(wrong(write(Reach::Gateway), got), Some(Wrong::OtherKey));
    assert_eq!(wrong(write(Reach::Gateway), read(HERE, 41, 9)), Some(Wrong::NobodySaidSo));
}
