//! One client's own connection to a backend that keeps state on its connections.

use std::time::Duration;

use super::Backend;
use super::connection::{After, Broken, Idle};
use super::endpoint::Turn;
use super::lease::{Cut, Lease, Limit};
use crate::call::{Answer, Answering, Call, Terms};
use crate::fault::Fault;

/// A connection of one client's own: calls go in series, none is ever sent twice, and none goes elsewhere.
#[derive(Debug, Default)]
pub struct Private {
    state: State,
}

#[expect(clippy::large_enum_variant, reason = "one for each client, and open nearly always")]
#[derive(Debug, Default)]
enum State {
    /// No call was made.
    #[default]
    Unopened,
    /// Between two calls.
    Open(Lease),
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
        backend.same_protocol(call)?;
        let limit = Limit::after(timeout);
        // A call that is dropped halfway leaves the connection lost.
        let (lease, turn) = match std::mem::replace(&mut self.state, State::Lost) {
            State::Lost => return Err(backend.closed()),
            State::Open(lease) => {
                let turn = Turn::take(&lease.endpoint);
                (lease, turn)
            }
            State::Unopened => match backend.open_private(limit).await {
                Ok((lease, turn)) => (lease, Some(turn)),
                Err(fault) => {
                    self.state = State::Unopened;
                    return Err(fault);
                }
            },
        };
        let asked = self.ask_over(lease, backend, call, terms, limit).await;
        if let Some(turn) = turn {
            backend.settle(turn, asked.as_ref().map(Option::as_ref));
        }
        asked
    }

    async fn ask_over(
        &mut self,
        mut lease: Lease,
        backend: &Backend,
        call: &Call,
        terms: &Terms,
        limit: Option<Limit>,
    ) -> Result<Option<Answer>, Fault> {
        match lease.rested(backend).await {
            Idle::Quiet => {}
            Idle::Closed => return Err(backend.closed()),
            Idle::Unsolicited => {
                backend.tally.unsolicited();
                return Err(backend.closed());
            }
        }
        match terms.answer {
            Answering::Reply => {
                let reply = lease.exchange(call, limit).await;
                let reply = reply.map_err(|cut| ended(backend, cut))?;
                match reply.after {
                    After::Clean => self.state = State::Open(lease),
                    After::Unsolicited => backend.tally.unsolicited(),
                }
                backend.classify(reply, terms).map(Some)
            }
            Answering::Oneway | Answering::Unsure => {
                lease.send(call, limit).await.map_err(|cut| ended(backend, cut))?;
                lease.rest();
                self.state = State::Open(lease);
                Ok(None)
            }
        }
    }

    /// Whether the connection has ended, so that the client's own should end too.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }
}

/// Why a call on this connection has no reply. Unsent or not, what the backend kept on it is gone, and no other
/// connection can stand in: so it is never the fault of an endpoint that cannot be reached.
fn ended(backend: &Backend, cut: Cut) -> Fault {
    match cut {
        Cut::Broken(Broken::Unsent) => backend.closed(),
        cut @ (Cut::Broken(Broken::Closed | Broken::Garbage(_)) | Cut::Late(_)) => backend.cut(cut),
    }
}
