//! Whether who is asked by more and more calls at once gets slow by it: what has too much to do is slow before it fails.
//!
//! One answer tells nothing, for what it takes may be its own affair. Of enough of them, which were asked for since as many might be out, not
//! more than half take half as long again as is usual for their methods, unless they wait for each other.

use std::time::Duration;

use tokio::time::Instant;

/// An answer, as far as it tells whether more calls may be out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// When its call was sent.
    pub(super) sent: Instant,
    /// When it came.
    pub(super) at: Instant,
    /// Whether it took so much longer than is usual for its method that it waited for others, if anybody knows what is usual.
    pub(super) slow: Option<bool>,
}

/// What was heard since a limit was last changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wary {
    since: Instant,
    answers: usize,
    slow: usize,
    /// Whether as many were out as may be.
    used_up: bool,
    /// Since when answers are slow although so few are out as there may be at least.
    low_since: Option<Instant>,
}

impl Heard {
    /// An answer that came at `at` to a call sent at `sent`, where `usual` is usual, if anybody knows.
    pub(super) fn new(sent: Instant, at: Instant, usual: Option<Duration>) -> Self {
        let took = at.duration_since(sent);
        let slow = usual.map(|usual| took > usual + (usual / 2).max(NOISE));
        Self { sent, at, slow }
    }
}

impl Wary {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, answers: 0, slow: 0, used_up: false, low_since: None }
    }

    /// Notes an answer, unless it was asked for before.
    pub(super) fn note(&mut self, Heard { sent, slow, .. }: Heard) {
        if sent >= self.since {
            self.answers += 1;
            self.slow += usize::from(slow == Some(true));
        }
    }

    /// Notes that as many are out as may be.
    pub(super) fn used_up(&mut self) {
        self.used_up = true;
    }

    /// Answers noted.
    pub(super) fn answers(self) -> usize {
        self.answers
    }

    /// Whether as many were out as may be.
    pub(super) fn was_used_up(self) -> bool {
        self.used_up
    }

    /// Whether most answers were slow.
    pub(super) fn is_slow(self) -> bool {
        self.slow * 2 > self.answers
    }

    /// Whether what an answer takes tells how much there is to do: so few that they have been slow for long are so by themselves.
    pub(super) fn tells(self, now: Instant) -> bool {
        self.low_since.is_none_or(|since| now.duration_since(since) < LOW)
    }

    /// What is left of it when the limit is lowered for another cause.
    pub(super) fn anew(self, now: Instant) -> Self {
        Self { low_since: self.low_since, ..Self::new(now) }
    }

    /// What is left of it when the limit is lowered because answers were slow, or cannot be because it is the least there may be.
    pub(super) fn after_slow(self, is_least: bool, now: Instant) -> Self {
        Self { low_since: is_least.then(|| self.low_since.unwrap_or(now)), ..self.anew(now) }
    }
}

/// What answers may take longer, however short they usually are: that much is a scheduler's affair.
const NOISE: Duration = Duration::from_millis(20);
/// How long answers must have been slow although few are out.
const LOW: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn slow_is_half_as_long_again_as_usual_and_more_than_a_schedulers_affair() {
        let now = Instant::now();
        let slow = |took, usual| Heard::new(now, now + took, usual).slow;
        assert_eq!(slow(150 * MS, Some(100 * MS)), Some(false));
        assert_eq!(slow(151 * MS, Some(100 * MS)), Some(true));
        assert_eq!([21, 22].map(|took| slow(took * MS, Some(MS))), [Some(false), Some(true)]);
        assert_eq!(slow(1_000 * MS, None), None);
    }

    #[test]
    fn what_is_slow_for_long_although_few_are_out_is_so_by_itself() {
        let now = Instant::now();
        let wary = Wary::new(now).after_slow(false, now);
        assert!(wary.tells(now + LOW * 2));
        let wary = wary.after_slow(true, now).after_slow(true, now + LOW / 2);
        assert!(wary.tells(now + LOW - MS) && !wary.tells(now + LOW));
        assert!(wary.after_slow(false, now + LOW).tells(now + LOW));
    }
}
