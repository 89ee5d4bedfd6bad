//! Takes an endpoint out of rotation while it fails, and lets one call find out whether it is back.
//!
//! ```text
//!            failures in a row           time is over, and a call comes
//!  Rotating -------------------> Ejected ------------------------------> Probing
//!      ^                          ^   ^                                 |  |  |
//!      |                          |   +-- failed: ejected twice as long +  |  |
//!      |                          +------ nothing told: due again at once -+  |
//!      +--------------------------------- answered ---------------------------+
//! ```
//!
//! A probe that comes to nothing within its time no longer keeps others from probing. A verdict on a call that began
//! before the last of these changes is dropped.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Where an endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It takes calls.
    Rotating,
    /// It failed too often and takes none.
    Ejected,
    /// One call finds out whether it is back.
    Probing,
}

impl Standing {
    /// The word for it in metrics and `/status`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rotating => "rotating",
            Self::Ejected => "ejected",
            Self::Probing => "probing",
        }
    }
}

/// When an endpoint is ejected and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Consecutive failures.
    pub(super) failures: u32,
    /// The first ejection; each further one in a row lasts twice as long.
    pub(super) time: Duration,
    /// The longest ejection.
    pub(super) time_max: Duration,
    /// After this, a probe without an outcome no longer keeps others from probing.
    pub(super) probe: Duration,
}

/// What a call says of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answered.
    Healthy,
    /// Nothing can be told.
    Neutral,
    /// It failed.
    Failed,
}

/// The right to ask an endpoint, to be given back with a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    epoch: u64,
    role: Role,
}

/// What became of an endpoint by a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It stands as it stood.
    Unchanged,
    /// It left the rotation, or failed its probe: the next probe may come after this time.
    Ejected(Duration),
    /// It is back.
    Returned,
}

/// An endpoint's standing. One lock decides; it is not taken while nothing is wrong.
#[derive(Debug)]
pub(super) struct Ejection {
    limits: Limits,
    inner: Mutex<Inner>,
    /// What `inner` comes to, for readers that only want to go on.
    calm: AtomicU8,
    /// Counts ejections and probes, so that calls from before one change nothing after it. Written under the lock.
    epoch: AtomicU64,
}

impl Ejection {
    pub(super) fn new(limits: Limits) -> Self {
        let inner = Inner { phase: Phase::Rotating { failures: 0 }, times: 0 };
        Self { limits, inner: Mutex::new(inner), calm: AtomicU8::new(CALM), epoch: AtomicU64::new(0) }
    }

    pub(super) fn standing(&self) -> Standing {
        match self.lock().phase {
            Phase::Rotating { .. } => Standing::Rotating,
            Phase::Ejected { .. } => Standing::Ejected,
            Phase::Probing { .. } => Standing::Probing,
        }
    }

    /// Whether it takes calls.
    pub(super) fn is_rotating(&self) -> bool {
        self.calm.load(Ordering::Acquire) != OUT
    }

    /// Whether a call may go there as a probe, `patience` after the first moment it might.
    pub(super) fn is_due(&self, now: Instant, patience: Duration) -> bool {
        self.lock().is_due(now, patience)
    }

    /// A ticket for a call while in rotation.
    pub(super) fn admit(&self) -> Option<Ticket> {
        let epoch = self.epoch.load(Ordering::Acquire);
        self.is_rotating().then_some(Ticket { epoch, role: Role::Call })
    }

    /// A ticket for the one probe, if it is time.
    pub(super) fn admit_probe(&self, now: Instant, patience: Duration) -> Option<Ticket> {
        let mut inner = self.lock();
        if !inner.is_due(now, patience) {
            return None;
        }
        inner.phase = Phase::Probing { until: now + self.limits.probe };
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        Some(Ticket { epoch, role: Role::Probe })
    }

