//! A connection in use: dropped, it is closed; only a call that ended well gives it back.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout, timeout_at};

use super::aging::{Fit, Stake};
use super::answer::Cut;
use super::attempt::Attempt;
use super::connection::{After, Broken, Connection, Open, Verified};
use super::deadline::Deadline;
use super::endpoint::Endpoint;
use super::line::{Permit, Unserved};
use super::method::Question;
use super::pool::Vacancy;
use super::queue::{Among, Wish};
use crate::call::{Call, Repeat};
use crate::dial::{End, Refusal, Stream};
use crate::fault::Fault;

/// A connection in use.
#[derive(Debug)]
pub(super) struct Loan {
    /// In a box: it is handed from the pool to a call and back, and a call's future holds its loan.
    pub(super) connection: Box<Connection>,
    /// The right to be a lane. Before the permit, as the connection is: what ends is counted off before another may begin.
    lane: Option<Permit>,
    permit: Permit,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) past: Past,
}

/// What a connection has behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// It has carried calls before.
    Used,
    /// It was opened for this call.
    New,
}

/// Which connections a call may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// Any.
    Any,
    /// One that did not rest long: a peer that is just closing one that rested would leave a call in doubt that may not
    /// be sent again.
    Fresh,
    /// One opened for it.
    Opened,
    /// One opened for its client, who keeps it for as long as he stays: the line for it is left after the time that
    /// opening one may take.
    Own,
    /// A fresh one, for a lane.
    Lane,
}

impl Want {
    /// What a call may have that may be sent again or not.
    pub(super) fn of(repeat: Repeat) -> Self {
        match repeat {
            Repeat::Once => Self::Fresh,
            Repeat::Idempotent => Self::Any,
        }
    }

    /// What a permit is wanted for.
    fn wish<'a>(self, attempt: &Attempt, question: Question<'a>, deadline: Option<Deadline>) -> Wish<'a> {
        let Question { call, demand, method, .. } = question;
        let method = match self {
            Self::Any | Self::Fresh | Self::Opened => Some(method.index),
            Self::Own | Self::Lane => None,
        };
        let (rank, refreshing_max) = (attempt.rank(demand.need()), attempt.endpoint.passage());
        let (among, until) = (Among { method, is_miss: question.is_miss() }, deadline.map(|it| it.at));
        Wish { rank, among, client: call.client, demand, until, refreshing_max }
    }
}

impl Loan {
    /// Waits for a connection to the attempt's endpoint, and opens one if there is none.
    ///
    /// # Errors
    /// Whatever it is, no byte was sent: a full line, a refusal, or a deadline that passed before there was a connection.
    pub(super) async fn take(
        attempt: &mut Attempt,
        question: Question<'_>,
        want: Want,
        deadline: Option<Deadline>,
    ) -> Result<Self, Fault> {
        let endpoint = Arc::clone(&attempt.endpoint);
        let Endpoint { pool, means, .. } = &*endpoint;
        // A line is left when what would be left of the call's time is shorter than answers usually are.
        let at = deadline.map(|deadline| deadline.at - attempt.usual().min(deadline.after));
        let patience = match want {
            Want::Any | Want::Fresh | Want::Opened | Want::Lane => at,
            Want::Own => {
                let bound = Instant::now() + means.settings().connect_timeout;
                Some(at.map_or(bound, |at| at.min(bound)))
            }
        };
        let unserved = |unserved: Unserved| match unserved {
            Unserved::Full(waiting) => means.busy(waiting),
            Unserved::Shed(waiting) => means.shed(waiting),
            Unserved::Moved => means.ejected(),
        };
        attempt.is_of_miss(question.is_miss());
        let wish = want.wish(attempt, question, deadline);
        let lane = match want {
            Want::Lane => Some(pool.lane(wish, patience).await.map_err(unserved)?),
            Want::Any | Want::Fresh | Want::Opened | Want::Own => None,
        };
        let permit = pool.permit(wish, patience).await.map_err(unserved)?;
        let method = question.method;
        let owner = question.call.owner();
        let any = Fit { rest: Duration::MAX, method, stake: Stake::Time, owner };
        let sure = Fit { rest: FRESH, method, stake: Stake::Call, owner };
        let slot = match want {
            Want::Any => pool.vacancy(any, &means.tally),
            Want::Fresh | Want::Lane => pool.vacancy(sure, &means.tally),
            Want::Opened | Want::Own => Vacancy::Room(pool.room()),
        };
        let loan = match slot {
            Vacancy::Used(connection) => Self { connection, lane: None, permit, endpoint, past: Past::Used },
            // In a box, so that the calls that need no other connection are small.
            Vacancy::Room(open) => {
                let opened = async {
                    let mut loan = Opening::begin(endpoint, permit, open).end(attempt, deadline).await?;
                    loan.identify(question.call, deadline).await?;
                    Ok::<_, Fault>(loan)
                };
                Box::pin(opened).await?
            }
        };
        Ok(Self { lane, ..loan })
    }

