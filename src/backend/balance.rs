//! Picks the endpoint for a call: the less busy of two, or one whose probe is due.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::chance::Chance;
use super::endpoint::{Attempt, Endpoint};
use super::method::Method;
use crate::call::Repeat;

/// An attempt at the endpoint that fits best, none of `tried`. `None` if there is none to ask at this moment.
///
/// A due probe goes first, so that an endpoint returns while others carry the load. A call that must not run twice is
/// spared that for `patience`, as long as another endpoint takes it: the calls of idempotent methods probe better.
pub(super) fn choose(
    endpoints: &[Arc<Endpoint>],
    tried: &[SocketAddr],
    method: &Arc<Method>,
    repeat: Repeat,
    patience: Duration,
    chance: &Chance,
) -> Option<Attempt> {
    let fits = |one: &&Arc<Endpoint>| one.ejection.is_rotating() && !tried.contains(&one.address);
    let candidates = endpoints.iter().filter(fits).count();
    if candidates < endpoints.len() && (tried.is_empty() || candidates == 0) {
        let patience = match repeat {
            Repeat::Once if candidates > 0 => patience,
            Repeat::Once | Repeat::Idempotent => Duration::ZERO,
        };
        let probe = probe(endpoints, tried, method, patience);
        if probe.is_some() {
            return probe;
        }
    }
    let admit = |one: &Arc<Endpoint>| Attempt::admit(one, method);
    let picked = |index: usize| endpoints.iter().filter(fits).nth(index);
    // Another call may eject an endpoint between the choice and the admission; the first that still admits will do then.
    less_busy(candidates, picked, chance)
        .and_then(admit)
        .or_else(|| endpoints.iter().filter(fits).find_map(admit))
}

fn less_busy<'a>(
    candidates: usize,
    picked: impl Fn(usize) -> Option<&'a Arc<Endpoint>>,
    chance: &Chance,
) -> Option<&'a Arc<Endpoint>> {
    if candidates < 2 {
        return picked(0);
    }
    let first = chance.below(candidates);
    let second = (first + 1 + chance.below(candidates - 1)) % candidates;
    match (picked(first), picked(second)) {
        (Some(one), Some(other)) if other.in_flight() < one.in_flight() => Some(other),
        (one, other) => one.or(other),
    }
}

fn probe(
    endpoints: &[Arc<Endpoint>],
    tried: &[SocketAddr],
    method: &Arc<Method>,
    patience: Duration,
) -> Option<Attempt> {
    let now = Instant::now();
    endpoints
        .iter()
        .filter(|one| !one.ejection.is_rotating() && !tried.contains(&one.address))
        .find_map(|one| Attempt::probe(one, method, now, patience))
}
