//! What one client's connection has of its own at a backend: a lane for its oneways, or a connection for all its calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::task::unconstrained;

use super::answer::Cut;
use super::attempt::Attempt;
use super::connection::Broken;
use super::deadline::{Deadline, within};
use super::errand::Told;
use super::lane::{Following, Lane, Lasts};
use super::loan::{Past, Want};
use super::method::{Method, Question};
use super::private::Private;
use super::{Backend, Sharing};
use crate::call::identity::Identity;
use crate::call::{Answer, Answering, Repeat};
use crate::dial::End;
use crate::fault::Fault;

/// What one client's connection has of its own at a backend.
#[derive(Debug)]
pub(crate) struct Session {
    ways: Ways,
    /// Who the client has said it is.
    identity: Option<Arc<Identity>>,
    /// Whether the session call that said so has failed: nobody knows who the client is.
    has_failed: AtomicBool,
}

#[derive(Debug)]
enum Ways {
    /// Others' connections for calls that are answered, and a lane from the first oneway, or the first of a run, until a reply shows
    /// that all were handled.
    Shared(Oneways),
    /// A connection for all its calls.
    Private(Mutex<Private>),
}

/// Where a call stands among those of its client that may not be repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// None of its client's is under way, and none begins before it has ended.
    #[default]
    Alone,
    /// None is under way, and others may follow: it begins a run.
    First,
    /// It follows others in a run.
    Behind,
}

/// A call in a run.
struct Begun {
    attempt: Attempt,
    following: Following,
    /// When it must end, if that is known already.
    deadline: Option<Deadline>,
}

/// The lane of a client's oneways and runs.
#[derive(Debug, Default)]
struct Oneways {
    lane: Mutex<Option<Lane>>,
    /// Whether there was one: the calls of most clients, which send none, need not look for a lane.
    were_sent: AtomicBool,
}

impl Oneways {
    /// The lane, to send a call down it or to begin one for it. Who asks first has it first.
    async fn lane(&self) -> MutexGuard<'_, Option<Lane>> {
        self.were_sent.store(true, Ordering::Release);
        // Whoever comes stands in line at once, however much its task has done before: others come behind it.
        unconstrained(self.lane.lock()).await
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
    pub(super) fn new(sharing: Sharing) -> Self {
        let ways = match sharing {
            Sharing::Shared => Ways::Shared(Oneways::default()),
            Sharing::PerClient => Ways::Private(Mutex::new(Private::Unopened { behind: None })),
        };
        Self::of(ways, None)
    }

    fn of(ways: Ways, identity: Option<Arc<Identity>>) -> Self {
        Self { ways, identity, has_failed: AtomicBool::new(false) }
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
        Self::of(ways, self.identity.clone())
    }

    /// What the same client has once a session call has made this of it. To be asked for while no other of its calls is under way.
    #[must_use]
    pub(crate) fn identified(identity: Arc<Identity>) -> Self {
        Self::of(Ways::Shared(Oneways::default()), Some(identity))
    }

    /// Whether the backend knows something of the client that no other does.
    #[inline]
    pub(crate) fn is_bound(&self) -> bool {
        self.is_private() || self.identity.is_some()
    }

    /// Who the client has said it is.
    #[inline]
    pub(crate) fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// Notes that the session call has failed that said who the client is: the client's connection is to end.
    pub(crate) fn fails(&self) {
        self.has_failed.store(true, Ordering::Release);
    }

