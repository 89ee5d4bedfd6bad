//! What is held, as the admin endpoint tells it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rule::pattern::Pattern;

/// What the local tier holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Stock {
    /// Whether all of it was looked at. A walk that takes longer than 5 s ends before.
    pub whole: bool,
    /// Entries and tombstones that were looked at.
    pub seen: u64,
    /// How long that took.
    pub took_seconds: f64,
    /// The entries by method, in the order of their names; beyond 1000 methods the others are told as `_OTHER`.
    pub methods: Vec<MethodStock>,
}

impl Stock {
    /// That of the methods of this pattern alone.
    pub(crate) fn of(&self, pattern: Option<&Pattern>) -> Self {
        let is_asked_for = |one: &&MethodStock| {
            let names = one.method.rsplit_once('.');
            pattern
                .is_none_or(|pattern| names.is_some_and(|(service, method)| pattern.matches(service, method)))
        };
        let Self { whole, seen, took_seconds, ref methods } = *self;
        Self { whole, seen, took_seconds, methods: methods.iter().filter(is_asked_for).cloned().collect() }
    }
}

/// The entries of one method, of all listeners and backends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MethodStock {
    /// The method, with its service.
    pub method: String,
    /// Its entries.
    pub entries: u64,
    /// Bytes of memory that they take with their keys, about.
    pub bytes: u64,
    /// The age of the youngest.
    pub youngest_seconds: f64,
    /// The age that half of them have not reached, to about a percent.
    pub median_seconds: f64,
    /// The age of the oldest.
    pub oldest_seconds: f64,
    /// What they may be used for by the rules in force.
    pub states: States,
    /// Those that a mark covers: a purge, or a call that changed something. They answer in an outage alone, or never.
    pub covered: u64,
}

/// How many entries may be used for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct States {
    /// They answer at once.
    pub fresh: u64,
    /// They answer at once and are refreshed.
    pub stale_while_revalidate: u64,
    /// They answer where the backend fails.
    pub stale_if_error: u64,
    /// They do not answer any more.
    pub expired: u64,
    /// No rule in force knows their keys.
    pub unruled: u64,
}

/// Whose entries are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Asked {
    /// Those of these methods, as rules name them: `Service.method`, `Service.prefix*`, `Service.*`; of all, if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}
