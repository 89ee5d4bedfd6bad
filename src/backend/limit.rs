//! How many calls may be out at once, of an endpoint or of one method there: any number while nothing is wrong, fewer after faults that
//! too many calls cause, and few at first when it is back.
//!
//! ```text
//!                 too much: to three quarters         answered as often as it allows: one more
//!   (none) -----------------------------> cut <----------------------------------------------+
//!     ^  |                                 | |                                                |
//!     |  | back after an outage            | +------------------------------------------------+
//!     |  v                                 |
//!     | ramp: twice as many each step -----+ reached all there may be
//!     +------------------------------------+
//! ```
//!
//! It adapts to faults alone: how long answers take says nothing where methods take a millisecond or a minute. Only while it grows from a
//! ramp, when nobody knows how much can be handled, does getting slow count as a fault ([`Wary`]).

use std::time::Duration;

use tokio::time::Instant;

use super::wary::{Heard, Wary};

/// How many calls may be out at once.
#[derive(Debug, Default)]
pub(super) struct Limit {
    cut: Option<Cut>,
    out: usize,
    /// The most that were out at once since it was cut, or began.
    peak: usize,
    era: Era,
    /// Whether it stays when it has reached all there may be, and grows only where it is used up.
    stays: bool,
}

/// A time between two outages. Calls that an outage left hanging do not count in the next: they may hang for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Era(u64);

#[derive(Clone, Copy, Debug)]
struct Cut {
    most: usize,
    /// What was sent before tells nothing more.
    since: Instant,
    growth: Growth,
    /// What is watched for as long as it grows from a ramp.
    wary: Option<Wary>,
}

/// How a limit goes away.
#[derive(Clone, Copy, Debug)]
enum Growth {
    /// By one when it was answered as often as it allows calls: so many answers came so far.
    Additive { answers: usize },
    /// Twice as much at the first answer after this, if as many have come as it allows calls, or it was not used up.
    Ramp { step_ends: Instant },
    /// Not before this: it is how much there is, as far as anybody knows. Then as the first.
    Stands { until: Instant, answers: usize },
}

impl Limit {
    /// Whether one more may go out.
    pub(super) fn allows_more(&self) -> bool {
        self.cut.is_none_or(|cut| self.out < cut.most)
    }

    /// How many are out.
    pub(super) fn out(&self) -> usize {
        self.out
    }

    /// One more is out.
    pub(super) fn begin(&mut self) -> Era {
        self.out += 1;
        self.peak = self.peak.max(self.out);
        if let Some(Cut { most, wary: Some(wary), .. }) = &mut self.cut
            && self.out >= *most
        {
            wary.used_up();
        }
        self.era
    }

    /// One that began in `era` is out no more.
    pub(super) fn end(&mut self, era: Era) {
        self.out -= usize::from(era == self.era);
    }

    /// Whether there is one.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// Whether there is one because something was wrong.
    pub(super) fn is_strained(&self) -> bool {
        match self.cut.map(|cut| cut.growth) {
            Some(Growth::Additive { .. } | Growth::Ramp { .. }) => true,
            Some(Growth::Stands { .. }) | None => false,
        }
    }

    /// Whether it is what can be handled at all, as far as is known since `moment`.
    pub(super) fn stands_since(&self, moment: Instant) -> bool {
        self.cut.is_some_and(|cut| cut.since >= moment) && !self.is_strained()
    }

    /// The most that may be out, if there is a limit.
    pub(super) fn most(&self) -> Option<usize> {
        self.cut.map(|cut| cut.most)
    }

    /// The most that may be out, once that is all that can be handled as far as is known.
    pub(super) fn capacity(&self) -> Option<usize> {
        let Cut { most, growth, .. } = self.cut?;
        match growth {
            Growth::Additive { .. } | Growth::Stands { .. } => Some(most),
            Growth::Ramp { .. } => None,
        }
    }

    /// Whether what an answer takes at `now` tells how much there is to do, and not what is usual.
    pub(super) fn tells(&self, now: Instant) -> bool {
        self.cut.and_then(|cut| cut.wary).is_some_and(|wary| wary.tells(now))
    }

    /// A call that was sent at `sent` met a fault that too many calls cause.
    pub(super) fn cut(&mut self, sent: Instant, now: Instant) {
        if self.cut.is_some_and(|cut| sent < cut.since) {
            return;
        }
        let peak = self.cut.map_or(self.peak, |cut| cut.most.min(self.peak));
        self.set((peak * KEPT_OF_FOUR / 4).max(LEAST), now);
        self.peak = self.out;
    }

    /// No more than `most` may be out from here on.
    pub(super) fn hold(&mut self, most: usize, now: Instant) {
        if self.cut.is_none_or(|cut| most < cut.most) {
            self.set(most.max(1), now);
        }
    }

