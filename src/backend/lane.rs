//! One client's own connection to an endpoint, on which its calls go in order: a task that writes them, and that tells the
//! answers nobody asked for from the reply that is due.
//!
//! Calls without a reply are written without waiting for their handlers, and nobody else's call is ever behind them. A
//! reply says that all before it was handled: with it, a lane for oneways has done its work, and its connection is any
//! call's again. Without one it rests, and ends when it has rested long enough or when its room is needed: its peer is told
//! that nothing more comes, and has the time to read all that came. Calls with a reply that are given together are a run: they
//! are written without waiting for each other, and the last reply is the lane's end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::Cut;
use super::connection::{After, Broken, Verified};
use super::deadline::{Deadline, within};
use super::endpoint::Endpoint;
use super::errand::{Errand, Rider, Told};
use super::loan::{Loan, until};
use super::means::Means;
use super::run::{Ended, Failed, Over, Run};
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

/// What will come of a call that follows others.
#[derive(Debug)]
pub(super) struct Following(oneshot::Receiver<Told>);

/// How long a lane lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    /// Until a reply, or a rest.
    UntilAnswered,
    /// As long as its client.
    ForGood,
}

impl Lane {
    /// Makes a connection a lane.
    pub(super) fn begin(loan: Loan, lasts: Lasts) -> Self {
        let (errands, given) = mpsc::channel(AHEAD);
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
        let (done, outcome) = oneshot::channel();
        let run = pin!(async {
            if self.errands.send(Errand::Send(call.clone(), done)).await.is_err() {
                return Err(Broken::Unsent);
            }
            // Without a word it may have left.
            outcome.await.unwrap_or(Err(Broken::Closed(End::Closed)))
        });
        until(deadline, run).await
    }

    /// Sends a call and waits for its reply. [`Broken::Unsent`] tells that the lane is over.
    pub(super) async fn exchange(&self, call: &Call, deadline: Option<Deadline>) -> Result<Verified, Cut> {
        let run = pin!(async {
            let Some(following) = self.follow(call, None).await else { return Ok(Told::Cut(UNSENT)) };
            Ok(following.told().await)
        });
        match until(deadline, run).await? {
            Told::Reply(reply) => Ok(reply),
            Told::Cut(cut) => Err(cut),
            Told::Behind => Err(Cut::Broken(Broken::Closed(End::Closed))),
            Told::Back(_) => Err(UNSENT),
        }
    }

    /// Has a call follow those that were given before. What came of it is told later; nothing, if the lane is over. `timeout` begins when
    /// nothing before the call is unanswered.
    pub(super) async fn follow(&self, call: &Call, timeout: Option<Duration>) -> Option<Following> {
        let (told, following) = oneshot::channel();
        let rider = Rider { call: call.clone(), timeout, told };
        self.errands.send(Errand::Exchange(rider)).await.ok()?;
        Some(Following(following))
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
}

impl Following {
    /// What came of the call.
    pub(super) async fn told(self) -> Told {
        // Without a word it may have left.
        self.0.await.unwrap_or(Told::Behind)
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
    let (mut needed_since, mut given) = (None, None);
    let failed = loop {
        let errand = match given.take() {
            Some(errand) => Ok(errand),
            None => next(&mut loan, lasts, &mut needed_since, &mut errands).await,
        };
        let went_on = match errand {
            Ok(Errand::Send(call, done)) => send(&mut loan, &call, done).await,
            Ok(Errand::Exchange(rider)) => {
                let Ended { reply, told, next } = match Run::new(&mut loan, &mut errands).ride(rider).await {
                    Ok(ended) => ended,
                    Err(failed) => break failed,
                };
                given = next;
                if given.is_none() && lasts == Lasts::UntilAnswered {
                    errands.close();
                    let Ok(errand) = errands.try_recv() else {
                        loan.give_back(reply.after);
                        let _heard_or_not = told.send(Told::Reply(reply));
                        return;
                    };
                    given = Some(errand);
                }
                let kept = keeps(&loan, reply.after);
                let _heard_or_not = told.send(Told::Reply(reply));
                kept
            }
            Err(over) => Err(over),
        };
        if let Err(over) = went_on {
            break Failed { over, unsent: given.into_iter().collect() };
        }
    };
    end(loan, failed, errands).await;
}

/// Ends a lane, and gives back what was not sent, call by call: once what has left is handled, and what came before has ended.
async fn end(loan: Loan, Failed { over, mut unsent }: Failed, mut errands: mpsc::Receiver<Errand>) {
    errands.close();
    while let Ok(errand) = errands.try_recv() {
        unsent.push(errand);
    }
    match over {
        Over::Left if loan.connection.unfinished() > 0 => loan.finish().await,
        Over::Left | Over::Gone => drop(loan),
    }
    for errand in unsent {
        errand.give_back().await;
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
        Lasts::UntilAnswered => Some(endpoint.pool.rest(connection.opened, needed_since)),
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

/// What tells that a lane is over.
const UNSENT: Cut = Cut::Broken(Broken::Unsent);
/// Calls that are given to a lane before it takes them up. Of those that it has, its client's listener bounds the number.
const AHEAD: usize = 32;
/// Calls without a reply that may be unhandled on one lane: their numbers are kept, to know their answers. Behind so many,
/// the client's next one waits until they are handled.
const UNFINISHED_MAX: usize = 4096;
