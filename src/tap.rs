//! Who watches calls as they are answered: few at a time, each with so many lines a second. Nobody's call waits for any of them.

pub(crate) mod access;
mod filter;
pub(crate) mod line;
pub(crate) mod wanted;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::log::Lines;

use access::AccessLog;
pub(crate) use filter::Filter;
use line::Line;
pub(crate) use line::Seen;

/// All who watch the calls of one process.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    /// How many there are: where nobody watches, a call looks at nothing else.
    count: AtomicUsize,
    watchers: ArcSwap<Vec<Arc<Watcher>>>,
    /// The access log, if there is one.
    access: Option<AccessLog>,
}

/// Somebody who watches.
#[derive(Debug)]
struct Watcher {
    filter: Filter,
    pace: Lines,
    lines: mpsc::Sender<Line>,
    /// Calls that it has not been told of since the last that it was.
    missed: AtomicU64,
}

/// What somebody sees until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    taps: Arc<Taps>,
    watcher: Arc<Watcher>,
    lines: mpsc::Receiver<Line>,
}

/// Nobody else may watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{WATCHERS_MAX} watch already, and no more may: the next one may when one of them has ended")]
pub(crate) struct Crowded;

impl Taps {
    /// Nobody yet, beside the access log.
    pub(crate) fn new(access: Option<AccessLog>) -> Self {
        Self { access, ..Self::default() }
    }

    /// Whether anybody watches.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.access.is_some() || self.count.load(Ordering::Relaxed) > 0
    }

    /// Shows the calls that `filter` lets through from here on, at most `per_second` of them.
    ///
    /// # Errors
    /// If as many watch as may.
    pub(crate) fn watch(self: &Arc<Self>, filter: Filter, per_second: u32) -> Result<Watch, Crowded> {
        if self.count.fetch_add(1, Ordering::Relaxed) >= WATCHERS_MAX {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return Err(Crowded);
        }
        let (sender, lines) = mpsc::channel(LINES_HELD);
        let (pace, missed) = (Lines::new(per_second), AtomicU64::default());
        let watcher = Arc::new(Watcher { filter, pace, lines: sender, missed });
        self.change(|watchers| watchers.push(Arc::clone(&watcher)));
        Ok(Watch { taps: Arc::clone(self), watcher, lines })
    }

    /// Shows a call, and the hash of its key, to those who want to see it.
    pub(crate) fn show(&self, seen: &Seen<'_>, key: impl Fn() -> Option<u128>) {
        if let Some(access) = &self.access {
            access.note(seen);
        }
        self.watchers
            .load()
            .iter()
            .filter(|watcher| watcher.filter.lets_through(seen))
            .for_each(|watcher| watcher.show(seen, &key));
    }

    fn change(&self, change: impl Fn(&mut Vec<Arc<Watcher>>)) {
        self.watchers.rcu(|watchers| {
            let mut watchers = Vec::clone(watchers);
            change(&mut watchers);
            watchers
        });
    }
}

impl Watcher {
    /// Tells of a call, or counts it where there is no room for it: who reads slowly holds no memory.
    fn show(&self, seen: &Seen<'_>, key: impl Fn() -> Option<u128>) {
        let Some(beyond) = self.pace.admit() else { return };
        let missed = self.missed.swap(0, Ordering::Relaxed) + beyond;
        match self.lines.try_send(Line::new(seen, key(), missed)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                self.missed.fetch_add(missed + 1, Ordering::Relaxed);
            }
        }
    }
}

impl Watch {
    /// The next call.
    pub(crate) async fn next(&mut self) -> Option<Line> {
        self.lines.recv().await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.taps.change(|watchers| watchers.retain(|other| !Arc::ptr_eq(other, &self.watcher)));
        self.taps.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Those who may watch at one time.
pub(crate) const WATCHERS_MAX: usize = 8;
/// Lines that wait for one of them.
const LINES_HELD: usize = 256;

#[cfg(test)]
mod tests;
