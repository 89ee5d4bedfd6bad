//! One call's tries: at which endpoint, over which connection, until when.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Backend;
use super::answer::Cut;
use super::attempt::Attempt;
use super::connection::{Broken, Verified};
use super::deadline::Deadline;
use super::loan::{Loan, Past, Want};
use super::method::{Method, Question};
use super::quarantine::Broke;
use super::retry::{Again, REDIALS_MOST, Tries};
use crate::call::{Answer, Call, Repeat, Terms};
use crate::dial::End;
use crate::fault::Fault;
use crate::need::{Demand, Need};

impl Backend {
    /// Asks for a reply, at another endpoint too where that is safe. `timeout` bounds the whole call, lines and tries
    /// included; `None` leaves it unbounded.
    ///
    /// # Errors
    /// The last try's fault, or [`Fault::Down`] without a try.
    pub(crate) async fn ask(
        &self,
        question: Question<'_>,
        timeout: Option<Duration>,
    ) -> Result<Answer, Fault> {
        self.ask_until(question, Deadline::after(timeout)).await
    }

    /// The same until a moment.
    pub(super) async fn ask_until(
        &self,
        question: Question<'_>,
        deadline: Option<Deadline>,
    ) -> Result<Answer, Fault> {
        let call = self.means.spelled(question.call)?;
        let question = Question { call: &call, ..question };
        self.admit(question)?;
        if question.is_miss() {
            self.means.tally.missed();
        }
        let mut tries = Tries::new(deadline);
        let mut attempt = self.first_attempt(question, tries.whole).await?;
        let mut want = Want::of(question.terms.repeat);
        loop {
            let deadline = self.try_deadline(tries.whole);
            let endpoint = Arc::clone(&attempt.endpoint);
            question.demand.goes_to(&endpoint.address);
            let (asked, again) = self.ask_over_one(&mut attempt, question, (want, deadline), &tries).await;
            self.note_deaths(question, &attempt, asked.as_ref());
            attempt.settle(asked.as_ref());
            if let Some(reason) = tries.ended() {
                self.means.tally.retried(reason, asked.is_ok());
            }
            let fault = match asked {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            // In a box, because most calls end with their first try.
            let next = self.try_again(&mut tries, (&fault, again), &endpoint, question);
            match Box::pin(next).await {
                Some(next) => (attempt, want) = next,
                None => return Err(fault),
            }
        }
    }

    /// Has a call that something else answers find out whether its method is back. What comes of it is noted where it was asked, and
    /// nobody waits for it.
    pub(crate) fn find_out(
        self: &Arc<Self>,
        call: Call,
        terms: Terms,
        method: Arc<Method>,
        timeout: Option<Duration>,
    ) {
        let this = Arc::clone(self);
        self.means.tasks.spawn(async move {
            let demand = Demand::new(Need::Refresh);
            let question =
                Question { call: &call, terms: &terms, method: &method, key: None, demand: &demand };
            let _ = this.ask(question, timeout).await;
        });
    }

    /// Lets no call through that endpoints die of.
    fn admit(&self, question: Question<'_>) -> Result<(), Fault> {
        let Some(key) = question.key.filter(|_| !self.settings().steer.tries_deadly) else { return Ok(()) };
        let held = self.means.quarantine.admit(key, Instant::now());
        held.map_err(|left| Fault::Quarantined { backend: Arc::clone(self.name()), left })
    }

    /// Takes into account what a try tells of whether endpoints die of its call.
    fn note_deaths(&self, question: Question<'_>, attempt: &Attempt, asked: Result<&Answer, &Fault>) {
        let (Some(key), Some(sent)) = (question.key, attempt.sent_at()) else { return };
        let (method, endpoint) = (question.method, &attempt.endpoint.address);
        let quarantine = &self.means.quarantine;
        match asked {
            Err(Fault::Closed { end: End::Closed | End::Cut, .. }) => {
                quarantine.broke(Broke { key, method, endpoint, sent }, Instant::now());
            }
            Ok(_)
            | Err(
                Fault::Exception { .. }
                | Fault::MissingResult { .. }
                | Fault::Failure { .. }
                | Fault::Oversized { .. }
                | Fault::Session { .. },
            ) => quarantine.answered(key, Instant::now()),
            Err(
                Fault::Unreachable { .. }
                | Fault::Down { .. }
                | Fault::Busy { .. }
                | Fault::Shed { .. }
                | Fault::Timeout { .. }
                | Fault::Closed { .. }
                | Fault::Garbage { .. }
                | Fault::Crowded(_)
                | Fault::Quarantined { .. }
                | Fault::Internal
                | Fault::Stopped
                | Fault::Untranslatable { .. },
            ) => {}
        }
    }

    /// The first attempt of a call, once there are endpoints.
    pub(super) async fn first_attempt(
        &self,
        question: Question<'_>,
        deadline: Option<Deadline>,
    ) -> Result<Attempt, Fault> {
        if self.endpoints.is_empty() {
            Box::pin(self.wait_for_lookup(deadline)).await?;
        }
        if let Some(over) = deadline.filter(|deadline| deadline.is_over()) {
            return Err(self.means.late(over));
        }
        let attempt = self.endpoints.choose(&[], question).ok_or_else(|| self.down())?;
        self.budget.deposit();
        Ok(attempt)
    }

    /// A connection at the first endpoint that lets one be had, and the attempt of its first call. Nothing is sent.
    pub(super) async fn borrow(
        &self,
        question: Question<'_>,
        want: Want,
        deadline: Option<Deadline>,
    ) -> Result<(Loan, Attempt), Fault> {
        let mut tried = Vec::new();
        let mut attempt = self.first_attempt(question, deadline).await?;
        loop {
            question.demand.goes_to(&attempt.endpoint.address);
            let fault = match Loan::take(&mut attempt, question, want, deadline).await {
                Ok(loan) => return Ok((loan, attempt)),
                Err(fault) => fault,
            };
            tried.push(attempt.endpoint.address.clone());
            attempt.failed(&fault);
            if tried.len() > REDIALS_MOST as usize {
                return Err(fault);
            }
            attempt = match self.endpoints.choose(&tried, question) {
                Some(attempt) if !deadline.is_some_and(Deadline::is_over) => attempt,
                Some(_) | None => return Err(fault),
            };
        }
    }

    /// The deadline of one try of a call that ends with `whole`.
    pub(super) fn try_deadline(&self, whole: Option<Deadline>) -> Option<Deadline> {
        let own = Deadline::after(self.means.settings().attempt_timeout);
        own.map_or(whole, |own| Some(own.or_earlier(whole)))
    }

    /// One try, over as many connections as prove to be closed before a byte is sent.
    async fn ask_over_one(
        &self,
        attempt: &mut Attempt,
        question: Question<'_>,
        (mut want, deadline): (Want, Option<Deadline>),
        tries: &Tries,
    ) -> (Result<Answer, Fault>, Again) {
        loop {
            let mut loan = match Loan::take(attempt, question, want, deadline).await {
                Ok(loan) => loan,
                Err(fault) => return (Err(fault), Again::Unsent),
            };
            attempt.sends(deadline);
            let means = &attempt.endpoint.means;
            let exchanged = match question.terms.repeat {
                Repeat::Once => Some(exchange_once(&mut loan, question, attempt.usual(), deadline).await),
                Repeat::Idempotent => {
                    let unread = until_unread(&loan, attempt.usual());
                    let silent = self.until_better_elsewhere(attempt, question.method, tries);
                    unless(unread, silent, loan.exchange(question.call, deadline)).await
                }
            };
            let Some(exchanged) = exchanged else {
                drop(loan);
                attempt.endpoint.reads_no_more(attempt.sent_at().unwrap_or_else(Instant::now));
                want = Want::Any;
                continue;
            };
            match (exchanged, loan.past) {
                (Ok(reply), _) => {
                    let after = reply.after;
                    let answer = means.classify(reply, question.terms);
                    if loan.is_settled(question.call, answer.as_ref()) {
                        loan.give_back(after);
                    }
                    return (answer, Again::Elsewhere);
                }
                // Its peer has closed it at rest; nothing was sent, so nothing is tried twice.
                (Err(Cut::Broken(Broken::Unsent)), Past::Used) => want = Want::Opened,
                (Err(cut @ Cut::Broken(Broken::Closed(End::Closed | End::Cut))), Past::Used) => {
                    return (Err(means.cut(cut)), Again::Same);
                }
                (Err(cut), Past::Used | Past::New) => return (Err(means.cut(cut)), Again::Elsewhere),
            }
        }
    }

    /// Waits until the endpoint of an attempt has fallen silent, and the call can be tried at another. As long as it cannot, it goes on
    /// waiting there: the endpoint may answer yet. A call that finds out whether it does has the time of a check: whoever wants the
    /// same waits behind it.
    async fn until_better_elsewhere(&self, attempt: &Attempt, method: &Method, tries: &Tries) {
        let check = self.means.settings().check_timeout;
        if attempt.is_probe() {
            sleep(check.max(attempt.usual() * 2)).await;
        }
        loop {
            let mut turned = pin!(self.means.turned.notified());
            turned.as_mut().enable();
            match attempt.endpoint.position.is_silent() {
                true if self.may_retry(tries, method) => return,
                // Time fills the budget of retries.
                true => _ = timeout(LOOK_AGAIN, turned).await,
                false => turned.await,
            }
        }
    }
}

/// What an exchange comes to, unless its endpoint falls silent before; nothing, if nobody reads its connection.
async fn unless(
    unread: impl Future<Output = ()>,
    silent: impl Future<Output = ()>,
    exchange: impl Future<Output = Result<Verified, Cut>>,
) -> Option<Result<Verified, Cut>> {
    let began = Instant::now();
    tokio::select! {
        biased;
        exchanged = exchange => Some(exchanged),
        () = unread => None,
        () = silent => Some(Err(Cut::Silent(began.elapsed()))),
    }
}

/// What an exchange comes to whose call may not be sent again: where nobody reads its connection, others make room for it.
async fn exchange_once(
    loan: &mut Loan,
    question: Question<'_>,
    usual: Duration,
    deadline: Option<Deadline>,
) -> Result<Verified, Cut> {
    // Most calls go over a connection that was used before, and was read.
    if loan.past == Past::Used {
        return loan.exchange(question.call, deadline).await;
    }
    let (endpoint, proof) = (Arc::clone(&loan.endpoint), Arc::clone(&loan.connection.proof));
    let makes_room = Box::pin(async move { endpoint.make_room(proof, usual).await });
    tokio::select! {
        biased;
        exchanged = loan.exchange(question.call, deadline) => exchanged,
        never = makes_room => match never {},
    }
}

/// Waits until a call on a new connection looks as if nobody read it. Does not end on one that was used before.
fn until_unread(loan: &Loan, usual: Duration) -> impl Future<Output = ()> + use<> {
    // In a box, because most calls go over a connection that was used before.
    let unread = (loan.past == Past::New).then(|| {
        let (endpoint, proof) = (Arc::clone(&loan.endpoint), Arc::clone(&loan.connection.proof));
        Box::pin(async move { endpoint.until_unread(proof, usual).await })
    });
    async move {
        match unread {
            Some(unread) => unread.await,
            None => std::future::pending().await,
        }
    }
}

/// How soon a call that waits at a silent endpoint looks again whether it can be tried elsewhere.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
