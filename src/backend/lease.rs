//! A connection in use: dropped, it is closed; only a call that ended well gives it back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Backend;
use super::connection::{After, Broken, Connection, Idle, Open, Reply};
use super::endpoint::Endpoint;
use super::pool::Slot;
use crate::call::Call;
use crate::fault::Fault;

/// A connection in use.
#[derive(Debug)]
pub(super) struct Lease {
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
}

/// When an attempt must end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) at: Instant,
    pub(super) after: Duration,
}

impl Limit {
    /// The limit `time` from here; none without a time.
    pub(super) fn after(time: Option<Duration>) -> Option<Self> {
        time.map(|after| Self { at: Instant::now() + after, after })
    }
}

/// What ended an exchange without a reply.
#[derive(Debug)]
pub(super) enum Cut {
    Broken(Broken),
    Late(Duration),
}

impl Lease {
    /// Waits for a connection to `endpoint`, and opens one if there is none.
    pub(super) async fn take(
        backend: &Backend,
        endpoint: &Arc<Endpoint>,
        want: Want,
        deadline: Option<Instant>,
    ) -> Result<Self, Fault> {
        let pool = &endpoint.pool;
        let permit = pool.permit(deadline).await.map_err(|_| backend.busy())?;
        let slot = match want {
            Want::Any => loop {
                match pool.slot(&backend.tally) {
                    Ok(slot) => break slot,
                    Err(rested) if deadline.is_some_and(|deadline| deadline < rested) => {
                        return Err(backend.busy());
                    }
                    Err(rested) => tokio::time::sleep_until(rested).await,
                }
            },
            Want::Opened => Slot::Room(pool.room().ok_or_else(|| backend.busy())?),
        };
        let (connection, origin) = match slot {
            Slot::Used(connection) => (connection, Origin::Pool),
            Slot::Room(open) => (open_one(backend, endpoint, open, deadline).await?, Origin::Opened),
        };
        Ok(Self { connection, permit, endpoint: Arc::clone(endpoint), origin })
    }

    /// Sends a call and reads its reply.
    pub(super) async fn exchange(&mut self, call: &Call, limit: Option<Limit>) -> Result<Reply, Cut> {
        limited(limit, self.connection.exchange(call)).await
    }

    /// Sends a call that has no reply.
    pub(super) async fn send(&mut self, call: &Call, limit: Option<Limit>) -> Result<(), Cut> {
        limited(limit, self.connection.send(call)).await
    }

    /// Gives the connection back, if it is good for another call.
    pub(super) fn give_back(self, after: After, backend: &Backend) {
        match after {
            After::Clean => self.endpoint.pool.put(self.connection),
            After::Unsolicited => backend.tally.unsolicited(),
        }
    }

    /// Gives the connection back after a oneway call.
    pub(super) fn give_back_rested(mut self) {
        self.rest();
        self.endpoint.pool.put(self.connection);
    }

    /// Closes the connection after a call that may or may not be answered, once its peer had time to read it.
    pub(super) fn finish_later(self) {
        tokio::spawn(async move {
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
    pub(super) async fn rested(&mut self, backend: &Backend) -> Idle {
        let Some(until) = self.connection.rests_until.take() else {
            return self.connection.look();
        };
        tokio::time::sleep_until(until).await;
        match self.connection.discard() {
            Idle::Unsolicited => {
                backend.tally.unsolicited();
                Idle::Quiet
            }
            quiet_or_closed @ (Idle::Quiet | Idle::Closed) => quiet_or_closed,
        }
    }
}

async fn open_one(
    backend: &Backend,
    endpoint: &Endpoint,
    open: Open,
    deadline: Option<Instant>,
) -> Result<Connection, Fault> {
    let bound = Instant::now() + backend.settings.connect_timeout;
    let bound = deadline.map_or(bound, |deadline| deadline.min(bound));
    let address = endpoint.address;
    match tokio::time::timeout_at(bound, backend.dial.dial(address)).await {
        Ok(Ok(stream)) => {
            backend.tally.opened();
            Ok(Connection::new(stream, &backend.settings, open))
        }
        Ok(Err(error)) => Err(backend.unreachable(format!("{address}: {error}"))),
        Err(_) => Err(backend.unreachable(format!("{address}: no connection in time"))),
    }
}

async fn limited<T>(
    limit: Option<Limit>,
    exchange: impl Future<Output = Result<T, Broken>>,
) -> Result<T, Cut> {
    match limit {
        None => exchange.await.map_err(Cut::Broken),
        Some(Limit { at, after }) => {
            tokio::time::timeout_at(at, exchange).await.map_err(|_| Cut::Late(after))?.map_err(Cut::Broken)
        }
    }
}

/// How long a connection is not used after a oneway call. thriftpy2 answers a oneway call of a method it does not know, and
/// one of a method that has a reply; on a local network such an answer has come by then.
pub(super) const ONEWAY_REST: Duration = Duration::from_millis(20);
/// How long a connection that was ended on this side waits for its other end.
const LINGER: Duration = Duration::from_secs(1);
