//! What may be out at an endpoint at once: of all calls, of one method's, and of refreshes.

use tokio::time::Instant;

use super::limit::{Era, Limit};
use super::queue::Rank;

/// What is out, and how much more may be.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) permits: usize,
    out: usize,
    /// Of all calls together.
    pub(super) limit: Limit,
    methods: Vec<Share>,
    /// Methods that were asked.
    asked: usize,
    /// Refreshes that are out, and may be.
    refreshing: usize,
    pub(super) refreshing_max: usize,
}

/// What one method has of it.
#[derive(Debug, Default)]
struct Share {
    limit: Limit,
    was_asked: bool,
}

/// What a permit takes of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    rank: Rank,
    method: Option<usize>,
    era: Era,
    era_of_method: Era,
}

impl Room {
    /// Room for so many.
    pub(super) fn new(permits: usize) -> Self {
        Self {
            permits,
            out: 0,
            limit: Limit::default(),
            methods: Vec::new(),
            asked: 0,
            refreshing: 0,
            refreshing_max: 1,
        }
    }

    /// Whether all permits are out.
    pub(super) fn is_full(&self) -> bool {
        self.out >= self.permits
    }

    /// Whether one more may be out.
    pub(super) fn fits(&self, rank: Rank, method: Option<usize>) -> bool {
        let refreshes = match rank {
            Rank::Probe => return !self.is_full(),
            Rank::First | Rank::Later => true,
            Rank::Refresh => self.refreshing < self.refreshing_max,
        };
        refreshes && !self.is_full() && self.limit.allows_more() && self.has_share(method)
    }

    /// Whether one more of a method may be.
    pub(super) fn has_share(&self, method: Option<usize>) -> bool {
        let share = method.and_then(|method| self.methods.get(method));
        share.is_none_or(|share| share.limit.allows_more() && share.limit.out() < self.most_of_a_method())
    }

    /// What one method may have at most.
    fn most_of_a_method(&self) -> usize {
        if self.permits >= MANY && self.asked > 1 { self.permits - self.permits / 4 } else { self.permits }
    }

    /// Whether calls of a method, or all, are limited by something that was wrong.
    pub(super) fn is_strained(&self, method: Option<usize>) -> bool {
        let share = method.and_then(|method| self.methods.get(method));
        self.limit.is_strained() || share.is_some_and(|share| share.limit.is_strained())
    }

    /// One more is out.
    pub(super) fn take(&mut self, rank: Rank, method: Option<usize>) -> Held {
        self.out += 1;
        self.refreshing += usize::from(rank == Rank::Refresh);
        let era = self.limit.begin();
        let Some(number) = method else { return Held { rank, method, era, era_of_method: Era::default() } };
        let share = self.of(number);
        let era_of_method = share.limit.begin();
        if !std::mem::replace(&mut share.was_asked, true) {
            self.asked += 1;
        }
        Held { rank, method, era, era_of_method }
    }

    /// It is out no more.
    pub(super) fn free(&mut self, held: Held) {
        self.out -= 1;
        self.refreshing -= usize::from(held.rank == Rank::Refresh);
        self.limit.end(held.era);
        if let Some(method) = held.method {
            self.of(method).limit.end(held.era_of_method);
        }
    }

    /// A call of a method was answered. Whether anything is limited still.
    pub(super) fn answered(&mut self, method: usize, now: Instant) -> bool {
        let (permits, most) = (self.permits, self.most_of_a_method());
        self.limit.answered(now, permits);
        self.of(method).limit.answered(now, most);
        self.limit.is_cut() || self.methods.iter().any(|share| share.limit.is_cut())
    }

    /// All are back that were seen to be `seen` at once.
    pub(super) fn ramp(&mut self, seen: usize, now: Instant) {
        self.methods.iter_mut().for_each(|share| share.limit.lift());
        self.limit.ramp(seen, now);
    }

    /// That of one method.
    pub(super) fn limit_of(&mut self, method: usize) -> &mut Limit {
        &mut self.of(method).limit
    }

    fn of(&mut self, method: usize) -> &mut Share {
        if self.methods.len() <= method {
            self.methods.resize_with(method + 1, Share::default);
        }
        self.methods.get_mut(method).expect("the list was made long enough")
    }
}

/// Permits of which a quarter is kept from any one method.
const MANY: usize = 8;