    /// No more than `most` can be handled at once, as far as is known now.
    pub(super) fn stand(&mut self, most: usize, now: Instant) {
        if self.cut.is_none_or(|cut| most <= cut.most) {
            let growth = Growth::Stands { until: now + STANDS, answers: 0 };
            self.cut = Some(Cut { most: most.max(1), since: now, growth, wary: None });
        }
    }

    /// It has none from here on, and what is out counts no more.
    pub(super) fn lift(&mut self) {
        *self = Self { era: Era(self.era.0 + 1), stays: self.stays, ..Self::default() };
    }

    /// It is back after an outage before which it was seen to handle `seen` at once.
    pub(super) fn ramp(&mut self, seen: usize, now: Instant) {
        self.lift();
        self.begin_with(seen / RAMP_BEGINS, now);
    }

    /// No more than `most` may be out from here on, and twice as many each step. Where it is that low already it stays as it is.
    pub(super) fn begin_with(&mut self, most: usize, now: Instant) {
        let most = most.max(LEAST);
        if self.cut.is_none_or(|cut| most < cut.most) {
            let growth = Growth::Ramp { step_ends: now + STEP };
            self.cut = Some(Cut { most, since: now, growth, wary: Some(Wary::new(now)) });
        }
    }

    /// Where it is a ramp that is used up, and no answer has come that could tell whether it is too much, time alone makes it twice as much each
    /// step. Whether it did now.
    pub(super) fn grow_unheard(&mut self, now: Instant) -> bool {
        let Some(Cut { most, growth: Growth::Ramp { step_ends }, wary: Some(wary), .. }) = &mut self.cut
        else {
            return false;
        };
        let grows = *step_ends <= now && wary.was_used_up() && wary.answers() == 0;
        if grows {
            *step_ends = now + STEP;
            *most *= 2;
            *wary = Wary::new(now);
        }
        grows
    }

    /// From here on it stays, whatever it reaches, or does not.
    pub(super) fn stay(&mut self, stays: bool) {
        self.stays = stays;
    }

    /// A call was answered; there is no limit any more once it has reached `all`.
    pub(super) fn answered(&mut self, heard: Heard, all: usize) {
        let Some(cut) = &mut self.cut else { return };
        cut.answered(heard, self.stays);
        if cut.most >= all {
            cut.most = all;
            if !self.stays {
                self.cut = None;
            }
        }
    }

    fn set(&mut self, most: usize, now: Instant) {
        let wary = self.cut.and_then(|cut| cut.wary).map(|wary| wary.anew(now));
        self.cut = Some(Cut { most, since: now, growth: Growth::Additive { answers: 0 }, wary });
    }
}

impl Cut {
    fn answered(&mut self, heard: Heard, stays: bool) {
        if let Some(wary) = &mut self.wary {
            wary.note(heard);
        }
        let told = self.wary.map(Wary::answers);
        let is_idle = self.wary.is_some_and(|wary| wary.answers() > 0 && !wary.was_used_up());
        match &mut self.growth {
            Growth::Stands { until, .. } if heard.at < *until => {}
            Growth::Additive { answers } | Growth::Stands { answers, .. } => {
                *answers += 1;
                if told.unwrap_or(*answers) >= self.most {
                    *answers = 0;
                    self.grow(self.most + 1, heard.at, stays);
                }
            }
            Growth::Ramp { step_ends } => {
                if *step_ends <= heard.at && (is_idle || told.is_some_and(|told| told >= self.most)) {
                    *step_ends = heard.at + STEP;
                    self.grow(self.most * 2, heard.at, stays);
                }
            }
        }
    }

    /// Becomes `most`, unless who is asked got slow by what there is already.
    fn grow(&mut self, most: usize, now: Instant, stays: bool) {
        let Some(wary) = self.wary else {
            self.most = most;
            return;
        };
        if wary.answers() >= self.most && wary.is_slow() {
            let is_least = self.most <= LEAST;
            let less = match self.growth {
                // It was not slow with half of it.
                Growth::Ramp { .. } => self.most / 2,
                Growth::Additive { .. } | Growth::Stands { .. } => self.most * KEPT_OF_FOUR / 4,
            };
            self.most = less.max(LEAST).min(self.most);
            self.growth = Growth::Additive { answers: 0 };
            self.wary = Some(wary.after_slow(is_least, now));
            return;
        }
        self.wary = Some(Wary::new(now));
        if wary.was_used_up() || !stays {
            self.most = most;
        }
    }
}

/// What a cut leaves, in quarters: each costs a round of calls that wait for a fault, so that a tenth less, as where latency is
/// measured (Netflix's concurrency-limits), would take too many.
const KEPT_OF_FOUR: usize = 3;
/// No fault and no ramp takes it below: fewer would find out nothing.
const LEAST: usize = 4;
/// A ramp begins with a tenth of what was seen before.
const RAMP_BEGINS: usize = 10;
/// After each of these without a fault, twice as many.
const STEP: Duration = Duration::from_millis(250);

/// How long it is believed that no more can be handled.
const STANDS: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
