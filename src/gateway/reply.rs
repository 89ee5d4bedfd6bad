//! A reply, and what became of its call.

use crate::dial::Address;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thrift::ApplicationErrorKind;

use super::asking::Asking;
use super::route::Route;
use crate::call::Answer;
use crate::clock::Millis;
use crate::dial::End;
use crate::entry::Entry;
use crate::fault::{Fault, Translated};
use crate::outcome::Outcome;
use crate::rule::Fallback;
use crate::wire::header::info::Info;
use crate::wire::message::Kind;
use crate::wire::translate::{Untranslatable, translate};
use crate::wire::{Protocol, exception};

/// What a client gets, and how that came about.
#[derive(Debug)]
pub(crate) struct Reply {
    /// What is written.
    pub body: Body,
    /// What became of the call.
    pub outcome: Outcome,
    /// How old the entry is that answered.
    pub age: Option<Duration>,
    /// The fault that was met, also where something else answered.
    pub fault: Option<Fault>,
    /// Whose answer it is, if a backend's.
    pub by: By,
    /// The old entry that was at hand, where a backend answered.
    pub spare: Option<Arc<Entry>>,
    /// The endpoint that was asked last, where one was.
    pub endpoint: Option<Address>,
    /// The info headers that a backend sent along, where this is its reply to this very call.
    pub info: Option<Arc<Info>>,
}

/// Who has said what a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The backend that its method's calls go to.
    Usual,
    /// The one that is asked where that fails.
    Backup,
}

/// What is written to the client.
#[derive(Debug)]
pub(crate) enum Body {
    /// A kept reply.
    Kept(Arc<Entry>),
    /// The struct of a message of this kind, as this protocol spells it.
    Struct(Kind, Protocol, Bytes),
    /// Nothing: the call has no reply.
    Silence,
}

impl Body {
    /// Its struct as `protocol` spells it.
    ///
    /// # Errors
    /// If it has no spelling there.
    #[cold]
    pub(crate) fn in_protocol(&self, protocol: Protocol) -> Result<Bytes, Untranslatable> {
        match self {
            Self::Kept(entry) => entry.in_protocol(protocol),
            Self::Struct(_, from, body) => translate(*from, protocol, body).map(Bytes::from),
            Self::Silence => Ok(Bytes::new()),
        }
    }
}

impl Reply {
    /// A reply from an entry.
    #[inline]
    pub(crate) fn kept(entry: Arc<Entry>, outcome: Outcome, now: Millis) -> Self {
        let age = Some(now.since(entry.born));
        Self { age, ..Self::of(Body::Kept(entry), outcome) }
    }

    /// An old entry's answer while the backend is known to be out.
    pub(crate) fn for_the_outage(entry: Arc<Entry>, asking: &Asking, now: Millis) -> Self {
        Self::kept(entry, Outcome::StaleIfError, now).because(asking.down())
    }

    /// A backend's reply that is not kept.
    pub(crate) fn passed(answer: Answer, outcome: Outcome) -> Self {
        let Answer { protocol, body, info, .. } = answer;
        Self { info, ..Self::of(Body::Struct(Kind::Reply, protocol, body), outcome) }
    }

    /// What the gateway says of itself, or why the question cannot be read.
    pub(crate) fn own(protocol: Protocol, said: Result<Vec<u8>, String>) -> Self {
        match said {
            Ok(body) => Self::of(Body::Struct(Kind::Reply, protocol, body.into()), Outcome::Own),
            Err(why) => Self::refusal(protocol, ApplicationErrorKind::ProtocolError, &why),
        }
    }

    /// The rule's last answer.
    pub(crate) fn fallback(fallback: &Fallback, protocol: Protocol) -> Self {
        Self::of(Body::Struct(Kind::Reply, protocol, fallback.body(protocol)), Outcome::Fallback)
    }

    /// No reply, by the method's nature.
    pub(crate) fn silence(fault: Option<Fault>) -> Self {
        let outcome = if fault.is_some() { Outcome::Failed } else { Outcome::Oneway };
        Self { fault, ..Self::of(Body::Silence, outcome) }
    }

