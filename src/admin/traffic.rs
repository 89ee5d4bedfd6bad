//! The calls of each method as `/v1/traffic` counts them and `larder top` reads them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Traffic {
    /// Seconds since the gateway started.
    pub uptime_seconds: f64,
    /// The bounds of `waits`.
    pub bounds_seconds: Vec<f64>,
    /// By listener and method, those that had calls.
    pub methods: Vec<MethodTraffic>,
}

/// The calls of one method, or of all that are counted together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MethodTraffic {
    /// The listener that they came to.
    pub listener: String,
    /// The method, the rule's pattern, or `_OTHER`.
    pub method: String,
    /// Calls by what became of them, in the words of the metric `larder_calls_total`.
    pub outcomes: BTreeMap<String, u64>,
    /// Calls that were not answered at once, by how long they took: each count is of those above the bound before and not above its own; the
    /// last is of those above all.
    pub waits: Vec<u64>,
}
