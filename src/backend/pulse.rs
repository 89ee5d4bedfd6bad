//! What is heard of an endpoint while calls wait for it: since when nothing, and how many it has answered at once.
//!
//! A two-way call waits from the moment that it is fully written. The endpoint is silent since the last byte that came from it on any
//! connection, or since a first call began to wait, whichever is later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::doubling::Doubling;

/// What is heard of an endpoint. Shared by its connections; a few atomic operations for a call.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    /// Calls sent so far.
    sent: AtomicU64,
    /// Calls that wait.
    waiting: AtomicUsize,
    /// When a first call began to wait, in microseconds.
    since: AtomicU64,
    /// When a byte last came, in microseconds.
    heard: AtomicU64,
    /// The most calls that were seen to be handled at once.
    parallel: AtomicUsize,
    /// Checks so far that were to show that there may be two.
    trials: AtomicU32,
    /// When the next one may be, in microseconds.
    trial_at: AtomicU64,
    /// Whether it answered a call that expects no reply.
    answers_oneways: AtomicBool,
}

/// A call that waits; it does no longer when this is dropped.
#[derive(Debug)]
pub(super) struct Wait {
    pulse: Arc<Pulse>,
    /// How many were sent up to it.
    number: u64,
}

impl Pulse {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            sent: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            since: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            parallel: AtomicUsize::new(1),
            trials: AtomicU32::new(0),
            trial_at: AtomicU64::new(0),
            answers_oneways: AtomicBool::new(false),
        })
    }

    /// A call was written whose answer is waited for.
    pub(super) fn wait(self: &Arc<Self>) -> Wait {
        let number = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        if self.waiting.fetch_add(1, Ordering::AcqRel) == 0 {
            self.since.store(self.now(), Ordering::Release);
        }
        Wait { pulse: Arc::clone(self), number }
    }

    /// A byte came.
    pub(super) fn heard(&self) {
        self.heard.store(self.now().max(1), Ordering::Release);
    }

    /// For how long nothing came although a call waits. Zero where none does.
    pub(super) fn silence(&self) -> Duration {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return Duration::ZERO;
        }
        let since = self.since.load(Ordering::Acquire).max(self.heard.load(Ordering::Acquire));
        Duration::from_micros(self.now().saturating_sub(since))
    }

    /// Whether a byte ever came.
    pub(super) fn was_heard(&self) -> bool {
        self.heard.load(Ordering::Acquire) > 0
    }

    /// Whether a byte came after `moment`.
    pub(super) fn was_heard_since(&self, moment: Instant) -> bool {
        let moment = moment.saturating_duration_since(self.began).as_micros() as u64;
        self.heard.load(Ordering::Acquire) > moment
    }

    /// An answer came to a call that expects none.
    pub(super) fn answered_oneway(&self) {
        self.answers_oneways.store(true, Ordering::Relaxed);
    }

    /// Whether one ever did.
    pub(super) fn answers_oneways(&self) -> bool {
        self.answers_oneways.load(Ordering::Relaxed)
    }

    /// The most calls that were seen to be handled at once, at least 1.
    pub(super) fn parallel(&self) -> usize {
        self.parallel.load(Ordering::Relaxed)
    }

    /// Whether a check beside a call that waits is to show, by overtaking it, that more than one can be handled at once: where calls
    /// come one after another, none of them does. Whoever asks makes the check; it is asked for more and more seldom.
    pub(super) fn wants_trial(&self) -> bool {
        let now = self.now();
        let is_due = self.parallel() < 2
            && self.silence() >= TRIAL_AFTER
            && self.trial_at.load(Ordering::Relaxed) <= now;
        if is_due {
            let next = TRIALS.whole(self.trials.fetch_add(1, Ordering::Relaxed));
            self.trial_at.store(now + next.as_micros() as u64, Ordering::Relaxed);
        }
        is_due
    }

    /// Forgets what was seen: what listens there now may be another process.
    pub(super) fn reset(&self) {
        self.parallel.store(1, Ordering::Relaxed);
        self.trials.store(0, Ordering::Relaxed);
        self.trial_at.store(0, Ordering::Relaxed);
        self.answers_oneways.store(false, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }
}

impl Wait {
    /// The call was answered. Where it has overtaken others that were sent before and still wait, the endpoint handles that many at
    /// once: a server with one worker answers in the order of what it is sent.
    pub(super) fn answered(self) {
        let Pulse { sent, waiting, parallel, .. } = &*self.pulse;
        let others = waiting.load(Ordering::Relaxed).saturating_sub(1);
        // At most these of the others were sent after it.
        let later = sent.load(Ordering::Relaxed).saturating_sub(self.number);
        let seen = 1 + others.saturating_sub(usize::try_from(later).unwrap_or(usize::MAX));
        if seen > parallel.load(Ordering::Relaxed) {
            parallel.fetch_max(seen, Ordering::Relaxed);
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.pulse.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A call that has waited for less may be answered before any check.
const TRIAL_AFTER: Duration = Duration::from_millis(1);
/// Between two checks that are to show how much an endpoint handles at once.
const TRIALS: Doubling = Doubling { first: Duration::from_secs(1), most: Duration::from_secs(60) };

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn silence_begins_with_the_first_that_waits_and_anew_with_each_byte() {
        let pulse = Pulse::new();
        tokio::time::advance(SECOND).await;
        assert_eq!(pulse.silence(), Duration::ZERO);
        let first = pulse.wait();
        tokio::time::advance(SECOND).await;
        let second = pulse.wait();
        assert_eq!(pulse.silence(), SECOND);
        drop(first);
        assert_eq!(pulse.silence(), SECOND, "somebody waited all the time");
        let now = Instant::now();
        assert!(!pulse.was_heard_since(now));
        tokio::time::advance(SECOND).await;
        pulse.heard();
        assert!(pulse.was_heard_since(now));
        tokio::time::advance(SECOND).await;
        assert_eq!(pulse.silence(), SECOND);
        drop(second);
        assert_eq!(pulse.silence(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_only_asked_one_thing_at_a_time_is_tried_beside_a_call_less_and_less_often() {
        let pulse = Pulse::new();
        tokio::time::advance(SECOND).await;
        assert!(!pulse.wants_trial(), "nothing waits that could be overtaken");
        let waits = pulse.wait();
        assert!(!pulse.wants_trial(), "it may be answered at once");
        tokio::time::advance(SECOND).await;
        let mut tried = Vec::new();
        for second in 0..20 {
            if pulse.wants_trial() {
                tried.push(second);
            }
            tokio::time::advance(SECOND).await;
        }
        assert_eq!(tried, [0, 1, 3, 7, 15]);
        pulse.wait().answered();
        tokio::time::advance(SECOND * 1000).await;
        assert!(!pulse.wants_trial(), "the check has overtaken the call");
        pulse.reset();
        assert!(pulse.wants_trial());
        drop(waits);
    }

    #[tokio::test(start_paused = true)]
    async fn one_worker_never_looks_like_two_and_who_overtakes_shows_how_many_there_are() {
        let pulse = Pulse::new();
        let serial = [pulse.wait(), pulse.wait(), pulse.wait()];
        serial.into_iter().for_each(Wait::answered);
        assert_eq!(pulse.parallel(), 1);
        let (slow, stuck) = (pulse.wait(), pulse.wait());
        pulse.wait().answered();
        assert_eq!(pulse.parallel(), 3);
        drop((slow, stuck));
        pulse.wait().answered();
        assert_eq!(pulse.parallel(), 3);
        pulse.reset();
        assert_eq!(pulse.parallel(), 1);
    }
}
