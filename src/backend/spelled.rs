//! A call in the protocol that its backend speaks.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use super::means::Means;
use crate::call::Call;
use crate::fault::{Fault, Translated};
use crate::wire::Protocol;
use crate::wire::translate::translate;

/// A call in the protocol that it is sent in.
#[derive(Debug)]
pub(super) enum Spelled<'a> {
    /// As its client spelled it.
    Same(&'a Call),
    /// In a box, because most calls need none.
    Translated(Box<Call>),
}

impl Deref for Spelled<'_> {
    type Target = Call;

    fn deref(&self) -> &Call {
        match self {
            Self::Same(call) => call,
            Self::Translated(call) => call,
        }
    }
}

impl Means {
    /// A call as the backend is sent it.
    ///
    /// # Errors
    /// If it has no spelling there.
    pub(super) fn spelled<'a>(&self, call: &'a Call) -> Result<Spelled<'a>, Fault> {
        self.spelled_in(self.settings().protocol, call)
    }

    /// The same for an endpoint that speaks `protocol`.
    pub(super) fn spelled_in<'a>(&self, protocol: Protocol, call: &'a Call) -> Result<Spelled<'a>, Fault> {
        if call.protocol == protocol {
            return Ok(Spelled::Same(call));
        }
        match translate(call.protocol, protocol, &call.body) {
            Ok(body) => {
                let body = Bytes::from(body);
                Ok(Spelled::Translated(Box::new(Call { protocol, body, ..call.clone() })))
            }
            Err(why) => {
                let (backend, message) = (Arc::clone(self.name()), Translated::Call);
                Err(Fault::Untranslatable { backend, message, protocol, why })
            }
        }
    }
}