    /// Sends a call and reads its reply.
    pub(super) async fn exchange(
        &mut self,
        call: &Call,
        deadline: Option<Deadline>,
    ) -> Result<Verified, Cut> {
        let exchanged = until(deadline, pin!(self.connection.exchange(call))).await;
        if let Err(Cut::Broken(Broken::Closed(End::Closed | End::Cut))) = &exchanged {
            self.endpoint.pool.ended_under_call(&self.connection);
        }
        exchanged
    }

    /// Gives the connection back, if it is good for another call.
    pub(super) fn give_back(self, after: After) {
        match after {
            After::Clean => self.endpoint.pool.put(self.connection),
            After::Unsolicited => self.endpoint.means.tally.unsolicited(),
        }
    }

    /// Closes the connection once its peer has read all that was sent, and handled it as far as that can be waited for.
    pub(super) async fn finish(self) {
        let Self { connection, lane, permit, endpoint, .. } = self;
        let (closing, open) = connection.into_closing();
        let mut ended = pin!(closing.run());
        if timeout(COUNTED, &mut ended).await.is_ok() {
            return;
        }
        let Some(_lingering) = endpoint.pool.linger() else { return };
        drop((open, lane, permit));
        let _elapsed_or_ended = timeout(LINGER, ended).await;
    }
}

/// A connection that is being opened, and what it will be counted by.
struct Opening {
    dialled: BoxFuture<'static, io::Result<Box<dyn Stream>>>,
    /// When it has failed, whoever waits for it.
    bound: Instant,
    open: Open,
    /// Last, so that the connection is counted off before another may be opened.
    permit: Permit,
    endpoint: Arc<Endpoint>,
}

impl Opening {
    fn begin(endpoint: Arc<Endpoint>, permit: Permit, open: Open) -> Self {
        let bound = Instant::now() + endpoint.means.settings().connect_timeout;
        let dialling = Arc::clone(&endpoint);
        Self { endpoint, permit, open, bound, dialled: Box::pin(async move { dialling.dial().await }) }
    }

    /// Opens it. A deadline that passes before the bound ends the call and not the opening: whether the endpoint can be
    /// reached is found out all the same, and the connection is the next call's.
    async fn end(mut self, attempt: &mut Attempt, deadline: Option<Deadline>) -> Result<Loan, Fault> {
        let patience = deadline.filter(|deadline| deadline.at < self.bound);
        let Some(patience) = patience else { return self.finish().await };
        match timeout_at(patience.at, &mut self.dialled).await {
            Ok(dialled) => self.opened(dialled),
            Err(_) => {
                let means = Arc::clone(&self.endpoint.means);
                means.tasks.spawn(self.finish_without_caller(attempt.hand_over()));
                Err(means.late(patience))
            }
        }
    }

    async fn finish(mut self) -> Result<Loan, Fault> {
        match timeout_at(self.bound, &mut self.dialled).await {
            Ok(dialled) => self.opened(dialled),
            Err(_) => {
                let Endpoint { means, address, .. } = &*self.endpoint;
                Err(means.unreachable(Refusal::Silent, format!("{address}: no connection in time")))
            }
        }
    }

    async fn finish_without_caller(self, attempt: Attempt) {
        match self.finish().await {
            Ok(loan) => loan.give_back(After::Clean),
            Err(fault) => attempt.proves(&fault),
        }
    }

    fn opened(self, dialled: io::Result<Box<dyn Stream>>) -> Result<Loan, Fault> {
        let Self { endpoint, permit, open, .. } = self;
        let stream = dialled.map_err(|error| undialled(&endpoint, &error))?;
        let connection = endpoint.connection(stream, open);
        Ok(Loan { connection, lane: None, permit, endpoint, past: Past::New })
    }
}

/// The fault that an endpoint's connection was not opened.
fn undialled(Endpoint { means, address, .. }: &Endpoint, error: &io::Error) -> Fault {
    let refusal = Refusal::of(error);
    let why = match refusal {
        Refusal::Ours => format!("{address}: this gateway's host opened no connection: {error}"),
        Refusal::Refused
        | Refusal::Cut
        | Refusal::NoRoute
        | Refusal::Silent
        | Refusal::Untrusted
        | Refusal::Nameless => {
            format!("{address}: {error}")
        }
    };
    means.unreachable(refusal, why)
}

/// Waits for what a connection comes to until `deadline`. It is pinned, because whoever takes a future holds it twice.
pub(super) async fn until<T>(
    deadline: Option<Deadline>,
    exchange: Pin<&mut impl Future<Output = Result<T, Broken>>>,
) -> Result<T, Cut> {
    match deadline {
        None => exchange.await.map_err(Cut::Broken),
        Some(deadline) => {
            timeout_at(deadline.at, exchange).await.map_err(|_| Cut::Late(deadline))?.map_err(Cut::Broken)
        }
    }
}

/// How long a connection may have rested that carries a call which may not be sent twice. Servers are known to close connections
/// that rest for 2 s or more; thriftpy2's do after 3 s.
const FRESH: Duration = Duration::from_secs(1);
/// How long a connection that ends is still counted, and waited for by whoever needs its room.
const COUNTED: Duration = Duration::from_secs(1);
/// How long it may go on then, while its peer handles what it was sent.
pub(super) const LINGER: Duration = Duration::from_secs(60);
