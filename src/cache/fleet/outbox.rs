//! The marks of this gateway that the others have not been told, and the places of those that they have.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::cache::shared::feed::{Announcement, Origin};
use crate::mark::{Cover, Kind, Mark, Version};

/// A mark of this gateway, by its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What is to be told, and what was.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// How many marks were made.
    number: u64,
    untold: BTreeMap<u64, Mark>,
    /// Those of them that lie in the shared tier, as it says. A failover may lose one before this gateway has heard it there, and then no
    /// gap in the log tells so.
    said: BTreeSet<u64>,
    /// The last that were told, in order.
    told: VecDeque<(u64, Version)>,
}

impl Outbox {
    /// Another mark that the others must be told.
    pub(super) fn put(&mut self, mark: Mark) -> Ticket {
        self.number += 1;
        self.untold.insert(self.number, mark);
        Ticket(self.number)
    }

    /// Whether no more can wait.
    pub(super) fn is_full(&self) -> bool {
        self.untold.len() >= UNTOLD_MAX
    }

    /// Puts one mark in place of all that wait: it covers whatever they do. Returns it.
    pub(super) fn widen(&mut self) -> Mark {
        let settle = self.untold.values().map(|mark| mark.settle).max().unwrap_or_default();
        let mark = Mark { covers: [Cover::all()].into(), kind: Kind::Hard, settle };
        self.untold.clear();
        self.said.clear();
        self.put(mark.clone());
        mark
    }

    /// A number that no mark has or had.
    pub(super) fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// The next to be told, the earliest first.
    pub(super) fn next(&self, gateway: u64) -> Vec<Announcement> {
        let next = self.untold.iter().filter(|(number, _)| !self.said.contains(number)).take(TOLD_AT_ONCE);
        let said = next.map(|(number, mark)| Announcement {
            origin: Origin { gateway, number: *number },
            mark: mark.clone(),
            again: None,
        });
        said.collect()
    }

    /// The shared tier has taken a mark.
    pub(super) fn said(&mut self, number: u64) {
        if self.untold.contains_key(&number) {
            self.said.insert(number);
        }
    }

    /// All that the log holds was heard: what was said and not heard was lost, and is said again.
    pub(super) fn heard_all(&mut self) {
        self.said.clear();
    }

    /// Whether the shared tier has taken a mark that was not heard there yet.
    pub(super) fn is_said(&self, Ticket(number): Ticket) -> bool {
        self.said.contains(&number)
    }

    /// A mark was heard at this place. Returns whether that is news.
    pub(super) fn told(&mut self, number: u64, place: Version) -> bool {
        self.said.remove(&number);
        let is_news = self.untold.remove(&number).is_some();
        if is_news {
            self.told.push_back((number, place));
            if self.told.len() > PLACES_KEPT {
                self.told.pop_front();
            }
        }
        is_news
    }

    /// The place of a mark, if the others were told it.
    pub(super) fn place(&self, Ticket(number): Ticket) -> Option<Version> {
        if self.untold.contains_key(&number) {
            return None;
        }
        // One that was told long ago lies before those that are remembered.
        let exact = self.told.iter().find(|(told, _)| *told == number);
        let later = exact.or_else(|| self.told.iter().find(|(told, _)| *told > number));
        later.map(|(_, place)| *place)
    }

    /// What is to be told, each announcement behind its length; see [`decoded`].
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for mark in self.untold.values() {
            let said = Announcement { origin: Origin::default(), mark: mark.clone(), again: None }.encode();
            bytes.extend_from_slice(&(said.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&said);
        }
        bytes
    }

    /// How many are to be told.
    pub(super) fn len(&self) -> usize {
        self.untold.len()
    }
}

/// The marks that were encoded so, up to the first that is broken.
pub(in crate::cache) fn decoded(bytes: &[u8]) -> Vec<Mark> {
    let (mut marks, mut rest) = (Vec::new(), bytes);
    while let Some((length, behind)) = rest.split_first_chunk()
        && let Some((said, behind)) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)
        && let Some(said) = Announcement::decode(said)
    {
        marks.push(said.mark);
        rest = behind;
    }
    marks
}

/// Marks that may wait to be told.
const UNTOLD_MAX: usize = 65_536;
/// Marks that are told at once.
const TOLD_AT_ONCE: usize = 128;
/// Places that are remembered for who waits.
const PLACES_KEPT: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn mark(cover: u128, kind: Kind) -> Mark {
        Mark { covers: [Cover(cover)].into(), kind, settle: Duration::from_secs(cover as u64) }
    }

    #[test]
    fn what_was_told_has_its_place_and_what_was_not_has_none() {
        let mut outbox = Outbox::default();
        let [one, other] = [1, 2].map(|cover| outbox.put(mark(cover, Kind::Soft)));
        assert_eq!(outbox.next(7).len(), 2);
        assert!(outbox.told(1, Version::new(1, 5)));
        assert!(!outbox.told(1, Version::new(1, 9)), "it was told twice");
        assert_eq!((outbox.place(one), outbox.place(other)), (Some(Version::new(1, 5)), None));
        assert_eq!(outbox.len(), 1);
    }

    #[test]
    fn what_is_too_much_becomes_one_mark_that_covers_all() {
        let mut outbox = Outbox::default();
        let first = outbox.put(mark(1, Kind::Soft));
        while !outbox.is_full() {
            outbox.put(mark(2, Kind::Soft));
        }
        let widest = outbox.widen();
        assert_eq!((&*widest.covers, widest.kind), (&[Cover::all()][..], Kind::Hard));
        assert_eq!((outbox.len(), outbox.place(first)), (1, None));
        let number = outbox.next(7)[0].origin.number;
        outbox.told(number, Version::new(1, 1));
        assert_eq!(outbox.place(first), Some(Version::new(1, 1)));
    }

    #[test]
    fn what_waits_outlives_the_process_up_to_what_is_broken() {
        let mut outbox = Outbox::default();
        let marks = [mark(1, Kind::Soft), mark(2, Kind::Hard)];
        marks.iter().for_each(|mark| _ = outbox.put(mark.clone()));
        let bytes = outbox.encode();
        assert_eq!(decoded(&bytes), marks);
        assert_eq!(decoded(&bytes[..bytes.len() - 1]), marks[..1]);
        assert_eq!(decoded(b"\xff\xff\xff\xffsomething else"), []);
    }
}
