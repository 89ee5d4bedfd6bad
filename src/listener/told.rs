//! What the log and those who watch are told of a call when its reply goes out. It never holds argument or result values.

use tokio::time::Instant;
use tracing::{Level, debug, enabled, field, warn};

use crate::accept::Asker;
use crate::call::CallRef;
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::gateway::reply::Reply;
use crate::gateway::route::{Decision, Route};
use crate::key::canonical::Canonical;
use crate::mark::Cover;
use crate::outcome::Outcome;
use crate::tap::Seen;
use crate::wire::Bounds;
use crate::wire::message::split_name;

/// A call whose reply goes out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    pub(super) reply: &'a Reply,
    pub(super) route: &'a Route,
    /// The method as its client names it, with the prefix of a multiplexed call.
    pub(super) name: &'a [u8],
    /// When its first byte arrived.
    pub(super) arrived: Instant,
    pub(super) client: Asker,
    /// The call itself, where a rule caches it.
    pub(super) call: Option<CallRef<'a>>,
}

impl Told<'_> {
    /// Tells those who watch. Tells the log of a call that failed, or that something old answered, at a bounded rate; of any other only where
    /// such lines are asked for.
    #[inline]
    pub(super) fn tell(self, gateway: &Gateway) {
        if gateway.taps.is_watched() {
            self.show(gateway);
        }
        if !self.is_routine() {
            if let Some(dropped) = gateway.lines.admit() {
                self.line(gateway, Some(dropped));
            }
        } else if enabled!(Level::DEBUG) {
            self.line(gateway, None);
        }
    }

    /// Whether it needs no line: what is answered in a known outage is told of by the lines of that.
    #[inline]
    fn is_routine(&self) -> bool {
        match (&self.reply.fault, self.reply.outcome) {
            (None, outcome) => outcome != Outcome::StaleIfError,
            (Some(Fault::Down { .. }), outcome) => outcome != Outcome::Failed,
            (Some(_), _) => false,
        }
    }

    /// Shows it to those who watch.
    #[cold]
    fn show(self, gateway: &Gateway) {
        let Self { reply, route, client, arrived, .. } = self;
        let ((service, method), routes) = (split_name(self.name), gateway.routes.load());
        let seen = Seen {
            at: gateway.clock.now(),
            listener: gateway.counts.listener(),
            client,
            service: service.unwrap_or_else(|| routes.service().as_bytes()),
            method,
            backend: route.backend().name(),
            endpoint: reply.endpoint.as_ref(),
            outcome: reply.outcome,
            why: reply.fault.as_ref().map(Fault::as_str),
            age: reply.age,
            took: arrived.elapsed(),
        };
        gateway.taps.show(&seen, || self.key());
    }

    /// The hash of its key, where it has one, as `larder explain` and `larder purge --key` know it.
    fn key(self) -> Option<u128> {
        let Decision::Cache(cached) = &self.route.decision else { return None };
        let CallRef { protocol, body, info, .. } = self.call?;
        let mut canonical = Canonical::new(Bounds::default().depth);
        let key = cached.keyed.key_of(protocol, (body, info), &mut canonical).ok()?;
        let Cover(hash) = Cover::key(&key);
        Some(hash)
    }

    /// One line, a warning if it says how many were left out before it.
    #[cold]
    fn line(self, gateway: &Gateway, dropped: Option<u64>) {
        let Self { reply, route, client, arrived, .. } = self;
        let (listener, backend) = (gateway.counts.listener(), route.backend().name());
        let (method, name) = (route.counts.method(), named(split_name(self.name).1, route.counts.method()));
        let (outcome, fault) = (reply.outcome.as_str(), reply.fault.as_ref().map(field::display));
        let age_ms = reply.age.map(|age| age.as_millis());
        let took_ms = arrived.elapsed().as_millis();
        match dropped {
            Some(dropped) => {
                warn!(%listener, %client, %backend, %method, name, outcome, fault, age_ms, took_ms, dropped, "call");
            }
            None => {
                debug!(%listener, %client, %backend, %method, name, outcome, fault, age_ms, took_ms, "call");
            }
        }
    }
}

/// A method's name as it came from the network, where its label does not tell it: bounded, and in letters that move no cursor.
fn named(name: &[u8], label: &str) -> Option<String> {
    if label.as_bytes().ends_with(name) {
        return None;
    }
    let told = name.get(..NAME_TOLD).unwrap_or(name).escape_ascii();
    Some(if name.len() > NAME_TOLD { format!("{told}...") } else { told.to_string() })
}

/// Bytes of a name that are told.
const NAME_TOLD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_rule_and_no_idl_knows_is_told_in_bounds() {
        assert_eq!(named(b"getUser", "UserService.getUser"), None);
        assert_eq!(named(b"getUser", "UserService.get*").as_deref(), Some("getUser"));
        assert_eq!(named(b"a\n\x1b[2J\xff", "other").as_deref(), Some("a\\n\\x1b[2J\\xff"));
        let long = named(&[b'x'; 10_000], "other").unwrap();
        assert_eq!(long, format!("{}...", "x".repeat(NAME_TOLD)));
    }
}
