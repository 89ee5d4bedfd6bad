//! How many bytes of unanswered calls and unsent replies all connections hold together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The sum over all connections, and its bound.
#[derive(Clone, Debug)]
pub struct Held {
    total: Arc<AtomicUsize>,
    bound: usize,
}

/// What one connection holds.
#[derive(Debug)]
pub struct Share {
    held: Held,
    bytes: usize,
}

impl Held {
    /// Nothing held yet, of at most `bound` bytes.
    pub fn new(bound: usize) -> Self {
        Self { total: Arc::default(), bound }
    }

    /// A connection's share, empty so far.
    pub fn share(&self) -> Share {
        Share { held: self.clone(), bytes: 0 }
    }

    /// Bytes held by all.
    pub fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Notes that the connection holds `bytes`. False if all together hold more than they may.
    ///
    /// What fits the buffers that every connection has anyway is not counted: it is bounded by their number.
    #[must_use]
    pub fn hold(&mut self, bytes: usize) -> bool {
        let bytes = if bytes > FREE { bytes } else { 0 };
        if bytes == self.bytes {
            return true;
        }
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            let total = self.held.total.fetch_add(more, Ordering::Relaxed) + more;
            self.bytes = bytes;
            return total <= self.held.bound;
        }
        self.held.total.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        self.bytes = bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes that a connection may hold uncounted.
const FREE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_summed_and_given_back() {
        let held = Held::new(1 << 20);
        let (mut one, mut two) = (held.share(), held.share());
        assert!(one.hold(700_000));
        assert!(!two.hold(700_000));
        assert!(two.hold(10));
        assert_eq!(held.total(), 700_000);
        drop(one);
        assert_eq!(held.total(), 0);
    }
}
