//! Who takes part in a history and writes it: the backends with one state behind them, the clients, and who purges.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};

use super::history::{Answer, Change, Covers, History, Kind, Life, Reach, Read, Since};
use super::rules::Method;
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
        for method in Method::ALL {
            let record = Arc::clone(self);
            backend.does(method.name(), Act::by(move |call| record.told(id(call))));
        }
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

    fn has_read(&self, read: Read) {
        self.state().history.reads.push(read);
    }

    fn has_written(&self, life: Life, key: i64, name: &str) {
        let mut state = self.state();
        let known = self.now();
        let &(place, done) = state.writes.get(name).expect("no success without an effect");
        // A reply that was held for as long as that was let go without what it was held for.
        let reach = if known - done < HELD_LEAST { Reach::Fleet } else { Reach::Gateway };
        let (covers, since) = (Covers::Key(key), Since::Place(place));
        state.history.changes.push(Change { life, covers, kind: Kind::Hard, since, known, reach });
    }

    fn has_purged(&self, change: Change) {
        self.state().history.changes.push(change);
    }
}

/// Where a gateway is reached in its present life.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    pub(super) life: Life,
    listener: SocketAddr,
    /// Where it takes orders.
    door: PathBuf,
}

impl Reached {
    pub(super) fn new(life: Life, gateway: &Gateway) -> Self {
        Self { life, listener: gateway.address(), door: gateway.door() }
    }
}

pub(super) type Site = Arc<Mutex<Reached>>;

/// A client of one gateway: it reads and writes until the time is over, whatever becomes of its calls.
pub(super) fn client(record: &Record, site: &Site, number: usize, chance: &mut StdRng, end: Duration) {
    let mut writes = 0;
    while record.now() < end {
        let Reached { life, listener, .. } = site.lock().unwrap().clone();
        let Ok(mut client) = Client::try_connect(listener, Wire::framed()) else {
            pass(ms(10));
            continue;
        };
        while record.now() < end {
            let is_answered = if chance.random_ratio(1, 12) {
                writes += 1;
                write(record, &mut client, life, &format!("write-{number}-{writes}"), chance)
            } else {
                read(record, &mut client, life, chance)
            };
            match is_answered {
                None => break,
                Some(true) => {}
                Some(false) => pass(ms(2)),
            }
        }
    }
}

/// Whether it was answered, or nothing if the connection ended.
fn read(record: &Record, client: &mut Client, life: Life, chance: &mut StdRng) -> Option<bool> {
    let (method, asked) = (drawn(chance), chance.random_range(1..=KEYS));
    let from = record.now();
    let reply = client.try_call(Message::call(method.name(), 0, vec![(1, Value::I64(asked))]))?;
    if !reply.is_exception() {
        let (got, place) = (reply.user_id(), reply.email().parse().unwrap());
        record.has_read(Read { life, method, asked, from, got, place });
    }
    Some(!reply.is_exception())
}

fn write(record: &Record, client: &mut Client, life: Life, name: &str, chance: &mut StdRng) -> Option<bool> {
    let key = chance.random_range(1..=CHANGED);
    let reply = client.try_call(rename_user(key, name))?;
    if !reply.is_exception() {
        record.has_written(life, key, name);
    }
    Some(!reply.is_exception())
}

/// Who declares replies wrong at one gateway until the time is over.
pub(super) fn invalidator(record: &Record, site: &Site, chance: &mut StdRng, end: Duration) {
    while record.now() < end {
        pass(ms(chance.random_range(100..900)));
        let Reached { life, door, .. } = site.lock().unwrap().clone();
        let kind = if chance.random() { Kind::Hard } else { Kind::Soft };
        let covers = match chance.random_range(0..20) {
            0 => Covers::All,
            1 | 2 => Covers::Method(drawn(chance)),
            3..9 => Covers::Call(drawn(chance), chance.random_range(1..=CHANGED)),
            _ => Covers::Key(chance.random_range(1..=CHANGED)),
        };
        let since = Since::Moment(record.now());
        let Some((200, said)) = purge_at(&door, order(covers, kind)) else { continue };
        let said: Json = serde_json::from_str(&said).unwrap();
        let reach = match said["reached"].as_str() {
            Some("gateway") => Reach::Gateway,
            Some("redis") => Reach::Redis,
            Some("fleet") => Reach::Fleet,
            other => panic!("a purge has reached {other:?}"),
        };
        record.has_purged(Change { life, covers, kind, since, known: record.now(), reach });
    }
}

fn order(covers: Covers, kind: Kind) -> Json {
    let named = |method: Method| format!("UserService.{}", method.name());
    let mut order = match covers {
        Covers::Key(key) => json!({"tag": format!("user:{key}")}),
        Covers::Call(method, key) => json!({"call": {"method": named(method), "arguments": {"id": key}}}),
        Covers::Method(method) => json!({"method": named(method)}),
        Covers::All => json!({"all": true, "force": true}),
    };
    order["kind"] = match kind {
        Kind::Soft => "soft".into(),
        Kind::Hard => "hard".into(),
    };
    order
}

fn drawn(chance: &mut StdRng) -> Method {
    Method::ALL[chance.random_range(0..Method::ALL.len())]
}

fn id(call: &Message) -> i64 {
    match call.field(1) {
        Some(Value::I64(id)) => *id,
        other => panic!("a call for {other:?}"),
    }
}

/// So few that they are changed while they are read.
const KEYS: i64 = 6;
/// The first of them are; the others are left to grow old.
const CHANGED: i64 = 4;
/// Milliseconds that a backend takes at most.
const SLOWEST: u64 = 20;
/// A reply that is held for the fleet is let go after 1.5 s at the latest: one that came sooner has reached it.
const HELD_LEAST: Duration = ms(1_400);
