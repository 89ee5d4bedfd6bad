//! How many bytes all client connections hold, and what happens over the bound: who holds much is not read further; where that does
//! not help, who holds most is closed, those first that do not read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// The sum over all connections, and its bound.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    all: Arc<All>,
}

#[derive(Debug)]
struct All {
    total: AtomicUsize,
    bound: AtomicUsize,
    /// Those whose share is large.
    holders: Mutex<Holders>,
}

#[derive(Debug, Default)]
struct Holders {
    next: u64,
    by_number: BTreeMap<u64, Holder>,
}

#[derive(Debug)]
struct Holder {
    bytes: usize,
    /// Since when its client takes nothing.
    blocked: Option<Instant>,
    doomed: bool,
    waker: Option<Waker>,
}

/// Which connections may end so that others find room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Candidates {
    /// Those whose clients do not read.
    Stalled,
    /// All, those first whose clients do not read.
    All,
}

/// What one connection holds.
#[derive(Debug)]
pub(crate) struct Share {
    held: Held,
    bytes: usize,
    /// Its number among those whose share is large.
    number: Option<u64>,
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// All.
    All,
    /// All but reading from its client and answering more of its calls.
    Less,
    /// Nothing: it is to end.
    Nothing,
}

impl Held {
    /// Nothing held yet, of about `bound` bytes.
    pub(crate) fn new(bound: usize) -> Self {
        let (total, bound) = (AtomicUsize::new(0), AtomicUsize::new(bound));
        let all = All { total, bound, holders: Mutex::default() };
        Self { all: Arc::new(all) }
    }

    /// A connection's share, empty so far.
    pub(crate) fn share(&self) -> Share {
        Share { held: self.clone(), bytes: 0, number: None }
    }

    /// Bytes held by all.
    pub(crate) fn total(&self) -> usize {
        self.all.total.load(Ordering::Relaxed)
    }

    /// About so many bytes from here on.
    pub(crate) fn bound(&self, bound: usize) {
        self.all.bound.store(bound, Ordering::Relaxed);
        // Who waits for room may have it now.
        self.holders().by_number.values_mut().for_each(Holder::wake);
    }

    /// Bytes above which large shares are not to grow.
    fn least(&self) -> usize {
        self.all.bound.load(Ordering::Relaxed)
    }

    /// Bytes at which it does not help that large shares are not to grow: those end whose clients do not read.
    fn most(&self) -> usize {
        self.least() + self.least() / 8
    }

    /// Bytes at which the largest end, whatever their clients do.
    fn utmost(&self) -> usize {
        self.least() + self.least() / 4
    }

    /// Ends connections, of which `may_end` admits some, until the others hold at most `goal` bytes.
    fn relieve(&self, goal: usize, may_end: Candidates) {
        let now = Instant::now();
        let mut holders = self.holders();
        let doomed: usize = holders.all().filter(|one| one.doomed).map(|one| one.bytes).sum();
        let mut excess = self.total().saturating_sub(doomed).saturating_sub(goal);
        while excess > 0 {
            let staying = holders.by_number.values_mut();
            let staying =
                staying.filter(|one| !one.doomed && (may_end == Candidates::All || one.stalled(now)));
            let Some(worst) = staying.max_by_key(|one| (one.stalled(now), one.bytes)) else { return };
            worst.doomed = true;
            worst.wake();
            excess = excess.saturating_sub(worst.bytes);
        }
    }

