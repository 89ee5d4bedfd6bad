//! Outage coverage: had the backend died when a call of the last five minutes came, would it have been answered, and for how long?
//!
//! Each call is counted once, when it is answered, by how long what was kept for it could have answered from then on. So it is known what
//! calls like these would have met, and nothing is looked up for it. What it cannot know: what the local tier will have dropped by
//! then, and whether clients will ask in an outage what they ask now. A call whose key nobody had asked for stands for others like it:
//! it does not count as covered, though its reply is kept since.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::slices::Slices;
use crate::clock::Millis;

/// What would have answered a call, had its backend died when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    /// What was kept, for so long from then on.
    Kept(Duration),
    /// Nothing. What the backend answered is kept since, and answers the same call for so long.
    Learnt(Duration),
    /// Nothing.
    Nothing,
}

/// The calls of one method in the last five minutes, by what would have answered them.
#[derive(Debug)]
pub(crate) struct Coverage {
    /// Whether the rule in force has a backup.
    backup: AtomicBool,
    /// Whether it has a fallback.
    fallback: AtomicBool,
    /// Kept by band, learnt by band, and nothing.
    slices: Slices<COUNTERS, SLICES>,
}

/// Sums over the last five minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Covered {
    /// All calls that expect a reply.
    pub calls: u64,
    /// Those that would be answered, at each of [`HORIZONS`].
    pub at: [Answered; BANDS],
}

/// What a rule has to answer with where its backend fails and nothing is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FallsBack {
    /// Another backend.
    pub backup: bool,
    /// A fallback.
    pub fallback: bool,
}

/// The calls of the last five minutes that would be answered so long after the backend's death.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    /// By what was kept when they came.
    pub kept: u64,
    /// By their rule's backup, as long as that answers: not those of `kept`.
    pub backup: u64,
    /// By their rule's fallback: not those of `kept` or `backup`.
    pub fallback: u64,
    /// By what is kept since, if the same is asked again: not those of `kept`. In an outage, new keys like theirs find nothing.
    pub learnt: u64,
}

/// Times after a backend's death at which its coverage is told, and their names.
pub(crate) const HORIZONS: [(&str, Duration); BANDS] = [
    ("0s", Duration::ZERO),
    ("1m", Duration::from_secs(60)),
    ("10m", Duration::from_secs(600)),
    ("1h", Duration::from_secs(3_600)),
    ("24h", Duration::from_secs(86_400)),
];

impl Default for Coverage {
    fn default() -> Self {
        let [backup, fallback] = [(); 2].map(|()| AtomicBool::new(false));
        Self { backup, fallback, slices: Slices::new(SLICE_MS) }
    }
}

impl Coverage {
    /// What is counted is what calls would have met in the last five minutes.
    pub(crate) const LENGTH: Duration = Duration::from_millis(SLICES as u64 * SLICE_MS);

    /// Says what the rule in force has where nothing is kept.
    pub(super) fn falls_back(&self, on: FallsBack) {
        self.backup.store(on.backup, Ordering::Relaxed);
        self.fallback.store(on.fallback, Ordering::Relaxed);
    }

