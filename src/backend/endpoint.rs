//! One address of a backend: its calls in flight, its connections, its standing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::ejection::{Effect, Ejection, Limits, Standing, Ticket, Verdict};
use super::pool::Pool;
use super::settings::Settings;

/// An endpoint as an operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointState {
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
    pub(super) pool: Pool,
    pub(super) ejection: Ejection,
    in_flight: AtomicUsize,
}

impl Endpoint {
    pub(super) fn new(address: SocketAddr, settings: &Settings) -> Self {
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
            pool: Pool::new(settings.max_connections, settings.max_waiting, settings.idle_timeout),
            ejection: Ejection::new(limits),
            in_flight: AtomicUsize::new(0),
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn state(&self) -> EndpointState {
        EndpointState {
            address: self.address,
            standing: self.ejection.standing(),
            in_flight: self.in_flight(),
            connections: self.pool.connections(),
        }
    }
}

/// One call's turn at an endpoint. Dropped without a verdict, it tells nothing.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) endpoint: Arc<Endpoint>,
    ticket: Option<Ticket>,
}

impl Turn {
    /// A turn in rotation.
    pub(super) fn take(endpoint: &Arc<Endpoint>) -> Option<Self> {
        endpoint.ejection.admit().map(|ticket| Self::with(endpoint, ticket))
    }

    /// The turn of a probe.
    pub(super) fn probe(endpoint: &Arc<Endpoint>, now: Instant, patience: Duration) -> Option<Self> {
        let ticket = endpoint.ejection.admit_probe(now, patience)?;
        Some(Self::with(endpoint, ticket))
    }

    /// Ends the turn. `share` places the end of an ejection, see [`Ejection::settle`].
    pub(super) fn settle(mut self, verdict: Verdict, share: impl FnOnce() -> f64) -> Effect {
        match self.ticket.take() {
            None => Effect::Unchanged,
            Some(ticket) => self.endpoint.ejection.settle(ticket, verdict, share),
        }
    }

    fn with(endpoint: &Arc<Endpoint>, ticket: Ticket) -> Self {
        endpoint.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { endpoint: Arc::clone(endpoint), ticket: Some(ticket) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.endpoint.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(ticket) = self.ticket.take() {
            self.endpoint.ejection.settle(ticket, Verdict::Neutral, || 1.0);
        }
    }
}

/// How long a probe keeps others from probing where the backend has no timeout.
const PROBE_TIME: Duration = Duration::from_secs(1);
