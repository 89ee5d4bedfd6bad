//! One call's tries: whether there is another, and what each says of its endpoint.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::ejection::Verdict;
use super::lease::Limit;
use crate::call::Repeat;
use crate::fault::{Fault, Retry};

/// One call's tries.
pub(super) struct Round {
    pub(super) whole: Option<Limit>,
    /// Endpoints that were asked. Allocates with the first fault only.
    pub(super) tried: Vec<SocketAddr>,
    pub(super) second: Second,
}

/// Whether a call that may have run may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Second {
    Possible,
    Spent,
}

/// Where a call may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// At another endpoint.
    Elsewhere,
    /// At the same one too: a connection that had been idle ended without a byte, as it does when its server closes it
    /// at that moment.
    Same,
}

impl Round {
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        Self { whole: Limit::after(timeout), tried: Vec::new(), second: Second::Possible }
    }

    /// Whether to try again after `fault`.
    pub(super) fn next(&mut self, fault: &Fault, repeat: Repeat) -> bool {
        if self.whole.is_some_and(|whole| whole.at <= Instant::now()) {
            return false;
        }
        match (fault.retry(), repeat, self.second) {
            (Retry::Unsent, _, _) => true,
            (Retry::Idempotent, Repeat::Idempotent, Second::Possible) => {
                self.second = Second::Spent;
                true
            }
            (Retry::Idempotent, Repeat::Once, _)
            | (Retry::Idempotent, Repeat::Idempotent, Second::Spent)
            | (Retry::Never, _, _) => false,
        }
    }
}

/// What a fault says of the endpoint it came from.
pub(super) fn verdict(fault: &Fault) -> Verdict {
    if fault.blames_endpoint() {
        return Verdict::Failed;
    }
    match fault {
        Fault::Exception { .. } | Fault::MissingResult { .. } => Verdict::Healthy,
        Fault::Unreachable { .. }
        | Fault::Down { .. }
        | Fault::Busy { .. }
        | Fault::Timeout { .. }
        | Fault::Closed { .. }
        | Fault::Garbage { .. }
        | Fault::Failure { .. }
        | Fault::Crowded { .. }
        | Fault::Protocol { .. } => Verdict::Neutral,
    }
}
