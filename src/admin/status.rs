//! The state of a gateway as `/status` shows it and `larder nagios` reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A gateway's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// The program's version.
    pub version: String,
    /// Seconds since it started.
    pub uptime_seconds: f64,
    /// The configuration in force.
    pub config: ConfigStatus,
    /// The backends, their endpoints and their calls of late.
    pub backends: Vec<BackendStatus>,
    /// The local tier.
    pub local: LocalStatus,
    /// The shared tier.
    pub shared: SharedStatus,
}

/// The configuration in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConfigStatus {
    /// Seconds since it was read.
    pub age_seconds: f64,
    /// How many times the rules were replaced, the first time included.
    pub generation: u64,
    /// `ok`, or why the last reload changed nothing.
    pub last_reload: String,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BackendStatus {
    /// Its name.
    pub name: String,
    /// Whether every endpoint fails.
    pub down: bool,
    /// Its endpoints.
    pub endpoints: Vec<EndpointStatus>,
    /// The methods that fail at every endpoint in rotation.
    #[serde(default)]
    pub methods_out: Vec<String>,
    /// The last calls of the listeners before it, also those that never reached it.
    pub window: WindowStatus,
}

/// The calls of the last minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WindowStatus {
    /// The window's length.
    pub seconds: u64,
    /// Calls of all outcomes.
    pub calls: u64,
    /// Calls of each outcome, by its word.
    pub outcomes: BTreeMap<String, u64>,
    /// The age of the oldest entry that answered.
    pub oldest_age_seconds: f64,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EndpointStatus {
    /// Its address.
    pub address: String,
    /// `rotating` or `ejected`.
    pub state: String,
    /// What took it out of rotation: `refused`, `closed`, `silent`, `unwell`, `failing` or `draining`.
    #[serde(default)]
    pub reason: Option<String>,
    /// Calls under way.
    pub in_flight: u64,
    /// Connections open.
    pub connections: u64,
}

/// The local tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LocalStatus {
    /// Entries held, about.
    pub entries: u64,
    /// Bytes held, about.
    pub bytes: u64,
}

/// The shared tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SharedStatus {
    /// Whether there is one.
    pub configured: bool,
    /// Whether it answers.
    pub up: bool,
}
