//! Who the gateway is to a server.

use crate::setting::Secret;

/// How to log in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    /// ACL user; sent with a password only. Without it, Redis takes its user `default`.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
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
