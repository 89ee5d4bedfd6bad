//! What the config may say of the process.

use std::path::{Path, PathBuf};

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
    /// A folder for what should outlive the process: small files, which another start reads. It is made when it is needed.
    #[schemars(extend("x-default" = "none: nothing is kept"))]
    pub state_dir: Option<PathBuf>,
}

/// What the runtime is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// Threads that serve calls; one for each core without.
    pub threads: Option<usize>,
    /// The folder for what should outlive the process; nothing is kept without.
    pub state_dir: Option<PathBuf>,
}

impl Options {
    /// What the runtime is told. `beside` tells where a path is that stands in the file.
    pub(crate) fn settings(&self, beside: impl Fn(&Path) -> PathBuf) -> Settings {
        Settings { threads: self.threads, state_dir: self.state_dir.as_deref().map(beside) }
    }
}

impl Section for Options {}
