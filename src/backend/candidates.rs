//! Which endpoints a call may go to: those that take its method, and where there are none, those that let it pass.

use crate::dial::Address;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempt::Attempt;
use super::balance::less_loaded;
use super::chance::Chance;
use super::endpoint::Endpoint;
use super::method::Question;
use super::position::UNPROBED;
use crate::need::Need;

/// An attempt at the endpoint that fits best, none of `tried`. `None` if there is none to ask at this moment.
///
/// Who finds out whether a method, or an endpoint, is back is a refresh if there is one: nobody waits for it.
pub(super) fn choose(
    endpoints: &[Arc<Endpoint>],
    tried: &[Address],
    question: Question<'_>,
    chance: &Chance,
) -> Option<Attempt> {
    let (method, now) = (question.method, Instant::now());
    let fits = |one: &&Arc<Endpoint>| one.takes(method) && !tried.contains(&one.address);
    let candidates = endpoints.iter().filter(fits).count();
    if candidates < endpoints.len() && tried.is_empty() {
        let found = finds_out(endpoints, question, candidates, now);
        if found.is_some() {
            return found;
        }
    }
    if candidates == 0 {
        return passes(endpoints, tried, question, now, chance);
    }
    let does_well = |one: &&Arc<Endpoint>| fits(one) && !one.is_poor_at(method, now);
    let picked = less_loaded(endpoints.iter().filter(does_well), now, chance)
        .or_else(|| less_loaded(endpoints.iter().filter(fits), now, chance));
    picked.map(|one| Attempt::call(one, method, now))
}

/// The attempt that finds out, where one is due.
fn finds_out(
    endpoints: &[Arc<Endpoint>],
    question: Question<'_>,
    candidates: usize,
    now: Instant,
) -> Option<Attempt> {
    let need = question.demand.need();
    let patience = match (need, candidates) {
        (Need::Refresh, _) => Duration::ZERO,
        // Whoever waits and can go elsewhere need not find out.
        (Need::Spared | Need::Bare, 1..) => UNPROBED,
        (Need::Spared | Need::Bare, 0) => return None,
    };
    let trial = |one: &Arc<Endpoint>| Attempt::trial(one, question.method, now, patience);
    let probe = |one: &Arc<Endpoint>| Attempt::probe(one, question.method, now);
    let tried = endpoints.iter().find_map(trial);
    match need {
        Need::Refresh => tried.or_else(|| endpoints.iter().find_map(probe)),
        Need::Spared | Need::Bare => tried,
    }
}

/// The attempt of a call that has nothing else to answer with.
fn passes(
    endpoints: &[Arc<Endpoint>],
    tried: &[Address],
    question: Question<'_>,
    now: Instant,
    chance: &Chance,
) -> Option<Attempt> {
    if question.demand.need() != Need::Bare {
        return None;
    }
    // Begun anywhere, so that not the first alone is asked.
    let begin = (endpoints.len() as f64 * chance.share()) as usize;
    let (before, from) = endpoints.split_at_checked(begin)?;
    let untried = || from.iter().chain(before).filter(|one| !tried.contains(&one.address));
    let beside_others = untried().find_map(|one| Attempt::beside(one, question.method, now));
    beside_others.or_else(|| untried().find_map(|one| Attempt::beyond(one, question.method, now)))
}
