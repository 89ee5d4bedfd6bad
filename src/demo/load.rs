//! The load: many clients that ask for popular users often and for others rarely, and one that asks for users nobody asked for before.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::clock::Clock;
use crate::dial::Dial;

use super::backend::ANSWERED_AT;
use super::client::{Client, Question, Said};
use super::generated::users::User;

/// The running load; dropping it ends it.
#[derive(Debug)]
pub(super) struct Load {
    /// What the clients count.
    pub(super) tally: Arc<Tally>,
    _clients: JoinSet<()>,
}

/// What the clients count of the replies they get.
#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: AtomicU64,
    known_failed: AtomicU64,
    strange: AtomicU64,
    strange_failed: AtomicU64,
    felt: [Mutex<Feeling>; 2],
    stranger: AtomicI64,
    last: Mutex<Option<String>>,
    answered: Mutex<HashSet<Question>>,
}

/// What clients felt in a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Felt {
    /// The age of the oldest answer that one got.
    pub(super) oldest: Duration,
    /// What 99 of 100 calls took at most.
    pub(super) p99: Duration,
}

/// What clients have felt since it was last read.
#[derive(Debug)]
struct Feeling {
    oldest: Duration,
    /// Microseconds.
    took: Histogram<u64>,
}

/// Who reads what was felt; each reading starts the next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reader {
    /// The line of half a second.
    Line,
    /// The column of a phase.
    Phase,
}

/// What was counted up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Calls, answered in whatever way.
    pub(super) calls: u64,
    /// Those asked and answered before that got an exception or no reply.
    pub(super) known_failed: u64,
    /// Calls that nobody got an answer to before.
    pub(super) strange: u64,
    /// Those of them that got an exception.
    pub(super) strange_failed: u64,
}

impl Load {
    /// Starts `clients` clients that call `gateway`.
    pub(super) fn start(gateway: SocketAddr, clients: usize, dial: &Arc<dyn Dial>, clock: &Clock) -> Self {
        let tally = Arc::new(Tally { stranger: AtomicI64::new(STRANGERS), ..Tally::default() });
        let popularity: Arc<[f64]> = popularity();
        let mut tasks = JoinSet::new();
        for seed in 0..clients as u64 {
            let user = Caller::new(gateway, dial, clock, &tally);
            tasks.spawn(user.regular(StdRng::seed_from_u64(seed), Arc::clone(&popularity)));
        }
        tasks.spawn(Caller::new(gateway, dial, clock, &tally).explorer());
        Self { tally, _clients: tasks }
    }
}

impl Tally {
    /// What was counted so far.
    pub(super) fn counted(&self) -> Counted {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counted {
            calls: read(&self.calls),
            known_failed: read(&self.known_failed),
            strange: read(&self.strange),
            strange_failed: read(&self.strange_failed),
        }
    }

    /// What was felt since this reader last asked.
    pub(super) fn felt(&self, reader: Reader) -> Felt {
        let feeling = self.felt.get(reader as usize).map(|felt| std::mem::take(&mut *feeling(felt)));
        feeling.map_or_else(Felt::default, |Feeling { oldest, took }| Felt {
            oldest,
            p99: Duration::from_micros(took.value_at_quantile(0.99)),
        })
    }

    /// The words of an exception since this was last asked.
    pub(super) fn last_exception(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn answered(&self, users: &[User], clock: &Clock) {
        let now = clock.now().0;
        let born = |user: &User| user.attributes.as_ref()?.get(ANSWERED_AT)?.parse::<u64>().ok();
        let age =
            users.iter().filter_map(born).map(|born| now.saturating_sub(born)).max().unwrap_or_default();
        for felt in &self.felt {
            let mut felt = feeling(felt);
            felt.oldest = felt.oldest.max(Duration::from_millis(age));
        }
    }

    fn took(&self, time: Duration) {
        for felt in &self.felt {
            feeling(felt).took.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        }
    }

    fn excepted(&self, known: Known, message: String) {
        let failed = match known {
            Known::Yes => &self.known_failed,
            Known::No => &self.strange_failed,
        };
        failed.fetch_add(1, Ordering::Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
    }

    fn is_known(&self, question: &Question) -> Known {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.contains(question) { Known::Yes } else { Known::No }
    }

    fn learn(&self, question: &Question) {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).insert(question.clone());
    }
}

fn feeling(felt: &Mutex<Feeling>) -> MutexGuard<'_, Feeling> {
    felt.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Feeling {
    fn default() -> Self {
        let took = Histogram::new_with_bounds(1, LONGEST_US, 2);
        Self { oldest: Duration::ZERO, took: took.expect("the bounds are in order and the digits few") }
    }
}

/// Whether a client got an answer to the same question before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

impl Counted {
    /// What was counted since `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            calls: self.calls - earlier.calls,
            known_failed: self.known_failed - earlier.known_failed,
            strange: self.strange - earlier.strange,
            strange_failed: self.strange_failed - earlier.strange_failed,
        }
    }
}

