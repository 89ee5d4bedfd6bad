//! The cells of an endpoint: one for each method that was asked there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

use super::cell::Cell;
use super::method::Method;

/// The cells of an endpoint, by their methods' numbers.
#[derive(Debug, Default)]
pub(super) struct Cells {
    places: RwLock<Vec<Option<Place>>>,
    /// Whether any may not be calm: while none is, nobody looks for one.
    troubled: AtomicBool,
}

/// A method that was asked here, and its cell.
type Place = (Arc<Method>, Arc<Cell>);

/// The calls that wait for an endpoint, by what is known of their methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Of methods that had no answer of late: nobody knows how long they take.
    pub(super) unknown: usize,
    /// The slowest answer of the other methods.
    pub(super) slowest: Duration,
}

impl Cells {
    /// The cell of a method.
    pub(super) fn of(&self, method: &Arc<Method>) -> Arc<Cell> {
        if let Some(cell) = self.find(method) {
            return cell;
        }
        let mut all = self.places.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() <= method.index {
            all.resize(method.index + 1, None);
        }
        let place = all.get_mut(method.index).expect("there is a place for each number up to the method's");
        let new = || (Arc::clone(method), Arc::new(Cell::new(Instant::now())));
        Arc::clone(&place.get_or_insert_with(new).1)
    }

    /// The cell of a method, if it was asked here before.
    pub(super) fn find(&self, method: &Method) -> Option<Arc<Cell>> {
        let all = self.places.read().unwrap_or_else(PoisonError::into_inner);
        all.get(method.index)?.as_ref().map(|(_, cell)| Arc::clone(cell))
    }

    /// Notes that a call has failed.
    pub(super) fn trouble(&self) {
        self.troubled.store(true, Ordering::Release);
    }

    /// Notes that all are calm, if they are.
    pub(super) fn calm_down(&self) {
        if !self.troubled.swap(false, Ordering::AcqRel) {
            return;
        }
        // What fails from here on says so itself.
        if self.fold(false, |any, _, cell| any || !cell.is_calm()) {
            self.trouble();
        }
    }

    /// Whether a method gets calls here as any other.
    #[inline]
    pub(super) fn is_in(&self, method: &Method) -> bool {
        if !self.troubled.load(Ordering::Acquire) {
            return true;
        }
        let all = self.places.read().unwrap_or_else(PoisonError::into_inner);
        all.get(method.index).and_then(Option::as_ref).is_none_or(|(_, cell)| cell.is_in())
    }

    /// Whether another endpoint should have the calls of a method, because too many fail here.
    #[inline]
    pub(super) fn is_poor(&self, method: &Method, now: Instant) -> bool {
        self.troubled.load(Ordering::Acquire) && self.find(method).is_some_and(|cell| cell.is_poor(now))
    }

    /// What waits.
    pub(super) fn waiting(&self) -> Waiting {
        self.fold(Waiting::default(), |waiting, method, cell| {
            match (cell.in_flight(), method.pace.slowest()) {
                (0, _) => waiting,
                (count, None) => Waiting { unknown: waiting.unknown + count, ..waiting },
                (_, Some(slowest)) => Waiting { slowest: waiting.slowest.max(slowest), ..waiting },
            }
        })
    }

    /// The method that most of the calls are of that wait, if it is one.
    pub(super) fn most_waiting(&self) -> Option<(Arc<Method>, Arc<Cell>)> {
        let all = self.fold(0, |all, _, cell| all + cell.in_flight());
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let most = places.iter().flatten().find(|(_, cell)| cell.in_flight() * 2 > all);
        most.map(|(method, cell)| (Arc::clone(method), Arc::clone(cell)))
    }

    /// How many calls of other methods wait.
    pub(super) fn others_waiting(&self, method: &Method) -> usize {
        self.fold(0, |all, one, cell| if one.index == method.index { all } else { all + cell.in_flight() })
    }

    /// Whether two methods are out here and nothing was answered since the last of them began to fail.
    pub(super) fn none_answers(&self) -> bool {
        if !self.troubled.load(Ordering::Acquire) {
            return false;
        }
        let (outs, since) = self.fold((0, None), |(outs, since), _, cell| match cell.failing_since() {
            None => (outs, since),
            began => (outs + 1, since.max(began)),
        });
        let Some(since) = since.filter(|_| outs >= METHODS_OUT) else { return false };
        self.fold(true, |none, _, cell| none && !cell.answered_since(since))
    }

    /// The methods that are out here.
    pub(super) fn out(&self) -> Vec<Arc<Method>> {
        let all = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let out = all.iter().flatten().filter(|(_, cell)| !cell.is_in());
        out.map(|(method, _)| Arc::clone(method)).collect()
    }

    /// Begins anew.
    pub(super) fn forget(&self) {
        self.fold((), |(), _, cell| cell.forget());
    }

    fn fold<T>(&self, first: T, step: impl Fn(T, &Method, &Cell) -> T) -> T {
        let all = self.places.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().flatten().fold(first, |so_far, (method, cell)| step(so_far, method, cell))
    }
}

/// One method that fails is its own business; of two that do and nothing answered beside them, the endpoint is the cause.
const METHODS_OUT: usize = 2;
