//! One client's own connection to an endpoint, on which its calls go in order: a task that writes them, and that tells the
//! answers nobody asked for from the reply that is due.
//!
//! Calls without a reply are written without waiting for their handlers, and nobody else's call is ever behind them. A
//! reply says that all before it was handled: with it, a lane for oneways has done its work, and its connection is any
//! call's again. Without one it rests, and ends when it has rested long enough or when its room is needed: its peer is told
//! that nothing more comes, and has the time to read all that came.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::Cut;
use super::connection::{After, Broken, Verified};
use super::deadline::{Deadline, within};
use super::endpoint::Endpoint;
use super::loan::{Loan, until};
use super::means::Means;
use crate::call::Call;
use crate::dial::End;
use crate::fault::Fault;

/// A client's hold of its lane. Dropped, the lane ends.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) endpoint: Arc<Endpoint>,
    errands: mpsc::Sender<Errand>,
    ended: CancellationToken,
}

/// The end of a lane.
#[derive(Debug)]
pub(super) struct LaneEnd(CancellationToken);

/// How long a lane lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    /// Until a reply, or a rest.
    UntilAnswered,
    /// As long as its client.
    ForGood,
}

/// A call, and where to say what came of it. Whoever stops listening takes the call back, if it has not begun to leave.
enum Errand {
    Send(Call, oneshot::Sender<Result<(), Broken>>),
    Exchange(Call, oneshot::Sender<Result<Verified, Broken>>),
}

/// How a lane ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    /// From this side: its peer may have calls to read and to handle.
    Left,
    /// From the other.
    Gone,
}

impl Lane {
    /// Makes a connection a lane.
    pub(super) fn begin(loan: Loan, lasts: Lasts) -> Self {
        // A client's calls come one after another; what it does not await it has taken back.
        let (errands, given) = mpsc::channel(1);
        let (endpoint, ended) = (Arc::clone(&loan.endpoint), CancellationToken::new());
        let ends = ended.clone().drop_guard();
        endpoint.means.tasks.spawn(async move {
            drive(loan, lasts, given).await;
            drop(ends);
        });
        Self { endpoint, errands, ended }
    }

    /// Sends a call that has no reply, behind all that were sent before. [`Broken::Unsent`] tells that the lane is over.
    pub(super) async fn send(&self, call: &Call, deadline: Option<Deadline>) -> Result<(), Cut> {
        self.give(deadline, |done| Errand::Send(call.clone(), done)).await
    }

    /// Sends a call and waits for its reply. [`Broken::Unsent`] tells that the lane is over.
    pub(super) async fn exchange(&self, call: &Call, deadline: Option<Deadline>) -> Result<Verified, Cut> {
        self.give(deadline, |done| Errand::Exchange(call.clone(), done)).await
    }

    /// Whether it takes no further calls.
    pub(super) fn is_over(&self) -> bool {
        self.errands.is_closed()
    }

    /// Ends it, if it is not over. What is left is its end: then its peer has handled all that was sent, as far as that can
    /// be waited for.
    pub(super) fn leave(self) -> LaneEnd {
        LaneEnd(self.ended)
    }

    async fn give<T>(
        &self,
        deadline: Option<Deadline>,
        errand: impl FnOnce(oneshot::Sender<Result<T, Broken>>) -> Errand,
    ) -> Result<T, Cut> {
        let (done, outcome) = oneshot::channel();
        let run = pin!(async {
            if self.errands.send(errand(done)).await.is_err() {
                return Err(Broken::Unsent);
            }
            // Without a word it may have left.
            outcome.await.unwrap_or(Err(Broken::Closed(End::Closed)))
        });
        until(deadline, run).await
    }
}

impl Means {
    /// Waits for the end of a lane, so that what its client sends next comes next there too.
    pub(super) async fn wait(&self, end: LaneEnd, deadline: Option<Deadline>) -> Result<(), Fault> {
        match (within(deadline.map(|deadline| deadline.at), end.0.cancelled()).await, deadline) {
            (Err(_), Some(deadline)) => Err(self.late(deadline)),
            (Ok(()), _) | (Err(_), None) => Ok(()),
        }
    }
}

