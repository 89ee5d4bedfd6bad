//! The endpoints of a world's backend: how each behaves, and when it changes.

pub(crate) mod life;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::features::Feature;
use crate::rules::Ms;
use crate::world::has;

#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// From when on it behaves how; before the first it is up.
    pub(crate) moods: Vec<(Ms, Mood)>,
    pub(crate) habits: Habits,
}

/// How an endpoint behaves for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It answers.
    Up,
    /// Its process is gone: connections end, further ones are refused.
    Down,
    /// It takes calls and never answers.
    Hangs,
    /// It closes the connection at every call.
    HangsUp,
    /// It takes so much longer.
    Slow(Ms),
    /// It does not take connections; those that wait for it fill its backlog.
    Full,
}

/// What the endpoints of a world are given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    /// Nothing but answers.
    Calm,
    /// Whatever there is.
    Any,
    /// The same, but often they are slow, or say that there is nothing.
    Fickle,
}

/// How it always behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) latency: (Ms, Ms),
    /// It closes a connection after so many calls.
    pub(crate) closes_after: Option<usize>,
    /// It closes a connection that has rested for so long, as thriftpy2 does.
    pub(crate) closes_idle: Option<Ms>,
    /// It serves one connection after another.
    pub(crate) one_at_a_time: bool,
    /// Chances in a thousand.
    pub(crate) odds: Odds,
}

/// How often, of a thousand calls, it does something else than answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Odds {
    pub(crate) missing: u32,
    pub(crate) overloaded: u32,
    pub(crate) internal: u32,
    pub(crate) undeclared: u32,
    pub(crate) empty: u32,
    pub(crate) wrong_seqid: u32,
    pub(crate) wrong_name: u32,
    pub(crate) garbage: u32,
    pub(crate) half: u32,
    pub(crate) twice: u32,
    pub(crate) slow: u32,
    pub(crate) long: u32,
}

pub(crate) fn draw(random: &mut StdRng, count: usize, length: Ms, temper: Temper) -> Vec<Endpoint> {
    let calm = temper == Temper::Calm;
    let odds = match temper {
        Temper::Calm => Odds::default(),
        Temper::Any => odds(random),
        Temper::Fickle => Odds { missing: 150, slow: 200, ..odds(random) },
    };
    let outages = has(random, Feature::Outages, 60) && !calm;
    let slow = has(random, Feature::Slow, 30) && !calm;
    // Now and then all are down together: an outage.
    let together = random.random_bool(0.5);
    let first = moods(random, outages, slow, length);
    (0..count)
        .map(|n| Endpoint {
            moods: if n == 0 || together { first.clone() } else { moods(random, outages, slow, length) },
            habits: habits(random, odds, calm),
        })
        .collect()
}

/// One that always answers.
pub(crate) fn well(random: &mut StdRng) -> Endpoint {
    Endpoint { moods: Vec::new(), habits: habits(random, Odds::default(), true) }
}

fn moods(random: &mut StdRng, outages: bool, slow: bool, length: Ms) -> Vec<(Ms, Mood)> {
    let mut moods = Vec::new();
    let mut at = random.random_range(0..8_000);
    while at < length {
        let mood = match random.random_range(0..10) {
            0..3 if outages => Mood::Down,
            3..4 if outages => Mood::Hangs,
            4..5 if outages => Mood::HangsUp,
            5..6 if outages => Mood::Full,
            6..8 if slow => Mood::Slow(random.random_range(100..2_500)),
            _ => Mood::Up,
        };
        moods.push((at, mood));
        at += random.random_range(300..6_000);
        moods.push((at, Mood::Up));
        at += random.random_range(500..10_000);
    }
    // Whatever hangs by then ends: the process is started anew.
    moods.retain(|(at, _)| *at < length);
    moods.extend([(length + 6_000, Mood::Down), (length + 6_500, Mood::Up)]);
    moods
}

fn habits(random: &mut StdRng, odds: Odds, calm: bool) -> Habits {
    let closers = Feature::Closers.is_on();
    let least = random.random_range(0..5);
    Habits {
        latency: (least, least + random.random_range(0..30)),
        closes_after: (closers && random.random_bool(0.2) && !calm).then(|| random.random_range(1..12)),
        closes_idle: (closers && random.random_bool(0.6)).then_some(3_000),
        one_at_a_time: has(random, Feature::OneAtATime, 8) && !calm,
        odds,
    }
}

fn odds(random: &mut StdRng) -> Odds {
    let mut chance = |feature: Feature| {
        let odds = *[0, 0, 0, 10, 60].choose(random).unwrap();
        if feature.is_on() { odds } else { 0 }
    };
    Odds {
        missing: chance(Feature::Exceptions),
        overloaded: chance(Feature::Exceptions),
        internal: chance(Feature::Failures),
        undeclared: chance(Feature::Failures),
        empty: chance(Feature::Failures),
        wrong_seqid: chance(Feature::WrongReplies),
        wrong_name: chance(Feature::WrongReplies),
        garbage: chance(Feature::WrongReplies),
        half: chance(Feature::WrongReplies),
        twice: chance(Feature::WrongReplies),
        slow: chance(Feature::Slow),
        long: chance(Feature::Evictions),
    }
}
