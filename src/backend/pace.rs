//! How long the answers of a method take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long the answers of a method took of late. Each answer is one atomic operation at most.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    /// By minute: its number in the upper half, its slowest answer in milliseconds in the lower.
    slowest: [AtomicU64; MINUTES],
}

impl Default for Pace {
    fn default() -> Self {
        Self { began: Instant::now(), slowest: Default::default() }
    }
}

impl Pace {
    /// Notes an answer that took so long.
    pub(super) fn answered(&self, took: Duration) {
        let minute = self.minute();
        let noted = minute << 32 | took.as_millis().clamp(1, u128::from(u32::MAX)) as u64;
        let slot = self.slowest.get(minute as usize % MINUTES);
        if let Some(slot) = slot.filter(|slot| slot.load(Ordering::Relaxed) < noted) {
            slot.fetch_max(noted, Ordering::Relaxed);
        }
    }

    /// The slowest answer of the last ten minutes; none if there was none.
    pub(super) fn slowest(&self) -> Option<Duration> {
        let oldest = (self.minute() + 1).saturating_sub(MINUTES as u64);
        let noted = self.slowest.iter().map(|slot| slot.load(Ordering::Relaxed));
        let of_late = noted.filter(|noted| *noted as u32 > 0 && noted >> 32 >= oldest);
        of_late.map(|noted| Duration::from_millis(u64::from(noted as u32))).max()
    }

    fn minute(&self) -> u64 {
        self.began.elapsed().as_secs() / 60
    }
}

/// Minutes that count.
const MINUTES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_slowest_answer_counts_for_ten_minutes() {
        let pace = Pace::default();
        assert_eq!(pace.slowest(), None);
        pace.answered(Duration::from_secs(8));
        pace.answered(Duration::from_micros(10));
        for minute in 0..20 {
            let slowest = Duration::from_millis(if minute < 10 { 8000 } else { 2 });
            assert_eq!(pace.slowest(), Some(slowest), "after {minute} min");
            pace.answered(Duration::from_millis(2));
            tokio::time::advance(Duration::from_secs(60)).await;
        }
        tokio::time::advance(Duration::from_secs(600)).await;
        assert_eq!(pace.slowest(), None);
    }
}