async fn drive(mut loan: Loan, lasts: Lasts, mut errands: mpsc::Receiver<Errand>) {
    let mut needed_since = None;
    let over = loop {
        let went_on = match next(&mut loan, lasts, &mut needed_since, &mut errands).await {
            Ok(Errand::Send(call, done)) => send(&mut loan, &call, done).await,
            Ok(Errand::Exchange(call, done)) => match exchange(&mut loan, &call, done).await {
                Ok((reply, done)) if lasts == Lasts::UntilAnswered => {
                    errands.close();
                    loan.give_back(reply.after);
                    let _ = done.send(Ok(reply));
                    return;
                }
                Ok((reply, done)) => {
                    let after = keeps(&loan, reply.after);
                    let _ = done.send(Ok(reply));
                    after
                }
                Err(over) => Err(over),
            },
            Err(over) => Err(over),
        };
        if let Err(over) = went_on {
            break over;
        }
    };
    errands.close();
    while let Ok(errand) = errands.try_recv() {
        errand.refuse();
    }
    if over == Over::Left && loan.connection.unfinished() > 0 {
        loan.finish().await;
    }
}

/// Waits for the next call, and drops meanwhile what answers those without a reply.
async fn next(
    loan: &mut Loan,
    lasts: Lasts,
    needed_since: &mut Option<Instant>,
    errands: &mut mpsc::Receiver<Errand>,
) -> Result<Errand, Over> {
    let Loan { connection, endpoint, .. } = loan;
    let rest = match lasts {
        Lasts::UntilAnswered => Some(endpoint.pool.rest(needed_since)),
        Lasts::ForGood => None,
    };
    let rested = async {
        match rest {
            Some(rest) => rest.over().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        errand = errands.recv() => errand.ok_or(Over::Left),
        broken = connection.drop_strays() => match broken {
            Broken::Closed(_) | Broken::Unsent => Err(Over::Gone),
            Broken::Garbage(_) | Broken::Oversized(_) => {
                endpoint.means.tally.unsolicited();
                Err(Over::Left)
            }
        },
        () = rested => Err(Over::Left),
    }
}

async fn send(
    loan: &mut Loan,
    call: &Call,
    mut done: oneshot::Sender<Result<(), Broken>>,
) -> Result<(), Over> {
    if done.is_closed() {
        return Ok(());
    }
    let connection = &mut loan.connection;
    if connection.unfinished() >= UNFINISHED_MAX {
        let _ = done.send(Err(Broken::Unsent));
        return Err(Over::Left);
    }
    let sent = tokio::select! {
        biased;
        sent = connection.send(call) => sent,
        // Of what has left in part, its peer reads no more than that; what went before, it reads and handles.
        () = done.closed() => return connection.withdraw().map_err(|_| Over::Left),
    };
    let over = sent.as_ref().map_err(Over::after).copied();
    let _ = done.send(sent);
    over
}

/// A reply and who waits for it.
type Due = (Verified, oneshot::Sender<Result<Verified, Broken>>);

async fn exchange(
    loan: &mut Loan,
    call: &Call,
    mut done: oneshot::Sender<Result<Verified, Broken>>,
) -> Result<Due, Over> {
    let reply = tokio::select! {
        biased;
        reply = loan.connection.exchange(call) => Some(reply),
        () = done.closed() => None,
    };
    match reply {
        Some(Ok(reply)) => Ok((reply, done)),
        Some(Err(broken)) => {
            let over = Over::after(&broken);
            let _ = done.send(Err(broken));
            Err(over)
        }
        // Its reply may still come, and nothing can be told apart from it.
        None => Err(Over::Left),
    }
}

/// Whether a lane that lasts as long as its client lasts after a reply.
fn keeps(loan: &Loan, after: After) -> Result<(), Over> {
    match after {
        After::Clean => Ok(()),
        After::Unsolicited => {
            loan.endpoint.means.tally.unsolicited();
            Err(Over::Gone)
        }
    }
}

impl Over {
    fn after(broken: &Broken) -> Self {
        match broken {
            Broken::Unsent | Broken::Closed(_) => Self::Gone,
            Broken::Garbage(_) | Broken::Oversized(_) => Self::Left,
        }
    }
}

impl Errand {
    /// Gives it back unsent.
    fn refuse(self) {
        let _ = match self {
            Self::Send(_, done) => done.send(Err(Broken::Unsent)).is_ok(),
            Self::Exchange(_, done) => done.send(Err(Broken::Unsent)).is_ok(),
        };
    }
}

/// Calls without a reply that may be unhandled on one lane: their numbers are kept, to know their answers. Behind so many,
/// the client's next one waits until they are handled.
const UNFINISHED_MAX: usize = 4096;
