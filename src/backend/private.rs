//! One client's own connection to a backend that keeps state on its connections.

use std::time::Duration;

use super::Backend;
use super::answer::Cut;
use super::connection::{After, Broken, Idle};
use super::deadline::Deadline;
use super::endpoint::Attempt;
use super::loan::{Loan, Want};
use super::means::Means;
use crate::call::{Answer, Answering, Call, Terms};
use crate::fault::Fault;

/// A connection of one client's own: calls go in series, none is ever sent twice, and none goes elsewhere.
#[derive(Debug, Default)]
pub struct Private {
    stage: Stage,
}

#[expect(clippy::large_enum_variant, reason = "one for each client, and open nearly always")]
#[derive(Debug, Default)]
enum Stage {
    /// No call was made.
    #[default]
    Unopened,
    /// Between two calls.
    Open(Loan),
    /// The connection, and with it what the backend kept on it, is gone; or a call is on it.
    Lost,
}

impl Private {
    /// Asks over this connection, which the first call opens. `timeout` bounds the whole call; `None` leaves it
    /// unbounded, but for opening the connection.
    ///
    /// # Errors
    /// As [`Backend::ask`]; once [`Private::is_lost`], always [`Fault::Closed`].
    pub async fn ask(
        &mut self,
        backend: &Backend,
        call: &Call,
        terms: &Terms,
        timeout: Option<Duration>,
    ) -> Result<Option<Answer>, Fault> {
        backend.means.same_protocol(call)?;
        let deadline = Deadline::after(timeout);
        // A call that is dropped halfway leaves the connection lost.
        let (loan, mut attempt) = match std::mem::replace(&mut self.stage, Stage::Lost) {
            Stage::Lost => return Err(backend.means.closed()),
            Stage::Open(loan) => {
                let attempt = Attempt::admit(&loan.endpoint);
                (loan, attempt)
            }
            Stage::Unopened => match backend.borrow(Want::Own, deadline).await {
                Ok((loan, attempt)) => (loan, Some(attempt)),
                Err(fault) => {
                    self.stage = Stage::Unopened;
                    return Err(fault);
                }
            },
        };
        if let Some(attempt) = &mut attempt {
            attempt.sends(deadline);
        }
        let asked = self.ask_over(loan, &backend.means, call, terms, deadline).await;
        if let Some(attempt) = attempt {
            attempt.settle(asked.as_ref().map(Option::as_ref));
        }
        asked
    }

    async fn ask_over(
        &mut self,
        mut loan: Loan,
        means: &Means,
        call: &Call,
        terms: &Terms,
        deadline: Option<Deadline>,
    ) -> Result<Option<Answer>, Fault> {
        match loan.rested().await {
            Idle::Quiet => {}
            Idle::Closed => return Err(means.closed()),
            Idle::Unsolicited => {
                means.tally.unsolicited();
                return Err(means.closed());
            }
        }
        match terms.answer {
            Answering::Reply => {
                let reply = loan.exchange(call, deadline).await;
                let reply = reply.map_err(|cut| ended(means, cut))?;
                match reply.after {
                    After::Clean => self.stage = Stage::Open(loan),
                    After::Unsolicited => means.tally.unsolicited(),
                }
                means.classify(reply, terms).map(Some)
            }
            Answering::Oneway | Answering::Unsure => {
                loan.send(call, deadline).await.map_err(|cut| ended(means, cut))?;
                loan.rest();
                self.stage = Stage::Open(loan);
                Ok(None)
            }
        }
    }

    /// Whether the connection has ended, so that the client's own should end too.
    pub fn is_lost(&self) -> bool {
        matches!(self.stage, Stage::Lost)
    }
}

/// Why a call on this connection has no reply. Unsent or not, what the backend kept on it is gone, and no other
/// connection can stand in: so it is never the fault of an endpoint that cannot be reached.
fn ended(means: &Means, cut: Cut) -> Fault {
    match cut {
        Cut::Broken(Broken::Unsent) => means.closed(),
        cut @ (Cut::Broken(Broken::Closed | Broken::Garbage(_)) | Cut::Late(_)) => means.cut(cut),
    }
}
