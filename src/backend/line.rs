//! Permits for a number of things that may change, and the line for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bounded::Bounded;

/// A call's place in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Behind those that came before it.
    First,
    /// Behind all that have the first turn.
    Later,
}

/// Permits, and the line for them.
#[derive(Debug)]
pub(super) struct Line {
    permits: Arc<Semaphore>,
    size: AtomicUsize,
    owed: Owed,
    /// Those in the line who have the first turn.
    first: Bounded,
}

/// The right to one of a line's things, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    /// Always there, but in `drop`.
    permit: Option<OwnedSemaphorePermit>,
    owed: Owed,
}

/// Permits that are out although there should be fewer by now: as many are not given out again when they come back.
#[derive(Clone, Debug, Default)]
struct Owed(Arc<AtomicUsize>);

impl Line {
    pub(super) fn new(size: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(size)),
            size: AtomicUsize::new(size),
            owed: Owed::default(),
            first: Bounded::default(),
        }
    }

    /// How many permits there are, those that are out included.
    pub(super) fn size(&self) -> usize {
        self.size.load(Ordering::Acquire)
    }

    /// Makes it as many. Who holds a permit keeps it: if that are more, there are fewer as they come back. One at a time may do so.
    pub(super) fn resize(&self, size: usize) {
        let before = self.size.swap(size, Ordering::AcqRel);
        let more = size.saturating_sub(before);
        self.permits.add_permits(more - self.owed.forgive(more));
        self.owed.add(before.saturating_sub(size));
        // A permit pays what is owed when it is given back.
        while self.owed.is_some() && self.take().is_some() {}
    }

    /// Gives out nothing any more: whoever is in the line leaves it at once.
    pub(super) fn close(&self) {
        self.permits.close();
    }

    /// A permit, if one is left that nobody in the line was given.
    pub(super) fn take(&self) -> Option<Permit> {
        Arc::clone(&self.permits).try_acquire_owned().ok().map(|permit| self.permit(permit))
    }

    /// Waits in the line, which the semaphore moves first come, first served. Who has a later turn hands on what it gets, and joins
    /// the line anew behind the others, for as long as somebody with the first turn waits.
    pub(super) async fn stand(&self, turn: Turn) -> Option<Permit> {
        let _first = (turn == Turn::First).then(|| self.first.join(usize::MAX));
        loop {
            let permit = self.permit(Arc::clone(&self.permits).acquire_owned().await.ok()?);
            if turn == Turn::First || self.first.count() == 0 {
                return Some(permit);
            }
            drop(permit);
            if let Some(permit) = self.take() {
                return Some(permit);
            }
        }
    }

    fn permit(&self, permit: OwnedSemaphorePermit) -> Permit {
        Permit { permit: Some(permit), owed: self.owed.clone() }
    }
}

impl Owed {
    fn is_some(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }

    fn add(&self, count: usize) {
        self.0.fetch_add(count, Ordering::AcqRel);
    }

    /// Takes up to `most` off, and says how many.
    fn forgive(&self, most: usize) -> usize {
        let less = |owed: usize| Some(owed - owed.min(most));
        let before = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        before.map_or(0, |before| before.min(most))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // Most often nothing is owed, and nobody writes what all read.
        if self.owed.is_some()
            && self.owed.forgive(1) == 1
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// The order in which those get the one permit who come in the order of `turns`, each of whom gives it back at once.
    async fn order(turns: &[Turn]) -> Vec<usize> {
        let (line, order) = (Arc::new(Line::new(1)), Arc::new(Mutex::new(Vec::new())));
        let held = line.take().unwrap();
        for (number, turn) in turns.iter().copied().enumerate() {
            let (line, order) = (Arc::clone(&line), Arc::clone(&order));
            tokio::spawn(async move {
                let _permit = line.stand(turn).await.unwrap();
                order.lock().unwrap().push(number);
            });
            tokio::task::yield_now().await;
        }
        drop(held);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        order.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn those_with_the_first_turn_go_before_all_others_and_each_kind_in_its_order() {
        use Turn::{First, Later};
        assert_eq!(order(&[First, First, First]).await, [0, 1, 2]);
        assert_eq!(order(&[Later, Later, Later]).await, [0, 1, 2]);
        assert_eq!(order(&[Later, First]).await, [1, 0]);
        let mixed = order(&[Later, Later, First, Later, First]).await;
        assert_eq!((mixed.len(), &mixed[..2]), (5, &[2, 4][..]));
    }

    #[tokio::test]
    async fn a_line_that_is_made_shorter_gives_out_less_as_permits_come_back() {
        let line = Line::new(3);
        let mut held: Vec<Permit> = std::iter::from_fn(|| line.take()).collect();
        assert_eq!(held.len(), 3);
        line.resize(1);
        held.truncate(2);
        assert!(line.take().is_none(), "two are out, and there should be one");
        held.truncate(1);
        assert!(line.take().is_none());
        held.clear();
        let one = line.take();
        assert!(one.is_some() && line.take().is_none());
        line.resize(0);
        drop(one);
        assert!(line.take().is_none());
        line.resize(5);
        assert_eq!(std::iter::from_fn(|| line.take().map(std::mem::forget)).count(), 5);
    }

    #[tokio::test]
    async fn what_is_owed_is_forgiven_where_there_may_be_more_again() {
        for (sizes, left) in [(&[1, 3][..], 0), (&[1, 4], 1), (&[0, 2, 1, 3], 0), (&[1, 2], 0)] {
            let line = Line::new(3);
            let held: Vec<Permit> = std::iter::from_fn(|| line.take()).collect();
            sizes.iter().for_each(|size| line.resize(*size));
            let more: Vec<Permit> = std::iter::from_fn(|| line.take()).collect();
            assert_eq!(more.len(), left, "{sizes:?}");
            drop((held, more));
            let all: Vec<Permit> = std::iter::from_fn(|| line.take()).collect();
            assert_eq!(Some(&all.len()), sizes.last(), "{sizes:?}");
        }
    }
}
