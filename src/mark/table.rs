//! The marks that this process knows, bounded: what is dropped from them raises a floor below which nothing is known.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::Notify;

use super::{Cover, Covers, Kind, Seal, Standing, Tick};
use crate::clock::Millis;

/// The marks that this process knows.
#[derive(Debug, Default)]
pub struct Marks {
    /// The tick of the last one.
    latest: AtomicU64,
    /// The tick of the last one that was dropped.
    floor: AtomicU64,
    /// Until when, in milliseconds, what was dropped may yet take effect.
    unsettled: AtomicU64,
    table: RwLock<HashMap<Cover, Marked>>,
    /// When there are so many that the entries must be held against them, before some are dropped.
    crowded: Notify,
}

/// What is known of one cover.
#[derive(Clone, Copy, Debug, Default)]
struct Marked {
    /// The last mark of either kind.
    any: Tick,
    /// The last hard one.
    hard: Tick,
    /// What was asked before then may be the state before a write that may come yet, or has not reached all of a backend.
    unsettled: Millis,
}

/// A promise that all entries were held against the marks up to a tick.
#[derive(Debug)]
pub struct Sweep(Tick);

impl Marks {
    /// The tick of the last mark. What begins now is covered by those that come after it.
    #[inline]
    pub fn latest(&self) -> Tick {
        Tick(self.latest.load(Ordering::Acquire))
    }

    /// Covers what was learnt so far: from this moment on it does not answer, or only where a backend fails. What calls learn that begin
    /// before `unsettled` is not to be kept.
    pub fn mark(&self, covers: &[Cover], kind: Kind, unsettled: Millis) -> Tick {
        let mut table = self.write();
        // Published when the table has it: who sees the tick finds the mark.
        let tick = Tick(self.latest().0 + 1);
        for cover in covers {
            let marked = table.entry(*cover).or_default();
            marked.any = tick;
            if kind == Kind::Hard {
                marked.hard = tick;
            }
            marked.unsettled = marked.unsettled.max(unsettled);
        }
        self.latest.store(tick.0, Ordering::Release);
        if table.len() > MARKS_MAX {
            self.crowded.notify_one();
        }
        if table.len() > 2 * MARKS_MAX {
            self.drop_up_to(&mut table, tick);
        }
        tick
    }

    /// What marks leave of an entry that these cover.
    #[inline]
    pub fn standing(&self, seal: &Seal, covers: Covers<'_>) -> Standing {
        let latest = self.latest();
        match seal.read() {
            (tick, false) if tick >= latest => Standing::Clear,
            (tick, true) if tick >= latest => Standing::Soft,
            (tick, soft) => self.look(seal, covers, (tick, soft), latest),
        }
    }

    fn look(&self, seal: &Seal, covers: Covers<'_>, (tick, soft): (Tick, bool), latest: Tick) -> Standing {
        let table = self.read();
        if tick < self.floor() {
            return Standing::Hard;
        }
        let mut soft = soft;
        for marked in covers.each().filter_map(|cover| table.get(&cover)) {
            if marked.hard > tick {
                return Standing::Hard;
            }
            soft |= marked.any > tick;
        }
        seal.vouch(latest, soft);
        if soft { Standing::Soft } else { Standing::Clear }
    }

    /// The last mark on any of these: what asks after it was made must not be told what was asked before.
    pub fn last(&self, covers: Covers<'_>) -> Tick {
        if self.latest() == Tick::default() {
            return Tick::default();
        }
        let table = self.read();
        covers
            .each()
            .filter_map(|cover| table.get(&cover))
            .map(|marked| marked.any)
            .max()
            .unwrap_or_default()
            .max(self.floor())
    }

    /// Whether what a call learnt that began at `began` may be kept: no write that these cover may take effect after it was asked.
    pub fn is_settled(&self, covers: Covers<'_>, began: Millis) -> bool {
        if self.latest() == Tick::default() {
            return true;
        }
        let table = self.read();
        let dropped = Millis(self.unsettled.load(Ordering::Acquire));
        let covering = covers.each().filter_map(|cover| table.get(&cover)).map(|marked| marked.unsettled);
        covering.chain([dropped]).all(|unsettled| unsettled <= began)
    }

    /// Waits until there are so many marks that some must go.
    pub async fn crowded(&self) {
        self.crowded.notified().await;
    }

    /// To be asked before all entries are held against the marks.
    pub fn sweep(&self) -> Sweep {
        Sweep(self.latest())
    }

    /// Drops the older half of the marks, up to those that the entries were held against.
    pub fn swept(&self, Sweep(seen): Sweep) {
        let mut table = self.write();
        let mut ticks: Vec<Tick> = table.values().map(|marked| marked.any).collect();
        let half = ticks.len() / 2;
        let (_, median, _) = match ticks.is_empty() {
            true => return,
            false => ticks.select_nth_unstable(half),
        };
        let up_to = seen.min(*median);
        self.drop_up_to(&mut table, up_to);
    }

    /// How many are known.
    pub fn count(&self) -> usize {
        self.read().len()
    }

