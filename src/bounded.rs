//! A count that is joined only while fewer than a bound are in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many are in. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounded(Arc<AtomicUsize>);

/// One that is in; it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Admitted(Bounded);

impl Bounded {
    /// One more, if fewer than `most` are in.
    pub(crate) fn join(&self, most: usize) -> Option<Admitted> {
        let more = |count: usize| (count < most).then_some(count + 1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Admitted(self.clone()))
    }

    /// How many are in.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_when_all_are_in_is_not_admitted_until_one_leaves() {
        let bounded = Bounded::default();
        let admitted = [bounded.join(2), bounded.join(2)];
        assert!(admitted.iter().all(Option::is_some) && bounded.join(2).is_none());
        assert_eq!(bounded.count(), 2);
        let third = bounded.join(3);
        drop(admitted);
        assert_eq!(bounded.count(), 1);
        drop(third);
        assert!(bounded.join(0).is_none() && bounded.join(1).is_some());
    }
}
