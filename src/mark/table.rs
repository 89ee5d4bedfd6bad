//! The marks that this process knows, bounded: what is dropped from them raises a floor below which nothing is known.

mod again;
mod copy;
pub(crate) mod known;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::Notify;

use super::{Cover, Covers, Kind, Mark, Seal, Standing, Tick, Version};
use crate::clock::Millis;

/// The marks that this process knows.
#[derive(Debug)]
pub struct Marks {
    /// The tick of the last one.
    latest: AtomicU64,
    /// The tick of the last one that was dropped.
    floor: AtomicU64,
    /// The version since which none was lost, packed.
    unbroken: AtomicU64,
    /// Until when, in milliseconds, all that others have made are known here too.
    leased: AtomicU64,
    table: RwLock<Table>,
    /// When there are so many that the entries must be held against them, before some are dropped.
    crowded: Notify,
}

#[derive(Clone, Debug, Default)]
struct Table {
    marked: HashMap<Cover, Marked>,
    /// All that gateways share up to this one were made here too.
    applied: Version,
    /// The last of them that was dropped, or came before all that are known.
    floor: Version,
    /// Until when what was dropped may yet take effect.
    unsettled: Millis,
}

/// What is known of one cover.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Marked {
    /// The last mark of either kind.
    any: Stamp,
    /// The last hard one.
    hard: Stamp,
    /// What was asked before then may be the state before a write that may come yet, or has not reached all of a backend.
    unsettled: Millis,
}

/// When marks on one cover were made.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Stamp {
    /// The last of them, in this process' order.
    tick: Tick,
    /// When that was, for people: no decision hangs on it.
    at: Millis,
    /// The last of them that all gateways share.
    version: Version,
    /// How many of this process the others do not know yet: they will be later than anything that is known now.
    pending: u32,
}

/// Who will know of a mark that is made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// This process alone.
    Here,
    /// All gateways that share a tier, as soon as they are told.
    Fleet,
}

/// What is known of an entry that gateways share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vetted {
    /// This is what marks leave of it. Sealed so, marks that come later are held against it.
    Standing(Standing, Tick),
    /// It is older than all that is known. What covers it must be asked for, beside the marks that leave this of it.
    TooOld(Standing, Tick),
}

/// A promise that all entries were held against the marks up to a tick.
#[derive(Debug)]
pub struct Sweep(Tick);

impl Default for Marks {
    /// No marks yet, and nobody else makes any.
    fn default() -> Self {
        Self {
            latest: AtomicU64::default(),
            floor: AtomicU64::default(),
            unbroken: AtomicU64::default(),
            leased: AtomicU64::new(u64::MAX),
            table: RwLock::default(),
            crowded: Notify::default(),
        }
    }
}

impl Marks {
    /// No marks yet. Others make some too, and nothing is known of those until there is a lease.
    pub fn shared() -> Self {
        Self { leased: AtomicU64::default(), ..Self::default() }
    }

    /// All that others make until then will be known here, or they wait.
    pub fn lease(&self, until: Millis) {
        self.leased.fetch_max(until.0, Ordering::AcqRel);
    }

    /// Whether all that others make is known here at `now`.
    #[inline]
    pub fn is_leased(&self, now: Millis) -> bool {
        now.0 < self.leased.load(Ordering::Acquire)
    }

    /// Whether others make marks, and at `now` all that they make are known here: then they can be asked what they have marked before, too.
    #[inline]
    pub fn hears(&self, now: Millis) -> bool {
        let leased = self.leased.load(Ordering::Acquire);
        leased != u64::MAX && now.0 < leased
    }

    /// Whether marks tell at `now` all that may be known of an entry whose gateway had come as far as `version` when it asked. Of another
    /// epoch, earlier or later, they do not.
    #[inline]
    pub fn vouch(&self, version: Version, now: Millis) -> bool {
        let unbroken = Version::unpacked(self.unbroken.load(Ordering::Acquire));
        self.is_leased(now) && version >= unbroken && version.epoch() == unbroken.epoch()
    }

    /// The tick of the last mark. What begins now is covered by those that come after it.
    #[inline]
    pub fn latest(&self) -> Tick {
        Tick(self.latest.load(Ordering::Acquire))
    }

    /// How far this process has come with what gateways share. What begins now is covered by what comes after it.
    pub fn applied(&self) -> Version {
        self.read().applied
    }

    /// Covers what was learnt so far: from this moment on it does not answer, or only where a backend fails. What calls learn that begin
    /// before it has settled is not to be kept.
    pub fn mark(&self, mark: &Mark, now: Millis, audience: Audience) -> Tick {
        self.enter(mark, now, |stamp, tick| {
            stamp.tick = tick;
            stamp.pending += match audience {
                Audience::Here => 0,
                Audience::Fleet => 1,
            };
        })
    }

    /// Another gateway has made this mark.
    pub fn apply(&self, mark: &Mark, version: Version, now: Millis) {
        self.enter(mark, now, |stamp, tick| {
            stamp.tick = tick;
            stamp.version = stamp.version.max(version);
        });
    }

    /// A mark of this process has this place among those that gateways share. `pending` says whether it had none before.
    pub fn announced(&self, mark: &Mark, version: Version, pending: bool) {
        let mut table = self.write();
        for cover in &mark.covers {
            // One that was dropped meanwhile is below the floor.
            let Some(marked) = table.marked.get_mut(cover) else { continue };
            for stamp in marked.stamps(mark.kind) {
                stamp.pending = stamp.pending.saturating_sub(u32::from(pending));
                stamp.version = stamp.version.max(version);
            }
        }
    }

