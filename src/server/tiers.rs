//! Watches the tiers for a backend: when what they kept is lost, the calls that they spared it must not come all at once.
//!
//! A server of the shared tier that is left says so. That it was emptied, or that all of the local tier was declared wrong, nobody says: it
//! is seen by what it does to the backend's calls, of which far fewer than usual are answered by what is kept, and far more ask the backend.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use crate::backend::{Backend, Loss};
use crate::cache::Cache;
use crate::metrics::Traffic;

/// The watch for one backend.
pub(super) struct TierWatch {
    cache: Arc<Cache>,
    backend: Arc<Backend>,
    traffic: Arc<Traffic>,
}

impl TierWatch {
    pub(super) fn new(cache: &Arc<Cache>, backend: &Arc<Backend>, traffic: &Arc<Traffic>) -> Self {
        Self { cache: Arc::clone(cache), backend: Arc::clone(backend), traffic: Arc::clone(traffic) }
    }

    /// Watches, for ever.
    pub(super) async fn forever(self) {
        let (mut habit, mut away) = (Habit::default(), self.cache.servers_away());
        self.backend.hold_misses(away > 0);
        loop {
            tokio::time::sleep(TICK).await;
            let (misses, before) = (self.backend.misses(), habit.out());
            let fallen = habit.note(self.traffic.hits(), misses.begun, misses.out);
            let left = std::mem::replace(&mut away, self.cache.servers_away());
            if away != left {
                self.backend.hold_misses(away > 0);
            }
            let loss = if away > left { Some(Loss::Away) } else { fallen.then_some(Loss::Fallen) };
            if let Some(loss) = loss {
                let (backend, why) = (self.backend.name(), loss.as_str());
                info!(%backend, why, before, "what was kept is lost: misses begin with as many at once as there were, four at least");
                self.backend.begin_misses_anew(loss, before);
            }
        }
    }
}

/// What is usual of a backend's calls, and what was of late.
#[derive(Debug, Default)]
struct Habit {
    /// Sums after each of the last ticks, the latest first.
    sums: VecDeque<Sums>,
    ticks: u64,
    /// Averages of what a tick brings, and of the misses that are out.
    hits: f64,
    misses: f64,
    out: f64,
    has_fallen: bool,
}

/// Calls so far.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    hits: u64,
    misses: u64,
}

impl Habit {
    /// How many misses are usually out at once.
    fn out(&self) -> usize {
        self.out.ceil() as usize
    }

    /// Notes a tick: hits and misses so far, and how many misses are out. Whether hits have just given way to misses.
    fn note(&mut self, hits: u64, misses: u64, out: usize) -> bool {
        let now = Sums { hits, misses };
        let has_fallen = self.falls(now);
        if let Some(last) = self.sums.front().map(|last| now.since(last)) {
            self.ticks += 1;
            let share = (1.0 / self.ticks as f64).max(SHARE);
            let mix = |average: &mut f64, value: f64| *average += (value - *average) * share;
            mix(&mut self.hits, last.hits as f64);
            mix(&mut self.misses, last.misses as f64);
            mix(&mut self.out, out as f64);
        }
        self.sums.push_front(now);
        self.sums.truncate(TICKS_MOST);
        let had_fallen = std::mem::replace(&mut self.has_fallen, has_fallen);
        has_fallen && !had_fallen
    }

    /// Whether of the last calls far fewer were hits, and far more were misses, than in as much time before.
    fn falls(&self, now: Sums) -> bool {
        let recent = (1..).zip(self.sums.iter().map(|then| now.since(then)));
        let enough = recent.into_iter().find(|(_, calls)| calls.hits + calls.misses >= ENOUGH);
        enough.is_some_and(|(ticks, Sums { hits, misses })| {
            let usual = |average: f64| average * f64::from(ticks);
            2.0 * (hits as f64) < usual(self.hits) && misses as f64 > 2.0 * usual(self.misses) + CHANCE
        })
    }
}

impl Sums {
    fn since(self, then: &Self) -> Self {
        Self { hits: self.hits - then.hits, misses: self.misses - then.misses }
    }
}

/// How often it is looked.
const TICK: Duration = Duration::from_millis(50);
/// For how many ticks back it is looked for enough calls: two seconds.
const TICKS_MOST: usize = 40;
/// Calls that tell something.
const ENOUGH: u64 = 24;
/// Misses that come by chance.
const CHANCE: f64 = 8.0;
/// What a tick adds to an average: a third of what was before is left after ten seconds.
const SHARE: f64 = 1.0 / 200.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is seen of a backend's calls, tick by tick.
    #[derive(Default)]
    struct Seen {
        habit: Habit,
        hits: u64,
        misses: u64,
    }

    impl Seen {
        /// After which of so many ticks with so many hits and misses each it is told that hits fall.
        fn ticks(&mut self, count: usize, (hits, misses, out): (u64, u64, usize)) -> Vec<usize> {
            let ticks = (0..count).filter(|_| {
                (self.hits, self.misses) = (self.hits + hits, self.misses + misses);
                self.habit.note(self.hits, self.misses, out)
            });
            ticks.collect()
        }
    }

    #[test]
    fn hits_that_become_misses_are_told_once_and_at_once() {
        let mut seen = Seen::default();
        assert!(seen.ticks(400, (20, 1, 3)).is_empty());
        assert_eq!(seen.habit.out(), 3);
        assert_eq!(seen.ticks(200, (1, 20, 60)), [1]);
        assert!(seen.ticks(400, (20, 1, 3)).is_empty());
        assert_eq!(seen.ticks(20, (2, 19, 60)), [1], "and when they do again");
    }

    #[test]
    fn where_there_are_few_calls_it_takes_as_many_of_them() {
        let mut seen = Seen::default();
        for _ in 0..100 {
            assert!(seen.ticks(4, (1, 0, 0)).is_empty());
        }
        assert_eq!(seen.ticks(40, (0, 1, 4)).len(), 1);
    }

    #[test]
    fn more_calls_or_more_keys_or_fewer_calls_are_no_loss() {
        for after in [(200, 10, 40), (20, 40, 60), (0, 0, 0), (5, 1, 3)] {
            let mut seen = Seen::default();
            assert!(seen.ticks(400, (20, 1, 3)).is_empty());
            assert!(seen.ticks(200, after).is_empty(), "{after:?}");
        }
    }

    #[test]
    fn what_goes_on_becomes_usual() {
        let mut seen = Seen::default();
        seen.ticks(400, (20, 1, 3));
        seen.ticks(2_000, (1, 20, 9));
        assert_eq!(seen.habit.out(), 9);
        assert!(!seen.habit.has_fallen);
    }
}