    /// Waits until all that the client has sent without waiting is handled.
    pub(crate) async fn handled(&self, backend: &Backend, timeout: Option<Duration>) -> Result<(), Fault> {
        let lane = match &self.ways {
            Ways::Shared(oneways) => oneways.take().await,
            Ways::Private(_) => None,
        };
        match lane {
            Some(lane) => backend.means.wait(lane.leave(), Deadline::after(timeout)).await,
            None => Ok(()),
        }
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
    /// yet; one of an idempotent method goes beside them, like any other client's. Calls of a run go down one lane too, without waiting
    /// for each other: they are to be polled first in their order, and the time of each begins when nothing before it is unanswered.
    ///
    /// # Errors
    /// As [`Backend::ask`]; [`Fault::Closed`] too for a call of a run with a call before which its connection ended; once [`Session::is_lost`], always [`Fault::Closed`].
    pub(crate) async fn ask(
        &self,
        backend: &Backend,
        question: Question<'_>,
        timeout: Option<Duration>,
        place: Place,
    ) -> Result<Option<Answer>, Fault> {
        let oneways = match &self.ways {
            // Each way lies in a box of its own, so that no call takes the room of all of them.
            Ways::Private(private) => {
                let asked = async { private.lock().await.ask(backend, question, timeout).await };
                return Box::pin(asked).await;
            }
            Ways::Shared(oneways) => oneways,
        };
        let deadline = Deadline::after(timeout);
        match (question.terms.answer, question.terms.repeat) {
            (Answering::Reply, Repeat::Idempotent) => {
                Box::pin(backend.ask_until(question, deadline)).await.map(Some)
            }
            (Answering::Reply, Repeat::Once) if place != Place::Alone => {
                let asked = async {
                    let begun =
                        follow(&mut *oneways.lane().await, backend, question, (timeout, place)).await?;
                    begun.end(backend, question, timeout).await
                };
                Box::pin(asked).await.map(Some)
            }
            (Answering::Reply, Repeat::Once) => {
                // A call that may not be repeated is alone on its client's connection: nobody else looks for the lane meanwhile.
                let asked = match admitted(oneways.take().await, question.method) {
                    Some(lane) => Box::pin(ask_behind(lane, backend, question, deadline)).await,
                    None => Box::pin(backend.ask_until(question, deadline)).await,
                };
                asked.map(Some)
            }
            (Answering::Oneway | Answering::Unsure, _) => {
                let sent = async { send_down(&mut *oneways.lane().await, backend, question, deadline).await };
                Box::pin(sent).await.map(|()| None)
            }
        }
    }

    /// Whether the client's connection should end: one that keeps state for it has ended, or nobody knows who it is.
    pub(crate) fn is_lost(&self) -> bool {
        match &self.ways {
            Ways::Shared(_) => self.has_failed.load(Ordering::Acquire),
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
    let call = means.spelled(question.call)?;
    let question = Question { call: &call, ..question };
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
    let call = means.spelled_in(lane.endpoint.speech.protocol, question.call)?;
    question.demand.goes_to(&attempt.endpoint.address);
    attempt.sends(deadline);
    attempt.is_not_timed();
    let asked = match lane.exchange(&call, backend.try_deadline(deadline)).await {
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

/// Begins a call in its client's run: on the lane, or on another where that is over or its endpoint takes the call no more.
async fn follow(
    lane: &mut Option<Lane>,
    backend: &Backend,
    question: Question<'_>,
    (timeout, place): (Option<Duration>, Place),
) -> Result<Begun, Fault> {
    let call = backend.means.spelled(question.call)?;
    let question = Question { call: &call, ..question };
    let own = backend.means.settings().attempt_timeout;
    let longest = timeout.into_iter().chain(own).min();
    if let Some(current) = lane.take() {
        let attempt = Attempt::admit(&current.endpoint, question.method);
        let is_admitted = attempt.is_some();
        if let Some(mut attempt) = attempt
            && let Some(following) = current.follow(question.call, longest).await
        {
            question.demand.goes_to(&attempt.endpoint.address);
            attempt.follows();
            if place == Place::First {
                attempt.stands_behind_others();
            }
            *lane = Some(current);
            return Ok(Begun { attempt, following, deadline: None });
        }
        // What its client has sent to an endpoint that is out orders nothing any more, unless it is still to be answered.
        let deadline = Deadline::after(timeout).filter(|_| place == Place::First);
        if is_admitted || place == Place::Behind {
            Box::pin(backend.means.wait(current.leave(), deadline)).await?;
        }
    }
    let whole = Deadline::after(timeout);
    // In a box, because one call of a run does.
    let (loan, mut attempt) = Box::pin(backend.borrow(question, Want::Fresh, whole)).await?;
    let deadline = backend.try_deadline(whole);
    attempt.sends(deadline);
    let current = lane.insert(Lane::begin(loan, Lasts::UntilAnswered));
    // A lane that begins takes what it is given first.
    let following =
        current.follow(question.call, None).await.ok_or_else(|| backend.means.closed(End::Closed))?;
    Ok(Begun { attempt, following, deadline })
}

impl Begun {
    /// Waits for what comes of the call.
    async fn end(
        self,
        backend: &Backend,
        question: Question<'_>,
        timeout: Option<Duration>,
    ) -> Result<Answer, Fault> {
        let Self { mut attempt, following, deadline } = self;
        let means = &backend.means;
        let told = match (within(deadline.map(|deadline| deadline.at), following.told()).await, deadline) {
            (Err(_), Some(deadline)) => Told::Cut(Cut::Late(deadline)),
            (Ok(told), _) => told,
            (Err(_), None) => Told::Behind,
        };
        let asked = match told {
            Told::Reply(reply) => means.classify(reply, question.terms),
            Told::Cut(cut) => {
                if matches!(cut, Cut::Late(_)) {
                    attempt.had_its_time();
                }
                Err(means.cut(cut))
            }
            Told::Behind => {
                let fault = means.closed(End::Closed);
                attempt.falls_with_another(&fault);
                return Err(fault);
            }
            Told::Back(_until_ended) => {
                drop(attempt);
                let deadline = deadline.or_else(|| Deadline::after(timeout));
                return Box::pin(backend.ask_until(question, deadline)).await;
            }
        };
        attempt.settle(asked.as_ref());
        asked
    }
}

/// A lane and the right to its endpoint. An endpoint out of rotation ends the order of what was sent there: it does not
/// answer, and its client's next call goes where there is an answer.
fn admitted(lane: Option<Lane>, method: &Arc<Method>) -> Option<(Lane, Attempt)> {
    let lane = lane?;
    let attempt = Attempt::admit(&lane.endpoint, method)?;
    Some((lane, attempt))
}
