//! What the config may say of the process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::Section;

/// The process as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Threads that serve calls.
    #[schemars(range(min = 1, max = 1024), extend("x-default" = "the cores it may use"))]
    pub threads: Option<usize>,
}

impl Section for Options {}
