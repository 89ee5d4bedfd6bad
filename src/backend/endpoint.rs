//! One address of a backend: its calls in flight, its connections, its standing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::verdict;
use super::deadline::Deadline;
use super::ejection::{Effect, Ejection, Limits, Standing, Ticket, Verdict};
use super::load::{Burden, Load, Measure};
use super::means::Means;
use super::method::Method;
use super::pool::{Pool, Turn};
use super::share::Share;
use crate::call::{Answer, Said};
use crate::fault::Fault;

/// An endpoint as an operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndpointStatus {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it takes calls.
    pub standing: Standing,
    /// Calls that wait for it.
    pub in_flight: usize,
    /// Connections open to it.
    pub connections: usize,
}

/// One address of a backend.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    pub(super) means: Arc<Means>,
    pub(super) pool: Pool,
    pub(super) ejection: Ejection,
    pub(super) load: Load,
    pub(super) share: Share,
}

impl Endpoint {
    pub(super) fn new(address: SocketAddr, means: &Arc<Means>) -> Self {
        let now = Instant::now();
        let settings = &means.settings;
        let limits = Limits {
            failures: settings.ejection_failures,
            time: settings.ejection_time,
            time_max: settings.ejection_time_max,
            probe: settings
                .attempt_timeout
                .or(settings.timeout)
                .unwrap_or(PROBE_TIME)
                .max(settings.connect_timeout),
        };
        Self {
            address,
            pool: Pool::new(settings),
            ejection: Ejection::new(limits),
            load: Load::new(now),
            share: Share::new(settings.slow_start, now),
            means: Arc::clone(means),
        }
    }

    pub(super) fn status(&self) -> EndpointStatus {
        EndpointStatus {
            address: self.address,
            standing: self.ejection.standing(),
            in_flight: self.load.in_flight(),
            connections: self.pool.connections(),
        }
    }
}

/// One call's right to ask an endpoint. Dropped without a word of what came of it, it tells nothing.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) endpoint: Arc<Endpoint>,
    method: Arc<Method>,
    ticket: Option<Ticket>,
    burden: Burden,
    /// When the call was sent, or is about to be.
    sent: Option<Instant>,
    chance: FairChance,
    /// Its place where calls wait in a line.
    pub(super) turn: Turn,
}

/// Whether an endpoint had the time to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FairChance {
    Given,
    /// It was asked when its call's time was nearly spent, or its client keeps it busy.
    Denied,
}

impl Attempt {
    /// An attempt at an endpoint in rotation.
    pub(super) fn admit(endpoint: &Arc<Endpoint>, method: &Arc<Method>) -> Option<Self> {
        endpoint.ejection.admit().map(|ticket| Self::with(endpoint, method, ticket))
    }

    /// The attempt that finds out whether an ejected endpoint is back.
    pub(super) fn probe(
        endpoint: &Arc<Endpoint>,
        method: &Arc<Method>,
        now: Instant,
        patience: Duration,
    ) -> Option<Self> {
        let ticket = endpoint.ejection.admit_probe(now, patience)?;
        Some(Self::with(endpoint, method, ticket))
    }

    /// Notes that the call is held up by what its own client sent before.
    pub(super) fn stands_behind_others(&mut self) {
        self.chance = FairChance::Denied;
    }

    /// Notes how much of its time the call has left now that it is sent.
    pub(super) fn sends(&mut self, deadline: Option<Deadline>) {
        self.sent = Some(Instant::now());
        if deadline.is_some_and(Deadline::is_nearly_spent) {
            self.chance = FairChance::Denied;
        }
    }

    /// Notes that it is a retry: it does not keep a call waiting that was not tried yet.
    pub(super) fn gives_way(&mut self) {
        self.turn = Turn::Later;
    }

    /// Notes that it waits for more than its own handler: how long it takes tells nothing.
    pub(super) fn is_not_timed(&mut self) {
        self.sent = None;
    }

