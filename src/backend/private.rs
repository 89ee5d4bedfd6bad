//! One client's own connection to a backend that keeps state on its connections.

use std::time::Duration;

use super::Backend;
use super::answer::Cut;
use super::attempt::Attempt;
use super::connection::Broken;
use super::deadline::Deadline;
use super::lane::{Lane, LaneEnd, Lasts};
use super::loan::Want;
use super::means::Means;
use super::method::Question;
use crate::call::{Answer, Answering};
use crate::dial::End;
use crate::fault::Fault;

/// A connection of one client's own: calls go in series, none is ever sent twice, and none goes elsewhere.
#[derive(Debug)]
pub(super) enum Private {
    /// No call was made; the first comes behind what its client has sent elsewhere.
    Unopened { behind: Option<LaneEnd> },
    /// Between two calls.
    Open(Lane),
    /// The connection, and with it what the backend kept on it, is gone; or a call is on it.
    Lost,
}

impl Private {
    /// Asks over this connection, which the first call opens. `timeout` bounds the whole call; `None` leaves it
    /// unbounded, but for opening the connection.
    ///
    /// # Errors
    /// As [`Backend::ask`]; once [`Private::is_lost`], always [`Fault::Closed`].
    pub(super) async fn ask(
        &mut self,
        backend: &Backend,
        question: Question<'_>,
        timeout: Option<Duration>,
    ) -> Result<Option<Answer>, Fault> {
        let call = match self {
            Self::Open(lane) => backend.means.spelled_in(lane.endpoint.speech.protocol, question.call)?,
            Self::Unopened { .. } | Self::Lost => backend.means.spelled(question.call)?,
        };
        let question = Question { call: &call, ..question };
        let Question { call, terms, method, .. } = question;
        let deadline = Deadline::after(timeout);
        // A call that is dropped halfway leaves the connection lost.
        let (lane, mut attempt) = match std::mem::replace(self, Self::Lost) {
            Self::Lost => return Err(backend.means.closed(End::Closed)),
            Self::Open(lane) => {
                let attempt = Attempt::admit(&lane.endpoint, method);
                (lane, attempt)
            }
            Self::Unopened { behind } => match open(backend, question, behind, deadline).await {
                Ok((lane, attempt)) => (lane, Some(attempt)),
                Err(fault) => {
                    *self = Self::Unopened { behind: None };
                    return Err(fault);
                }
            },
        };
        if let Some(attempt) = &mut attempt {
            question.demand.goes_to(&attempt.endpoint.address);
            attempt.sends(deadline);
        }
        let asked = match terms.answer {
            Answering::Reply => lane.exchange(call, deadline).await.map(Some),
            Answering::Oneway | Answering::Unsure => lane.send(call, deadline).await.map(|()| None),
        };
        if asked.is_ok() {
            *self = Self::Open(lane);
        }
        let means = &backend.means;
        let asked = match asked {
            Ok(Some(reply)) => means.classify(reply, terms).map(Some),
            Ok(None) => Ok(None),
            Err(cut) => Err(lost(means, cut)),
        };
        if let Some(attempt) = attempt {
            match &asked {
                Ok(Some(answer)) => attempt.answered(answer.said),
                Ok(None) => attempt.sent(),
                Err(fault) => attempt.failed(fault),
            }
        }
        asked
    }

    /// Whether the connection has ended, so that the client's own should end too.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Unopened { .. } => false,
            Self::Open(lane) => lane.is_over(),
            Self::Lost => true,
        }
    }
}

async fn open(
    backend: &Backend,
    question: Question<'_>,
    behind: Option<LaneEnd>,
    deadline: Option<Deadline>,
) -> Result<(Lane, Attempt), Fault> {
    if let Some(end) = behind {
        backend.means.wait(end, deadline).await?;
    }
    let (loan, attempt) = backend.borrow(question, Want::Own, deadline).await?;
    Ok((Lane::begin(loan, Lasts::ForGood), attempt))
}

/// Why a call on this connection has no reply. Unsent or not, what the backend kept on it is gone, and no other
/// connection can stand in: so it is never the fault of an endpoint that cannot be reached.
fn lost(means: &Means, cut: Cut) -> Fault {
    match cut {
        Cut::Broken(Broken::Unsent) => means.closed(End::Closed),
        cut @ (Cut::Broken(Broken::Closed(_) | Broken::Garbage(_) | Broken::Oversized(_))
        | Cut::Late(_)
        | Cut::Silent(_)) => means.cut(cut),
    }
}
