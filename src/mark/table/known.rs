//! What is known of the marks on one cover, for people who ask.

use super::{Marked, Marks, Stamp};
use crate::clock::Millis;
use crate::mark::{Cover, Kind, Version};

/// The last mark of a kind on a cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// What it makes of what it covers.
    pub kind: Kind,
    /// When this process made it, or heard of it.
    pub at: Millis,
    /// Its place among those that gateways share, once it has one.
    pub version: Option<Version>,
    /// Until when what is asked for is not kept.
    pub unsettled: Millis,
}

impl Marks {
    /// The last marks on `cover`, one of each kind at most, the later first. What was dropped for want of room is not among them.
    pub(crate) fn known(&self, cover: Cover) -> Vec<Known> {
        let table = self.read();
        table.marked.get(&cover).map(Marked::known).unwrap_or_default()
    }
}

impl Marked {
    fn known(&self) -> Vec<Known> {
        let known = |kind, stamp: &Stamp| Known {
            kind,
            at: stamp.at,
            version: (stamp.pending == 0 && stamp.version != Version::default()).then_some(stamp.version),
            unsettled: self.unsettled,
        };
        let soft = (self.any.tick > self.hard.tick).then(|| known(Kind::Soft, &self.any));
        let hard = (self.hard.tick.0 > 0).then(|| known(Kind::Hard, &self.hard));
        soft.into_iter().chain(hard).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::mark::{Audience, Mark};

    #[test]
    fn the_last_of_each_kind_is_told_the_later_first() {
        let (marks, cover) = (Marks::default(), Cover::tag(b"user:5"));
        let mark = |kind, settle, at| {
            let mark = Mark { covers: [cover].into(), kind, settle: Duration::from_millis(settle) };
            marks.mark(&mark, Millis(at), Audience::Here);
        };
        assert_eq!(marks.known(cover), []);
        mark(Kind::Soft, 0, 1_000);
        let known =
            |kind, at, unsettled| Known { kind, at: Millis(at), version: None, unsettled: Millis(unsettled) };
        assert_eq!(marks.known(cover), [known(Kind::Soft, 1_000, 1_000)]);
        mark(Kind::Hard, 500, 2_000);
        assert_eq!(marks.known(cover), [known(Kind::Hard, 2_000, 2_500)]);
        mark(Kind::Soft, 0, 3_000);
        assert_eq!(marks.known(cover), [known(Kind::Soft, 3_000, 3_000), known(Kind::Hard, 2_000, 3_000)]);
    }

    #[test]
    fn a_mark_that_has_a_place_in_the_log_tells_it() {
        let (marks, cover) = (Marks::shared(), Cover::all());
        let mark = Mark { covers: [cover].into(), kind: Kind::Hard, settle: Duration::ZERO };
        marks.mark(&mark, Millis(1), Audience::Fleet);
        assert_eq!(marks.known(cover)[0].version, None);
        marks.announced(&mark, Version::new(1, 7), true);
        assert_eq!(marks.known(cover)[0].version, Some(Version::new(1, 7)));
    }
}
