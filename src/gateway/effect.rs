//! What a call changes of what is kept, from before it is sent until its outcome is known.
//!
//! An attempt marks softly: a write that is doomed in an outage must not take away what answers in it. Success marks hard. Where nobody
//! knows whether it took effect, or when, what is asked for a while after is not kept either.

use std::sync::Arc;

use super::Gateway;
use super::asking::Asking;
use crate::call::{Answer, Call, Said as Ending};
use crate::fault::{Fault, Retry};
use crate::mark::Kind;
use crate::rule::tagging::{Invalidation, Said, Unfilled};

/// A call that changes something, under way. One that is dropped before it is answered has an outcome that nobody knows.
pub(super) struct Effect {
    gateway: Arc<Gateway>,
    invalidation: Arc<Invalidation>,
    call: Call,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its outcome is not known.
    Attempted,
    /// It is, and was told.
    Known,
}

impl Effect {
    /// Marks what `call` may change, if its rule says that it changes something. It is about to be sent.
    pub(super) fn attempt(gateway: &Arc<Gateway>, asking: &Asking, call: &Call) -> Option<Self> {
        let invalidation = Arc::clone(asking.invalidation.as_ref()?);
        let (gateway, call) = (Arc::clone(gateway), call.clone());
        let effect = Self { gateway, invalidation, call, stage: Stage::Attempted };
        effect.mark(None, Unfilled::Waits, Kind::Soft, Spread::No);
        Some(effect)
    }

    /// Marks what the call has changed, by what came of it, before its client hears of it.
    pub(super) fn ended(mut self, asked: Result<Option<&Answer>, &Fault>) {
        match asked {
            Ok(Some(Answer { said: Ending::Result | Ending::Nothing, body })) => {
                self.mark(Some(body), Unfilled::Widens, Kind::Hard, Spread::Yes);
            }
            // A declared exception is an answer: it says that the call did not do what it was to do.
            Ok(Some(Answer { said: Ending::Declared(_), body })) => {
                self.mark(Some(body), Unfilled::Widens, Kind::Soft, Spread::Yes);
            }
            // Of a call that has no reply, nobody knows.
            Ok(None) => return,
            Err(fault) if fault.retry() == Retry::Unsent => {}
            Err(_) => return,
        }
        self.stage = Stage::Known;
    }

    fn mark(&self, reply: Option<&[u8]>, unfilled: Unfilled, kind: Kind, spread: Spread) {
        let Self { gateway, invalidation, call, .. } = self;
        let said = Said { protocol: call.protocol, call: &call.body, reply };
        let now = gateway.clock.now();
        let unsettled = match spread {
            Spread::Yes => now.plus(invalidation.settle),
            Spread::No => now,
        };
        gateway.cache.marks().mark(&invalidation.covers(said, unfilled), kind, unsettled);
    }
}

/// Whether what was done may take its time to be seen everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    Yes,
    No,
}

impl Drop for Effect {
    fn drop(&mut self) {
        match self.stage {
            Stage::Attempted => self.mark(None, Unfilled::Widens, Kind::Soft, Spread::Yes),
            Stage::Known => {}
        }
    }
}
