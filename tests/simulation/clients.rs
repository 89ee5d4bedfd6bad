//! The clients of a world: what each will ask, and how it behaves.

pub(crate) mod life;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::features::Feature;
use crate::rules::Ms;
use crate::service::{Asked, Method};
use crate::thrift::{Kind, Wire};
use crate::world::{client_wire, has, stream};

#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) number: usize,
    pub(crate) gateway: usize,
    pub(crate) wire: Wire,
    pub(crate) numbering: Numbering,
    /// Calls that it has unanswered at one time.
    pub(crate) width: usize,
    pub(crate) manner: Manner,
    /// Who it says that it is, at the beginning of each connection; 0 if nothing.
    pub(crate) who: i64,
    pub(crate) steps: Vec<Step>,
}

/// How it numbers its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// All are 0, as thriftpy2's are.
    Zero,
    Counting,
}

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Waits for every reply, then closes.
    Polite,
    /// The same, but ends its sending side before it has read all.
    HalfCloses,
    /// Breaks its connection after so many calls on it, whatever is under way.
    Vanishes { calls: usize },
    /// Waits so long, and then asks the next thing on the same connection.
    GoesOn { patience: Ms },
    /// Waits so long, and then closes the connection and opens another.
    HangsUp { patience: Ms },
    /// Reads nothing from this call on, for a time, and goes on asking.
    StopsReading { from: usize, time: Ms },
    /// Sends half a message, then nothing for a time, then closes; at every call whose number this divides.
    SendsHalves { every: usize, pause: Ms },
    /// Sends what is no Thrift at every call whose number this divides.
    SendsGarbage { every: usize },
}

impl Manner {
    /// Whether nobody but itself bears what it does.
    pub(crate) fn is_polite(self) -> bool {
        matches!(self, Self::Polite | Self::HalfCloses)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Time before it.
    pub(crate) think: Ms,
    pub(crate) asked: Asked,
    pub(crate) kind: Kind,
}

pub(crate) fn draw(
    seed: u64,
    number: usize,
    length: Ms,
    backend: Wire,
    gateways: usize,
    most: i64,
) -> Client {
    let mut random = stream(seed, "client", number as u64);
    let wide = has(&mut random, Feature::Pipelines, 40);
    let effects = !wide || Feature::PipelinedEffects.is_on();
    let width = if wide { random.random_range(2..=12) } else { 1 };
    // One at least is polite, so that there is somebody to suffer.
    let manner = if number == 0 { Manner::Polite } else { manner(&mut random) };
    let odd = !manner.is_polite() && has(&mut random, Feature::WrongTypes, 25);
    let manner = match manner {
        _ if odd => Manner::HangsUp { patience: 2_500 },
        manner => manner,
    };
    let numbering = match manner {
        Manner::GoesOn { .. } => Numbering::Zero,
        _ if width > 1 || random.random_bool(0.5) => Numbering::Counting,
        _ => Numbering::Zero,
    };
    let wire = client_wire(&mut random, backend);
    let pace = *[20, 200, 1_000].choose(&mut random).unwrap();
    let keys = random.random_range(1..=most);
    let mut steps = Vec::new();
    let mut time = 0;
    while time < length && steps.len() < MOST_STEPS {
        // Clients are active by turns, so that a fast one does not end at once.
        let think = if random.random_bool(0.1) { pace * 20 } else { random.random_range(0..=pace) };
        time += think;
        let call = (number * CALLS_APART + steps.len()) as u64;
        steps.push(step(&mut random, think, call, keys, effects, odd));
    }
    Client {
        number,
        gateway: random.random_range(0..gateways),
        wire,
        numbering,
        width,
        manner,
        who: 0,
        steps,
    }
}

impl Client {
    /// Has it say who it is.
    pub(crate) fn says_who(&mut self, seed: u64) {
        self.who = stream(seed, "who", self.number as u64).random_range(0..3);
        self.steps.iter_mut().for_each(|step| step.asked.who = self.who);
    }

    /// How it says so at the beginning of the connection of this number.
    fn introduction(&self, connection: usize) -> Step {
        let call = (self.number * CALLS_APART + CALLS_APART / 2 + connection) as u64;
        let asked = Asked { method: Method::Ugi, prefixed: false, key: self.who, call, other: 0, who: 0 };
        Step { think: 0, asked, kind: Kind::Call }
    }

    /// Has some of its calls change something in place of what they ask.
    pub(crate) fn write_more(&mut self, seed: u64) {
        let mut random = stream(seed, "writer", self.number as u64);
        for step in self.steps.iter_mut().filter(|step| step.kind == Kind::Call) {
            let may_change = matches!(step.asked.method, Method::Look | Method::Again | Method::Unknown);
            if may_change && random.random_bool(0.6) {
                let writes = [Method::Add, Method::Add, Method::Put];
                step.asked.method = *writes.choose(&mut random).unwrap();
            }
        }
    }
}

fn manner(random: &mut StdRng) -> Manner {
    let drawn = match random.random_range(0..12) {
        0 => (Manner::HalfCloses, Feature::HalfClose),
        1 => (Manner::Vanishes { calls: random.random_range(1..10) }, Feature::Vanish),
        2 | 3 => (Manner::GoesOn { patience: random.random_range(100..1_500) }, Feature::GoOn),
        4 => (Manner::HangsUp { patience: random.random_range(100..1_500) }, Feature::Vanish),
        5 => {
            let time = *[300, 5_000, 100_000].choose(random).unwrap();
            (Manner::StopsReading { from: random.random_range(0..20), time }, Feature::StopReading)
        }
        6 => {
            let (every, pause) = (random.random_range(3..12), random.random_range(10..4_000));
            (Manner::SendsHalves { every, pause }, Feature::Nonsense)
        }
        7 => (Manner::SendsGarbage { every: random.random_range(3..12) }, Feature::Nonsense),
        _ => return Manner::Polite,
    };
    if drawn.1.is_on() { drawn.0 } else { Manner::Polite }
}

fn step(random: &mut StdRng, think: Ms, call: u64, keys: i64, effects: bool, odd: bool) -> Step {
    let method = match random.random_range(0..100) {
        0..35 => Method::Get,
        35..60 => Method::Find,
        60..70 => Method::Look,
        70..78 => Method::Again,
        78..86 if effects => Method::Add,
        86..90 if effects => Method::Put,
        90..98 if Feature::Oneways.is_on() => Method::Tell,
        98..100 => Method::Unknown,
        _ => Method::Get,
    };
    let other = if method == Method::Find { random.random_range(0..2) } else { 0 };
    let (key, prefixed) = (random.random_range(0..keys), random.random_bool(0.15));
    let asked = Asked { method, prefixed, key, call, other, who: 0 };
    let kind = match (method, odd && random.random_bool(0.3)) {
        (Method::Tell, false) => Kind::Oneway,
        (Method::Tell, true) => Kind::Call,
        (_, true) => Kind::Oneway,
        (_, false) if odd && random.random_bool(0.1) => Kind::Reply,
        (_, false) => Kind::Call,
    };
    Step { think, asked, kind }
}

/// Calls of one client have numbers from a range of its own.
const CALLS_APART: usize = 10_000;
const MOST_STEPS: usize = 70;
