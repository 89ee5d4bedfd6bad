//! What waits to be written to the shared tier while that is away: for each key the youngest, bounded in number and bytes. What proves others
//! wrong goes first when the tier is back, and is forgotten last when there is too much.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::shared::Write;
use crate::entry::Slot;

/// The writes that wait.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    inner: Mutex<Inner>,
    filled: Notify,
    forgotten: Counter,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: BTreeMap<Place, Pending>,
    places: BTreeMap<Box<[u8]>, Place>,
    bytes: usize,
    /// Writes that waited so far.
    begun: u64,
    /// None goes before.
    paused: Option<Instant>,
}

/// In which order they go: tombstones first, and then who waits longest.
type Place = (Kind, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Tombstone,
    Entry,
}

/// A write to the shared tier.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// The key.
    pub(super) key: Box<[u8]>,
    /// What is to lie there.
    pub(super) slot: Slot,
    /// Until when it is of use there.
    until: Instant,
    /// Whether it has waited before.
    stage: Stage,
    /// How often the tier did not take it.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Waited,
}

impl Pending {
    /// A write of what is of use for `keep`.
    pub(super) fn new(key: &[u8], slot: Slot, keep: Duration) -> Self {
        let until = Instant::now() + keep.min(KEEP_MOST);
        Self { key: key.into(), slot, until, stage: Stage::New, failures: 0 }
    }

    /// For how long it is still of use.
    pub(super) fn keep(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// How many bytes it holds, about.
    pub(super) fn size(&self) -> usize {
        self.key.len().saturating_add(self.slot.body().len())
    }

    fn kind(&self) -> Kind {
        match self.slot {
            Slot::Tombstone(_) => Kind::Tombstone,
            Slot::Entry(_) => Kind::Entry,
        }
    }
}

impl Backlog {
    /// Lets a write wait that ended so, if it is to be tried again, unless what waits under its key is younger. Where one comes to nothing that has
    /// waited before, all others wait too for a while.
    pub(super) fn hold(&self, pending: Pending, ended: Write) {
        let failures = match ended {
            Write::Skipped | Write::Dropped => pending.failures,
            Write::Timeout | Write::Error => pending.failures + 1,
            Write::Written
            | Write::Older
            | Write::Tombstone
            | Write::GivenBack
            | Write::TooLarge
            | Write::Full => return,
        };
        let mut inner = self.lock();
        if pending.stage == Stage::Waited {
            inner.paused = Some(Instant::now() + PAUSE);
        }
        let forgotten = inner.hold(Pending { failures, stage: Stage::Waited, ..pending });
        drop(inner);
        self.forgotten.inc_by(forgotten);
        self.filled.notify_one();
    }

