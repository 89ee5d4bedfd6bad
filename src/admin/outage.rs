//! An outage as `/v1/outages` and `/v1/status` show it, and as it is kept for the next start.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A time in which no endpoint of a backend was in rotation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Outage {
    /// The backend.
    pub backend: String,
    /// When it was known to be down, in seconds since 1970.
    pub began_unix_seconds: f64,
    /// When it was back; not yet without.
    pub ended_unix_seconds: Option<f64>,
    /// How long it has lasted.
    pub seconds: f64,
    /// Whether the gateway stopped before it was over: what came after is not in here.
    pub interrupted: bool,
    /// What kept each endpoint out of rotation, one reason after another.
    pub endpoints: BTreeMap<String, Vec<String>>,
    /// The share of calls, in percent, that was told to be covered when it began; nothing where there had been no calls.
    pub coverage_percent: Option<f64>,
    /// What became of its calls.
    pub calls: OutageCalls,
    /// The age of the oldest entry that answered.
    pub oldest_age_seconds: f64,
}

/// The calls of an outage by what answered them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OutageCalls {
    /// A fresh entry.
    pub fresh: u64,
    /// A stale entry.
    pub stale: u64,
    /// The rule's backup.
    #[serde(default)]
    pub backup: u64,
    /// The rule's fallback.
    pub fallback: u64,
    /// An exception.
    pub failed: u64,
    /// The backend, which some calls may ask to find out whether it is back.
    pub asked: u64,
}

impl OutageCalls {
    /// All of them.
    pub(crate) fn all(&self) -> u64 {
        self.answered() + self.failed
    }

    /// Those that were answered.
    pub(crate) fn answered(&self) -> u64 {
        self.fresh + self.stale + self.backup + self.fallback + self.asked
    }
}
