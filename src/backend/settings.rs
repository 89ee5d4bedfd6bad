//! What a backend is told, checked before it starts.

use std::sync::Arc;
use std::time::Duration;

use crate::wire::{Bounds, Protocol, Transport};

/// A backend's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name in the configuration, logs and metrics.
    pub name: Arc<str>,
    /// Hosts (addresses or names) and their ports. At least one.
    pub endpoints: Vec<(String, u16)>,
    /// The protocol its endpoints speak.
    pub protocol: Protocol,
    /// The transport its endpoints speak.
    pub transport: Transport,
    /// Who uses a connection.
    pub connections: Sharing,
    /// The whole call, where its rule gives no time.
    pub timeout: Option<Duration>,
    /// Opening one connection.
    pub connect_timeout: Duration,
    /// One try of a call; by default half of the call's time if a second try is possible, else all of it.
    pub attempt_timeout: Option<Duration>,
    /// Connections to one endpoint, at least 1.
    pub max_connections: usize,
    /// Calls that wait for a connection to one endpoint.
    pub max_waiting: usize,
    /// How long a connection may lie idle. Zero keeps none.
    pub idle_timeout: Duration,
    /// Time between two lookups of host names.
    pub resolve_interval: Duration,
    /// Consecutive failures that eject an endpoint, at least 1.
    pub ejection_failures: u32,
    /// The first ejection.
    pub ejection_time: Duration,
    /// The longest ejection.
    pub ejection_time_max: Duration,
    /// Bounds on replies.
    pub bounds: Bounds,
}

/// Who uses a connection to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Any client, one call at a time.
    Shared,
    /// One client, for as long as it stays: for backends that keep state on their connections.
    PerClient,
}
