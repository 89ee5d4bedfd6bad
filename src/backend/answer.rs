//! What came of a try: the answer that a verified reply is, or the fault that stands in its place, and what either says
//! of the endpoint.

use std::sync::Arc;
use std::time::Duration;

use super::connection::{Broken, Verified};
use super::deadline::Deadline;
use super::means::Means;
use crate::call::{Answer, Returns, Said, Terms};
use crate::dial::{End, Refusal};
use crate::fault::Fault;
use crate::wire::message::Kind;
use crate::wire::{WireError, exception};

/// What ended a call on a connection without a reply.
#[derive(Debug)]
pub(super) enum Cut {
    Broken(Broken),
    Late(Deadline),
    /// Its endpoint fell silent after this time, and another is to be asked.
    Silent(Duration),
}

impl Means {
    /// What a verified reply says.
    pub(super) fn classify(&self, reply: Verified, terms: &Terms) -> Result<Answer, Fault> {
        let Verified { kind, protocol, body, info, .. } = reply;
        let backend = Arc::clone(self.name());
        if kind == Kind::Exception {
            let kind = exception::decode(protocol, &body).kind;
            return Err(Fault::Exception { backend, kind, protocol, body });
        }
        match Said::of(protocol, &body) {
            Err(error) => Err(Fault::Garbage { backend, why: error.to_string().into() }),
            Ok(Said::Nothing) if terms.returns == Returns::Value => {
                Err(Fault::MissingResult { backend, protocol, body })
            }
            Ok(Said::Declared(id)) if terms.failures.contains(&id) => {
                Err(Fault::Failure { backend, id, protocol, body })
            }
            Ok(said) => Ok(Answer { said, protocol, body, info }),
        }
    }

    pub(super) fn busy(&self, waiting: usize) -> Fault {
        Fault::Busy { backend: Arc::clone(self.name()), waiting }
    }

    /// The fault of a miss where no more misses can be answered in time.
    pub(super) fn shed(&self, waiting: usize) -> Fault {
        Fault::Shed { backend: Arc::clone(self.name()), waiting }
    }

    /// The fault of a call whose endpoint was ejected while it waited there, if it finds no other.
    pub(super) fn ejected(&self) -> Fault {
        Fault::Down { backend: Arc::clone(self.name()), why: EJECTED }
    }

    pub(super) fn closed(&self, end: End) -> Fault {
        Fault::Closed { backend: Arc::clone(self.name()), end }
    }

    pub(super) fn late(&self, deadline: Deadline) -> Fault {
        Fault::Timeout { backend: Arc::clone(self.name()), after: deadline.after }
    }

    pub(super) fn unreachable(&self, refusal: Refusal, why: String) -> Fault {
        Fault::Unreachable { backend: Arc::clone(self.name()), refusal, why: why.into() }
    }

    fn oversized(&self, error: &WireError) -> Fault {
        let (backend, name) = (Arc::clone(self.name()), self.name());
        let why = match matches!(error, WireError::Depth { .. }) {
            true => error.to_string(),
            false => format!("{error}; backends.{name}.reply bounds it"),
        };
        Fault::Oversized { backend, why: why.into() }
    }

    pub(super) fn cut(&self, cut: Cut) -> Fault {
        match cut {
            Cut::Late(deadline) => self.late(deadline),
            Cut::Silent(after) => Fault::Timeout { backend: Arc::clone(self.name()), after },
            Cut::Broken(Broken::Closed(end)) => self.closed(end),
            Cut::Broken(Broken::Garbage(why)) => Fault::Garbage { backend: Arc::clone(self.name()), why },
            Cut::Broken(Broken::Oversized(error)) => self.oversized(&error),
            Cut::Broken(Broken::Unsent) => {
                self.unreachable(Refusal::Cut, "the connection ended before the call was sent".to_owned())
            }
        }
    }
}

/// Why a call has nowhere to go that waited for a connection.
const EJECTED: &str = "its endpoint failed while the call waited for a connection";
