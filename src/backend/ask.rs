//! One call's tries: at which endpoint, over which connection, and whether there is another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Backend;
use super::answer::Cut;
use super::connection::Broken;
use super::deadline::Deadline;
use super::endpoint::Attempt;
use super::loan::{Loan, Past, Want};
use crate::call::{Answer, Call, Repeat, Terms};
use crate::fault::{Fault, Retry};

/// One call's tries.
struct Tries {
    whole: Option<Deadline>,
    /// Endpoints that were asked. Allocates with the first fault only.
    tried: Vec<SocketAddr>,
    second: Second,
}

/// Whether a call that may have run may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Second {
    Possible,
    Spent,
}

/// What a failed try leaves possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// No byte was sent: any other endpoint.
    Unsent,
    /// Another endpoint, if the method and the fault allow it.
    Elsewhere,
    /// As that, and the same endpoint too: a connection that had been idle ended without a byte, as it does when its
    /// server closes it at that moment.
    Same,
}

impl Backend {
    /// Asks for a reply, at another endpoint too where that is safe. `timeout` bounds the whole call, lines and tries
    /// included; `None` leaves it unbounded.
    ///
    /// # Errors
    /// The last try's fault, or [`Fault::Down`] without a try.
    pub(crate) async fn ask(
        &self,
        call: &Call,
        terms: &Terms,
        timeout: Option<Duration>,
    ) -> Result<Answer, Fault> {
        self.ask_until(call, terms, Deadline::after(timeout)).await
    }

    /// The same until a moment.
    pub(super) async fn ask_until(
        &self,
        call: &Call,
        terms: &Terms,
        deadline: Option<Deadline>,
    ) -> Result<Answer, Fault> {
        self.means.same_protocol(call)?;
        let mut tries = Tries::new(deadline);
        let mut attempt = self.first_attempt(terms.repeat, tries.whole).await?;
        let mut want = Want::Any;
        loop {
            let deadline = self.attempt_deadline(&tries, terms);
            let endpoint = Arc::clone(&attempt.endpoint);
            let (asked, again) = ask_once(attempt, call, terms, want, deadline).await;
            let fault = match asked {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            if !tries.may_go_on(&fault, again, terms.repeat) {
                return Err(fault);
            }
            tries.tried.push(endpoint.address);
            (attempt, want) = match (self.endpoints.choose(&tries.tried, terms.repeat), again) {
                (Some(attempt), _) => (attempt, Want::Any),
                (None, Again::Same) => match Attempt::admit(&endpoint) {
                    Some(attempt) => (attempt, Want::Opened),
                    None => return Err(fault),
                },
                (None, Again::Unsent | Again::Elsewhere) => return Err(fault),
            };
            self.means.tally.retried();
        }
    }

    /// The first attempt of a call, once there are endpoints.
    pub(super) async fn first_attempt(
        &self,
        repeat: Repeat,
        deadline: Option<Deadline>,
    ) -> Result<Attempt, Fault> {
        if self.endpoints.is_empty() {
            Box::pin(self.wait_for_lookup(deadline)).await?;
        }
        if let Some(over) = deadline.filter(|deadline| deadline.is_over()) {
            return Err(self.means.late(over));
        }
        self.endpoints.choose(&[], repeat).ok_or_else(|| self.means.down())
    }

    /// A connection at the first endpoint that lets one be had, and the attempt of its first call. Nothing is sent.
    pub(super) async fn borrow(
        &self,
        want: Want,
        deadline: Option<Deadline>,
    ) -> Result<(Loan, Attempt), Fault> {
        let mut tried = Vec::new();
        let mut attempt = self.first_attempt(Repeat::Once, deadline).await?;
        loop {
            let fault = match Loan::take(&mut attempt, want, deadline).await {
                Ok(loan) => return Ok((loan, attempt)),
                Err(fault) => fault,
            };
            tried.push(attempt.endpoint.address);
            attempt.failed(&fault);
            attempt = match self.endpoints.choose(&tried, Repeat::Once) {
                Some(attempt) if !deadline.is_some_and(Deadline::is_over) => attempt,
                Some(_) | None => return Err(fault),
            };
        }
    }

    fn attempt_deadline(&self, tries: &Tries, terms: &Terms) -> Option<Deadline> {
        let second = terms.repeat == Repeat::Idempotent
            && tries.second == Second::Possible
            && self.endpoints.len() > tries.tried.len() + 1;
        let share = match (self.means.settings.attempt_timeout, tries.whole) {
            (Some(own), _) => Some(own),
            (None, Some(whole)) if second => Some(whole.after / 2),
            (None, _) => None,
        };
        Deadline::after(share).map_or(tries.whole, |attempt| Some(attempt.or_earlier(tries.whole)))
    }

    /// The deadline of a call's only try.
    pub(super) fn try_deadline(&self, whole: Option<Deadline>) -> Option<Deadline> {
        let own = Deadline::after(self.means.settings.attempt_timeout);
        own.map_or(whole, |own| Some(own.or_earlier(whole)))
    }
}

impl Tries {
    fn new(whole: Option<Deadline>) -> Self {
        Self { whole, tried: Vec::new(), second: Second::Possible }
    }

    /// Whether to try again after `fault`.
    fn may_go_on(&mut self, fault: &Fault, again: Again, repeat: Repeat) -> bool {
        if self.whole.is_some_and(Deadline::is_over) {
            return false;
        }
        let retry = match again {
            Again::Unsent => Retry::Unsent,
            Again::Elsewhere | Again::Same => fault.retry(),
        };
        match (retry, repeat, self.second) {
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

async fn ask_once(
    mut attempt: Attempt,
    call: &Call,
    terms: &Terms,
    want: Want,
    deadline: Option<Deadline>,
) -> (Result<Answer, Fault>, Again) {
    let (asked, again) = ask_over_one(&mut attempt, call, terms, want, deadline).await;
    attempt.settle(asked.as_ref());
    (asked, again)
}

async fn ask_over_one(
    attempt: &mut Attempt,
    call: &Call,
    terms: &Terms,
    mut want: Want,
    deadline: Option<Deadline>,
) -> (Result<Answer, Fault>, Again) {
    let means = Arc::clone(&attempt.endpoint.means);
    loop {
        let loan = match Loan::take(attempt, want, deadline).await {
            Ok(loan) => loan,
            Err(fault) => return (Err(fault), Again::Unsent),
        };
        attempt.sends(deadline);
        let past = loan.past;
        match (carry(loan, call, terms, deadline).await, past) {
            (Ok(asked), _) => return (asked, Again::Elsewhere),
            // Its peer has closed it at rest; nothing was sent, so nothing is tried twice.
            (Err(Cut::Broken(Broken::Unsent)), Past::Used) => want = Want::Opened,
            (Err(cut @ Cut::Broken(Broken::Closed)), Past::Used) => {
                return (Err(means.cut(cut)), Again::Same);
            }
            (Err(cut), Past::Used | Past::New) => return (Err(means.cut(cut)), Again::Elsewhere),
        }
    }
}

/// Takes a call over one connection. The outer error leaves open what to do, the inner one is the backend's answer.
async fn carry(
    mut loan: Loan,
    call: &Call,
    terms: &Terms,
    deadline: Option<Deadline>,
) -> Result<Result<Answer, Fault>, Cut> {
    let reply = loan.exchange(call, deadline).await?;
    let means = Arc::clone(&loan.endpoint.means);
    loan.give_back(reply.after);
    Ok(means.classify(reply, terms))
}
