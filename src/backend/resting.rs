//! The lanes between two calls: each gives its connection up when it has rested long enough, or when its room is needed
//! and none has rested longer.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// The lanes that rest at one endpoint.
#[derive(Debug, Default)]
pub(super) struct Resting(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The longest resting first.
    lanes: VecDeque<(u64, oneshot::Sender<()>)>,
    /// How many rests there were.
    begun: u64,
}

/// One lane's rest; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Rest<'a> {
    among: &'a Resting,
    number: u64,
    recalled: oneshot::Receiver<()>,
    until: Instant,
}

impl Resting {
    /// Begins a rest of at most `longest`. Where the lane's room `is_needed`, it lasts but a moment since the lane first saw
    /// that: calls that follow one another closely are not torn apart by each that waits, nor is it kept waiting by them.
    pub(super) fn begin(
        &self,
        is_needed: impl FnOnce() -> bool,
        needed_since: &mut Option<Instant>,
        longest: Duration,
    ) -> Rest<'_> {
        let now = Instant::now();
        let (recall, recalled) = oneshot::channel();
        let mut inner = self.lock();
        inner.begun += 1;
        let number = inner.begun;
        // Under the lock: who waits has said so before he looks for a lane to recall.
        let until = if is_needed() {
            *needed_since.get_or_insert(now) + MOMENT
        } else {
            *needed_since = None;
            now + longest.max(MOMENT)
        };
        inner.lanes.push_back((number, recall));
        Rest { among: self, number, recalled, until }
    }

    /// Ends the longest rest.
    pub(super) fn recall_one(&self) {
        if let Some((_, recall)) = self.lock().lanes.pop_front() {
            // A lane that has just gone on sees by itself that its room is needed.
            let _ = recall.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A list of whole rests at every moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest<'_> {
    /// Waits until the lane has to give its connection up.
    pub(super) async fn over(mut self) {
        let _elapsed_or_recalled = timeout_at(self.until, &mut self.recalled).await;
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.among.lock().lanes.retain(|(number, _)| *number != self.number);
    }
}

/// How long calls of one client that follow one another share a lane in any case: also where no idle connection is kept.
const MOMENT: Duration = Duration::from_millis(20);
