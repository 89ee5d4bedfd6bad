//! Reads of one moment: what is asked for before the first of them has left goes out with it, as one pipeline whose answers are waited for
//! once.
//!
//! A client that pipelines asks for many keys in one read, and many clients may have written meanwhile. To send each by itself costs a
//! message to the connection's task, a timer and a waking for each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisResult, Value};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

/// The reads that leave next.
#[derive(Debug)]
pub(super) struct Gather {
    next: Mutex<Option<Batch>>,
    tasks: TaskTracker,
}

/// Reads that leave together.
#[derive(Debug)]
struct Batch {
    /// When the first of them must be answered: the others were asked for a moment later.
    ends: Instant,
    reads: Vec<Asked>,
}

/// A read, and where to say what is answered.
#[derive(Debug)]
struct Asked {
    command: Cmd,
    told: oneshot::Sender<RedisResult<Value>>,
}

/// When a read leaves.
#[derive(Debug)]
enum Leaves {
    /// With the batch that it has begun, once that is taken.
    First,
    /// With a batch that others have begun.
    Behind,
    /// At once, with these.
    Now(Batch),
}

impl Gather {
    /// Nothing yet. `tasks` send what comes.
    pub(super) fn new(tasks: &TaskTracker) -> Arc<Self> {
        Arc::new(Self { next: Mutex::default(), tasks: tasks.clone() })
    }

    /// Asks for what has one answer, on a connection that `pick` gives. `None` when no answer came until `ends`.
    pub(super) async fn ask(
        self: &Arc<Self>,
        command: Cmd,
        ends: Instant,
        pick: impl FnOnce() -> MultiplexedConnection,
    ) -> Option<RedisResult<Value>> {
        let (told, answer) = oneshot::channel();
        let leaves = add(&mut self.next(), Asked { command, told }, ends);
        match leaves {
            Leaves::Behind => {}
            Leaves::Now(batch) => _ = self.tasks.spawn(batch.send(pick())),
            Leaves::First => {
                let (this, connection) = (Arc::clone(self), pick());
                // It comes behind all that runs already, which may ask for more.
                self.tasks.spawn(async move {
                    let batch = this.next().take();
                    if let Some(batch) = batch {
                        batch.send(connection).await;
                    }
                });
            }
        }
        answer.await.ok()
    }

    fn next(&self) -> MutexGuard<'_, Option<Batch>> {
        // What it holds is whole between any two statements.
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a read to the batch that leaves next.
fn add(next: &mut Option<Batch>, asked: Asked, ends: Instant) -> Leaves {
    match next {
        None => {
            *next = Some(Batch { ends, reads: vec![asked] });
            Leaves::First
        }
        // One that was sent elsewhere before has less time than others, who keep theirs.
        Some(batch) if ends < batch.ends => Leaves::Now(Batch { ends, reads: vec![asked] }),
        Some(batch) => {
            batch.reads.push(asked);
            let full = next.take_if(|batch| batch.reads.len() >= BATCH_MAX);
            full.map_or(Leaves::Behind, Leaves::Now)
        }
    }
}

impl Batch {
    /// Sends it, and tells what is answered. Who is told nothing had no answer in time.
    async fn send(self, mut connection: MultiplexedConnection) {
        let mut pipeline = Pipeline::with_capacity(self.reads.len());
        let mut waiting = Vec::with_capacity(self.reads.len());
        for Asked { command, told } in self.reads {
            pipeline.add_command(command);
            waiting.push(told);
        }
        let answers = connection.send_packed_commands(&pipeline, 0, waiting.len());
        // Who has gone is not told.
        match timeout_at(self.ends, answers).await {
            Ok(Ok(answers)) => waiting.into_iter().zip(answers).for_each(|(told, answer)| {
                let _ = told.send(answer.extract_error());
            }),
            Ok(Err(error)) => waiting.into_iter().for_each(|told| _ = told.send(Err(error.clone()))),
            Err(_) => {}
        }
    }
}

/// Reads that leave together at most: the first is told when the last is answered, and each may bring 64 KiB.
const BATCH_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asked() -> Asked {
        Asked { command: redis::cmd("GETRANGE"), told: oneshot::channel().0 }
    }

    #[test]
    fn what_is_asked_for_meanwhile_leaves_together_up_to_a_bound() {
        let (mut next, now) = (None, Instant::now());
        assert!(matches!(add(&mut next, asked(), now), Leaves::First));
        for read in 2..BATCH_MAX {
            assert!(matches!(add(&mut next, asked(), now), Leaves::Behind), "{read}");
        }
        let Leaves::Now(full) = add(&mut next, asked(), now) else { panic!("it is full") };
        assert_eq!(full.reads.len(), BATCH_MAX);
        assert!(matches!(add(&mut next, asked(), now), Leaves::First), "the next batch");
    }

    #[test]
    fn who_has_less_time_waits_for_nobody_and_takes_nobodys() {
        let (mut next, now) = (None, Instant::now());
        assert!(matches!(add(&mut next, asked(), now + Duration::from_millis(50)), Leaves::First));
        let Leaves::Now(alone) = add(&mut next, asked(), now) else { panic!("it has less time") };
        assert_eq!((alone.reads.len(), alone.ends), (1, now));
        assert!(matches!(add(&mut next, asked(), now + Duration::from_millis(60)), Leaves::Behind));
        assert_eq!(next.map(|batch| batch.ends), Some(now + Duration::from_millis(50)));
    }
}
