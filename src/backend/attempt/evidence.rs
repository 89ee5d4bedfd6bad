//! What an answer or a fault shows: how slow the endpoint is, whether a method there fails, whether it can be reached.

use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;

use super::{Attempt, FairChance, Role};
use crate::backend::cell::Failed;
use crate::backend::endpoint::Endpoint;
use crate::backend::load::Measure;
use crate::backend::standing::{Effect, Why};
use crate::dial::Refusal;
use crate::fault::Fault;

impl Attempt {
    /// Tells what it came to, where that is asked for.
    pub(super) fn tell_end(&self, fault: Option<&Fault>, now: Instant) {
        let (backend, endpoint, method) =
            (self.endpoint.means.name(), &self.endpoint.address, &*self.method.name);
        let took_ms = self.sent.map(|sent| now.saturating_duration_since(sent).as_millis());
        debug!(%backend, %endpoint, method, took_ms, fault = fault.map(display), "endpoint was asked");
    }

    pub(super) fn measure(&self, fault: &Fault, now: Instant) {
        let Some(measure) = Measure::of(fault) else { return };
        if measure == Measure::Late && self.chance == FairChance::Denied {
            return;
        }
        let took = self.sent.map_or(Duration::ZERO, |sent| now.duration_since(sent));
        self.endpoint.load.note(measure, took, self.method.median.get(), now);
    }

    /// Has the endpoint looked at.
    pub(super) fn suspects(&self, now: Instant) -> Effect {
        self.endpoint.position.suspect(now);
        self.endpoint.means.alarm.notify_one();
        Effect::Unchanged
    }

    pub(super) fn unreached(&self, refusal: Refusal, now: Instant) -> Effect {
        let Endpoint { position, pool, pulse, means, .. } = &*self.endpoint;
        match refusal {
            Refusal::Refused | Refusal::NoRoute => {
                means.refused(&self.endpoint.address, now);
                position.unreached(Why::Refused, now)
            }
            Refusal::Untrusted => position.unreached(Why::Untrusted, now),
            Refusal::Cut => position.closed(now),
            // While others are answered it is full, and not gone.
            Refusal::Silent if pulse.was_heard_since(now - means.settings().connect_timeout) => {
                pool.permits.full(pool.connections(), now);
                Effect::Unchanged
            }
            Refusal::Silent => position.unreached(Why::Silent, now),
            Refusal::Nameless | Refusal::Ours => Effect::Unchanged,
        }
    }

    pub(super) fn method_answered(&self, sent: Instant, now: Instant) -> Effect {
        let turned = self.cell.answered(sent, now);
        self.endpoint.note_method(turned, &self.method, None);
        self.endpoint_answered(sent, now)
    }

    pub(super) fn endpoint_answered(&self, sent: Instant, now: Instant) -> Effect {
        let Endpoint { address, position, means, .. } = &*self.endpoint;
        means.quarantine.lives(address, sent);
        position.answered(sent, now)
    }

    pub(super) fn method_failed(&self, sent: Instant, now: Instant, fault: &Fault) {
        let Endpoint { means, cells, .. } = &*self.endpoint;
        let failed = Failed { sent, now, is_trial: matches!(self.role, Some(Role::Trial)) };
        let turned = self.cell.failed(failed, self.endpoint.limits(), || means.chance.share());
        // After the cell has changed, so that whoever looks in between finds it.
        cells.trouble();
        self.endpoint.note_method(turned, &self.method, Some(fault));
    }
}
