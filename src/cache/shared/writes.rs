//! Writes to the shared tier: they go on behind, bounded in number and bytes, and are followed to their end.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::{Counts, Write};
use crate::cache::envelope::MAX_ENVELOPE;

/// Room for one write.
#[derive(Debug)]
pub struct Room<'a> {
    among: &'a Writes,
    place: OwnedSemaphorePermit,
    bytes: OwnedSemaphorePermit,
}

impl Room<'_> {
    /// Begins `write`, which has the room until it ends. Must be called within a tokio runtime.
    pub fn begin(self, write: impl Future<Output = Write> + Send + 'static) {
        let Self { among, place, bytes } = self;
        let counts = among.counts.clone();
        among.tasks.spawn(async move {
            counts.write(write.await);
            drop((place, bytes));
        });
    }
}

/// The writes of one store.
#[derive(Debug)]
pub struct Writes {
    places: Arc<Semaphore>,
    kibibytes: Arc<Semaphore>,
    tasks: TaskTracker,
    counts: Counts,
}

impl Writes {
    /// Room for `most` writes at a time, of 64 MiB together. How each ends is counted in `counts`.
    pub fn new(most: u32, counts: Counts) -> Self {
        let tasks = TaskTracker::new();
        // A closed tracker takes tasks too; it only tells when none is left.
        tasks.close();
        Self {
            places: Arc::new(Semaphore::new(most as usize)),
            kibibytes: Arc::new(Semaphore::new(KIBIBYTES_MAX as usize)),
            tasks,
            counts,
        }
    }

    /// Room for a write that holds about `size` bytes.
    ///
    /// # Errors
    /// How a write ended that is not begun, because it is too large or there is no room; that is counted.
    pub fn admit(&self, size: usize) -> Result<Room<'_>, Write> {
        self.room(size).inspect_err(|refused| self.counts.write(*refused))
    }

    fn room(&self, size: usize) -> Result<Room<'_>, Write> {
        if size > MAX_ENVELOPE {
            return Err(Write::TooLarge);
        }
        let kibibytes = size.div_ceil(1024) as u32;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Write::Dropped)?;
        let bytes = Arc::clone(&self.kibibytes).try_acquire_many_owned(kibibytes);
        Ok(Room { among: self, place, bytes: bytes.map_err(|_| Write::Dropped)? })
    }

    /// Ends when no write is under way.
    pub async fn settled(&self) {
        self.tasks.wait().await;
    }

    /// Writes under way.
    pub fn under_way(&self) -> usize {
        self.tasks.len()
    }
}

/// The most kibibytes of keys and replies in writes under way: 64 MiB, two of the largest envelopes.
const KIBIBYTES_MAX: u32 = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    impl Writes {
        fn admit_and_begin(&self, size: usize, write: impl Future<Output = Write> + Send + 'static) {
            if let Ok(room) = self.admit(size) {
                room.begin(write);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn writes_are_bounded_and_followed_to_their_end() {
        let counts = Counts::default();
        let writes = Writes::new(2, counts.clone());
        let (end, ended) = tokio::sync::watch::channel(false);
        for _ in 0..5 {
            let mut ended = ended.clone();
            writes.admit_and_begin(1, async move {
                ended.wait_for(|ended| *ended).await.unwrap();
                Write::Written
            });
        }
        assert_eq!((counts.writes(Write::Dropped), writes.under_way()), (3, 2));
        end.send_replace(true);
        writes.settled().await;
        assert_eq!((counts.writes(Write::Written), writes.under_way()), (2, 0));
        writes.admit_and_begin(1, ready(Write::Older));
        writes.settled().await;
        assert_eq!(counts.writes(Write::Older), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_of_writes_are_bounded() {
        let counts = Counts::default();
        let writes = Writes::new(100, counts.clone());
        writes.admit_and_begin(MAX_ENVELOPE + 1, ready(Write::Written));
        assert_eq!(counts.writes(Write::TooLarge), 1);
        for _ in 0..3 {
            writes.admit_and_begin(MAX_ENVELOPE, pending());
        }
        assert_eq!((counts.writes(Write::Dropped), writes.under_way()), (1, 2));
    }
}