    /// A fault as the client sees it: what the backend said where it said something, else an exception that says what happened.
    pub(crate) fn fault(fault: Fault, protocol: Protocol) -> Self {
        let body = match &fault {
            Fault::Exception { protocol, body, .. } => Body::Struct(Kind::Exception, *protocol, body.clone()),
            Fault::MissingResult { protocol, body, .. } | Fault::Failure { protocol, body, .. } => {
                Body::Struct(Kind::Reply, *protocol, body.clone())
            }
            Fault::Untranslatable { .. } => {
                said(protocol, ApplicationErrorKind::ProtocolError, &fault.to_string())
            }
            Fault::Unreachable { .. }
            | Fault::Down { .. }
            | Fault::Busy { .. }
            | Fault::Shed { .. }
            | Fault::Timeout { .. }
            | Fault::Closed { .. }
            | Fault::Garbage { .. }
            | Fault::Oversized { .. }
            | Fault::Session { .. }
            | Fault::Crowded(_)
            | Fault::Quarantined { .. }
            | Fault::Internal
            | Fault::Stopped => said(protocol, ApplicationErrorKind::InternalError, &fault.to_string()),
        };
        Self::of(body, Outcome::Failed).because(fault)
    }

    /// What answers where nothing kept does: the rule's fallback where the fault allows it, else the fault.
    pub(crate) fn last(fault: Fault, fallback: Option<&Fallback>, protocol: Protocol) -> Self {
        match fallback.filter(|_| fault.allows_stale()) {
            Some(fallback) => Self::fallback(fallback, protocol).because(fault),
            None => Self::fault(fault, protocol),
        }
    }

    /// The answer to a call whose reply has no spelling in its client's protocol.
    pub(crate) fn untranslatable(&self, why: Untranslatable, protocol: Protocol, route: &Route) -> Self {
        let backend = Arc::clone(route.backend().name());
        let fault = Fault::Untranslatable { backend, message: Translated::Reply, protocol, why };
        Self::fault(route.counts.met(fault), protocol).asked_at(self.endpoint.clone())
    }

    /// The answer to a method that no backend may be asked.
    pub(crate) fn unknown_method(protocol: Protocol) -> Self {
        Self::refusal(protocol, ApplicationErrorKind::UnknownMethod, "the gateway does not pass this method")
    }

    /// The answer to a message that cannot be taken for a call.
    pub(crate) fn refusal(protocol: Protocol, kind: ApplicationErrorKind, why: &str) -> Self {
        Self::of(said(protocol, kind, why), Outcome::Failed)
    }

    /// Whether all that the client is told is that the backend ended its connection.
    pub(crate) fn stands_for_a_close(&self) -> bool {
        let has_ended = matches!(self.fault, Some(Fault::Closed { end: End::Closed | End::Cut, .. }));
        has_ended && matches!((&self.body, self.outcome), (Body::Struct(..), Outcome::Failed))
    }

    /// The same reply as the backup's: what it said just now is told apart from what was kept.
    #[must_use]
    pub(crate) fn by_backup(self) -> Self {
        let outcome = match self.outcome {
            Outcome::Miss
            | Outcome::Coalesced
            | Outcome::Passed
            | Outcome::PassedUnkeyable
            | Outcome::PassedRamp
            | Outcome::ObservedHit
            | Outcome::ObservedMiss => Outcome::Backup,
            kept @ (Outcome::HitLocal
            | Outcome::HitShared
            | Outcome::Stale
            | Outcome::StaleIfError
            | Outcome::StaleIfSlow
            | Outcome::Backup) => kept,
            none @ (Outcome::Fallback | Outcome::Own | Outcome::Oneway | Outcome::Failed) => none,
        };
        Self { outcome, by: By::Backup, ..self }
    }

    /// The same reply, beside which this old entry was at hand.
    #[must_use]
    pub(crate) fn beside(self, spare: Option<Arc<Entry>>) -> Self {
        Self { spare, ..self }
    }

    /// The same reply, after this endpoint was asked, unless another was asked later.
    #[must_use]
    pub(crate) fn asked_at(self, endpoint: Option<Address>) -> Self {
        Self { endpoint: self.endpoint.or(endpoint), ..self }
    }

    /// The same reply, with the fault that it hides.
    #[must_use]
    pub(crate) fn because(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    #[inline]
    fn of(body: Body, outcome: Outcome) -> Self {
        Self { body, outcome, age: None, fault: None, by: By::Usual, spare: None, endpoint: None, info: None }
    }
}

fn said(protocol: Protocol, kind: ApplicationErrorKind, why: &str) -> Body {
    let message = format!("larder: {why}");
    Body::Struct(Kind::Exception, protocol, Bytes::from(exception::encode(protocol, kind, &message)))
}