    /// Counts one call.
    #[inline]
    pub(super) fn note(&self, backing: Backing, now: Millis) {
        let at = match backing {
            Backing::Kept(left) => band(left),
            Backing::Learnt(left) => BANDS + band(left),
            Backing::Nothing => NOTHING,
        };
        if let Some(counter) = self.slices.at(now).and_then(|counters| counters.get(at)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The sums at `now`.
    pub(crate) fn covered(&self, now: Millis) -> Covered {
        let mut counts = [0; COUNTERS];
        for slice in self.slices.live(now) {
            counts.iter_mut().zip(slice).for_each(|(sum, count)| *sum += count);
        }
        let (kept, others) = counts.split_at(BANDS);
        let calls: u64 = counts.iter().sum();
        let from = |bands: &[u64], at: usize| bands.iter().take(BANDS).skip(at).sum::<u64>();
        let at = std::array::from_fn(|at| {
            let kept = from(kept, at);
            let rest = |answers: &AtomicBool, but: u64| match answers.load(Ordering::Relaxed) {
                true => calls - but,
                false => 0,
            };
            let backup = rest(&self.backup, kept);
            let fallback = rest(&self.fallback, kept + backup);
            Answered { kept, backup, fallback, learnt: from(others, at) }
        });
        Covered { calls, at }
    }
}

impl Covered {
    /// The share of calls, in percent to one decimal, that would be answered by what was kept, by a backup or by a fallback when the backend dies;
    /// nothing where there were no calls.
    pub(crate) fn percent(&self) -> Option<f64> {
        let [now, ..] = self.at;
        let tenths = || (now.kept + now.backup + now.fallback) as f64 * 1_000.0 / self.calls as f64;
        (self.calls > 0).then(|| tenths().round() / 10.0)
    }
}

impl AddAssign for Covered {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        for (one, more) in self.at.iter_mut().zip(other.at) {
            one.kept += more.kept;
            one.backup += more.backup;
            one.fallback += more.fallback;
            one.learnt += more.learnt;
        }
    }
}

/// The last of [`HORIZONS`] that something lasts beyond. What answered at all did so at the first.
#[inline]
fn band(left: Duration) -> usize {
    HORIZONS.iter().rposition(|(_, horizon)| left > *horizon).unwrap_or_default()
}

const BANDS: usize = 5;
const NOTHING: usize = 2 * BANDS;
const COUNTERS: usize = NOTHING + 1;
const SLICES: usize = 20;
const SLICE_MS: u64 = 15_000;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000_000);

    fn noted(all: &[Backing]) -> Coverage {
        let coverage = Coverage::default();
        all.iter().for_each(|backing| coverage.note(*backing, NOW));
        coverage
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_call_is_covered_for_as_long_as_what_was_kept_for_it_would_answer() {
        let lives = [0, 1, 60, 61, 601, 3_601, 86_400, 86_401].map(|life| Backing::Kept(seconds(life)));
        let covered = noted(&lives).covered(NOW);
        assert_eq!(covered.calls, 8);
        assert_eq!(covered.at.map(|at| at.kept), [8, 5, 4, 3, 1]);
        assert_eq!(covered.at.map(|at| at.backup + at.fallback + at.learnt), [0; 5]);
    }

    #[test]
    fn what_was_learnt_by_the_call_itself_is_counted_apart_and_a_backup_or_fallback_answers_the_rest() {
        let coverage = noted(&[
            Backing::Kept(seconds(90)),
            Backing::Learnt(seconds(90)),
            Backing::Learnt(seconds(5)),
            Backing::Nothing,
        ]);
        let told = |fallback| {
            coverage.falls_back(FallsBack { backup: false, fallback });
            coverage.covered(NOW).at.map(|at| (at.kept, at.fallback, at.learnt))
        };
        assert_eq!(told(false), [(1, 0, 2), (1, 0, 1), (0, 0, 0), (0, 0, 0), (0, 0, 0)]);
        assert_eq!(coverage.covered(NOW).percent(), Some(25.0));
        assert_eq!(told(true), [(1, 3, 2), (1, 3, 1), (0, 4, 0), (0, 4, 0), (0, 4, 0)]);
        assert_eq!(coverage.covered(NOW).percent(), Some(100.0));
        coverage.falls_back(FallsBack { backup: true, fallback: true });
        let at = coverage.covered(NOW).at.map(|at| (at.kept, at.backup, at.fallback));
        assert_eq!(at, [(1, 3, 0), (1, 3, 0), (0, 4, 0), (0, 4, 0), (0, 4, 0)]);
        assert_eq!(coverage.covered(NOW).percent(), Some(100.0));
        assert_eq!(Covered::default().percent(), None);
    }

    #[test]
    fn five_minutes_are_remembered_and_no_more() {
        let coverage = noted(&[Backing::Kept(seconds(1))]);
        assert_eq!(coverage.covered(NOW.plus(seconds(280))).calls, 1);
        assert_eq!(coverage.covered(NOW.plus(Coverage::LENGTH)), Covered::default());
    }

    #[test]
    fn methods_add_up() {
        let mut sum = noted(&[Backing::Kept(seconds(90)), Backing::Nothing]).covered(NOW);
        sum += noted(&[Backing::Kept(seconds(5)), Backing::Learnt(seconds(5))]).covered(NOW);
        assert_eq!((sum.calls, sum.at[0].kept, sum.at[0].learnt, sum.at[1].kept), (4, 2, 1, 1));
    }
}
