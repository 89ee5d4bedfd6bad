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
//! It adapts to faults alone: how long answers take says nothing where methods take a millisecond or a minute.

use std::time::Duration;

use tokio::time::Instant;

/// How many calls may be out at once.
#[derive(Debug, Default)]
pub(super) struct Limit {
    cut: Option<Cut>,
    out: usize,
    /// The most that were out at once since it was cut, or began.
    peak: usize,
    era: Era,
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
}

/// How a limit goes away.
#[derive(Clone, Copy, Debug)]
enum Growth {
    /// By one when it was answered as often as it allows calls: so many answers came so far.
    Additive { answers: usize },
    /// Twice as much at the first answer after this.
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
            self.cut = Some(Cut { most: most.max(1), since: now, growth });
        }
    }

    /// It has none from here on, and what is out counts no more.
    pub(super) fn lift(&mut self) {
        *self = Self { era: Era(self.era.0 + 1), ..Self::default() };
    }

    /// It is back after an outage before which it was seen to handle `seen` at once.
    pub(super) fn ramp(&mut self, seen: usize, now: Instant) {
        let most = (seen / RAMP_BEGINS).max(LEAST);
        self.lift();
        self.cut = Some(Cut { most, since: now, growth: Growth::Ramp { step_ends: now + STEP } });
    }

    /// A call was answered; there is no limit any more once it has reached `all`.
    pub(super) fn answered(&mut self, now: Instant, all: usize) {
        let Some(cut) = &mut self.cut else { return };
        match &mut cut.growth {
            Growth::Stands { until, .. } if now < *until => {}
            Growth::Additive { answers } | Growth::Stands { answers, .. } => {
                *answers += 1;
                if *answers >= cut.most {
                    *answers = 0;
                    cut.most += 1;
                }
            }
            Growth::Ramp { step_ends } => {
                if *step_ends <= now {
                    *step_ends = now + STEP;
                    cut.most *= 2;
                }
            }
        }
        if cut.most >= all {
            self.cut = None;
        }
    }

    fn set(&mut self, most: usize, now: Instant) {
        self.cut = Some(Cut { most, since: now, growth: Growth::Additive { answers: 0 } });
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
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn with_out(count: usize) -> (Limit, Vec<Era>) {
        let mut limit = Limit::default();
        let out = (0..count).map(|_| limit.begin()).collect();
        (limit, out)
    }

    #[test]
    fn faults_of_calls_under_way_together_cut_once_and_answers_make_up_for_it() {
        let start = Instant::now();
        let (mut limit, out) = with_out(64);
        assert!(limit.allows_more() && !limit.is_cut());
        out.into_iter().for_each(|era| limit.end(era));
        limit.cut(start, start + MILLI);
        limit.cut(start, start + MILLI * 2);
        assert_eq!(limit.most(), Some(48), "of three quarters of the most that were out");
        (0..48).for_each(|_| limit.answered(start, 64));
        assert_eq!(limit.most(), Some(49));
        (0..49).for_each(|_| _ = limit.begin());
        assert!(!limit.allows_more());
        limit.cut(start + MILLI * 3, start + MILLI * 4);
        assert_eq!(limit.most(), Some(36));
        (0..5_000).for_each(|_| limit.answered(start, 64));
        assert!(!limit.is_cut(), "it does not outlive its cause");
    }

    #[test]
    fn no_cut_goes_below_four() {
        let start = Instant::now();
        let (mut limit, _) = with_out(1);
        for n in 1..10 {
            limit.cut(start + MILLI * n, start + MILLI * n);
        }
        assert_eq!(limit.most(), Some(LEAST));
    }

    #[test]
    fn who_is_back_gets_a_tenth_and_twice_as_much_after_each_step_that_brought_answers() {
        let start = Instant::now();
        let mut limit = Limit::default();
        limit.ramp(100, start);
        assert_eq!(limit.most(), Some(10));
        limit.answered(start + STEP - MILLI, 64);
        assert_eq!(limit.most(), Some(10));
        limit.answered(start + STEP, 64);
        limit.answered(start + STEP, 64);
        assert_eq!(limit.most(), Some(20));
        limit.answered(start + STEP * 10, 64);
        assert_eq!(limit.most(), Some(40), "nothing came meanwhile: one step");
        limit.answered(start + STEP * 11, 64);
        assert!(!limit.is_cut());
        limit.ramp(0, start);
        assert_eq!(limit.most(), Some(LEAST));
    }

    #[test]
    fn what_is_known_to_be_all_stands_for_a_minute_and_is_no_strain() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let mut limit = Limit::default();
        limit.stand(4, start);
        assert!(limit.is_cut() && !limit.is_strained());
        (0..100).for_each(|_| limit.answered(start + minute - MILLI, 64));
        assert_eq!(limit.most(), Some(4));
        (0..4).for_each(|_| limit.answered(start + minute, 64));
        assert_eq!(limit.most(), Some(5));
        limit.stand(4, start + minute);
        (0..100).for_each(|_| limit.answered(start + minute, 64));
        assert_eq!(limit.most(), Some(4));
    }

    #[test]
    fn a_fault_ends_the_ramp() {
        let start = Instant::now();
        let mut limit = Limit::default();
        limit.ramp(400, start);
        (0..40).for_each(|_| _ = limit.begin());
        limit.cut(start + MILLI, start + MILLI);
        assert_eq!(limit.most(), Some(30));
        limit.answered(start + STEP * 2, 64);
        assert_eq!(limit.most(), Some(30));
    }

    #[test]
    fn what_an_outage_left_hanging_does_not_count_after_it() {
        let start = Instant::now();
        let (mut limit, hanging) = with_out(20);
        limit.ramp(0, start);
        let since: Vec<Era> = (0..LEAST).map(|_| limit.begin()).collect();
        assert!(!limit.allows_more());
        hanging.into_iter().for_each(|era| limit.end(era));
        assert_eq!(limit.out(), LEAST);
        since.into_iter().for_each(|era| limit.end(era));
        assert_eq!(limit.out(), 0);
    }
}
