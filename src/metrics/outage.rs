//! What became of a backend's calls while it was down.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::source::Source;
use crate::outcome::Outcome;

/// Counts calls while an outage lasts. While none does, a call costs a look at one flag.
#[derive(Debug, Default)]
pub(crate) struct OutageCounts {
    lasts: AtomicBool,
    fresh: AtomicU64,
    stale: AtomicU64,
    backup: AtomicU64,
    fallback: AtomicU64,
    failed: AtomicU64,
    asked: AtomicU64,
    /// In milliseconds.
    oldest: AtomicU64,
}

/// What became of the calls of an outage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutageSums {
    /// Answered by a fresh entry.
    pub fresh: u64,
    /// Answered by a stale entry.
    pub stale: u64,
    /// Answered by the rule's backup.
    pub backup: u64,
    /// Answered by the rule's fallback.
    pub fallback: u64,
    /// Answered by an exception.
    pub failed: u64,
    /// Answered by the backend, which let some calls find out whether it was back.
    pub asked: u64,
    /// The age of the oldest entry that answered.
    pub oldest: Duration,
}

impl OutageSums {
    /// What came since `earlier` of the same outage. The oldest entry is that of the whole.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            fresh: self.fresh - earlier.fresh,
            stale: self.stale - earlier.stale,
            backup: self.backup - earlier.backup,
            fallback: self.fallback - earlier.fallback,
            failed: self.failed - earlier.failed,
            asked: self.asked - earlier.asked,
            oldest: self.oldest,
        }
    }
}

impl OutageCounts {
    /// Counts one call, if an outage lasts.
    #[inline]
    pub(super) fn note(&self, outcome: Outcome, age: Duration) {
        if self.lasts.load(Ordering::Relaxed) {
            self.count(outcome, age);
        }
    }

    /// An outage begins, with no calls yet.
    pub(crate) fn begin(&self) {
        let Self { lasts: _, fresh, stale, backup, fallback, failed, asked, oldest } = self;
        let all = [fresh, stale, backup, fallback, failed, asked, oldest];
        all.into_iter().for_each(|count| count.store(0, Ordering::Relaxed));
        self.lasts.store(true, Ordering::Release);
    }

    /// The outage is over. The sums stay until the next one.
    pub(crate) fn end(&self) {
        self.lasts.store(false, Ordering::Release);
    }

    /// The sums of the outage that lasts, or of the last one.
    pub(crate) fn sums(&self) -> OutageSums {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        OutageSums {
            fresh: of(&self.fresh),
            stale: of(&self.stale),
            backup: of(&self.backup),
            fallback: of(&self.fallback),
            failed: of(&self.failed),
            asked: of(&self.asked),
            oldest: Duration::from_millis(of(&self.oldest)),
        }
    }

    #[cold]
    fn count(&self, outcome: Outcome, age: Duration) {
        let count = match Source::of(outcome) {
            Some(Source::Fresh | Source::Shared) => &self.fresh,
            Some(Source::Stale) => &self.stale,
            Some(Source::Backend) => &self.asked,
            Some(Source::Backup) => &self.backup,
            Some(Source::Fallback) => &self.fallback,
            Some(Source::Failed) => &self.failed,
            // Nobody knows what came of it.
            None => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.oldest.fetch_max(age, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_while_an_outage_lasts_and_each_begins_anew() {
        let counts = OutageCounts::default();
        let second = Duration::from_secs(1);
        let all = || Outcome::ALL.iter().for_each(|outcome| counts.note(*outcome, second));
        all();
        assert_eq!(counts.sums(), OutageSums::default());
        for times in [2, 1] {
            counts.begin();
            (0..times).for_each(|_| all());
            counts.end();
            all();
            let [fresh, stale, backup, fallback, failed, asked] = [2, 3, 1, 1, 1, 7].map(|each| each * times);
            let sums = OutageSums { fresh, stale, backup, fallback, failed, asked, oldest: second };
            assert_eq!(counts.sums(), sums);
        }
    }
}
