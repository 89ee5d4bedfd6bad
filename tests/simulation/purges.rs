//! Purges: what people declare wrong in a world, and when.

pub(crate) mod life;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::rules::Ms;
use crate::service::Method;
use crate::tags::Name;

/// An order to a gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) at: Ms,
    pub(crate) gateway: usize,
    pub(crate) wrong: Wrong,
    pub(crate) kind: Kind,
}

/// What is declared wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// What has this name.
    Named(Name),
    /// What answers this call, however its method is spelled.
    Call {
        method: Method,
        key: i64,
        other: i64,
    },
    /// What answers any call of a method.
    Method(Method),
    All,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It answers in an outage alone.
    Soft,
    /// It never answers.
    Hard,
}

impl Order {
    /// As the admin endpoint takes it.
    fn json(&self) -> String {
        let wrong = match self.wrong {
            Wrong::Named(name) => format!("\"tag\":\"{}\"", name.text()),
            Wrong::Call { method, key, other } => format!(
                "\"call\":{{\"method\":\"Sim.{}\",\"arguments\":{{\"key\":{key},\"other\":{other}}}}}",
                method.name()
            ),
            Wrong::Method(method) => format!("\"method\":\"Sim.{}\"", method.name()),
            Wrong::All => "\"all\":true,\"force\":true".to_owned(),
        };
        let kind = match self.kind {
            Kind::Soft => "soft",
            Kind::Hard => "hard",
        };
        format!("{{{wrong},\"kind\":\"{kind}\"}}")
    }
}

pub(crate) fn draw(random: &mut StdRng, length: Ms, gateways: usize, keys: i64, idl: bool) -> Vec<Order> {
    let count = random.random_range(1..=20);
    let mut orders: Vec<Order> = (0..count)
        .map(|_| Order {
            at: random.random_range(500..length),
            gateway: random.random_range(0..gateways),
            wrong: wrong(random, keys, idl),
            kind: *[Kind::Soft, Kind::Hard].choose(random).unwrap(),
        })
        .collect();
    orders.sort_by_key(|order| order.at);
    orders
}

fn wrong(random: &mut StdRng, keys: i64, idl: bool) -> Wrong {
    let (method, key) = (*[Method::Get, Method::Find].choose(random).unwrap(), random.random_range(0..keys));
    let other = if method == Method::Find { random.random_range(0..2) } else { 0 };
    match random.random_range(0..10) {
        0..4 => Wrong::Named(Name::Key(key)),
        4..5 => Wrong::Named(Name::Other(other)),
        // Without an IDL nobody knows how its arguments are written.
        5..8 if idl => Wrong::Call { method, key, other },
        5..9 => Wrong::Method(method),
        _ => Wrong::All,
    }
}
