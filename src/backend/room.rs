//! What may be out at an endpoint at once: of all calls, of one method's, of misses, and of refreshes.

use std::time::Duration;

use tokio::time::Instant;

use super::limit::{Era, Limit};
use super::queue::{Among, Rank};
use super::wary::Heard;

/// What is out, and how much more may be.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) permits: usize,
    out: usize,
    /// Of all calls together.
    pub(super) limit: Limit,
    /// Of those that come because nothing is kept which answers them.
    pub(super) misses: Limit,
    /// How long one takes from when it is sent, on average and of late.
    misses_take: Option<Duration>,
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
    among: Among,
    era: Era,
    era_of_misses: Era,
    era_of_method: Era,
}

impl Room {
    /// Room for so many. Of what begins, nobody knows how many misses it can bear.
    pub(super) fn new(permits: usize, now: Instant) -> Self {
        let mut misses = Limit::default();
        misses.begin_with(0, now);
        Self {
            permits,
            out: 0,
            limit: Limit::default(),
            misses,
            misses_take: None,
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
    pub(super) fn fits(&self, rank: Rank, among: Among) -> bool {
        let refreshes = match rank {
            Rank::Probe => return !self.is_full(),
            Rank::First | Rank::Later => true,
            Rank::Refresh => self.refreshing < self.refreshing_max,
        };
        refreshes && !self.is_full() && self.limit.allows_more() && self.has_share(among)
    }

    /// Whether one more of these may be.
    pub(super) fn has_share(&self, among: Among) -> bool {
        let share = self.share(among);
        let of_method =
            |share: &Share| share.limit.allows_more() && share.limit.out() < self.most_of_a_method();
        !self.sheds(among) && share.is_none_or(of_method)
    }

    /// Whether it is misses that there are enough of.
    pub(super) fn sheds(&self, among: Among) -> bool {
        among.is_miss && !self.misses.allows_more()
    }

    /// Whether a miss that is sent behind `before` others is hardly answered until a moment.
    pub(super) fn is_late(&self, until: Option<Instant>, before: usize, now: Instant) -> bool {
        let takes = self.misses_take.filter(|_| self.misses.is_cut());
        let Some((until, takes)) = until.zip(takes) else { return false };
        // While it grows by leaps, nobody knows how soon those are gone.
        let rounds = self.misses.capacity().map_or(0.0, |most| before as f64 / most as f64);
        now + takes.mul_f64(rounds + MARGIN) > until
    }

    /// What one method may have at most.
    fn most_of_a_method(&self) -> usize {
        if self.permits >= MANY && self.asked > 1 { self.permits - self.permits / 4 } else { self.permits }
    }

    /// Whether these calls, or all, are limited by something that was wrong.
    pub(super) fn is_strained(&self, among: Among) -> bool {
        let own = self.share(among).is_some_and(|share| share.limit.is_strained());
        self.limit.is_strained() || own || among.is_miss && self.misses.is_strained()
    }

    /// One more is out.
    pub(super) fn take(&mut self, rank: Rank, among: Among) -> Held {
        self.out += 1;
        self.refreshing += usize::from(rank == Rank::Refresh);
        let era = self.limit.begin();
        let era_of_misses = if among.is_miss { self.misses.begin() } else { Era::default() };
        let era_of_method = among.method.map_or_else(Era::default, |method| self.begin_of(method));
        Held { rank, among, era, era_of_misses, era_of_method }
    }

    fn begin_of(&mut self, method: usize) -> Era {
        let share = self.of(method);
        let era = share.limit.begin();
        if !std::mem::replace(&mut share.was_asked, true) {
            self.asked += 1;
        }
        era
    }

    /// It is out no more.
    pub(super) fn free(&mut self, held: Held) {
        self.out -= 1;
        self.refreshing -= usize::from(held.rank == Rank::Refresh);
        self.limit.end(held.era);
        if held.among.is_miss {
            self.misses.end(held.era_of_misses);
        }
        if let Some(method) = held.among.method {
            self.of(method).limit.end(held.era_of_method);
        }
    }

    /// One of these was answered.
    pub(super) fn answered(&mut self, among: Among, heard: Heard) {
        let (permits, most) = (self.permits, self.most_of_a_method());
        self.limit.answered(heard, permits);
        if let Some(method) = among.method {
            self.of(method).limit.answered(heard, most);
        }
        if !among.is_miss {
            return;
        }
        self.miss_took(heard.at.duration_since(heard.sent));
        // Where nobody knows what is usual, nobody knows whether more can be borne.
        if heard.slow.is_some() {
            self.misses.answered(heard, permits);
        }
    }

    /// Of who has answered no miss yet nobody knows how long one takes: if that is long, more may be out as time goes by. Whether more may now.
    pub(super) fn wait_for_first_miss(&mut self, now: Instant) -> bool {
        self.misses_take.is_none() && self.misses.grow_unheard(now)
    }

    /// A miss was answered after so long, or was not.
    pub(super) fn miss_took(&mut self, took: Duration) {
        self.misses_take = Some(self.misses_take.map_or(took, |average| (average * 7 + took) / 8));
    }

    /// Whether anything is limited but misses.
    pub(super) fn is_limited(&self) -> bool {
        self.limit.is_cut() || self.methods.iter().any(|share| share.limit.is_cut())
    }

    /// Whether what the answer to one of these takes tells how much there is to do, and not what is usual.
    pub(super) fn tells(&self, among: Among, now: Instant) -> bool {
        let own = self.share(among).is_some_and(|share| share.limit.tells(now));
        own || self.limit.tells(now) || among.is_miss && self.misses.tells(now)
    }

    /// One of these, sent at `sent`, met a fault that too many calls cause.
    pub(super) fn too_much(&mut self, among: Among, sent: Instant, now: Instant) {
        if let Some(method) = among.method {
            self.of(method).limit.cut(sent, now);
        }
        if among.is_miss && self.misses.is_cut() {
            self.misses.cut(sent, now);
        }
    }

    /// All are back that were seen to be `seen` at once.
    pub(super) fn ramp(&mut self, seen: usize, now: Instant) {
        self.methods.iter_mut().for_each(|share| share.limit.lift());
        self.misses.lift();
        self.limit.ramp(seen, now);
    }

    /// That of one method.
    pub(super) fn limit_of(&mut self, method: usize) -> &mut Limit {
        &mut self.of(method).limit
    }

    fn share(&self, among: Among) -> Option<&Share> {
        among.method.and_then(|method| self.methods.get(method))
    }

    fn of(&mut self, method: usize) -> &mut Share {
        if self.methods.len() <= method {
            self.methods.resize_with(method + 1, Share::default);
        }
        self.methods.get_mut(method).expect("the list was made long enough")
    }
}

/// How many times longer than on average an answer may take whose call is still sent.
const MARGIN: f64 = 1.5;
/// Permits of which a quarter is kept from any one method.
const MANY: usize = 8;
