//! What keeps one server reached: a task that finds it, connects, watches, and connects again.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::door::{Door, Unreachable};
use super::links::{For, Left, Links};
use super::node::{Node, State};
use super::place::Place;
use super::whereabouts::Whereabouts;

/// Keeps one server reached, or tries to.
pub(super) struct Supervisor {
    pub(super) door: Arc<Door>,
    pub(super) node: Arc<Node>,
    pub(super) whereabouts: Whereabouts,
    /// Becomes true when the first attempt has ended.
    pub(super) tried: watch::Sender<bool>,
    /// Is told whenever the server could not be reached, or is left.
    pub(super) amiss: Arc<Notify>,
    pub(super) tasks: TaskTracker,
}

/// What came of the attempts so far.
#[derive(Debug, Default)]
struct Record {
    /// Attempts since it was last up for long.
    attempts: u32,
    /// How often in a row it was left because it failed.
    failings: u32,
}

impl Supervisor {
    /// Runs until it is told to stop. `random` spreads the pauses.
    pub(super) async fn run(self, random: impl Rng, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep_up(random, &stop)).await;
        // What is up when it is told so is not up any longer.
        self.node.end();
    }

    async fn keep_up(&self, mut random: impl Rng, stop: &CancellationToken) {
        let mut record = Record::default();
        let mut left: Option<Instant> = None;
        loop {
            match self.connect(&record, stop).await {
                Ok((place, links)) => {
                    let (server, began) = (&self.node.name, Instant::now());
                    let out_ms = left.map(|left| left.elapsed().as_millis());
                    tracing::info!(%server, %place, out_ms, "shared tier: server is up");
                    let why = self.serve(&place, links).await;
                    let (reason, lasted) = (why.as_str(), began.elapsed());
                    tracing::warn!(%server, %place, reason, up_ms = lasted.as_millis(), "shared tier: server left");
                    record.note(why, lasted);
                    left = Some(Instant::now());
                }
                Err(error) => {
                    if !self.tried.send_replace(true) {
                        tracing::warn!(server = %self.node.name, %error, "shared tier: server is down");
                    }
                    tracing::debug!(server = %self.node.name, %error, "shared tier: server stays down");
                    record.attempts = record.attempts.saturating_add(1);
                    self.node.fall(State::Down);
                }
            }
            self.amiss.notify_one();
            sleep(record.pause(&mut random)).await;
        }
    }

    /// Lets calls use `links` until they are left.
    async fn serve(&self, place: &Place, links: Links) -> Left {
        let links = Arc::new(links);
        self.node.rise(&links);
        self.tried.send_replace(true);
        let why = tokio::select! {
            biased;
            why = links.left() => why,
            () = self.watch(place) => Left::Replaced,
        };
        links.leave(why);
        self.node.leave(why);
        why
    }

    /// Ends when another server is to be asked. A server that answers nothing any more is left for it even if nobody calls.
    async fn watch(&self, place: &Place) {
        loop {
            sleep(CHECK_EVERY).await;
            self.node.check().await;
            if !self.whereabouts.is_at(place).await {
                return;
            }
        }
    }

    async fn connect(
        &self,
        record: &Record,
        stop: &CancellationToken,
    ) -> Result<(Place, Links), Unreachable> {
        let within = self.door.settings.connect_timeout;
        let connecting = async {
            let place = self.whereabouts.find().await?;
            let ways = self.door.ways(&place).await?;
            let turn = (record.attempts as usize).checked_rem(ways.len()).unwrap_or_default();
            let way = ways.get(turn).ok_or(std::io::ErrorKind::NotFound).map_err(std::io::Error::from)?;
            let links = Links::open(&self.door, way, &self.tasks, stop).await?;
            Ok((place, links))
        };
        let (place, links) =
            timeout(within, connecting).await.unwrap_or(Err(Unreachable::Timeout(within)))?;
        self.prove(&links, record.proofs()).await?;
        Ok((place, links))
    }

    /// Ends when the server has answered `times` in a row as fast as calls will want it.
    async fn prove(&self, links: &Links, times: u32) -> Result<(), Unreachable> {
        let within = self.door.settings.read_timeout;
        for time in 0..times {
            if time > 0 {
                self.node.fall(State::HalfOpen);
                sleep(BETWEEN_PROOFS).await;
            }
            match links.ask(For::Short, &redis::cmd("PING"), false, within).await {
                Some(answer) => answer.map(drop).map_err(|error| Unreachable::Unfit(error.to_string()))?,
                None => return Err(Unreachable::Timeout(within)),
            }
        }
        Ok(())
    }
}

