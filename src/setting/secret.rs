//! A secret text, and the options that say where it is kept.

use std::fmt;
use std::path::Path;

use constant_time_eq::constant_time_eq;

use super::Finding;

/// A secret text, never shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// Where a section says that its secret is kept: a file whose first line it is, or a variable of the environment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeper<'a> {
    /// The option that names the file, and what it says.
    pub file: (&'static str, Option<&'a Path>),
    /// The option that names the variable, and what it says.
    pub variable: (&'static str, Option<&'a str>),
}

impl Secret {
    /// Takes `text` as a secret.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one who logs in.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `given` is it, in a time that tells nothing of it but its length.
    pub(crate) fn is(&self, given: &[u8]) -> bool {
        constant_time_eq(self.0.as_bytes(), given)
    }
}

impl<'a> Keeper<'a> {
    /// Where the options `token_file` and `token_env` say that a token is.
    pub(crate) fn of_token(file: Option<&'a Path>, variable: Option<&'a str>) -> Self {
        Self { file: ("token_file", file), variable: ("token_env", variable) }
    }

    /// Whether one of the options is given.
    pub(crate) fn is_given(&self) -> bool {
        self.file.1.is_some() || self.variable.1.is_some()
    }

    /// What is wrong where both are given.
    pub(crate) fn problem(&self, what: &str) -> Option<Finding> {
        let both = self.file.1.is_some() && self.variable.1.is_some();
        let message = format!("{} is given too: only one of them can hold the {what}", self.file.0);
        both.then(|| Finding::new(self.variable.0, message))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_itself_alone_and_is_not_shown() {
        let secret = Secret::new("sesame".to_owned());
        let given: [&[u8]; 5] = [b"sesame", b"sesamf", b"sesam", b"sesame ", b""];
        assert_eq!(given.map(|given| secret.is(given)), [true, false, false, false, false]);
        assert_eq!(format!("{secret:?}"), "(secret)");
    }
}
