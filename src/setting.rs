//! What every section of the configuration has: options with their text, default and bounds, and findings.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub mod quantity;

pub use quantity::{Period, Size};

/// A section of the configuration file, held by the module that obeys it.
///
/// A field is an option: its doc comment is the reference text, its `Default` the documented default, its type
/// and the bounds in its `schemars` attributes the check. What one field cannot say alone is said below.
pub trait Section: Serialize + DeserializeOwned + JsonSchema + Default {
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
pub struct Finding {
    /// The option's name in its section; empty for the section as a whole.
    pub option: &'static str,
    /// What is wrong with it: lower case, no full stop.
    pub message: String,
    /// The nearest right name, where there is one.
    pub suggestion: Option<String>,
}

impl Finding {
    /// A finding without a suggestion.
    pub fn new(option: &'static str, message: impl Into<String>) -> Self {
        Self { option, message: message.into(), suggestion: None }
    }

    /// The same with the nearest right name.
    pub fn suggesting(mut self, name: Option<String>) -> Self {
        self.suggestion = name;
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.message)?;
        match &self.suggestion {
            Some(name) => write!(f, ", did you mean {name}?"),
            None => Ok(()),
        }
    }
}

/// The name among `known` that is nearest to `name`, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted = name.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&wanted, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.to_owned())
}

/// The Jaro-Winkler likeness from which a name counts as meant: `tll` and `ttl` have 0.80, `cache` and `local` 0.47.
const LIKENESS_MIN: f64 = 0.78;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_name_and_a_stranger_finds_none() {
        let known = ["ttl", "ttl_jitter", "timeout", "mode", "stale_if_error", "stale_while_revalidate"];
        let check =
            |name, expected: Option<&str>| assert_eq!(nearest(name, known).as_deref(), expected, "{name}");
        check("tll", Some("ttl"));
        check("TTL", Some("ttl"));
        check("time_out", Some("timeout"));
        check("stale_on_error", Some("stale_if_error"));
        check("colour", None);
        check("", None);
    }
}
