//! A connection in use: dropped, it is closed; only a call that ended well gives it back.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::answer::Cut;
use super::connection::{After, Broken, Connection, Idle, Open, Verified};
use super::deadline::Deadline;
use super::ejection::Verdict;
use super::endpoint::{Attempt, Endpoint};
use super::pool::Slot;
use crate::call::Call;
use crate::dial::Stream;
use crate::fault::Fault;

/// A connection in use.
#[derive(Debug)]
pub(super) struct Loan {
    connection: Connection,
    /// Before the permit, so that a closed connection is counted off before another may be opened.
    permit: OwnedSemaphorePermit,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) origin: Origin,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It has carried calls before.
    Pool,
    /// It was opened for this call.
    Opened,
}

/// Which connections a call may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// Any.
    Any,
    /// One opened for it.
    Opened,
    /// One opened for its client, who keeps it for as long as he stays: the line for it is left after the time that
    /// opening one may take.
    Own,
}

impl Loan {
    /// Waits for a connection to the attempt's endpoint, and opens one if there is none.
    ///
    /// # Errors
    /// Whatever it is, no byte was sent: a full line, a refusal, or a deadline that passed before there was a connection.
    pub(super) async fn take(
        attempt: &mut Attempt,
        want: Want,
        deadline: Option<Deadline>,
    ) -> Result<Self, Fault> {
        let endpoint = Arc::clone(&attempt.endpoint);
        let Endpoint { pool, means, .. } = &*endpoint;
        let at = deadline.map(|deadline| deadline.at);
        let patience = match want {
            Want::Any | Want::Opened => at,
            Want::Own => {
                let bound = Instant::now() + means.settings.connect_timeout;
                Some(at.map_or(bound, |at| at.min(bound)))
            }
        };
        let permit = pool.permit(patience).await.map_err(|full| means.busy(full.waiting))?;
        let slot = match want {
            Want::Any => loop {
                match pool.slot(&means.tally) {
                    Ok(slot) => break slot,
                    Err(rested) if at.is_some_and(|at| at < rested) => return Err(means.busy(0)),
                    Err(rested) => tokio::time::sleep_until(rested).await,
                }
            },
            Want::Opened | Want::Own => Slot::Room(pool.room().ok_or_else(|| means.busy(0))?),
        };
        match slot {
            Slot::Used(connection) => Ok(Self { connection, permit, endpoint, origin: Origin::Pool }),
            Slot::Room(open) => Opening::begin(endpoint, permit, open).end(attempt, deadline).await,
        }
    }

    /// Sends a call and reads its reply.
    pub(super) async fn exchange(
        &mut self,
        call: &Call,
        deadline: Option<Deadline>,
    ) -> Result<Verified, Cut> {
        until(deadline, self.connection.exchange(call)).await
    }

    /// Sends a call that has no reply.
    pub(super) async fn send(&mut self, call: &Call, deadline: Option<Deadline>) -> Result<(), Cut> {
        until(deadline, self.connection.send(call)).await
    }

    /// Gives the connection back, if it is good for another call.
    pub(super) fn give_back(self, after: After) {
        match after {
            After::Clean => self.endpoint.pool.put(self.connection),
            After::Unsolicited => self.endpoint.means.tally.unsolicited(),
        }
    }

    /// Gives the connection back after a oneway call.
    pub(super) fn give_back_rested(mut self) {
        self.rest();
        self.endpoint.pool.put(self.connection);
    }

    /// Closes the connection after a call that may or may not be answered, once its peer had time to read it.
    pub(super) fn finish_later(self) {
        let tasks = self.endpoint.means.tasks.clone();
        tasks.spawn(async move {
            tokio::time::sleep(ONEWAY_REST).await;
            // Late bytes are read rather than refused: a reset could reach the peer before it has read the call.
            let _elapsed = tokio::time::timeout(LINGER, self.connection.finish()).await;
            drop(self.permit);
        });
    }

    /// Lets the connection rest after a oneway call.
    pub(super) fn rest(&mut self) {
        self.connection.rests_until = Some(Instant::now() + ONEWAY_REST);
    }

    /// Waits until the rest is over and drops what came meanwhile; without a rest, nothing may have come.
    pub(super) async fn rested(&mut self) -> Idle {
        let Some(until) = self.connection.rests_until.take() else {
            return self.connection.look();
        };
        tokio::time::sleep_until(until).await;
        match self.connection.discard() {
            Idle::Unsolicited => {
                self.endpoint.means.tally.unsolicited();
                Idle::Quiet
            }
            quiet_or_closed @ (Idle::Quiet | Idle::Closed) => quiet_or_closed,
        }
    }
}

/// A connection that is being opened, and what it will be counted by.
struct Opening {
    dialled: BoxFuture<'static, io::Result<Box<dyn Stream>>>,
    /// When it has failed, whoever waits for it.
    bound: Instant,
    open: Open,
    /// Last, so that the connection is counted off before another may be opened.
    permit: OwnedSemaphorePermit,
    endpoint: Arc<Endpoint>,
}

impl Opening {
    fn begin(endpoint: Arc<Endpoint>, permit: OwnedSemaphorePermit, open: Open) -> Self {
        let bound = Instant::now() + endpoint.means.settings.connect_timeout;
        let (dial, address) = (Arc::clone(&endpoint.means.dial), endpoint.address);
        Self { endpoint, permit, open, bound, dialled: Box::pin(async move { dial.dial(address).await }) }
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
                Err(means.unreachable(format!("{address}: no connection in time")))
            }
        }
    }

    async fn finish_without_caller(self, attempt: Attempt) {
        match self.finish().await {
            Ok(loan) => {
                loan.give_back(After::Clean);
                attempt.end(Verdict::Neutral);
            }
            Err(_) => attempt.end(Verdict::Failed),
        }
    }

    fn opened(self, dialled: io::Result<Box<dyn Stream>>) -> Result<Loan, Fault> {
        let Self { endpoint, permit, open, .. } = self;
        let means = &endpoint.means;
        let stream = dialled.map_err(|error| means.unreachable(format!("{}: {error}", endpoint.address)))?;
        means.tally.opened();
        let connection = Connection::new(stream, &means.settings, means.chance.seqids(), open);
        Ok(Loan { connection, permit, endpoint, origin: Origin::Opened })
    }
}

async fn until<T>(
    deadline: Option<Deadline>,
    exchange: impl Future<Output = Result<T, Broken>>,
) -> Result<T, Cut> {
    match deadline {
        None => exchange.await.map_err(Cut::Broken),
        Some(deadline) => {
            timeout_at(deadline.at, exchange).await.map_err(|_| Cut::Late(deadline))?.map_err(Cut::Broken)
        }
    }
}

/// How long a connection is not used after a oneway call. thriftpy2 answers a oneway call of a method it does not know, and
/// one of a method that has a reply; on a local network such an answer has come by then.
pub(super) const ONEWAY_REST: Duration = Duration::from_millis(20);
/// How long a connection that was ended on this side waits for its other end.
const LINGER: Duration = Duration::from_secs(1);