    /// What began before is covered, for all that is known.
    fn drop_up_to(&self, table: &mut HashMap<Cover, Marked>, tick: Tick) {
        self.floor.fetch_max(tick.0, Ordering::AcqRel);
        table.retain(|_, marked| {
            let stays = marked.any > tick;
            if !stays {
                self.unsettled.fetch_max(marked.unsettled.0, Ordering::AcqRel);
            }
            stays
        });
    }

    fn floor(&self) -> Tick {
        Tick(self.floor.load(Ordering::Acquire))
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Cover, Marked>> {
        // The table is whole between any two statements, so a panic elsewhere cannot have left it half changed.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Cover, Marked>> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Covers that are remembered: about 6 MiB, and twice that until the entries were held against them.
const MARKS_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"key";

    fn covers(tags: &[Cover]) -> Covers<'_> {
        Covers { place: &[], tags, key: KEY }
    }

    fn now(marks: &Marks) -> Seal {
        Seal::new(marks.latest())
    }

    #[test]
    fn what_was_learnt_before_a_mark_is_covered_and_what_comes_after_is_not() {
        let (marks, user) = (Marks::default(), [Cover::tag(b"user:5")]);
        let before = now(&marks);
        assert_eq!(marks.standing(&before, covers(&user)), Standing::Clear);
        marks.mark(&user, Kind::Soft, Millis(0));
        assert_eq!(marks.standing(&before, covers(&user)), Standing::Soft);
        assert_eq!(marks.standing(&before, covers(&user)), Standing::Soft, "also when asked again");
        let between = now(&marks);
        assert_eq!(marks.standing(&between, covers(&user)), Standing::Clear);
        marks.mark(&user, Kind::Hard, Millis(0));
        let standing = |seal| marks.standing(seal, covers(&user));
        assert_eq!(
            [&before, &between, &now(&marks)].map(standing),
            [Standing::Hard, Standing::Hard, Standing::Clear]
        );
    }

    #[test]
    fn a_mark_covers_its_own_alone() {
        let marks = Marks::default();
        let (one, other) = ([Cover::tag(b"user:5")], [Cover::tag(b"user:6")]);
        let seal = now(&marks);
        marks.mark(&one, Kind::Hard, Millis(0));
        assert_eq!(marks.standing(&seal, covers(&other)), Standing::Clear);
        assert_eq!((marks.last(covers(&one)), marks.last(covers(&other))), (Tick(1), Tick(0)));
        marks.mark(&[Cover::key(KEY)], Kind::Hard, Millis(0));
        assert_eq!(marks.standing(&seal, covers(&other)), Standing::Hard);
        assert_eq!(marks.last(covers(&other)), Tick(2));
    }

    #[test]
    fn a_soft_mark_stays_found_when_others_are_made() {
        let (marks, user) = (Marks::default(), [Cover::tag(b"user:5")]);
        let seal = now(&marks);
        marks.mark(&user, Kind::Soft, Millis(0));
        assert_eq!(marks.standing(&seal, covers(&user)), Standing::Soft);
        marks.mark(&[Cover::tag(b"other")], Kind::Hard, Millis(0));
        assert_eq!(marks.standing(&seal, covers(&user)), Standing::Soft);
    }

    #[test]
    fn what_begins_before_a_write_has_settled_is_not_to_be_kept() {
        let (marks, user) = (Marks::default(), [Cover::tag(b"user:5")]);
        assert!(marks.is_settled(covers(&user), Millis(0)));
        marks.mark(&user, Kind::Soft, Millis(100));
        marks.mark(&user, Kind::Soft, Millis(50));
        assert!(!marks.is_settled(covers(&user), Millis(99)));
        assert!(marks.is_settled(covers(&user), Millis(100)));
        assert!(marks.is_settled(covers(&[]), Millis(0)));
    }

    #[test]
    fn what_was_held_against_marks_before_they_are_dropped_stays() {
        let marks = Marks::default();
        let [swept, missed] = [now(&marks), now(&marks)];
        for tag in 0..=MARKS_MAX as u128 {
            marks.mark(&[Cover(tag)], Kind::Hard, Millis(7));
        }
        let sweep = marks.sweep();
        assert_eq!(marks.standing(&swept, covers(&[])), Standing::Clear);
        marks.swept(sweep);
        assert!(marks.count() <= MARKS_MAX / 2 + 1);
        assert_eq!(marks.standing(&swept, covers(&[])), Standing::Clear);
        assert_eq!(marks.standing(&missed, covers(&[])), Standing::Hard);
        assert!(!marks.is_settled(covers(&[]), Millis(6)) && marks.is_settled(covers(&[]), Millis(7)));
        assert!(marks.last(covers(&[])) > Tick(0));
        marks.mark(&[Cover(5)], Kind::Hard, Millis(0));
        assert_eq!(marks.standing(&swept, covers(&[Cover(5)])), Standing::Hard);
    }

    #[test]
    fn marks_are_bounded_where_nobody_sweeps() {
        let marks = Marks::default();
        let seal = now(&marks);
        for tag in 0..=2 * MARKS_MAX as u128 {
            marks.mark(&[Cover(tag)], Kind::Soft, Millis(0));
        }
        assert!(marks.count() <= MARKS_MAX);
        assert_eq!(marks.standing(&seal, covers(&[])), Standing::Hard);
    }
}
