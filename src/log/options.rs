//! What the config may say of the log.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::setting::{Finding, Nearest, Section};

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
    /// Where a JSON line goes for each call: a file, beside this one, or `stdout`. It has what `larder tap` shows. A file is opened for each
    /// write, so that one which is moved away needs no signal. What is not written soon enough is dropped, and counted.
    #[schemars(length(min = 1, max = 4096))]
    pub access: Option<PathBuf>,
    /// How many of a hundred calls have such a line.
    #[schemars(range(min = 0.01, max = 100))]
    pub access_percent: f64,
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
    /// The log of all calls, if there is one.
    pub access: Option<Access>,
}

/// The log of all calls.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// Where it goes.
    pub to: Destination,
    /// How many of a hundred calls it has.
    pub percent: f64,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl Options {
    /// What the log is told. `beside` tells where a path is that stands in the file.
    pub(crate) fn settings(&self, beside: impl Fn(&Path) -> PathBuf) -> Settings {
        let to = self.access.as_deref().map(|path| match path == Path::new(STDOUT) {
            true => Destination::Stdout,
            false => Destination::File(beside(path)),
        });
        Settings {
            format: self.format,
            filter: self.level.clone(),
            calls_per_second: self.calls_per_second,
            access: to.map(|to| Access { to, percent: self.access_percent }),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str(STDOUT),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// How standard output is named.
const STDOUT: &str = "stdout";

impl Default for Options {
    fn default() -> Self {
        let level = "info".to_owned();
        Self { format: Format::Human, level, calls_per_second: 10, access: None, access_percent: 100.0 }
    }
}

impl Section for Options {
    fn warnings(&self) -> Vec<Finding> {
        let is_idle = self.access.is_none() && self.access_percent < 100.0;
        let message = "without access no call has a line";
        is_idle.then(|| Finding::new("access_percent", message)).into_iter().collect()
    }

    fn problems(&self) -> Vec<Finding> {
        let names_nothing = self.access.as_deref().is_some_and(|path| path.as_os_str().is_empty());
        let access = names_nothing
            .then(|| Finding::new("access", "\"\" names nothing; expected a file or \"stdout\""));
        self.level_problem().into_iter().chain(access).collect()
    }
}

impl Options {
    fn level_problem(&self) -> Option<Finding> {
        let fault = directives(&self.level).err()?;
        let accepted =
            "expected a level such as \"info\" or directives such as \"info,larder::backend=debug\"";
        Some(Finding::new("level", format!("{:?} is no log filter ({fault}); {accepted}", self.level)))
    }
}

/// Reads a level or directives.
///
/// # Errors
/// What is wrong with them. A single word that names neither a level nor a part of this program would be taken for a part of another, and
/// silence all else.
pub(crate) fn directives(text: &str) -> Result<EnvFilter, String> {
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    for word in text.split(',').map(str::trim) {
        let is_level = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
        let is_part = word.starts_with("larder") || word.contains([':', '=', '[']);
        if !is_level && !is_part {
            return Err(format!("{word:?} is no level{}", Nearest::of(word, LEVELS)));
        }
    }
    EnvFilter::from_str(text).map_err(|error| error.to_string())
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_not_taken_for_a_part_of_something() {
        for sound in ["info", "WARN", "off", "larder", "info,larder::backend=debug", "hyper=warn,info"] {
            assert!(directives(sound).is_ok(), "{sound}");
        }
        for (slip, says) in [
            ("inof", "\"inof\" is no level, did you mean info?"),
            ("info,debgu", "did you mean debug?"),
            ("", "empty"),
            ("larder=debgu", "parsing level"),
        ] {
            let said = directives(slip).unwrap_err();
            assert!(said.contains(says), "{slip}: {said}");
        }
    }

    #[test]
    fn an_access_log_has_a_place() {
        let problems =
            |access: &str| Options { access: Some(access.into()), ..Options::default() }.problems();
        assert_eq!(problems("").len(), 1);
        assert!(problems("stdout").is_empty() && problems("access.log").is_empty());
        let places = [Destination::Stdout, Destination::File("/log".into())].map(|place| place.to_string());
        assert_eq!(places, ["stdout", "/log"]);
    }
}
