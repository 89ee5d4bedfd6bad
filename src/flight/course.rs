//! The course of a flight: its work, and who moves it on.
//!
//! Who starts a flight waits for it as a rule, and moves it on itself meanwhile: most end soon, and a task of its own, and waking one task by
//! the other, would cost more than their work. Who stops waiting before the flight has landed leaves it to a task.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::BoxFuture;
use tokio::time::sleep;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::board::{Flight, Landing};
use super::{Ask, Flights, Stage};
use crate::bounded::Admitted;

/// The course of a flight. Dropped, it goes on as a task.
#[must_use]
pub(crate) struct Course<T: Landing>(Option<Aboard<T>>);

/// A flight that has not landed.
struct Aboard<T: Landing> {
    work: BoxFuture<'static, T>,
    ask: Ask,
    /// It is counted, and waited for at the end of the process, while no task is.
    counted: Option<TaskTrackerToken>,
    aloft: Admitted,
    leave: Leave<T>,
}

impl<T: Landing> Course<T> {
    pub(super) fn new(work: BoxFuture<'static, T>, ask: Ask, aloft: Admitted, leave: Leave<T>) -> Self {
        let counted = Some(leave.flights.tasks.token());
        Self(Some(Aboard { work, ask, counted, aloft, leave }))
    }

    /// Moves the flight on until it has landed, or was ended. It loses nothing if this is dropped before.
    pub(crate) async fn fly(&mut self) {
        let Some(aboard) = &mut self.0 else { return };
        let brought = aboard.brings().await;
        if let Some(aboard) = self.0.take() {
            aboard.land(brought);
        }
    }
}

impl<T: Landing> Drop for Course<T> {
    fn drop(&mut self) {
        if let Some(aboard) = self.0.take() {
            aboard.fly_alone();
        }
    }
}

impl<T: Landing> Aboard<T> {
    /// What it brings; nothing if it is ended.
    async fn brings(&mut self) -> Option<T> {
        let Self { work, leave, .. } = self;
        let flown = leave.flights.stops.all.run_until_cancelled(work);
        match &leave.flight.board.end {
            // Pinned here: what takes it would hold it twice.
            Some(end) => end.run_until_cancelled(pin!(flown)).await.flatten(),
            None => flown.await,
        }
    }

    fn land(self, brought: Option<T>) {
        let Self { ask, counted, aloft, leave, .. } = self;
        drop(aloft);
        let Some(brought) = brought else { return };
        // The seat is free before anybody is told: a call that is made once a reply is known must not join its flight.
        let pauses = leave.flight.refreshes(ask) && brought.failed() && leave.pause();
        if !pauses {
            leave.free();
        }
        leave.flight.board.tell(Some(brought));
        if pauses {
            leave.spend_pause();
        }
        drop(counted);
    }

    fn fly_alone(mut self) {
        let flights = Arc::clone(&self.leave.flights);
        let counted = self.counted.take();
        flights.tasks.spawn(async move {
            let brought = self.brings().await;
            self.land(brought);
        });
        drop(counted);
    }
}

/// Frees a flight's seat when it ends, however it ends.
pub(super) struct Leave<T: Landing> {
    pub(super) flights: Arc<Flights<T>>,
    pub(super) key: Arc<[u8]>,
    pub(super) flight: Flight<T>,
}

impl<T: Landing> Leave<T> {
    /// Keeps the seat for the pause; a younger flight may have taken it meanwhile.
    fn pause(&self) -> bool {
        let mut seats = self.flights.seats(&self.key);
        match seats.get_mut(&self.key) {
            Some(seat) if seat.holds(&self.flight) => {
                seat.stage = Stage::Paused(self.flight.clone());
                true
            }
            Some(_) | None => false,
        }
    }

    /// Has the pause end after its time, and the seat with it.
    fn spend_pause(self) {
        let flights = Arc::clone(&self.flights);
        flights.tasks.spawn(async move {
            let Flights { bounds, stops, .. } = &*self.flights;
            stops.pauses.run_until_cancelled(sleep(bounds.refresh_pause)).await;
        });
    }

    fn free(&self) {
        self.flight.free(&self.key, &mut self.flights.seats(&self.key));
    }
}

impl<T: Landing> Drop for Leave<T> {
    fn drop(&mut self) {
        self.free();
        self.flight.board.tell(None);
        // Who left before that was told has added to it by now, and nobody does any more.
        let _seats = self.flights.seats(&self.key);
        let orphaned = self.flight.board.orphaned.get().copied().unwrap_or_default();
        self.flights.orphaned.fetch_sub(orphaned, Ordering::Relaxed);
    }
}

impl<T: Landing> fmt::Debug for Course<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Course").field("flies", &self.0.is_some()).finish_non_exhaustive()
    }
}
