//! The state of a gateway as `/v1/status` shows it and `larder nagios` reads it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::outage::Outage;
use crate::switch::table::InForce;

/// A gateway's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The certificates in use.
    #[serde(default)]
    pub certificates: Vec<CertificateStatus>,
    /// What is done otherwise than configured, by an operator's word.
    #[serde(default)]
    pub switches: Vec<InForce>,
    /// What was found of the rules with `verify`.
    #[serde(default)]
    pub verification: Vec<VerificationStatus>,
}

/// A file of certificates that is in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CertificateStatus {
    /// The section that names the file.
    pub section: String,
    /// `shown`, by the gateway, or `believed`: those of authorities.
    pub role: String,
    /// The file.
    pub file: String,
    /// Seconds until the first of a chain expires, or the last of the authorities; less than 0 once that has happened.
    pub seconds_left: f64,
    /// Why what the section's files hold now is not in use, but what they held before.
    #[serde(default)]
    pub unusable: Option<String>,
}

/// What was found of the last hits of a rule that the backend was asked again, 64 at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct VerificationStatus {
    /// The rule's pattern.
    pub rule: String,
    /// Hits to which the backend says the same.
    pub matches: u64,
    /// Those that have changed since they were kept.
    pub changed: u64,
    /// Those for which no one reply is right.
    pub mismatches: u64,
}

/// The configuration in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ConfigStatus {
    /// Seconds since it was read.
    pub age_seconds: f64,
    /// How many times one was put in force, the first time included.
    pub generation: u64,
    /// `ok`, or why the last reload changed nothing.
    pub last_reload: String,
    /// Whether the file said something else when it was last read: it was refused, waits for a restart, or an operator went back to an
    /// earlier configuration.
    #[serde(default)]
    pub file_differs: bool,
    /// The options that wait for a restart.
    #[serde(default)]
    pub needs_restart: Vec<String>,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BackendStatus {
    /// Its name.
    pub name: String,
    /// Whether every endpoint fails.
    pub down: bool,
    /// Its endpoints.
    pub endpoints: Vec<EndpointStatus>,
    /// Why its file of endpoints is not obeyed, or a name of its endpoints could not be looked up.
    #[serde(default)]
    pub undiscovered: Option<String>,
    /// The methods that fail at every endpoint in rotation.
    #[serde(default)]
    pub methods_out: Vec<String>,
    /// Calls, by their keys, that are sent nowhere because endpoints died of them.
    #[serde(default)]
    pub quarantined: u64,
    /// The last calls of the listeners before it, also those that never reached it.
    pub window: WindowStatus,
    /// The outage that lasts.
    #[serde(default)]
    pub outage: Option<Outage>,
    /// What would be answered if it died now.
    #[serde(default)]
    pub coverage: CoverageStatus,
}

/// Which of the calls of the last five minutes would have been answered, had their backend died when they came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CoverageStatus {
    /// The window's length.
    pub seconds: u64,
    /// Calls that expect a reply.
    pub calls: u64,
    /// Those that would be answered so long after the backend's death.
    pub after: Vec<AnsweredStatus>,
    /// The same by method.
    pub methods: Vec<MethodCoverage>,
}

/// The calls of one method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MethodCoverage {
    /// The listener that they came to.
    pub listener: String,
    /// The method, or the rule's pattern.
    pub method: String,
    /// Calls that expect a reply.
    pub calls: u64,
    /// Those that would be answered so long after the backend's death.
    pub after: Vec<AnsweredStatus>,
}

/// The calls that would be answered at one time after the backend's death.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AnsweredStatus {
    /// The time.
    pub seconds: u64,
    /// By what was kept when they came.
    pub kept: u64,
    /// Of the others, by the rule's backup, as long as that answers.
    #[serde(default)]
    pub backup: u64,
    /// Of the others, by the rule's fallback.
    pub fallback: u64,
    /// Of the others, by what is kept since, if the very same is asked again.
    pub learnt: u64,
}

impl AnsweredStatus {
    /// All of them.
    pub(crate) fn answered(&self) -> u64 {
        self.kept + self.backup + self.fallback + self.learnt
    }
}

/// The calls of the last minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EndpointStatus {
    /// Its address.
    pub address: String,
    /// `rotating` or `ejected`.
    pub state: String,
    /// What took it out of rotation: `refused`, `untrusted`, `closed`, `silent`, `unwell`, `failing` or `draining`; by an
    /// operator's word `drained` or `ordered`.
    #[serde(default)]
    pub reason: Option<String>,
    /// Why the last TLS handshake with it failed, if it did.
    #[serde(default)]
    pub untrusted: Option<String>,
    /// For how long it has been out of rotation.
    #[serde(default)]
    pub out_seconds: Option<f64>,
    /// Whether it is gone with most of the others, and held while it answers checks.
    #[serde(default)]
    pub held: bool,
    /// Whether nothing ever answered there, and its name has an address where something does: no lack of health.
    #[serde(default)]
    pub idle: bool,
    /// Calls under way.
    pub in_flight: u64,
    /// Those of them that wait for a connection.
    #[serde(default)]
    pub waiting: u64,
    /// The calls that it may get at once, while something limits them: it had too much, or is just back.
    #[serde(default)]
    pub limit: Option<u64>,
    /// Tries that were answered, since it is known.
    #[serde(default)]
    pub answered: u64,
    /// Tries that ended with a fault.
    #[serde(default)]
    pub failed: u64,
    /// Connections open.
    pub connections: u64,
    /// How it treats connections, as far as that was seen.
    #[serde(default)]
    pub habits: HabitsStatus,
}

/// How an endpoint treats connections, as far as that was seen. All is forgotten when it is back after an outage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct HabitsStatus {
    /// The most calls that it handled at once.
    pub parallel: u64,
    /// The connections that it reads at once, where it was seen to let others wait: for a minute no more are opened.
    pub reads_connections: Option<u64>,
    /// For how long connections are left idle, where it was seen to close them and less than `idle_timeout`: four fifths of what it allows.
    pub idle_seconds: Option<f64>,
    /// How old connections become before they are given up, where it was seen to close them under calls: four fifths of what it allows.
    #[serde(default)]
    pub age_seconds: Option<f64>,
    /// Whether it closes a connection on a check, although it answers calls.
    pub closes_on_checks: bool,
    /// Whether it closes a connection after an exception of the protocol, such as that for an unknown method.
    pub closes_after_exceptions: bool,
    /// Whether it answers oneway calls.
    pub answers_oneways: bool,
}

/// The local tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LocalStatus {
    /// Entries held, about.
    pub entries: u64,
    /// Bytes held, about.
    pub bytes: u64,
}

/// The shared tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SharedStatus {
    /// Whether there is one.
    pub configured: bool,
    /// Whether it answers: any of its servers.
    pub up: bool,
    /// Its servers.
    pub servers: Vec<ServerStatus>,
}

/// A server of the shared tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ServerStatus {
    /// What it is called: its address, or what sentinels call it.
    pub name: String,
    /// `up`, `half_open` (it failed, and is to prove itself) or `down`.
    pub state: String,
}
