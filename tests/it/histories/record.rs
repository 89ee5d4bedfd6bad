//! Who takes part in a history and writes it: the backends with one state behind them, and the clients.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::history::{Answer, Change, History, Life, Reach, Read};
use crate::harness::*;

/// What is written down while it happens.
#[derive(Debug)]
pub(super) struct Record {
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    history: History,
    /// How much backends have done.
    place: u64,
    /// Which place a write took, by its name, and when that was.
    writes: BTreeMap<String, (u64, Duration)>,
}

impl Record {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), state: Mutex::default() })
    }

    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(super) fn history(&self) -> History {
        self.state().history.clone()
    }

    /// Lets a backend answer by this record; it takes its time after it has looked, so that writes overtake reads.
    pub(super) fn answers_at(self: &Arc<Self>, backend: &Backend) {
        let record = Arc::clone(self);
        backend.does("getUser", Act::by(move |call| record.told(id(call))));
        let record = Arc::clone(self);
        backend.does("renameUser", Act::by(move |call| record.written(call)));
    }

    fn told(&self, key: i64) -> Fields {
        let place = {
            let mut state = self.state();
            state.place += 1;
            let (place, made) = (state.place, self.now());
            state.history.answers.insert(place, Answer { key, made });
            place
        };
        pass(ms(rand::rng().random_range(0..SLOWEST)));
        user(key, &place.to_string())
    }

    fn written(&self, call: &Message) -> Fields {
        pass(ms(rand::rng().random_range(0..SLOWEST)));
        let Some(Value::String(name)) = call.field(2) else { panic!("a write without a name: {call:?}") };
        let mut state = self.state();
        state.place += 1;
        let done = (state.place, self.now());
        state.writes.insert(name.clone(), done);
        Vec::new()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn has_read(&self, life: Life, asked: i64, from: Duration, reply: &Message) {
        let (got, place) = (reply.user_id(), reply.email().parse().unwrap());
        self.state().history.reads.push(Read { life, asked, from, got, place });
    }

    fn has_written(&self, life: Life, key: i64, name: &str) {
        let mut state = self.state();
        let known = self.now();
        let &(place, done) = state.writes.get(name).expect("no success without an effect");
        // A reply that was held for as long as that was let go without what it was held for.
        let reach = if known - done < HELD_LEAST { Reach::Fleet } else { Reach::Gateway };
        state.history.changes.push(Change { life, key, place, known, reach });
    }
}

/// Where a gateway is reached in its present life.
pub(super) type Site = Arc<Mutex<(Life, SocketAddr)>>;

/// A client of one gateway: it reads and writes until the time is over, whatever becomes of its calls.
pub(super) fn client(record: &Record, site: &Site, number: usize, chance: &mut StdRng, end: Duration) {
    let mut writes = 0;
    while record.now() < end {
        let (life, address) = *site.lock().unwrap();
        let Ok(mut client) = Client::try_connect(address, Wire::framed()) else {
            pass(ms(10));
            continue;
        };
        while record.now() < end {
            let key = chance.random_range(1..=KEYS);
            let writes_now = chance.random_ratio(1, 12);
            let name = format!("write-{number}-{writes}");
            let call = if writes_now { rename_user(key, &name) } else { get_user(key) };
            writes += usize::from(writes_now);
            let from = record.now();
            let Some(reply) = client.try_call(call) else { break };
            match (reply.is_exception(), writes_now) {
                (true, _) => pass(ms(2)),
                (false, true) => record.has_written(life, key, &name),
                (false, false) => record.has_read(life, key, from, &reply),
            }
        }
    }
}

fn id(call: &Message) -> i64 {
    match call.field(1) {
        Some(Value::I64(id)) => *id,
        other => panic!("a call for {other:?}"),
    }
}

/// So few that they are written while they are read.
const KEYS: i64 = 4;
/// Milliseconds that a backend takes at most.
const SLOWEST: u64 = 20;
/// A reply that is held for the fleet is let go after 1.5 s at the latest: one that came sooner has reached it.
const HELD_LEAST: Duration = ms(1_400);