    /// Up to `most` of those whose turn it is; what is of no use any more is forgotten.
    pub(super) fn take(&self, most: usize) -> Vec<Pending> {
        let (mut inner, now) = (self.lock(), Instant::now());
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some((_, next)) = inner.take_first()
        {
            if next.until > now {
                taken.push(next);
            }
        }
        taken
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// How many were forgotten, because too many waited or they failed too often.
    pub(super) fn forgotten(&self) -> &Counter {
        &self.forgotten
    }

    /// Ends when it is the turn of one.
    pub(super) async fn due(&self) {
        loop {
            let (is_empty, paused) = {
                let inner = self.lock();
                (inner.waiting.is_empty(), inner.paused)
            };
            match paused {
                _ if is_empty => self.filled.notified().await,
                Some(until) if until > Instant::now() => sleep_until(until).await,
                Some(_) | None => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No panic comes between the statements of a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Lets a write wait; returns how many are forgotten for it.
    fn hold(&mut self, pending: Pending) -> u64 {
        if pending.failures > FAILURES_MOST || pending.size() > BYTES_MOST {
            return 1;
        }
        if let Some(place) = self.places.get(&pending.key).copied() {
            let stays = self.waiting.get(&place).is_some_and(|there| !pending.slot.replaces(&there.slot));
            if stays {
                return 0;
            }
            self.take(place);
        }
        self.begun += 1;
        let place = (pending.kind(), self.begun);
        self.bytes += pending.size();
        self.places.insert(pending.key.clone(), place);
        self.waiting.insert(place, pending);
        let mut forgotten = 0;
        while self.bytes > BYTES_MOST || self.waiting.len() > KEYS_MOST {
            self.forget_one();
            forgotten += 1;
        }
        forgotten
    }

    /// The entry that waits longest, or else the tombstone.
    fn forget_one(&mut self) {
        let entry = self.waiting.range((Kind::Entry, 0)..).next();
        let Some((place, _)) = entry.or_else(|| self.waiting.first_key_value()) else { return };
        let place = *place;
        self.take(place);
    }

    fn take_first(&mut self) -> Option<(Place, Pending)> {
        let place = *self.waiting.first_key_value()?.0;
        Some((place, self.take(place)?))
    }

    fn take(&mut self, place: Place) -> Option<Pending> {
        let taken = self.waiting.remove(&place)?;
        self.places.remove(&taken.key);
        self.bytes -= taken.size();
        Some(taken)
    }
}

/// Keys that wait at most.
const KEYS_MOST: usize = 65_536;
/// Bytes of keys and replies that wait at most. Most replies are the local tier's too, and take no room of their own.
const BYTES_MOST: usize = 32 << 20;
/// For how long all wait after one that came to nothing again.
const PAUSE: Duration = Duration::from_secs(1);
/// A write that failed more often is none that the tier takes.
const FAILURES_MOST: u32 = 8;
/// A time that can be added to any moment: a year.
const KEEP_MOST: Duration = Duration::from_secs(31_536_000);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::clock::Millis;
    use crate::entry::{Ending, Entry};
    use crate::wire::Protocol;

    const KEEP: Duration = Duration::from_secs(60);

    fn entry(key: &str, born: u64, size: usize) -> Pending {
        let body = Bytes::from(vec![0; size]);
        let entry = Entry::new(Millis(born), Ending::Result, Protocol::Binary, body);
        Pending::new(key.as_bytes(), Slot::Entry(Arc::new(entry)), KEEP)
    }

    fn tombstone(key: &str, born: u64) -> Pending {
        Pending::new(key.as_bytes(), Slot::Tombstone(Millis(born)), KEEP)
    }

    /// The keys and births of what is taken.
    fn taken(backlog: &Backlog, most: usize) -> Vec<(String, u64)> {
        let of = |one: Pending| (String::from_utf8(one.key.into()).unwrap(), one.slot.born().0);
        backlog.take(most).into_iter().map(of).collect()
    }

    fn named(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(key, born)| ((*key).to_owned(), *born)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn tombstones_go_first_and_of_each_key_the_youngest_alone() {
        let backlog = Backlog::default();
        for held in
            [entry("a", 1, 1), entry("b", 5, 1), tombstone("c", 2), entry("a", 3, 1), entry("a", 2, 1)]
        {
            backlog.hold(held, Write::Skipped);
        }
        backlog.hold(entry("c", 1, 1), Write::Skipped);
        assert_eq!(backlog.waiting(), 3);
        assert_eq!(taken(&backlog, 2), named(&[("c", 2), ("b", 5)]));
        assert_eq!(taken(&backlog, 2), named(&[("a", 3)]));
        assert_eq!((backlog.waiting(), backlog.forgotten().get(), backlog.lock().bytes), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_are_forgotten_entries_before_tombstones_and_the_oldest_first() {
        let backlog = Backlog::default();
        backlog.hold(tombstone("t", 1), Write::Skipped);
        for number in 0..KEYS_MOST {
            backlog.hold(entry(&number.to_string(), 1, 1), Write::Skipped);
        }
        assert_eq!((backlog.waiting(), backlog.forgotten().get()), (KEYS_MOST, 1));
        assert_eq!(taken(&backlog, 2), named(&[("t", 1), ("1", 1)]));
        backlog.hold(entry("large", 1, BYTES_MOST - 10), Write::Skipped);
        assert_eq!(taken(&backlog, 2), named(&[("large", 1)]));
        backlog.hold(entry("too large", 1, BYTES_MOST), Write::Skipped);
        assert_eq!(backlog.waiting(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_of_no_use_any_more_or_fails_again_and_again_is_forgotten() {
        let backlog = Backlog::default();
        backlog.hold(entry("a", 1, 1), Write::Skipped);
        tokio::time::advance(KEEP).await;
        assert_eq!(taken(&backlog, 1), []);
        for ended in [Write::Written, Write::Older, Write::Full, Write::TooLarge] {
            backlog.hold(entry("a", 1, 1), ended);
        }
        assert_eq!(backlog.waiting(), 0);
        backlog.hold(entry("b", 1, 1), Write::Skipped);
        for _ in 0..FAILURES_MOST {
            backlog.hold(backlog.take(1).pop().unwrap(), Write::Skipped);
            backlog.hold(backlog.take(1).pop().unwrap(), Write::Error);
        }
        backlog.hold(backlog.take(1).pop().unwrap(), Write::Timeout);
        assert_eq!((backlog.waiting(), backlog.forgotten().get()), (0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn all_wait_for_a_second_where_one_comes_to_nothing_again() {
        let (backlog, began) = (Backlog::default(), Instant::now());
        backlog.hold(entry("a", 1, 1), Write::Skipped);
        backlog.due().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        backlog.hold(backlog.take(1).pop().unwrap(), Write::Skipped);
        backlog.due().await;
        assert_eq!(began.elapsed(), PAUSE);
    }
}