    /// Those of this process that have no place will get none.
    pub fn give_up_pending(&self) {
        let mut table = self.write();
        for marked in table.marked.values_mut() {
            (marked.any.pending, marked.hard.pending) = (0, 0);
        }
    }

    /// The others' marks go on, from `first` to `last`, where this process has come to `applied`.
    pub fn go_on(&self, first: Version, applied: Version, last: Version) {
        let mut unbroken = Version::new(last.epoch(), 0);
        if applied < first {
            let mut table = self.write();
            table.floor = table.floor.max(first);
            // Who has just begun has missed nothing.
            unbroken = if applied == Version::default() { unbroken } else { unbroken.max(first) };
        }
        self.unbroken.fetch_max(unbroken.packed(), Ordering::AcqRel);
    }

    /// Nobody knows how far this process has come: it must hear all again.
    pub fn begin_again(&self) {
        self.write().applied = Version::default();
    }

    /// All up to `version` were made here too.
    pub fn advance(&self, version: Version) {
        let mut table = self.write();
        table.applied = table.applied.max(version);
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
        let found = table.covering(covers, |stamp| stamp.tick > tick);
        let standing = if soft { found.max(Standing::Soft) } else { found };
        if standing != Standing::Hard {
            seal.vouch(latest, standing == Standing::Soft);
        }
        standing
    }

    /// What marks leave of an entry of the shared tier that these cover, whose gateway had come as far as `version` when it asked.
    pub fn vet(&self, version: Version, covers: Covers<'_>) -> Vetted {
        let table = self.read();
        let found = table.covering(covers, |stamp| stamp.pending > 0 || stamp.version > version);
        match version < table.floor {
            true => Vetted::TooOld(found, self.latest()),
            false => Vetted::Standing(found, self.latest()),
        }
    }

    /// The last mark on any of these: what asks after it was made must not be told what was asked before.
    pub fn last(&self, covers: Covers<'_>) -> Tick {
        if self.latest() == Tick::default() {
            return Tick::default();
        }
        let table = self.read();
        let ticks = table.over(covers).map(|marked| marked.any.tick);
        ticks.max().unwrap_or_default().max(self.floor())
    }

    /// Whether what a call learnt that began at `began` may be kept: no write that these cover may take effect after it was asked.
    pub fn is_settled(&self, covers: Covers<'_>, began: Millis) -> bool {
        if self.latest() == Tick::default() {
            return true;
        }
        let table = self.read();
        table.unsettled <= began && table.over(covers).all(|marked| marked.unsettled <= began)
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
        let mut ticks: Vec<Tick> = table.marked.values().map(|marked| marked.any.tick).collect();
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
        self.read().marked.len()
    }

    fn enter(&self, mark: &Mark, now: Millis, stamp: impl Fn(&mut Stamp, Tick)) -> Tick {
        let mut table = self.write();
        // Published when the table has it: who sees the tick finds the mark.
        let tick = Tick(self.latest().0 + 1);
        for cover in &mark.covers {
            let marked = table.marked.entry(*cover).or_default();
            for each in marked.stamps(mark.kind) {
                stamp(each, tick);
                each.at = now;
            }
            marked.unsettled = marked.unsettled.max(now.plus(mark.settle));
        }
        self.latest.store(tick.0, Ordering::Release);
        if table.marked.len() > MARKS_MAX {
            self.crowded.notify_one();
        }
        if table.marked.len() > 2 * MARKS_MAX {
            self.drop_up_to(&mut table, tick);
        }
        tick
    }

    /// What began before is covered, for all that is known.
    fn drop_up_to(&self, table: &mut Table, tick: Tick) {
        self.floor.fetch_max(tick.0, Ordering::AcqRel);
        let Table { marked, floor, unsettled, .. } = table;
        marked.retain(|_, marked| {
            let stays = marked.any.tick > tick || marked.any.pending > 0;
            if !stays {
                *floor = (*floor).max(marked.any.version);
                *unsettled = (*unsettled).max(marked.unsettled);
            }
            stays
        });
    }

    fn floor(&self) -> Tick {
        Tick(self.floor.load(Ordering::Acquire))
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        // The table is whole between any two statements, so a panic elsewhere cannot have left it half changed.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn over<'a>(&'a self, covers: Covers<'a>) -> impl Iterator<Item = &'a Marked> {
        covers.each().filter_map(|cover| self.marked.get(&cover))
    }

    /// What is left of what these cover by the marks that are later.
    fn covering(&self, covers: Covers<'_>, is_later: impl Fn(&Stamp) -> bool) -> Standing {
        let each = self.over(covers).map(|marked| match (is_later(&marked.hard), is_later(&marked.any)) {
            (true, _) => Standing::Hard,
            (false, true) => Standing::Soft,
            (false, false) => Standing::Clear,
        });
        each.max().unwrap_or(Standing::Clear)
    }
}

impl Marked {
    /// Those that a mark of this kind is the last of.
    fn stamps(&mut self, kind: Kind) -> impl Iterator<Item = &mut Stamp> {
        let hard = (kind == Kind::Hard).then_some(&mut self.hard);
        std::iter::once(&mut self.any).chain(hard)
    }
}

/// Covers that are remembered: about 11 MiB, and twice that until the entries were held against them.
const MARKS_MAX: usize = 65_536;

#[cfg(test)]
mod tests;
