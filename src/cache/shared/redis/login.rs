//! Who the gateway is to a server.

use std::fmt;

/// How to log in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    /// ACL user; sent with a password only. Without it, Redis takes its user `default`.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
}

/// A secret text, never shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Takes `text` as a secret.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the one who logs in.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
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
    fn a_secret_is_not_shown() {
        let login = Login { username: None, password: Some(Secret::new("sesame".to_owned())) };
        assert!(!format!("{login:?}").contains("sesame"));
    }
}