impl Record {
    fn note(&mut self, why: Left, lasted: Duration) {
        // A connection that does not last is no reason to hurry for the next.
        self.attempts = if lasted < MAX_PAUSE { self.attempts.saturating_add(1) } else { 0 };
        if lasted >= FORGIVEN_AFTER {
            self.failings = 0;
        }
        self.failings = match why {
            Left::Failing => self.failings.saturating_add(1),
            Left::Lost | Left::Unfit => self.failings,
            Left::Replaced => 0,
        };
    }

    /// How many answers in time it takes before it is asked again.
    fn proofs(&self) -> u32 {
        1 + self.failings.min(MAX_PROOFS)
    }

    /// A random part of a pause that doubles with each attempt ("full jitter", Brooker, "Exponential Backoff And Jitter",
    /// AWS 2015); never so short that it would be a busy loop.
    fn pause(&self, random: &mut impl Rng) -> Duration {
        let (doublings, most) = if self.failings > 1 {
            (self.attempts.max(self.failings), MAX_PAUSE_OF_FAILING)
        } else {
            (self.attempts, MAX_PAUSE)
        };
        let longest = FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(most);
        random.random_range(MIN_PAUSE..=longest)
    }
}

/// How often a server that is up is asked for a sign of life, and whether it is still the one to ask.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// The shortest pause between two attempts to connect.
const MIN_PAUSE: Duration = Duration::from_millis(5);
/// The longest first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// The longest where the server is reached and fails again and again.
const MAX_PAUSE_OF_FAILING: Duration = Duration::from_secs(10);
/// Time between two answers that prove that a server that failed is well.
const BETWEEN_PROOFS: Duration = Duration::from_millis(100);
/// As many as are asked for at most, beside the first.
const MAX_PROOFS: u32 = 4;
/// How long it must be up for its failings to be forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn pauses_grow_to_a_second_and_are_spread() {
        let mut random = StdRng::seed_from_u64(1);
        for attempts in [0, 1, 5, 100, u32::MAX] {
            let record = Record { attempts, failings: 0 };
            let longest = (FIRST_PAUSE * 2_u32.pow(attempts.min(10))).min(MAX_PAUSE);
            let pauses: Vec<_> = (0..1_000).map(|_| record.pause(&mut random)).collect();
            assert!(pauses.iter().all(|pause| (MIN_PAUSE..=longest).contains(pause)));
            assert!(pauses.iter().any(|pause| *pause > longest / 4 * 3));
            assert!(pauses.iter().any(|pause| *pause < longest / 4));
        }
    }

    #[test]
    fn a_server_that_fails_again_and_again_proves_more_and_rests_longer() {
        let mut random = StdRng::seed_from_u64(1);
        let mut record = Record::default();
        assert_eq!(record.proofs(), 1);
        for _ in 0..20 {
            record.note(Left::Failing, Duration::from_secs(5));
        }
        assert_eq!(record.proofs(), 1 + MAX_PROOFS);
        assert!((0..100).any(|_| record.pause(&mut random) > MAX_PAUSE));
        record.note(Left::Lost, FORGIVEN_AFTER);
        assert_eq!((record.proofs(), record.attempts), (1, 0));
    }
}