/// One client; it connects again where its connection breaks.
struct Caller {
    gateway: SocketAddr,
    dial: Arc<dyn Dial>,
    clock: Clock,
    tally: Arc<Tally>,
    client: Option<Client>,
}

impl Caller {
    fn new(gateway: SocketAddr, dial: &Arc<dyn Dial>, clock: &Clock, tally: &Arc<Tally>) -> Self {
        let (dial, clock, tally) = (Arc::clone(dial), clock.clone(), Arc::clone(tally));
        Self { gateway, dial, clock, tally, client: None }
    }

    async fn regular(mut self, mut random: StdRng, popularity: Arc<[f64]>) {
        loop {
            let id = zipf(&popularity, random.random());
            let question = if random.random_bool(LISTS) {
                let first = id / PAGE * PAGE;
                Question::Several(first..first + PAGE)
            } else {
                Question::One(id)
            };
            self.ask(&question).await;
            sleep(THINKING).await;
        }
    }

    async fn explorer(mut self) {
        loop {
            let id = self.tally.stranger.fetch_add(1, Ordering::Relaxed);
            self.ask(&Question::One(id)).await;
            sleep(EXPLORING).await;
        }
    }

    async fn ask(&mut self, question: &Question) {
        let known = self.tally.is_known(question);
        let began = Instant::now();
        let said = self.said(question).await;
        let tally = &self.tally;
        tally.took(began.elapsed());
        tally.calls.fetch_add(1, Ordering::Relaxed);
        if known == Known::No {
            tally.strange.fetch_add(1, Ordering::Relaxed);
        }
        match said {
            Ok(Said::Users(users)) => {
                tally.answered(&users, &self.clock);
                if known == Known::No {
                    tally.learn(question);
                }
            }
            Ok(Said::Exception(message)) => {
                tally.excepted(known, format!("{question} got the exception \"{message}\""));
            }
            Err(error) => {
                self.client = None;
                self.tally.excepted(known, format!("{question} got no reply: {error}"));
                sleep(EXPLORING).await;
            }
        }
    }

    async fn said(&mut self, question: &Question) -> std::io::Result<Said> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(Client::connect(&self.dial, self.gateway).await?),
        };
        client.ask(question).await
    }
}

/// Zipf's law: the sums of `1 / rank`, up to 1.
fn popularity() -> Arc<[f64]> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=USERS)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    sums.into_iter().map(|part| part / sum).collect()
}

/// The user whose share of all calls holds `chance`, which is below 1; the most popular is 0.
fn zipf(popularity: &[f64], chance: f64) -> i64 {
    let rank = popularity.partition_point(|below| *below <= chance).min(popularity.len().saturating_sub(1));
    i64::try_from(rank).unwrap_or_default()
}

/// Far beyond what a client waits for a reply, in microseconds.
const LONGEST_US: u64 = 60_000_000;
/// Users that the clients ask for; few enough that each is asked for before the outage.
const USERS: usize = 400;
/// The first user that nobody asks for twice.
const STRANGERS: i64 = 1_000_000;
/// The share of calls for a page of users.
const LISTS: f64 = 0.1;
/// Users on a page.
const PAGE: i64 = 20;
/// What a client waits after a reply, so that the offered load is the same whoever answers.
const THINKING: Duration = Duration::from_millis(2);
/// What the client that asks for unknown users waits.
const EXPLORING: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popular_users_are_asked_for_often() {
        let popularity = popularity();
        let mut random = StdRng::seed_from_u64(1);
        let mut asked = vec![0; USERS];
        for _ in 0..100_000 {
            asked[usize::try_from(zipf(&popularity, random.random())).unwrap()] += 1;
        }
        assert!(asked[0] > 5 * asked[10] && asked[10] > 5 * asked[200], "{asked:?}");
        assert_eq!((zipf(&popularity, 0.0), zipf(&popularity, 1.0)), (0, USERS as i64 - 1));
    }

    #[test]
    fn what_was_felt_is_read_once_by_each_reader() {
        let (tally, clock) = (Tally::default(), Clock::starting_at(crate::clock::Millis(5_000)));
        let attributes = std::collections::BTreeMap::from([(ANSWERED_AT.to_owned(), "2000".to_owned())]);
        tally.answered(&[User { attributes: Some(attributes), ..User::default() }], &clock);
        (1..=100).for_each(|ms| tally.took(Duration::from_millis(ms)));
        let felt = tally.felt(Reader::Line);
        assert!(felt.oldest >= Duration::from_secs(3));
        // To two digits.
        assert!((98..=100).contains(&felt.p99.as_millis()), "{felt:?}");
        assert_eq!(tally.felt(Reader::Line), Felt::default());
        assert!(tally.felt(Reader::Phase).oldest >= Duration::from_secs(3));
    }
}
