//! What the config may say of the log.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::setting::{Finding, Section};

/// The log on standard error. It never holds argument or result values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// How a line looks: for people, or one JSON object a line.
    pub format: Format,
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`), or directives such as
    /// `info,larder::backend=debug`.
    pub level: String,
    /// At most so many lines a second on calls that met a fault, for each listener; the others are counted.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub calls_per_second: u32,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// What the log is told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How a line looks.
    pub format: Format,
    /// A filter, as `tracing` reads them.
    pub filter: String,
    /// At most so many lines a second on calls.
    pub calls_per_second: u32,
}

impl Options {
    /// What the log is told.
    pub(crate) fn settings(&self) -> Settings {
        Settings { format: self.format, filter: self.level.clone(), calls_per_second: self.calls_per_second }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { format: Format::Human, level: "info".to_owned(), calls_per_second: 10 }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let fault = match EnvFilter::from_str(&self.level) {
            _ if self.level.trim().is_empty() => "it is empty".to_owned(),
            Ok(_) => return Vec::new(),
            Err(error) => error.to_string(),
        };
        let accepted =
            "expected a level such as \"info\" or directives such as \"info,larder::backend=debug\"";
        vec![Finding::new("level", format!("{:?} is no log filter ({fault}); {accepted}", self.level))]
    }
}