    /// Takes a ticket back. `share` in 0..=1 places the end of an ejection between half and all of its time.
    pub(super) fn settle(&self, ticket: Ticket, verdict: Verdict, share: impl FnOnce() -> f64) -> Effect {
        if verdict != Verdict::Failed
            && ticket.role == Role::Call
            && self.calm.load(Ordering::Acquire) == CALM
        {
            return Effect::Unchanged;
        }
        let mut inner = self.lock();
        if ticket.epoch != self.epoch.load(Ordering::Acquire) {
            return Effect::Unchanged;
        }
        let (now, share) = (Instant::now(), share());
        let effect = match ticket.role {
            Role::Call => inner.called(verdict, self.limits, now, share),
            Role::Probe => inner.probed(verdict, self.limits, now, share),
        };
        if effect != Effect::Unchanged {
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        let calm = match inner.phase {
            Phase::Rotating { failures: 0 } => CALM,
            Phase::Rotating { .. } => UNEASY,
            Phase::Ejected { .. } | Phase::Probing { .. } => OUT,
        };
        self.calm.store(calm, Ordering::Release);
        effect
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is one assignment after another of plain values: no panic leaves it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Call,
    Probe,
}

#[derive(Debug)]
struct Inner {
    phase: Phase,
    /// Ejections in a row.
    times: u32,
}

#[derive(Debug)]
enum Phase {
    Rotating { failures: u32 },
    Ejected { until: Instant },
    Probing { until: Instant },
}

impl Inner {
    fn is_due(&self, now: Instant, patience: Duration) -> bool {
        match self.phase {
            Phase::Rotating { .. } => false,
            Phase::Ejected { until } | Phase::Probing { until } => until + patience <= now,
        }
    }

    fn called(&mut self, verdict: Verdict, limits: Limits, now: Instant, share: f64) -> Effect {
        let Phase::Rotating { failures } = &mut self.phase else {
            return Effect::Unchanged;
        };
        match verdict {
            Verdict::Healthy => *failures = 0,
            Verdict::Neutral => {}
            Verdict::Failed => *failures += 1,
        }
        if *failures < limits.failures {
            return Effect::Unchanged;
        }
        self.eject(limits, now, share)
    }

    fn probed(&mut self, verdict: Verdict, limits: Limits, now: Instant, share: f64) -> Effect {
        match verdict {
            Verdict::Healthy => {
                self.phase = Phase::Rotating { failures: 0 };
                self.times = 0;
                Effect::Returned
            }
            Verdict::Neutral => {
                self.phase = Phase::Ejected { until: now };
                Effect::Unchanged
            }
            Verdict::Failed => self.eject(limits, now, share),
        }
    }

    fn eject(&mut self, limits: Limits, now: Instant, share: f64) -> Effect {
        let doubled = limits.time.saturating_mul(1 << self.times.min(DOUBLINGS_MAX));
        let half = doubled.min(limits.time_max) / 2;
        self.times = self.times.saturating_add(1);
        let time = half + half.mul_f64(share.clamp(0.0, 1.0));
        self.phase = Phase::Ejected { until: now + time };
        Effect::Ejected(time)
    }
}

/// In rotation without a failure.
const CALM: u8 = 0;
/// In rotation after a failure.
const UNEASY: u8 = 1;
/// Out of rotation.
const OUT: u8 = 2;
/// Keeps the shift in range; any ejection has reached its longest time by then.
const DOUBLINGS_MAX: u32 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        failures: 3,
        time: Duration::from_secs(1),
        time_max: Duration::from_secs(4),
        probe: Duration::from_millis(500),
    };

    fn fail(ejection: &Ejection, times: u32) -> Effect {
        let mut effect = Effect::Unchanged;
        for _ in 0..times {
            let ticket = ejection.admit().expect("it rotates");
            effect = ejection.settle(ticket, Verdict::Failed, || 1.0);
        }
        effect
    }

    #[tokio::test(start_paused = true)]
    async fn consecutive_failures_eject_and_a_success_between_them_does_not() {
        let ejection = Ejection::new(LIMITS);
        fail(&ejection, 2);
        ejection.settle(ejection.admit().unwrap(), Verdict::Healthy, || 1.0);
        assert_eq!(fail(&ejection, 2), Effect::Unchanged);
        ejection.settle(ejection.admit().unwrap(), Verdict::Neutral, || 1.0);
        assert_eq!(fail(&ejection, 1), Effect::Ejected(LIMITS.time));
        assert_eq!(ejection.admit(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_at_a_time_and_each_failed_one_doubles_the_ejection() {
        let ejection = Ejection::new(LIMITS);
        fail(&ejection, 3);
        for (seconds, next) in [(1, 2), (2, 4), (4, 4), (4, 4)] {
            assert!(
                !ejection.is_due(Instant::now() + Duration::from_millis(seconds * 1000 - 1), Duration::ZERO)
            );
            tokio::time::advance(Duration::from_secs(seconds)).await;
            let probe = ejection.admit_probe(Instant::now(), Duration::ZERO).unwrap();
            assert_eq!(ejection.admit_probe(Instant::now(), Duration::ZERO), None);
            let effect = ejection.settle(probe, Verdict::Failed, || 1.0);
            assert_eq!(effect, Effect::Ejected(Duration::from_secs(next)));
        }
        tokio::time::advance(Duration::from_secs(4)).await;
        let probe = ejection.admit_probe(Instant::now(), Duration::ZERO).unwrap();
        assert_eq!(ejection.settle(probe, Verdict::Healthy, || 1.0), Effect::Returned);
        assert!(ejection.is_rotating());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_tells_nothing_makes_room_for_the_next() {
        let ejection = Ejection::new(LIMITS);
        fail(&ejection, 3);
        tokio::time::advance(LIMITS.time).await;
        let probe = ejection.admit_probe(Instant::now(), Duration::ZERO).unwrap();
        ejection.settle(probe, Verdict::Neutral, || 1.0);
        let forgotten = ejection.admit_probe(Instant::now(), Duration::ZERO).unwrap();
        tokio::time::advance(LIMITS.probe).await;
        assert!(ejection.admit_probe(Instant::now(), Duration::ZERO).is_some());
        ejection.settle(forgotten, Verdict::Healthy, || 1.0);
        assert_eq!(ejection.standing(), Standing::Probing);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_from_before_an_ejection_do_not_count_after_it() {
        let ejection = Ejection::new(LIMITS);
        let late = ejection.admit().unwrap();
        fail(&ejection, 3);
        tokio::time::advance(LIMITS.time).await;
        let probe = ejection.admit_probe(Instant::now(), Duration::ZERO).unwrap();
        ejection.settle(probe, Verdict::Healthy, || 1.0);
        for _ in 0..3 {
            ejection.settle(late, Verdict::Failed, || 1.0);
        }
        assert!(ejection.is_rotating());
    }

    #[tokio::test(start_paused = true)]
    async fn jitter_takes_up_to_half_of_the_time() {
        let ejection = Ejection::new(LIMITS);
        for _ in 0..3 {
            ejection.settle(ejection.admit().unwrap(), Verdict::Failed, || 0.0);
        }
        assert!(ejection.is_due(Instant::now() + LIMITS.time / 2, Duration::ZERO));
    }
}
