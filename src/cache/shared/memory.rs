//! A shared tier inside one process, for the simulation: several gateways may share it, and it fails when told to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::cache::envelope;
use crate::clock::{Clock, Millis};
use crate::entry::Entry;

use super::{Counts, Read, Store, Write, judge};

/// A shared tier in memory. Clones share their entries, state and counts. Writes take effect at once.
#[derive(Debug, Clone)]
pub struct Memory {
    clock: Clock,
    counts: Counts,
    read_timeout: Duration,
    shelf: Arc<Mutex<Shelf>>,
}

/// How a [`Memory`] behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers, each read after this time.
    Up(Duration),
    /// It is known to be down: nothing waits.
    Down,
}

impl Memory {
    /// An empty store that is up and answers at once.
    pub fn new(clock: Clock, read_timeout: Duration, counts: Counts) -> Self {
        let shelf = Shelf { state: State::Up(Duration::ZERO), values: HashMap::new() };
        counts.up.set(1);
        Self { clock, counts, read_timeout, shelf: Arc::new(Mutex::new(shelf)) }
    }

    /// Makes it behave as `state` says.
    pub fn set(&self, state: State) {
        self.counts.up.set(i64::from(state != State::Down));
        self.shelf().state = state;
    }

    /// Puts any bytes under `key`, as another program might, to be kept for ever.
    pub fn plant(&self, key: &[u8], value: Bytes) {
        self.shelf().values.insert(key.into(), Held { value, until: Millis(u64::MAX) });
    }

    fn held(&self, key: &[u8]) -> Result<Entry, Read> {
        let now = self.clock.now();
        let shelf = self.shelf();
        let held = shelf.values.get(key).filter(|held| held.until > now).ok_or(Read::Miss)?;
        judge(key, &held.value, now)
    }

    async fn look(&self, key: &[u8]) -> Result<Entry, Read> {
        let state = self.shelf().state;
        let State::Up(delay) = state else {
            return Err(Read::Skipped);
        };
        if delay > self.read_timeout {
            tokio::time::sleep(self.read_timeout).await;
            return Err(Read::Timeout);
        }
        tokio::time::sleep(delay).await;
        self.held(key)
    }

    fn write(&self, key: &[u8], born: Millis, held: Option<Held>) -> Write {
        if !self.is_up() {
            return Write::Skipped;
        }
        if self.held(key).is_ok_and(|held| held.born > born) {
            return Write::Older;
        }
        match held {
            Some(held) => {
                self.shelf().values.insert(key.into(), held);
                Write::Written
            }
            None => {
                self.shelf().values.remove(key);
                Write::Removed
            }
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // The map is whole between any two statements, so a panic elsewhere cannot have left it half changed.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Memory {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Option<Entry>> {
        async move {
            let looked = self.look(key).await;
            self.counts.read(looked.as_ref().map_or_else(|read| *read, |_| Read::Hit));
            looked.ok()
        }
        .boxed()
    }

    fn put(&self, key: &[u8], entry: Arc<Entry>, keep: Duration) {
        let write = match envelope::encode(key, &entry) {
            Ok(value) => {
                let held = Held { value: value.into(), until: self.clock.now().plus(keep) };
                self.write(key, entry.born, Some(held))
            }
            Err(envelope::TooLarge) => Write::TooLarge,
        };
        self.counts.write(write);
    }

    fn remove(&self, key: &[u8], until: Millis) {
        self.counts.write(self.write(key, until, None));
    }

    fn is_up(&self) -> bool {
        self.shelf().state != State::Down
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}

#[derive(Debug)]
struct Shelf {
    state: State,
    values: HashMap<Box<[u8]>, Held>,
}

#[derive(Debug)]
struct Held {
    value: Bytes,
    until: Millis,
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::entry::Kind;
    use crate::wire::Protocol;

    const KEY: &[u8] = b"key";
    const KEEP: Duration = Duration::from_secs(60);
    const TIMEOUT: Duration = Duration::from_millis(50);

    fn store() -> Memory {
        Memory::new(Clock::starting_at(Millis(1_000_000)), TIMEOUT, Counts::default())
    }

    fn born(millis: u64) -> Arc<Entry> {
        let body = Bytes::from(format!("born {millis}"));
        Arc::new(Entry {
            born: Millis(millis),
            version: 0,
            kind: Kind::Result,
            protocol: Protocol::Binary,
            body,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_stays_for_as_long_as_it_is_kept() {
        let store = store();
        store.put(KEY, born(1), KEEP);
        assert_eq!(store.get(KEY).await.as_ref(), Some(&*born(1)));
        tokio::time::advance(KEEP).await;
        assert_eq!(store.get(KEY).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_younger_entry_is_neither_replaced_nor_removed() {
        let store = store();
        store.put(KEY, born(2), KEEP);
        store.put(KEY, born(1), KEEP);
        store.remove(KEY, Millis(1));
        assert_eq!(store.get(KEY).await.as_ref(), Some(&*born(2)));
        assert_eq!(store.counts.writes(Write::Older), 2);
        store.remove(KEY, Millis(2));
        assert_eq!(store.get(KEY).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_slow_and_down_as_told() {
        let store = store();
        store.put(KEY, born(1), KEEP);
        store.set(State::Up(TIMEOUT * 2));
        let asked = tokio::time::Instant::now();
        assert_eq!(store.get(KEY).await, None);
        assert_eq!(asked.elapsed(), TIMEOUT);
        store.set(State::Down);
        assert_eq!(store.get(KEY).await, None);
        assert_eq!(asked.elapsed(), TIMEOUT);
        store.set(State::Up(TIMEOUT));
        assert!(store.get(KEY).await.is_some());
        assert_eq!((store.counts.reads(Read::Timeout), store.counts.reads(Read::Skipped)), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_entry_is_a_miss_and_replaced() {
        let store = store();
        store.plant(KEY, Bytes::from_static(b"somebody else's"));
        assert_eq!(store.get(KEY).await, None);
        store.put(KEY, born(1_006_000), KEEP);
        assert_eq!(store.get(KEY).await, None);
        assert_eq!(store.counts.reads(Read::Future), 1);
        store.put(KEY, born(1_004_000), KEEP);
        assert_eq!(store.get(KEY).await.as_ref(), Some(&*born(1_004_000)));
    }
}
