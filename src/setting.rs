//! What every section of the configuration has: options with their text, default and bounds, and findings.

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

mod mode;
mod nearest;
pub(crate) mod quantity;
pub(crate) mod secret;
mod share;

pub(crate) use mode::Mode;
pub(crate) use nearest::Nearest;
pub(crate) use quantity::{Period, Size};
pub(crate) use secret::{Keeper, Secret};
pub(crate) use share::Share;

/// A section of the configuration file, held by the module that obeys it.
///
/// A field is an option: its doc comment is the reference text, its `Default` the documented default, its type
/// and the bounds in its `schemars` attributes the check. What one field cannot say alone is said below.
pub(crate) trait Section: Serialize + DeserializeOwned + JsonSchema + Default {
    /// What the gateway cannot work with although each option by itself is right.
    fn problems(&self) -> Vec<Finding> {
        Vec::new()
    }

    /// What is legal and unwise.
    fn warnings(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// Something to say about an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The option's name in its section; empty for the section as a whole.
    pub option: &'static str,
    /// What is wrong with it: lower case, no full stop.
    pub message: String,
    /// The nearest right name, where there is one.
    pub suggestion: Nearest,
}

impl Finding {
    /// A finding without a suggestion.
    pub(crate) fn new(option: &'static str, message: impl Into<String>) -> Self {
        Self { option, message: message.into(), suggestion: Nearest::default() }
    }

    /// What is wrong with the path of a socket in the file system.
    pub(crate) fn of_socket(option: &'static str, path: &Path) -> Option<Self> {
        let length = path.as_os_str().len();
        let message = format!("a path of {length} bytes is too long: expected at most {SOCKET_PATH_MAX}");
        (length > SOCKET_PATH_MAX).then(|| Self::new(option, message))
    }

    /// The same with the nearest right name.
    pub(crate) fn suggesting(mut self, name: Nearest) -> Self {
        self.suggestion = name;
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}{}", self.option, self.message, self.suggestion)
    }
}

/// Bytes of a socket's path. Linux takes 107, of which four are for the name that it has at first.
const SOCKET_PATH_MAX: usize = 100;