    fn holders(&self) -> MutexGuard<'_, Holders> {
        // A list of whole holders at every moment.
        self.all.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holders {
    fn all(&self) -> impl Iterator<Item = &Holder> {
        self.by_number.values()
    }
}

impl Holder {
    /// Whether its client has not read for long enough to be blamed: a network that is merely far away is quicker.
    fn stalled(&self, now: Instant) -> bool {
        self.blocked.is_some_and(|since| now.saturating_duration_since(since) >= STALL)
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Share {
    /// One beside it, empty so far.
    pub(crate) fn another(&self) -> Self {
        self.held.share()
    }

    /// Notes that the connection holds `bytes`, and since when its client takes none of them.
    ///
    /// What fits the buffers that every connection has anyway is not counted: it is bounded by their number.
    #[inline]
    pub(crate) fn hold(&mut self, bytes: usize, blocked: Option<Instant>) {
        let bytes = if bytes > FREE { bytes } else { 0 };
        if bytes != self.bytes || self.number.is_some() {
            self.change(bytes, blocked);
        }
    }

    /// What the connection may do now. It is woken when that changes.
    #[inline]
    pub(crate) fn allows(&self, cx: &Context<'_>) -> Allowed {
        let Some(number) = self.number else { return Allowed::All };
        let mut holders = self.held.holders();
        let Some(own) = holders.by_number.get_mut(&number) else { return Allowed::All };
        own.waker = Some(cx.waker().clone());
        if own.doomed {
            Allowed::Nothing
        } else if self.held.total() > self.held.least() {
            Allowed::Less
        } else {
            Allowed::All
        }
    }

    /// Ends who holds most, after this connection has waited in vain for room.
    pub(crate) fn relieve(&self) {
        self.held.relieve(self.held.least(), Candidates::All);
    }

    fn change(&mut self, bytes: usize, blocked: Option<Instant>) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        self.register(blocked);
        let total = &self.held.all.total;
        if bytes >= before {
            let grown = bytes - before;
            let now = total.fetch_add(grown, Ordering::Relaxed) + grown;
            if grown > 0 && now > self.held.most() {
                self.held.relieve(self.held.least(), Candidates::Stalled);
            }
            if grown > 0 && now > self.held.utmost() {
                self.held.relieve(self.held.most(), Candidates::All);
            }
            return;
        }
        let was = total.fetch_sub(before - bytes, Ordering::Relaxed);
        let bound = self.held.least();
        if was > bound && was - (before - bytes) <= bound {
            self.held.holders().by_number.values_mut().for_each(Holder::wake);
        }
    }

    fn register(&mut self, blocked: Option<Instant>) {
        if self.bytes < LARGE {
            if let Some(number) = self.number.take() {
                self.held.holders().by_number.remove(&number);
            }
            return;
        }
        let mut holders = self.held.holders();
        let number = *self.number.get_or_insert_with(|| {
            holders.next += 1;
            holders.next
        });
        let new = Holder { bytes: 0, blocked, doomed: false, waker: None };
        let own = holders.by_number.entry(number).or_insert(new);
        (own.bytes, own.blocked) = (self.bytes, blocked);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.hold(0, None);
    }
}

/// Bytes that a connection may hold uncounted.
const FREE: usize = 16 << 10;
/// Bytes from which on a share is large: a connection with less goes on whatever the others hold.
const LARGE: usize = 64 << 10;
/// How long a client takes nothing before it counts as one that does not read.
const STALL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1 << 10;

    fn allowed(share: &Share) -> Allowed {
        share.allows(&Context::from_waker(Waker::noop()))
    }

    #[tokio::test(start_paused = true)]
    async fn shares_are_summed_and_given_back() {
        let held = Held::new(1 << 20);
        let (mut one, mut two) = (held.share(), held.share());
        one.hold(700 * KIB, None);
        two.hold(10, None);
        assert_eq!(held.total(), 700 * KIB);
        two.hold(100 * KIB, None);
        one.hold(0, None);
        assert_eq!(held.total(), 100 * KIB);
        drop(two);
        assert_eq!(held.total(), 0);
        assert!(held.holders().by_number.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn over_the_bound_large_shares_wait_and_small_ones_go_on() {
        let held = Held::new(1 << 20);
        let (mut large, mut other, mut small) = (held.share(), held.share(), held.share());
        large.hold(900 * KIB, None);
        assert_eq!(allowed(&large), Allowed::All);
        other.hold(150 * KIB, None);
        small.hold(20 * KIB, None);
        assert_eq!([&large, &other, &small].map(allowed), [Allowed::Less, Allowed::Less, Allowed::All]);
        other.hold(0, None);
        assert_eq!(allowed(&large), Allowed::All);
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_that_does_not_read_ends_before_the_one_that_holds_more() {
        let held = Held::new(1 << 20);
        let (mut reader, mut idler, mut last) = (held.share(), held.share(), held.share());
        let blocked = Instant::now();
        tokio::time::advance(STALL).await;
        idler.hold(400 * KIB, Some(blocked));
        reader.hold(700 * KIB, Some(Instant::now()));
        assert_eq!([&reader, &idler].map(allowed), [Allowed::Less, Allowed::Less]);
        last.hold(100 * KIB, None);
        assert_eq!([&reader, &idler, &last].map(allowed), [Allowed::Less, Allowed::Nothing, Allowed::Less]);
        drop(idler);
        assert_eq!([&reader, &last].map(allowed), [Allowed::All, Allowed::All]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_is_spared_as_long_as_memory_allows() {
        let held = Held::new(1 << 20);
        let (mut reader, mut other) = (held.share(), held.share());
        other.hold(500 * KIB, Some(Instant::now()));
        reader.hold(700 * KIB, Some(Instant::now()));
        assert_eq!([&reader, &other].map(allowed), [Allowed::Less, Allowed::Less]);
        other.hold(600 * KIB, Some(Instant::now()));
        assert_eq!([&reader, &other].map(allowed), [Allowed::Nothing, Allowed::Less]);
    }

    #[tokio::test(start_paused = true)]
    async fn where_waiting_does_not_help_the_largest_ends() {
        let held = Held::new(1 << 20);
        let (mut one, mut two) = (held.share(), held.share());
        one.hold(600 * KIB, None);
        two.hold(500 * KIB, None);
        assert_eq!([&one, &two].map(allowed), [Allowed::Less, Allowed::Less]);
        two.relieve();
        assert_eq!([&one, &two].map(allowed), [Allowed::Nothing, Allowed::Less]);
        // What is about to go counts as gone.
        two.relieve();
        assert_eq!(allowed(&two), Allowed::Less);
    }
}
