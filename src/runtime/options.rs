//! What the config may say of the process.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{Finding, Section};

/// The process as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// Threads that serve calls.
    #[schemars(range(min = 1, max = 1024), extend("x-default" = "the cores it may use"))]
    pub threads: Option<usize>,
    /// A folder for what should outlive the process, which another start reads: small files, and what is kept of the local tier, replies
    /// included. It is made when it is needed.
    #[schemars(extend("x-default" = "none: nothing is kept"))]
    pub state_dir: Option<PathBuf>,
    /// A socket in the file system, through which a gateway that starts takes the listening sockets of the one that runs with the same path.
    /// As soon as it serves, the other one answers what it has read and ends. Both run as the same user. At most 100 bytes, and in a
    /// folder where nobody else may write.
    #[schemars(extend("x-default" = "none: a port that is in use ends the start"))]
    pub handover: Option<PathBuf>,
    /// Whether the configuration is read again when this file, or one that it names (IDL, secrets), holds something else: within about a
    /// second, as SIGHUP does. A file that cannot be used is refused once, and what is in force stays.
    pub watch_config: bool,
}

/// What the runtime is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// Threads that serve calls; one for each core without.
    pub threads: Option<usize>,
    /// The folder for what should outlive the process; nothing is kept without.
    pub state_dir: Option<PathBuf>,
    /// The socket for handovers; there are none without.
    pub handover: Option<PathBuf>,
    /// Whether the configuration's files are watched.
    pub watch_config: bool,
}

impl Options {
    /// What the runtime is told. `beside` tells where a path is that stands in the file.
    pub(crate) fn settings(&self, beside: impl Fn(&Path) -> PathBuf) -> Settings {
        Settings {
            threads: self.threads,
            state_dir: self.state_dir.as_deref().map(&beside),
            handover: self.handover.as_deref().map(beside),
            watch_config: self.watch_config,
        }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let handover = self.handover.as_deref();
        handover.and_then(|path| Finding::of_socket("handover", path)).into_iter().collect()
    }
}
