//! A shared tier inside one process, for the simulation: several gateways may share it, and it fails when told to.

mod feed;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::cache::envelope::Codec;
use crate::clock::{Clock, Millis};
use crate::entry::Slot;

use super::{Counts, Feed, Leased, Read, Store, TierTime, Write, Writes, judge, outlived_by, read};
use feed::Log;

/// A shared tier in memory. Clones share what lies there, its state and counts.
#[derive(Debug, Clone)]
pub struct Memory {
    clock: Clock,
    time: Arc<TierTime>,
    counts: Counts,
    read_timeout: Duration,
    shelf: Arc<Mutex<Shelf>>,
    writes: Arc<Writes>,
    severed: Arc<AtomicBool>,
}

/// How a [`Memory`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers each read and takes each write after this time.
    Up(Duration),
    /// It is known to be down: nothing waits.
    Down,
}

impl Memory {
    /// An empty store that is up and answers at once.
    pub fn new(clock: Clock, read_timeout: Duration, counts: Counts) -> Self {
        let shelf = Shelf {
            state: State::Up(Duration::ZERO),
            values: HashMap::new(),
            log: Log::default(),
            leases: HashMap::new(),
        };
        counts.up.set(1);
        let writes = Arc::new(Writes::new(WRITES_MAX, counts.clone()));
        let time = Arc::new(TierTime::new(clock.clone()));
        let (shelf, severed) = (Arc::new(Mutex::new(shelf)), Arc::default());
        Self { clock, time, counts, read_timeout, shelf, writes, severed }
    }

    /// The same store for a gateway that has this clock, and a link of its own.
    #[must_use]
    pub fn seen_by(&self, clock: Clock) -> Self {
        Self { time: Arc::new(TierTime::new(clock)), severed: Arc::default(), ..self.clone() }
    }

    /// Makes it down for whoever has this link, or not any more.
    pub fn sever(&self, severed: bool) {
        self.severed.store(severed, Ordering::Relaxed);
    }

    /// Makes it behave as `state` says.
    pub fn set(&self, state: State) {
        self.counts.up.set(i64::from(state != State::Down));
        self.shelf().state = state;
    }

    /// Puts any bytes under `key`, as another program might, to be kept for ever.
    pub fn plant(&self, key: &[u8], bytes: Bytes) {
        self.shelf().values.insert(key.into(), Value { bytes, until: Millis(u64::MAX) });
    }

    /// Forgets everything.
    pub fn empty(&self) {
        let mut shelf = self.shelf();
        shelf.values.clear();
        shelf.leases.clear();
        shelf.log = Log::default();
    }

    /// Puts the same bytes in place of everything that is kept, as another program might.
    pub fn spoil(&self, bytes: &'static [u8]) {
        self.shelf().values.values_mut().for_each(|value| value.bytes = Bytes::from_static(bytes));
    }

    fn there(&self, key: &[u8]) -> Result<Slot, Read> {
        let now = self.clock.now();
        let shelf = self.shelf();
        let value = shelf.values.get(key).filter(|value| value.until > now).ok_or(Read::Miss)?;
        judge(&Codec::default(), key, &value.bytes, self.time.now())
    }

    async fn look(&self, key: &[u8]) -> Result<Slot, Read> {
        let State::Up(delay) = self.state() else {
            return Err(Read::Skipped);
        };
        if delay > self.read_timeout {
            tokio::time::sleep(self.read_timeout).await;
            return Err(Read::Timeout);
        }
        tokio::time::sleep(delay).await;
        self.there(key)
    }

    async fn write(&self, key: &[u8], slot: &Slot, keep: Duration) -> Write {
        let State::Up(delay) = self.state() else {
            return Write::Skipped;
        };
        let Ok(envelope) = Codec::default().encode(key, slot) else {
            return Write::TooLarge;
        };
        tokio::time::sleep(delay).await;
        match self.there(key) {
            Ok(there) if !slot.replaces(&there) => outlived_by(&there),
            Ok(_) | Err(_) => {
                let value = Value { bytes: envelope.into(), until: self.clock.now().plus(keep) };
                self.shelf().values.insert(key.into(), value);
                Write::Written
            }
        }
    }

    fn state(&self) -> State {
        if self.severed.load(Ordering::Relaxed) { State::Down } else { self.shelf().state }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // The map is whole between any two statements, so a panic elsewhere cannot have left it half changed.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Option<Slot>> {
        async move {
            let looked = self.look(key).await;
            self.counts.read(read(&looked));
            looked.ok()
        }
        .boxed()
    }

    fn inspect<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Slot, Read>> {
        self.look(key).boxed()
    }

