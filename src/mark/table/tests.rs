//! What marks leave of what was learnt before and after them.

use super::*;
use std::time::Duration;

const KEY: &[u8] = b"key";

fn covers(tags: &[Cover]) -> Covers<'_> {
    Covers { place: &[], tags, key: KEY }
}

impl Marks {
    /// A mark made at 0.
    fn make(&self, covers: &[Cover], kind: Kind, settle: u64) {
        self.mark(&mark(covers, kind, settle), Millis(0), Audience::Here);
    }
}

fn mark(covers: &[Cover], kind: Kind, settle: u64) -> Mark {
    Mark { covers: covers.into(), kind, settle: Duration::from_millis(settle) }
}

fn now(marks: &Marks) -> Seal {
    Seal::new(marks.latest())
}

#[test]
fn what_was_learnt_before_a_mark_is_covered_and_what_comes_after_is_not() {
    let (marks, user) = (Marks::default(), [Cover::tag(b"user:5")]);
    let before = now(&marks);
    assert_eq!(marks.standing(&before, covers(&user)), Standing::Clear);
    marks.make(&user, Kind::Soft, 0);
    assert_eq!(marks.standing(&before, covers(&user)), Standing::Soft);
    assert_eq!(marks.standing(&before, covers(&user)), Standing::Soft, "also when asked again");
    let between = now(&marks);
    assert_eq!(marks.standing(&between, covers(&user)), Standing::Clear);
    marks.make(&user, Kind::Hard, 0);
    let standing = |seal| marks.standing(seal, covers(&user));
    assert_eq!(
        [&before, &between, &now(&marks)].map(standing),
        [Standing::Hard, Standing::Hard, Standing::Clear]
    );
}

#[test]
fn a_mark_covers_its_own_alone() {
    let marks = Marks::default();
    let (one, other) = ([Cover::tag(b"user:5")], [Cover::tag(b"user:6")]);
    let seal = now(&marks);
    marks.make(&one, Kind::Hard, 0);
    assert_eq!(marks.standing(&seal, covers(&other)), Standing::Clear);
    assert_eq!((marks.last(covers(&one)), marks.last(covers(&other))), (Tick(1), Tick(0)));
    marks.make(&[Cover::key(KEY)], Kind::Hard, 0);
    assert_eq!(marks.standing(&seal, covers(&other)), Standing::Hard);
    assert_eq!(marks.last(covers(&other)), Tick(2));
}

#[test]
fn a_soft_mark_stays_found_when_others_are_made() {
    let (marks, user) = (Marks::default(), [Cover::tag(b"user:5")]);
    let seal = now(&marks);
    marks.make(&user, Kind::Soft, 0);
    assert_eq!(marks.standing(&seal, covers(&user)), Standing::Soft);
    marks.make(&[Cover::tag(b"other")], Kind::Hard, 0);
    assert_eq!(marks.standing(&seal, covers(&user)), Standing::Soft);
}

#[test]
fn what_begins_before_a_write_has_settled_is_not_to_be_kept() {
    let (marks, user) = (Marks::default(), [Cover::tag(b"user:5")]);
    assert!(marks.is_settled(covers(&user), Millis(0)));
    marks.make(&user, Kind::Soft, 100);
    marks.make(&user, Kind::Soft, 50);
    assert!(!marks.is_settled(covers(&user), Millis(99)));
    assert!(marks.is_settled(covers(&user), Millis(100)));
    assert!(marks.is_settled(covers(&[]), Millis(0)));
}

#[test]
fn what_was_held_against_marks_before_they_are_dropped_stays() {
    let marks = Marks::default();
    let [swept, missed] = [now(&marks), now(&marks)];
    for tag in 0..=MARKS_MAX as u128 {
        marks.make(&[Cover(tag)], Kind::Hard, 7);
    }
    let sweep = marks.sweep();
    assert_eq!(marks.standing(&swept, covers(&[])), Standing::Clear);
    marks.swept(sweep);
    assert!(marks.count() <= MARKS_MAX / 2 + 1);
    assert_eq!(marks.standing(&swept, covers(&[])), Standing::Clear);
    assert_eq!(marks.standing(&missed, covers(&[])), Standing::Hard);
    assert!(!marks.is_settled(covers(&[]), Millis(6)) && marks.is_settled(covers(&[]), Millis(7)));
    assert!(marks.last(covers(&[])) > Tick(0));
    marks.make(&[Cover(5)], Kind::Hard, 0);
    assert_eq!(marks.standing(&swept, covers(&[Cover(5)])), Standing::Hard);
}

