//! The record of the configuration in force: since when, which in the row, and what the last reload came to.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Millis};

/// What befell the configuration.
#[derive(Debug)]
pub(super) struct Reloads {
    clock: Clock,
    record: Mutex<Record>,
}

/// How the configuration stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// When the configuration in force was read.
    read: Millis,
    /// How many times one was put in force, the first time included.
    pub(super) generation: u64,
    /// `ok`, or why the last reload changed nothing.
    pub(super) last: String,
}

impl Reloads {
    /// The first configuration is in force as of now.
    pub(super) fn new(clock: Clock) -> Self {
        let record = Record { read: clock.now(), generation: 1, last: OK.to_owned() };
        Self { clock, record: Mutex::new(record) }
    }

    /// Another configuration is in force.
    pub(super) fn applied(&self) {
        let read = self.clock.now();
        let mut record = self.record();
        *record = Record { read, generation: record.generation + 1, last: OK.to_owned() };
    }

    /// A reload changed nothing.
    pub(super) fn refused(&self, why: String) {
        self.record().last = why;
    }

    /// How the configuration stands, and how old it is.
    pub(super) fn now(&self) -> (Record, Duration) {
        let record = self.record().clone();
        let age = self.clock.now().since(record.read);
        (record, age)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the record says of a reload that took effect.
const OK: &str = "ok";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refused_reload_leaves_age_and_generation() {
        let reloads = Reloads::new(Clock::system());
        tokio::time::advance(Duration::from_secs(5)).await;
        reloads.refused("no such option".to_owned());
        let (record, age) = reloads.now();
        assert_eq!((record.generation, record.last.as_str(), age.as_secs()), (1, "no such option", 5));
        reloads.applied();
        let (record, age) = reloads.now();
        assert_eq!((record.generation, record.last.as_str(), age.as_secs()), (2, OK, 0));
    }
}
