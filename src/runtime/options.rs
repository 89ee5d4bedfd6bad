//! What the config may say of the process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::Section;

/// The process as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// Threads that serve calls.
    #[schemars(range(min = 1, max = 1024), extend("x-default" = "the cores it may use"))]
    pub threads: Option<usize>,
}

/// What the runtime is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// Threads that serve calls; one for each core without.
    pub threads: Option<usize>,
}

impl Options {
    /// What the runtime is told.
    pub(crate) fn settings(&self) -> Settings {
        Settings { threads: self.threads }
    }
}

impl Section for Options {}
