//! Whether a rule is in force, as the config says it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a rule is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// It is.
    On,
    /// Keys are computed and would-be hits counted; calls pass.
    Observe,
    /// Calls pass.
    Off,
}

impl Mode {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Observe => "observe",
            Self::Off => "off",
        }
    }
}
