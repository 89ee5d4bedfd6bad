//! Marks that the log of all gateways may have lost: what is known of them here, and what others tell of them.

use std::time::Duration;

use super::{Marked, Marks, Stamp};
use crate::clock::Millis;
use crate::mark::{Cover, Kind, Mark, Version};

impl Marks {
    /// The last marks of earlier epochs and where they lay, the latest first, up to `most`. What others have not been told is not among them.
    pub fn before(&self, epoch: u64, most: usize) -> Vec<(Mark, Version)> {
        let table = self.read();
        let mut all: Vec<(Mark, Version)> =
            table.marked.iter().flat_map(|(cover, marked)| marked.before(*cover, epoch)).collect();
        all.sort_unstable_by(|(one, there), (other, elsewhere)| {
            elsewhere.cmp(there).then_with(|| one.covers.cmp(&other.covers))
        });
        all.truncate(most);
        all
    }

    /// Another gateway knows of a mark that lay at `place`. What was learnt here since that was heard of, or a later one, is not covered.
    pub fn apply_again(&self, mark: &Mark, place: Version, now: Millis) {
        let is_known = {
            let table = self.read();
            let last = |cover| table.marked.get(cover).map(|marked: &Marked| marked.last(mark.kind).version);
            mark.covers.iter().all(|cover| last(cover) >= Some(place))
        };
        if !is_known {
            self.apply(mark, place, now);
        }
    }
}

impl Marked {
    /// The last hard mark on `cover`, and the last soft one if it is later.
    fn before(&self, cover: Cover, epoch: u64) -> impl Iterator<Item = (Mark, Version)> {
        let is_lost = |stamp: &Stamp| {
            stamp.pending == 0 && stamp.version != Version::default() && stamp.version.epoch() < epoch
        };
        let hard = is_lost(&self.hard).then_some((Kind::Hard, self.hard.version));
        let soft = (is_lost(&self.any) && self.any.version > self.hard.version)
            .then_some((Kind::Soft, self.any.version));
        let settle = Duration::ZERO;
        let mark = move |(kind, version)| (Mark { covers: [cover].into(), kind, settle }, version);
        hard.into_iter().chain(soft).map(mark)
    }

    fn last(&self, kind: Kind) -> &Stamp {
        match kind {
            Kind::Soft => &self.any,
            Kind::Hard => &self.hard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::{Covers, Seal, Standing};

    fn mark(cover: Cover, kind: Kind) -> Mark {
        Mark { covers: [cover].into(), kind, settle: Duration::ZERO }
    }

    #[test]
    fn the_latest_of_earlier_epochs_are_told_again() {
        let (marks, covers) = (Marks::shared(), [Cover(1), Cover(2), Cover(3)]);
        let apply = |at: usize, kind, place| marks.apply(&mark(covers[at], kind), place, Millis(0));
        apply(0, Kind::Hard, Version::new(1, 1));
        apply(0, Kind::Soft, Version::new(1, 2));
        apply(1, Kind::Soft, Version::new(1, 3));
        apply(2, Kind::Hard, Version::new(2, 5));
        let lost = [
            (mark(covers[1], Kind::Soft), Version::new(1, 3)),
            (mark(covers[0], Kind::Soft), Version::new(1, 2)),
            (mark(covers[0], Kind::Hard), Version::new(1, 1)),
        ];
        assert_eq!(marks.before(2, 10), lost);
        assert_eq!(marks.before(2, 2), lost[..2]);
    }

    #[test]
    fn what_was_learnt_since_a_mark_was_heard_is_not_covered_when_it_is_told_again() {
        let (marks, user) = (Marks::shared(), [Cover(1)]);
        let (mark, place) = (mark(user[0], Kind::Hard), Version::new(1, 4));
        let standing = |seal: &Seal| marks.standing(seal, Covers { place: &[], tags: &user, key: b"key" });
        let before = Seal::new(marks.latest());
        marks.apply_again(&mark, place, Millis(0));
        let after = Seal::new(marks.latest());
        marks.apply_again(&mark, place, Millis(0));
        assert_eq!((standing(&before), standing(&after)), (Standing::Hard, Standing::Clear));
    }
}