    /// Leaves the verdict to what goes on when the call has ended.
    pub(super) fn hand_over(&mut self) -> Self {
        let burden = self.endpoint.load.begin(None, Instant::now());
        let (endpoint, method) = (Arc::clone(&self.endpoint), Arc::clone(&self.method));
        Self {
            endpoint,
            method,
            ticket: self.ticket.take(),
            burden,
            sent: None,
            chance: self.chance,
            turn: self.turn,
        }
    }

    /// Ends it with an answer.
    pub(super) fn answered(self, said: Said) {
        self.endpoint.means.tally.answered();
        if let Some(sent) = self.sent {
            let now = Instant::now();
            let took = now.duration_since(sent);
            self.method.pace.answered(took);
            let measure = match said {
                Said::Result | Said::Nothing => {
                    self.method.median.note(took);
                    Measure::Result
                }
                Said::Declared(_) => Measure::Exception,
            };
            self.endpoint.load.note(measure, took, self.method.median.get(), now);
        }
        self.end(Verdict::Healthy, None);
    }

    /// Ends it with a call that has no reply and was sent.
    pub(super) fn sent(self) {
        self.endpoint.means.tally.sent();
        self.end(Verdict::Neutral, None);
    }

    /// Ends it with a fault.
    pub(super) fn failed(self, fault: &Fault) {
        self.endpoint.means.tally.failed(fault);
        let verdict = match (fault, self.chance) {
            (Fault::Timeout { .. }, FairChance::Denied) => Verdict::Neutral,
            (_, FairChance::Given | FairChance::Denied) => verdict(fault),
        };
        self.measure(fault);
        self.end(verdict, Some(fault));
    }

    /// Ends it by what came of a call that is answered.
    pub(super) fn settle(self, asked: Result<&Answer, &Fault>) {
        match asked {
            Ok(answer) => self.answered(answer.said),
            Err(fault) => self.failed(fault),
        }
    }

    fn measure(&self, fault: &Fault) {
        let Some(measure) = Measure::of(fault) else { return };
        if measure == Measure::Late && self.chance == FairChance::Denied {
            return;
        }
        let now = Instant::now();
        let took = self.sent.map_or(Duration::ZERO, |sent| now.duration_since(sent));
        self.endpoint.load.note(measure, took, self.method.median.get(), now);
    }

    /// Ends it by what it says of the endpoint, and where that is a fault, by which.
    pub(super) fn end(mut self, verdict: Verdict, fault: Option<&Fault>) {
        let Some(ticket) = self.ticket.take() else { return };
        let Endpoint { ejection, means, address, .. } = &*self.endpoint;
        match ejection.settle(ticket, verdict, || means.chance.share()) {
            Effect::Unchanged => {}
            Effect::Ejected(time) => {
                means.tally.ejected();
                means.left.notify_waiters();
                let fault = fault.map(tracing::field::display);
                tracing::warn!(backend = %means.name(), endpoint = %address, for_ms = time.as_millis(), fault, "endpoint ejected");
            }
            Effect::Returned => {
                self.endpoint.share.begin_slowly(Instant::now());
                tracing::info!(backend = %means.name(), endpoint = %address, "endpoint is back");
            }
        }
    }

    fn with(endpoint: &Arc<Endpoint>, method: &Arc<Method>, ticket: Ticket) -> Self {
        let burden = endpoint.load.begin(method.median.get(), Instant::now());
        Self {
            endpoint: Arc::clone(endpoint),
            method: Arc::clone(method),
            ticket: Some(ticket),
            burden,
            sent: None,
            chance: FairChance::Given,
            turn: Turn::First,
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.endpoint.load.end(self.burden);
        if let Some(ticket) = self.ticket.take() {
            self.endpoint.ejection.settle(ticket, Verdict::Neutral, || 1.0);
        }
    }
}

/// How long a probe keeps others from probing where the backend has no timeout.
const PROBE_TIME: Duration = Duration::from_secs(1);