    fn put<'a>(&'a self, key: &'a [u8], slot: &'a Slot, keep: Duration) -> BoxFuture<'a, Write> {
        self.write(key, slot, keep).boxed()
    }

    fn lease<'a>(&'a self, key: &'a [u8], token: u64, life: Duration) -> BoxFuture<'a, Leased> {
        async move {
            if self.reaches().await.is_err() {
                return Leased::Unknown;
            }
            let (now, mut shelf) = (self.clock.now(), self.shelf());
            if shelf.leases.get(key).is_some_and(|(_, until)| *until > now) {
                return Leased::Theirs;
            }
            shelf.leases.insert(key.into(), (token, now.plus(life)));
            Leased::Ours
        }
        .boxed()
    }

    fn give_back<'a>(&'a self, key: &'a [u8], token: u64) -> BoxFuture<'a, Write> {
        async move {
            if self.reaches().await.is_err() {
                return Write::Skipped;
            }
            let mut shelf = self.shelf();
            if shelf.leases.get(key).is_some_and(|(holder, _)| *holder == token) {
                shelf.leases.remove(key);
            }
            Write::GivenBack
        }
        .boxed()
    }

    fn time(&self) -> &TierTime {
        &self.time
    }

    fn feed(&self) -> &dyn Feed {
        self
    }

    fn writes(&self) -> &Writes {
        &self.writes
    }

    fn is_up(&self) -> bool {
        self.state() != State::Down
    }

    fn servers_away(&self) -> usize {
        usize::from(!self.is_up())
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}

#[derive(Debug)]
struct Shelf {
    state: State,
    values: HashMap<Box<[u8]>, Value>,
    log: Log,
    leases: HashMap<Box<[u8]>, (u64, Millis)>,
}

#[derive(Debug)]
struct Value {
    bytes: Bytes,
    until: Millis,
}

/// As many writes at a time as Redis is given unless it is configured otherwise.
const WRITES_MAX: u32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    use crate::entry::{Ending, Entry};
    use crate::wire::Protocol;

    const KEY: &[u8] = b"key";
    const KEEP: Duration = Duration::from_secs(60);
    const TIMEOUT: Duration = Duration::from_millis(50);

    fn store() -> Memory {
        Memory::new(Clock::starting_at(Millis(1_000_000)), TIMEOUT, Counts::default())
    }

    fn born(millis: u64) -> Slot {
        let (born, body) = (Millis(millis), Bytes::from(format!("born {millis}")));
        let (ending, protocol) = (Ending::Result, Protocol::Binary);
        Slot::Entry(Arc::new(Entry::new(born, ending, protocol, body)))
    }

    impl Memory {
        async fn puts(&self, slot: Slot) -> Write {
            self.put(KEY, &slot, KEEP).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_stays_for_as_long_as_it_is_kept() {
        let store = store();
        store.puts(born(1)).await;
        assert_eq!(store.get(KEY).await, Some(born(1)));
        tokio::time::advance(KEEP).await;
        assert_eq!(store.get(KEY).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_younger_entry_is_neither_replaced_nor_removed() {
        let store = store();
        assert_eq!(store.puts(born(2)).await, Write::Written);
        assert_eq!(store.puts(born(1)).await, Write::Older);
        assert_eq!(store.puts(Slot::Tombstone(Millis(1))).await, Write::Older);
        assert_eq!(store.get(KEY).await, Some(born(2)));
        assert_eq!(store.puts(Slot::Tombstone(Millis(2))).await, Write::Written);
        assert_eq!(store.get(KEY).await, Some(Slot::Tombstone(Millis(2))));
        assert_eq!((store.counts.reads(Read::Hit), store.counts.reads(Read::Tombstone)), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_removed_does_not_come_back_while_its_tombstone_is_kept() {
        let store = store();
        store.puts(Slot::Tombstone(Millis(2))).await;
        assert_eq!(store.puts(born(2)).await, Write::Tombstone);
        assert_eq!(store.puts(born(3)).await, Write::Written);
        store.puts(Slot::Tombstone(Millis(4))).await;
        tokio::time::advance(KEEP).await;
        assert_eq!(store.puts(born(4)).await, Write::Written);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_slow_and_down_as_told() {
        let store = store();
        store.puts(born(1)).await;
        store.set(State::Up(TIMEOUT * 2));
        let asked = tokio::time::Instant::now();
        assert_eq!(store.get(KEY).await, None);
        assert_eq!(asked.elapsed(), TIMEOUT);
        store.set(State::Down);
        assert_eq!((store.get(KEY).await, store.puts(born(2)).await), (None, Write::Skipped));
        assert_eq!(asked.elapsed(), TIMEOUT);
        store.set(State::Up(TIMEOUT));
        assert!(store.get(KEY).await.is_some());
        assert_eq!((store.counts.reads(Read::Timeout), store.counts.reads(Read::Skipped)), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_is_severed_for_who_has_it_alone() {
        let store = store();
        store.puts(born(1)).await;
        let severed = store.seen_by(store.clock.clone());
        severed.sever(true);
        assert_eq!((severed.get(KEY).await, severed.is_up()), (None, false));
        assert!(store.get(KEY).await.is_some());
        severed.sever(false);
        assert!(severed.get(KEY).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_entry_is_a_miss_and_replaced() {
        let store = store();
        store.plant(KEY, Bytes::from_static(b"somebody else's"));
        assert_eq!(store.get(KEY).await, None);
        store.puts(born(1_006_000)).await;
        assert_eq!(store.get(KEY).await, None);
        assert_eq!(store.counts.reads(Read::Future), 1);
        store.puts(born(1_004_000)).await;
        assert_eq!(store.get(KEY).await, Some(born(1_004_000)));
        store.empty();
        assert_eq!(store.get(KEY).await, None);
    }
}
