//! The marks of this gateway that the others have not been told, and the places of those that they have.

use std::collections::{BTreeMap, VecDeque};

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
        let next = self.untold.iter().take(TOLD_AT_ONCE);
        let said = next.map(|(number, mark)| Announcement {
            origin: Origin { gateway, number: *number },
            mark: mark.clone(),
        });
        said.collect()
    }

    /// A mark has this place. Returns whether that is news.
    pub(super) fn told(&mut self, number: u64, place: Version) -> bool {
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
        let later = self.told.iter().find(|(told, _)| *told >= number);
        later.map(|(_, place)| *place)
    }

    /// How many are to be told.
    pub(super) fn len(&self) -> usize {
        self.untold.len()
    }
}

/// Marks that may wait to be told.
const UNTOLD_MAX: usize = 65_536;
/// Marks that are told at once.
const TOLD_AT_ONCE: usize = 128;
/// Places that are remembered for who waits.
const PLACES_KEPT: usize = 4_096;