#[test]
fn marks_are_bounded_where_nobody_sweeps() {
    let marks = Marks::default();
    let seal = now(&marks);
    for tag in 0..=2 * MARKS_MAX as u128 {
        marks.make(&[Cover(tag)], Kind::Soft, 0);
    }
    assert!(marks.count() <= MARKS_MAX);
    assert_eq!(marks.standing(&seal, covers(&[])), Standing::Hard);
}

fn vetted(marks: &Marks, version: Version, covers: Covers<'_>) -> Option<Standing> {
    match marks.vet(version, covers) {
        Vetted::Standing(standing, _) => Some(standing),
        Vetted::TooOld(..) => None,
    }
}

#[test]
fn what_others_learnt_is_held_against_the_order_that_all_share() {
    let (marks, user) = (Marks::default(), [Cover::tag(b"user:5")]);
    let at = |sequence| Version::new(1, sequence);
    marks.apply(&mark(&user, Kind::Soft, 0), at(5), Millis(0));
    marks.apply(&mark(&user, Kind::Hard, 0), at(7), Millis(0));
    marks.apply(&mark(&user, Kind::Soft, 0), at(9), Millis(0));
    marks.advance(at(9));
    assert_eq!(marks.applied(), at(9));
    for (sequence, standing) in
        [(6, Standing::Hard), (7, Standing::Soft), (8, Standing::Soft), (9, Standing::Clear)]
    {
        assert_eq!(vetted(&marks, at(sequence), covers(&user)), Some(standing), "{sequence}");
        assert_eq!(vetted(&marks, at(sequence), covers(&[])), Some(Standing::Clear));
    }
}

#[test]
fn a_mark_that_the_others_do_not_know_yet_covers_all_that_they_learnt() {
    let (marks, user) = (Marks::default(), [Cover::tag(b"user:5")]);
    let (ours, later) = (mark(&user, Kind::Hard, 0), Version::new(1, 9));
    marks.mark(&ours, Millis(0), Audience::Fleet);
    let after = now(&marks);
    assert_eq!(vetted(&marks, later, covers(&user)), Some(Standing::Hard));
    marks.announced(&ours, Version::new(1, 8), true);
    assert_eq!(vetted(&marks, later, covers(&user)), Some(Standing::Clear));
    assert_eq!(vetted(&marks, Version::new(1, 7), covers(&user)), Some(Standing::Hard));
    assert_eq!(marks.standing(&after, covers(&user)), Standing::Clear, "it was made before");
}

#[test]
fn what_is_older_than_all_that_is_known_is_too_old_to_tell() {
    let marks = Marks::default();
    let at = |sequence| Version::new(2, sequence);
    marks.go_on(at(5), Version::default(), at(9));
    assert_eq!(vetted(&marks, Version::new(2, 4), covers(&[])), None);
    assert_eq!(vetted(&marks, Version::new(2, 5), covers(&[])), Some(Standing::Clear));
    assert!(marks.vouch(at(0), Millis(0)), "who begins has missed nothing");
    for tag in 0..=2 * MARKS_MAX as u128 {
        marks.apply(&mark(&[Cover(tag)], Kind::Soft, 0), Version::new(3, tag as u64), Millis(0));
    }
    assert_eq!(vetted(&marks, Version::new(3, 9), covers(&[])), None);
    assert!(marks.vouch(at(4), Millis(0)), "what was dropped was known");
    marks.go_on(at(50), at(40), at(60));
    assert!(!marks.vouch(at(49), Millis(0)) && marks.vouch(at(50), Millis(0)));
    marks.go_on(at(50), at(60), Version::new(3, 61));
    assert!(!marks.vouch(at(99), Millis(0)));
}

#[test]
fn nothing_is_vouched_for_without_a_lease() {
    let marks = Marks::shared();
    assert!(!marks.vouch(Version::default(), Millis(0)));
    marks.lease(Millis(10));
    marks.lease(Millis(5));
    assert!(marks.vouch(Version::default(), Millis(9)) && !marks.vouch(Version::default(), Millis(10)));
}
