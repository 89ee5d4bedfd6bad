//! What the config may say of the two tiers, and what they are told.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::redis::{self, Secret, UrlError};
use crate::setting::{Finding, Period, Section, Size};

/// The tier in this process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LocalOptions {
    /// The memory it may take, keys and overhead included. What was asked for least recently leaves first.
    #[schemars(extend("x-least" = "1MiB", "x-most" = "1TiB"))]
    pub capacity: Size,
}

/// The tier in Redis that all gateways share. Without this section there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub(crate) struct SharedOptions {
    /// Where Redis listens, without a password, such as `redis://127.0.0.1:6379/0`.
    pub url: String,
    /// The name to log in with, where Redis has users.
    pub username: Option<String>,
    /// The file whose first line is the password, relative to this file.
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// What every key in Redis begins with.
    pub prefix: String,
    /// How long a call waits for Redis before it goes on without it.
    #[schemars(extend("x-least" = "1ms", "x-most" = "10s"))]
    pub read_timeout: Period,
    /// How long opening a connection may take.
    #[schemars(extend("x-least" = "1ms", "x-most" = "1m"))]
    pub connect_timeout: Period,
    /// How long Redis keeps an entry at least; the windows of its rule may ask for longer. A longer
    /// `stale_if_error`, set in the middle of an outage, finds what is kept.
    #[schemars(extend("x-least" = "0s", "x-most" = "87600h"))]
    pub keep: Period,
    /// Writes in flight; further ones are dropped and counted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_writes: u32,
}

/// What the tiers are told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Bytes that the local tier may take.
    pub capacity: u64,
    /// The tier in Redis, if there is one.
    pub shared: Option<SharedSettings>,
}

/// What the shared tier is told.
#[derive(Debug, Clone)]
pub(crate) struct SharedSettings {
    /// Where Redis is and how it is asked.
    pub redis: redis::Settings,
    /// How long an entry is kept at least.
    pub keep: Duration,
}

impl LocalOptions {
    /// What the local tier is told, beside a shared one.
    pub(crate) fn settings(&self, shared: Option<SharedSettings>) -> Settings {
        Settings { capacity: self.capacity.bytes(), shared }
    }
}

impl SharedOptions {
    /// What the shared tier is told, with the password that was found where these options say.
    ///
    /// # Errors
    /// The url does not say where Redis is.
    pub(crate) fn settings(&self, password: Option<Secret>) -> Result<SharedSettings, UrlError> {
        let redis = redis::Settings {
            username: self.username.clone(),
            password,
            prefix: self.prefix.clone(),
            read_timeout: self.read_timeout.duration(),
            connect_timeout: self.connect_timeout.duration(),
            max_writes: self.max_writes,
            ..redis::Settings::from_url(&self.url)?
        };
        Ok(SharedSettings { redis, keep: self.keep.duration() })
    }
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self { capacity: Size::from_mib(256) }
    }
}

impl Default for SharedOptions {
    fn default() -> Self {
        Self {
            url: String::new(),
            username: None,
            password_file: None,
            password_env: None,
            prefix: "larder".to_owned(),
            read_timeout: Period::from_millis(50),
            connect_timeout: Period::from_millis(250),
            keep: Period::from_secs(24 * 3600),
            max_writes: 1024,
        }
    }
}

impl Section for LocalOptions {}

impl Section for SharedOptions {
    fn problems(&self) -> Vec<Finding> {
        let mut found: Vec<_> =
            url_fault(&self.url).map(|fault| Finding::new("url", fault)).into_iter().collect();
        if self.password_file.is_some() && self.password_env.is_some() {
            found.push(Finding::new(
                "password_env",
                "password_file is given too: only one of them can hold the password",
            ));
        }
        if self.username.is_some() && self.password_file.is_none() && self.password_env.is_none() {
            found.push(Finding::new("username", "needs password_file or password_env"));
        }
        if self.prefix.is_empty() || self.prefix.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let message =
                format!("{:?} is no prefix: expected at least one character, and no spaces", self.prefix);
            found.push(Finding::new("prefix", message));
        }
        found
    }
}

/// What is wrong with a Redis URL, as the one who will connect to it reads it. The URL itself is never repeated: it may
/// hold a password.
fn url_fault(url: &str) -> Option<String> {
    redis::Settings::from_url(url).err().map(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host_and_no_secret() {
        let check = |url: &str, expected: Option<&str>| match (url_fault(url), expected) {
            (None, None) => {}
            (Some(fault), Some(part)) => assert!(fault.contains(part), "{url}: {fault}"),
            (fault, _) => panic!("{url}: {fault:?}"),
        };
        check("redis://127.0.0.1:6379/0", None);
        check("redis://127.0.0.1", None);
        check("redis://[::1]:6379", None);
        check("redis://:secret@127.0.0.1", Some("password_file"));
        check("redis://me:secret@127.0.0.1/1", Some("password_file"));
        check("redis://127.0.0.1/one", Some("database"));
        check("redis://", Some("no host"));
        check("127.0.0.1:6379", Some("expected a url"));
        check("http://127.0.0.1", Some("expected a url"));
        check("redis://127.0.0.1?protocol=resp3", Some("?"));
        check("redis://127.0.0.1/99999999999", Some("database"));
    }
}
