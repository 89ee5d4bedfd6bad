//! What one client's connection has of its own at a backend: a lane for its oneways, or a connection for all its calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use super::answer::Cut;
use super::attempt::Attempt;
use super::connection::Broken;
use super::deadline::Deadline;
use super::lane::{Lane, Lasts};
use super::loan::{Past, Want};
use super::method::{Method, Question};
use super::private::Private;
use super::{Backend, Sharing};
use crate::call::{Answer, Answering, ClientId, Repeat};
use crate::fault::Fault;

/// What one client's connection has of its own at a backend.
#[derive(Debug)]
pub(crate) struct Session {
    /// Whose it is.
    pub(crate) client: ClientId,
    ways: Ways,
}

#[derive(Debug)]
enum Ways {
    /// Others' connections for calls that are answered, and a lane from the first oneway until a reply shows that all were
    /// handled.
    Shared(Oneways),
    /// A connection for all its calls.
    Private(Mutex<Private>),
}

/// The lane of a client's oneways.
#[derive(Debug, Default)]
struct Oneways {
    lane: Mutex<Option<Lane>>,
    /// Whether there was one: the calls of most clients, which send none, need not look for a lane.
    were_sent: AtomicBool,
}

impl Oneways {
    /// The lane, to send a oneway down it or to begin one for it.
    async fn lane(&self) -> MutexGuard<'_, Option<Lane>> {
        self.were_sent.store(true, Ordering::Release);
        self.lane.lock().await
    }

    /// Takes the lane away, if there is one.
    async fn take(&self) -> Option<Lane> {
        if !self.were_sent.load(Ordering::Acquire) {
            return None;
        }
        self.lane.lock().await.take()
    }
}

impl Session {
    pub(super) fn new(client: ClientId, sharing: Sharing) -> Self {
        let ways = match sharing {
            Sharing::Shared => Ways::Shared(Oneways::default()),
            Sharing::PerClient => Ways::Private(Mutex::new(Private::Unopened { behind: None })),
        };
        Self { client, ways }
    }

    /// A connection for all calls of the same client from here on, behind what it has sent without waiting. To be asked for
    /// while none of its calls is under way.
    #[must_use]
    pub(crate) fn own(&self) -> Self {
        let behind = match &self.ways {
            Ways::Shared(oneways) => oneways.lane.try_lock().ok().and_then(|mut lane| lane.take()),
            Ways::Private(_) => None,
        };
        let ways = Ways::Private(Mutex::new(Private::Unopened { behind: behind.map(Lane::leave) }));
        Self { client: self.client, ways }
    }

    /// Whether the backend keeps state on this client's connection, so that no other call may answer for one of its calls.
    #[inline]
    pub(crate) fn is_private(&self) -> bool {
        matches!(self.ways, Ways::Private(_))
    }

    /// Asks `backend`, as [`Backend::ask`] does, so that the effects of the client's calls keep its order. `None` is answered
    /// to a call that has no reply, once it was written.
    ///
    /// Calls without a reply go down one lane. So does a call that may not be repeated, behind those that may not be handled
    /// yet; one of an idempotent method goes beside them, like any other client's.
    ///
    /// # Errors
    /// As [`Backend::ask`]; once [`Session::is_lost`], always [`Fault::Closed`].
    pub(crate) async fn ask(
        &self,
        backend: &Backend,
        question: Question<'_>,
        timeout: Option<Duration>,
    ) -> Result<Option<Answer>, Fault> {
        let oneways = match &self.ways {
            // What most calls do not need lies in boxes, so that their own futures are small.
            Ways::Private(private) => {
                let asked = async { private.lock().await.ask(backend, question, timeout).await };
                return Box::pin(asked).await;
            }
            Ways::Shared(oneways) => oneways,
        };
        let deadline = Deadline::after(timeout);
        match (question.terms.answer, question.terms.repeat) {
            (Answering::Reply, Repeat::Idempotent) => backend.ask_until(question, deadline).await.map(Some),
            (Answering::Reply, Repeat::Once) => {
                // A call that may not be repeated is alone on its client's connection: nobody else looks for the lane meanwhile.
                let asked = match admitted(oneways.take().await, question.method) {
                    Some(lane) => Box::pin(ask_behind(lane, backend, question, deadline)).await,
                    None => backend.ask_until(question, deadline).await,
                };
                asked.map(Some)
            }
            (Answering::Oneway | Answering::Unsure, _) => {
                let sent = async { send_down(&mut *oneways.lane().await, backend, question, deadline).await };
                Box::pin(sent).await.map(|()| None)
            }
        }
    }

    /// Whether a connection that keeps state has ended, so that the client's own should end too.
    pub(crate) fn is_lost(&self) -> bool {
        match &self.ways {
            Ways::Shared(_) => false,
            // While it is locked, a call is on it, and will find out.
            Ways::Private(private) => private.try_lock().is_ok_and(|private| private.is_lost()),
        }
    }
}

/// Sends a call that has no reply down the client's lane, and begins one where there is none.
async fn send_down(
    lane: &mut Option<Lane>,
    backend: &Backend,
    question: Question<'_>,
    deadline: Option<Deadline>,
) -> Result<(), Fault> {
    let means = &backend.means;
    means.same_protocol(question.call)?;
    loop {
        let (current, mut attempt, past) = match admitted(lane.take(), question.method) {
            Some((current, mut attempt)) => {
                attempt.stands_behind_others();
                (current, attempt, None)
            }
            None => {
                let (loan, attempt) = backend.borrow(question, Want::Lane, deadline).await?;
                let past = loan.past;
                (Lane::begin(loan, Lasts::UntilAnswered), attempt, Some(past))
            }
        };
        attempt.sends(deadline);
        let current = lane.insert(current);
        match current.send(question.call, deadline).await {
            Ok(()) => {
                attempt.sent();
                return Ok(());
            }
            Err(Cut::Broken(Broken::Unsent)) if past != Some(Past::New) => {
                drop(attempt);
                if let Some(over) = lane.take() {
                    means.wait(over.leave(), deadline).await?;
                }
            }
            Err(cut) => {
                let fault = means.cut(cut);
                attempt.failed(&fault);
                return Err(fault);
            }
        }
    }
}

/// Asks for a reply behind what was sent down `lane`. The reply ends the lane, and so does its absence.
async fn ask_behind(
    (lane, mut attempt): (Lane, Attempt),
    backend: &Backend,
    question: Question<'_>,
    deadline: Option<Deadline>,
) -> Result<Answer, Fault> {
    let means = &backend.means;
    means.same_protocol(question.call)?;
    attempt.sends(deadline);
    attempt.is_not_timed();
    let asked = match lane.exchange(question.call, backend.try_deadline(deadline)).await {
        Ok(reply) => means.classify(reply, question.terms),
        Err(Cut::Broken(Broken::Unsent)) => {
            drop(attempt);
            means.wait(lane.leave(), deadline).await?;
            return backend.ask_until(question, deadline).await;
        }
        Err(cut) => Err(means.cut(cut)),
    };
    attempt.settle(asked.as_ref());
    asked
}

/// A lane and the right to its endpoint. An endpoint out of rotation ends the order of what was sent there: it does not
/// answer, and its client's next call goes where there is an answer.
fn admitted(lane: Option<Lane>, method: &Arc<Method>) -> Option<(Lane, Attempt)> {
    let lane = lane?;
    let attempt = Attempt::admit(&lane.endpoint, method)?;
    Some((lane, attempt))
}
