//! How much may be under way at one server. Who finds no room does not wait.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::cache::envelope::MAX_ENVELOPE;

/// Room for calls of one kind and for their bytes.
#[derive(Debug)]
pub(super) struct Room {
    calls: Semaphore,
    kibibytes: Semaphore,
}

/// A place in a [`Room`], given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    _call: SemaphorePermit<'a>,
    _kibibytes: SemaphorePermit<'a>,
}

impl Room {
    /// Room for `calls` at a time, of `bytes` together, rounded down to KiB.
    pub(super) const fn new(calls: usize, bytes: usize) -> Self {
        Self { calls: Semaphore::const_new(calls), kibibytes: Semaphore::const_new(bytes / KIBIBYTE) }
    }

    /// A place for a call of about `bytes`, of which more than an envelope has are not counted.
    pub(super) fn take(&self, bytes: usize) -> Option<Place<'_>> {
        let kibibytes = u32::try_from(bytes.min(MAX_ENVELOPE).div_ceil(KIBIBYTE)).ok()?;
        let call = self.calls.try_acquire().ok()?;
        let kibibytes = self.kibibytes.try_acquire_many(kibibytes).ok()?;
        Some(Place { _call: call, _kibibytes: kibibytes })
    }
}

const KIBIBYTE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_bytes_are_bounded_and_given_back() {
        let room = Room::new(2, 10 * KIBIBYTE);
        let first = room.take(9 * KIBIBYTE);
        assert!(first.is_some());
        assert!(room.take(2 * KIBIBYTE).is_none(), "bytes");
        let second = room.take(0);
        assert!(second.is_some() && room.take(0).is_none(), "calls");
        drop(first);
        assert!(room.take(10 * KIBIBYTE).is_some());
    }
}
