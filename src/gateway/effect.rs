//! What a call changes of what is kept, from before it is sent until its outcome is known.
//!
//! An attempt marks softly: a write that is doomed in an outage must not take away what answers in it. Success marks hard. Where nobody
//! knows whether it took effect, or when, what is asked for a while after is not kept either.

use std::sync::Arc;
use std::time::Duration;

use super::Gateway;
use super::asking::Asking;
use crate::cache::Ticket;
use crate::call::{Answer, Call, Said as Ending};
use crate::fault::{Fault, Retry};
use crate::mark::{Kind, Mark};
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

    /// Marks what the call has changed, by what came of it, before its client hears of it; where its rule says so, until the other gateways
    /// know of it.
    pub(super) async fn ended(mut self, asked: Result<Option<&Answer>, &Fault>) {
        let ticket = match asked {
            Ok(Some(answer @ Answer { said: Ending::Result | Ending::Nothing, .. })) => {
                self.mark(Some(answer), Unfilled::Widens, Kind::Hard, Spread::Yes)
            }
            // A declared exception is an answer: it says that the call did not do what it was to do.
            Ok(Some(answer @ Answer { said: Ending::Declared(_), .. })) => {
                self.mark(Some(answer), Unfilled::Widens, Kind::Soft, Spread::Yes)
            }
            Err(fault) if fault.retry() == Retry::Unsent => None,
            // Nobody knows, also of a call that has no reply.
            Ok(None) | Err(_) => return,
        };
        self.stage = Stage::Known;
        let Self { gateway, invalidation, .. } = &self;
        gateway.cache.reaches(ticket, invalidation.hold_until).await;
    }

    fn mark(
        &self,
        answer: Option<&Answer>,
        unfilled: Unfilled,
        kind: Kind,
        spread: Spread,
    ) -> Option<Ticket> {
        let Self { gateway, invalidation, call, .. } = self;
        let said = Said { call: call.arguments(), reply: answer.map(Answer::reply) };
        let now = gateway.clock.now();
        let settle = match spread {
            Spread::Yes => invalidation.settle,
            Spread::No => Duration::ZERO,
        };
        let covers = invalidation.covers(said, unfilled).into();
        gateway.cache.mark(Mark { covers, kind, settle }, now)
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
            Stage::Attempted => _ = self.mark(None, Unfilled::Widens, Kind::Soft, Spread::Yes),
            Stage::Known => {}
        }
    }
}
