//! When a call, or one try of it, must end.

use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

/// A moment, and how long it was away when it was set: that is what a timeout tells its caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) after: Duration,
}

impl Deadline {
    /// The deadline `time` from here; none without a time.
    pub(super) fn after(time: Option<Duration>) -> Option<Self> {
        time.map(|after| Self { at: Instant::now() + after, after })
    }

    /// This one, or `other` where that is earlier.
    pub(super) fn or_earlier(self, other: Option<Self>) -> Self {
        other.filter(|other| other.at < self.at).unwrap_or(self)
    }

    /// Whether it has passed.
    pub(super) fn is_over(self) -> bool {
        self.at <= Instant::now()
    }

    /// Whether so little of its time is left that a silence tells nothing of who is asked only now.
    pub(super) fn is_nearly_spent(self) -> bool {
        self.at.saturating_duration_since(Instant::now()) < self.after / FAIR
    }
}

/// Waits for `future` until `deadline`, without a timer where there is none.
pub(super) async fn within<T>(
    deadline: Option<Instant>,
    future: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await,
        None => Ok(future.await),
    }
}

/// An endpoint that is asked with less than this part of a deadline's time left is not blamed for its silence.
const FAIR: u32 = 4;
