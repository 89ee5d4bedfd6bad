//! Which calls somebody wants to see.

use crate::dial::Address;
use std::str;
use std::time::Duration;

use super::line::Seen;
use crate::outcome::Outcome;
use crate::rule::pattern::Pattern;

/// Which calls somebody wants to see: those that all of it holds for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Of these methods.
    pub method: Option<Pattern>,
    /// Of which one of these became; whatever did, if there are none.
    pub outcomes: Vec<Outcome>,
    /// That came to this listener.
    pub listener: Option<String>,
    /// For this backend.
    pub backend: Option<String>,
    /// That were sent to this endpoint.
    pub endpoint: Option<Address>,
    /// That took at least so long.
    pub slower_than: Duration,
}

impl Filter {
    /// Whether a call is among them.
    pub(super) fn lets_through(&self, seen: &Seen<'_>) -> bool {
        let Self { method, outcomes, listener, backend, endpoint, slower_than } = self;
        seen.took >= *slower_than
            && (outcomes.is_empty() || outcomes.contains(&seen.outcome))
            && listener.as_ref().is_none_or(|listener| listener == seen.listener)
            && backend.as_ref().is_none_or(|backend| backend == seen.backend)
            && endpoint.as_ref().is_none_or(|endpoint| seen.endpoint == Some(endpoint))
            && method.as_ref().is_none_or(|pattern| is_of(pattern, seen))
    }
}

fn is_of(pattern: &Pattern, seen: &Seen<'_>) -> bool {
    match (str::from_utf8(seen.service), str::from_utf8(seen.method)) {
        (Ok(service), Ok(method)) => pattern.matches(service, method),
        (Ok(_) | Err(_), _) => false,
    }
}
