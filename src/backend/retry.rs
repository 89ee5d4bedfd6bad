//! Whether a call that met a fault is tried again, and after which pause.

use crate::dial::Address;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::debug;

use super::Backend;
use super::attempt::Attempt;
use super::budget::longest_pause;
use super::counts::Kept;
use super::deadline::Deadline;
use super::endpoint::Endpoint;
use super::loan::Want;
use super::method::{Method, Question};
use crate::call::Repeat;
use crate::dial::End;
use crate::fault::{Fault, Retry};

/// One call's tries so far.
#[derive(Debug)]
pub(super) struct Tries {
    pub(super) whole: Option<Deadline>,
    /// Endpoints that were asked. Allocates with the first fault only.
    tried: Vec<Address>,
    /// Further tries of what was never sent.
    redials: u32,
    /// Further tries of what may have run.
    retries: u32,
    /// Endpoints that ended the connection without an answer.
    closes: u32,
    /// The fault that the try under way is a retry after.
    after: Option<&'static str>,
}

/// What a failed try leaves possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// No byte was sent: any other endpoint.
    Unsent,
    /// Another endpoint, if the method and the fault allow it.
    Elsewhere,
    /// As that, and the same endpoint too: a connection that had been idle ended without a byte, as it does when its
    /// server closes it at that moment.
    Same,
}

/// What a further try is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Further {
    /// As good as the first: nothing was sent.
    Redial,
    /// The call may have run: its endpoint may do the work twice.
    Retry,
}

impl Tries {
    pub(super) fn new(whole: Option<Deadline>) -> Self {
        Self { whole, tried: Vec::new(), redials: 0, retries: 0, closes: 0, after: None }
    }

    /// The fault that the try that just ended was a retry after.
    pub(super) fn ended(&mut self) -> Option<&'static str> {
        self.after.take()
    }

    /// What a further try after `fault` would be, if there may be one at all.
    fn further(&mut self, fault: &Fault, again: Again, repeat: Repeat, retries: u32) -> Option<Further> {
        if self.whole.is_some_and(Deadline::is_over) {
            return None;
        }
        if matches!(fault, Fault::Closed { end: End::Closed | End::Cut, .. }) {
            self.closes += 1;
        }
        let retry = match again {
            Again::Unsent => Retry::Unsent,
            Again::Elsewhere | Again::Same => fault.retry(),
        };
        match (retry, repeat) {
            (Retry::Unsent, _) => (self.redials < REDIALS_MOST).then_some(Further::Redial),
            (Retry::Idempotent, Repeat::Idempotent) => {
                (self.retries < retries && self.closes < CLOSES_MOST).then_some(Further::Retry)
            }
            (Retry::Idempotent, Repeat::Once) | (Retry::Never, _) => None,
        }
    }
}

impl Backend {
    /// A call's next try after `fault` at `endpoint`, once its pause is over. `None` if there is none.
    pub(super) async fn try_again(
        &self,
        tries: &mut Tries,
        (fault, again): (&Fault, Again),
        endpoint: &Arc<Endpoint>,
        question: Question<'_>,
    ) -> Option<(Attempt, Want)> {
        let (method, repeat) = (question.method, question.terms.repeat);
        let further = tries.further(fault, again, repeat, self.means.settings().retries)?;
        tries.tried.push(endpoint.address.clone());
        if again != Again::Same && !self.endpoints.any_but(&tries.tried) {
            return None;
        }
        match further {
            Further::Redial => tries.redials += 1,
            Further::Retry => {
                let pause = longest_pause(tries.retries).mul_f64(self.means.chance.share());
                if let Err(kept) = self.afford(tries, pause + method.median.get().unwrap_or_default()) {
                    self.means.tally.kept_from_retrying(kept);
                    debug!(backend = %self.name(), method = &*method.name, reason = kept.as_str(), "no retry");
                    return None;
                }
                tries.retries += 1;
                sleep(pause).await;
                if question.key.is_some_and(|key| self.means.quarantine.has_enough(key, Instant::now())) {
                    return None;
                }
            }
        }
        let (mut attempt, want) = match (self.endpoints.choose(&tries.tried, question), again) {
            (Some(attempt), _) => (attempt, Want::of(repeat)),
            (None, Again::Same) => (Attempt::admit(endpoint, method)?, Want::Opened),
            (None, Again::Unsent | Again::Elsewhere) => return None,
        };
        debug!(backend = %self.name(), endpoint = %attempt.endpoint.address, ?further, %fault, "tried again");
        if further == Further::Retry {
            attempt.gives_way();
            tries.after = Some(fault.as_str());
        }
        Some((attempt, want))
    }

    /// Whether an idempotent call that may have run would be tried again at this moment.
    pub(super) fn may_retry(&self, tries: &Tries, method: &Method) -> bool {
        tries.retries < self.means.settings().retries
            && self.endpoints.any_takes_but(&tries.tried, method)
            && !self.endpoints.most_are_out()
            && self.budget.left(Instant::now()) >= 1.0
    }

    /// Pays for a retry that takes `time` at least.
    fn afford(&self, tries: &Tries, time: Duration) -> Result<(), Kept> {
        let now = Instant::now();
        if tries.whole.is_some_and(|whole| whole.at < now + time) {
            return Err(Kept::Time);
        }
        if self.endpoints.most_are_out() {
            return Err(Kept::Outage);
        }
        self.budget.withdraw(now).map_err(|_| Kept::Budget)
    }
}

/// Further tries of a call of which nothing was sent. Where three endpoints refuse it, there is little hope in more.
pub(super) const REDIALS_MOST: u32 = 2;
/// Endpoints that may close on a call: a second one has the same cause, be it an exception that the service does not declare, or a
/// crash that a third endpoint is to be spared.
const CLOSES_MOST: u32 = 2;
