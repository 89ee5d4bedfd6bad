//! After how long the clients of a listener were seen to give up, and what `client_timeout` should be for it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::ListenerCounts;

/// What is known of the patience of one listener's clients.
#[derive(Debug, Default)]
pub(super) struct Patience {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The last ones.
    waits: VecDeque<Duration>,
    told: Option<Instant>,
}

/// After how long clients gave up, over the last times that they did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    /// The shortest time.
    pub(super) least: Duration,
    /// The time in the middle.
    pub(super) typical: Duration,
}

impl Patience {
    /// Notes that a client gave up after it had waited for so long, and tells the operator, at most once a minute, if replies are still
    /// written to clients that have stopped waiting.
    pub(super) fn gave_up(
        &self,
        waited: Duration,
        client_timeout: Option<Duration>,
        counts: &ListenerCounts,
    ) {
        if waited < HURRY {
            return;
        }
        counts.gave_up.observe(waited.as_secs_f64());
        let Some(figure) = self.note(waited, client_timeout) else { return };
        let (least_ms, typical_ms) = (figure.least.as_millis(), figure.typical.as_millis());
        tracing::warn!(
            listener = %counts.listener(),
            least_ms = u64::try_from(least_ms).unwrap_or(u64::MAX),
            typical_ms = u64::try_from(typical_ms).unwrap_or(u64::MAX),
            "clients give up while an answer is due: set client_timeout below the least time",
        );
    }

    /// Notes a time; gives the figure if it is due to be told.
    fn note(&self, waited: Duration, client_timeout: Option<Duration>) -> Option<Figure> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.waits.len() >= REMEMBERED {
            seen.waits.pop_front();
        }
        seen.waits.push_back(waited);
        let figure = seen.figure()?;
        let told = seen.told.is_some_and(|told| told.elapsed() < PAUSE);
        if told || client_timeout.is_some_and(|bound| bound < figure.least) {
            return None;
        }
        seen.told = Some(Instant::now());
        Some(figure)
    }
}

impl Seen {
    fn figure(&self) -> Option<Figure> {
        let mut waits: Vec<Duration> = self.waits.iter().copied().collect();
        waits.sort_unstable();
        let least = *waits.first()?;
        let typical = *waits.get(waits.len() / 2)?;
        (waits.len() >= ENOUGH).then_some(Figure { least, typical })
    }
}

/// A client that leaves sooner has not waited: it half-closes with its last call, or was stopped.
const HURRY: Duration = Duration::from_millis(10);
/// Times that are remembered.
const REMEMBERED: usize = 64;
/// Times that say something.
const ENOUGH: usize = 3;
/// Between two lines in the log.
const PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[tokio::test(start_paused = true)]
    async fn the_figure_is_told_once_a_minute_and_only_if_something_is_to_be_set() {
        let patience = Patience::default();
        assert_eq!(patience.note(ms(3_000), None), None);
        assert_eq!(patience.note(ms(3_010), None), None);
        let figure = Figure { least: ms(2_990), typical: ms(3_000) };
        assert_eq!(patience.note(ms(2_990), None), Some(figure));
        assert_eq!(patience.note(ms(3_000), None), None, "told just now");
        tokio::time::advance(PAUSE).await;
        assert_eq!(patience.note(ms(3_000), Some(ms(2_500))), None, "replies end before clients give up");
        assert_eq!(patience.note(ms(3_000), Some(ms(2_990))), Some(figure), "below means below");
    }
}
