//! The configurations that are, or were, in force, as `/v1/config` shows them, and the order to put an earlier one in force again.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A configuration that is, or was, in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Configuration {
    /// Which in the row it is; that of the start is 1.
    pub generation: u64,
    /// How it came.
    pub came: Came,
    /// The file that it was read from.
    pub file: String,
    /// Since when it is in force, or was, in milliseconds since the Unix epoch.
    pub since: u64,
    /// Seconds since then.
    pub age_seconds: f64,
    /// What it changed, in words.
    pub changes: Vec<String>,
    /// What the file said beside, and waits for a restart, in words. It is not in `toml`.
    pub needs_restart: Vec<String>,
    /// What the file gave of what is in force. Secrets are not in it: they stand elsewhere, and it names where.
    pub toml: String,
}

/// How a configuration came to be in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Came {
    /// With the start.
    Start,
    /// Its file was read again.
    Reload,
    /// By an order to go back to an earlier one.
    Rollback {
        /// The earlier one's generation.
        to: u64,
    },
}

/// An order to put an earlier configuration in force again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    /// The generation to go back to.
    pub generation: u64,
    /// Why, for whoever reads the log.
    #[serde(default)]
    pub why: String,
}

impl Came {
    /// Whether it is an earlier one, whatever its file says.
    pub(crate) fn is_rollback(self) -> bool {
        matches!(self, Self::Rollback { .. })
    }
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Reload => f.write_str("reload"),
            Self::Rollback { to } => write!(f, "rollback to {to}"),
        }
    }
}
