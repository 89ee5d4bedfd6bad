//! What the config may say of the two tiers, and what they are told.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::redis::{self, Form, Login, Papers, Secret, Tls, TlsError, Url};
use super::snapshot;
use crate::setting::{Finding, Keeper, Period, Section, Size};

/// The tier in this process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LocalOptions {
    /// The memory it may take, keys and overhead included. What was asked for least recently leaves first.
    #[schemars(extend("x-least" = "1MiB", "x-most" = "1TiB"))]
    pub capacity: Size,
    /// How much of it is kept for the next start where `runtime.state_dir` is given: keys and replies, the youngest first. `0` keeps nothing.
    #[schemars(extend("x-least" = "0", "x-most" = "1TiB"))]
    pub save_size: Size,
    /// How often it is kept, besides at a stop. `0s`: at a stop alone. What a killed process learnt since is lost, and what was declared
    /// wrong since may answer in an outage.
    #[schemars(extend("x-least" = "0s", "x-most" = "24h"))]
    pub save_interval: Period,
    /// How long a start may take to read what was kept.
    #[schemars(extend("x-least" = "0s", "x-most" = "1h"))]
    pub restore_time: Period,
}

/// The tier in Redis that all gateways share. Without this section there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub(crate) struct SharedOptions {
    /// Where Redis listens, without a password: `redis://127.0.0.1:6379/0`, `rediss://redis.example.com` for TLS, or
    /// `unix:///run/redis.sock`.
    pub url: String,
    /// The name to log in with, where Redis has users.
    pub username: Option<String>,
    /// The file whose first line is the password, relative to this file.
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// Who signs the certificates of servers that speak TLS: a PEM file, relative to this file.
    #[schemars(extend("x-default" = "whom the system trusts"))]
    pub tls_ca: Option<PathBuf>,
    /// The certificate that the gateway shows, with those between it and its authority behind it: a PEM file, relative to this
    /// file.
    pub tls_cert: Option<PathBuf>,
    /// Its private key: a PEM file, relative to this file.
    pub tls_key: Option<PathBuf>,
    /// The name that servers' certificates must be for.
    #[schemars(extend("x-default" = "the host that is connected to"))]
    pub tls_name: Option<String>,
    /// What the gateway calls itself in Redis' `CLIENT LIST`.
    #[schemars(length(min = 1, max = 256))]
    pub client_name: String,
    /// What every key in Redis begins with.
    pub prefix: String,
    /// How long a call waits for Redis before it goes on without it. A reply above 64 KiB may take ten times as long, while it comes.
    #[schemars(extend("x-least" = "1ms", "x-most" = "10s"))]
    pub read_timeout: Period,
    /// How long a write may take; nobody waits for it.
    #[schemars(extend("x-least" = "1ms", "x-most" = "10s"))]
    pub write_timeout: Period,
    /// How long opening a connection may take, with TLS and login.
    #[schemars(extend("x-least" = "1ms", "x-most" = "1m"))]
    pub connect_timeout: Period,
    /// How long Redis keeps an entry at least; the windows of its rule may ask for longer. A longer
    /// `stale_if_error`, set in the middle of an outage, finds what is kept.
    #[schemars(extend("x-least" = "0s", "x-most" = "87600h"))]
    pub keep: Period,
    /// For how long one gateway that asks a backend for a key may keep the others waiting for what it brings; never for longer than the
    /// reply is fresh. `"0s"`: all ask.
    #[schemars(extend("x-least" = "0s", "x-most" = "1m"))]
    pub lease: Period,
    /// Connections to a server for short reads. Two more are opened for writes and for large values.
    #[schemars(range(min = 1, max = 64))]
    pub connections: u32,
    /// Writes in flight; further ones are dropped and counted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_writes: u32,
}

/// What the tiers are told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Bytes that the local tier may take.
    pub capacity: u64,
    /// What is kept of it for the next start.
    pub snapshot: snapshot::Bounds,
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
    /// For how long one gateway may keep the others waiting.
    pub lease: Duration,
}

impl LocalOptions {
    /// What the local tier is told, beside a shared one.
    pub(crate) fn settings(&self, shared: Option<SharedSettings>) -> Settings {
        let snapshot = snapshot::Bounds {
            size: self.save_size.bytes(),
            interval: Some(self.save_interval.duration()).filter(|interval| !interval.is_zero()),
            restore_time: self.restore_time.duration(),
        };
        Settings { capacity: self.capacity.bytes(), snapshot, shared }
    }
}

/// What was found where the options point.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The password.
    pub password: Option<Secret>,
    /// What TLS needs.
    pub papers: Papers,
}

impl SharedOptions {
    /// Where the password is.
    pub(crate) fn password(&self) -> Keeper<'_> {
        Keeper {
            file: ("password_file", self.password_file.as_deref()),
            variable: ("password_env", self.password_env.as_deref()),
        }
    }

    /// What the shared tier is told, with what was found where these options point.
    ///
    /// # Errors
    /// The option that does not say where Redis is, or cannot be used for TLS, and why.
    pub(crate) fn settings(&self, found: Found) -> Result<SharedSettings, Finding> {
        let url = Url::parse(&self.url).map_err(|fault| Finding::new("url", fault.to_string()))?;
        let tls = if url.tls { Some(Tls::new(&found.papers).map_err(|flaw| finding(&flaw))?) } else { None };
        let redis = redis::Settings {
            form: Form::One(url.place),
            login: Login { username: self.username.clone(), password: found.password },
            tls,
            database: url.database,
            client_name: self.client_name.clone(),
            prefix: self.prefix.clone(),
            read_timeout: self.read_timeout.duration(),
            write_timeout: self.write_timeout.duration(),
            connect_timeout: self.connect_timeout.duration(),
            connections: self.connections,
            max_writes: self.max_writes,
        };
        Ok(SharedSettings { redis, keep: self.keep.duration(), lease: self.lease.duration() })
    }
}

fn finding(flaw: &TlsError) -> Finding {
    let option = match flaw {
        TlsError::Authority(_) => "tls_ca",
        TlsError::Certificate(_) => "tls_cert",
        TlsError::Key(_) => "tls_key",
        TlsError::Name(_) => "tls_name",
    };
    Finding::new(option, flaw.to_string())
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            capacity: Size::from_mib(256),
            save_size: Size::from_mib(64),
            save_interval: Period::from_secs(300),
            restore_time: Period::from_secs(2),
        }
    }
}

impl Default for SharedOptions {
    fn default() -> Self {
        Self {
            url: String::new(),
            username: None,
            password_file: None,
            password_env: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            tls_name: None,
            client_name: "larder".to_owned(),
            prefix: "larder".to_owned(),
            read_timeout: Period::from_millis(50),
            write_timeout: Period::from_secs(1),
            connect_timeout: Period::from_millis(250),
            keep: Period::from_secs(24 * 3600),
            lease: Period::from_secs(1),
            connections: 1,
            max_writes: 1024,
        }
    }
}

impl Section for LocalOptions {}

impl Section for SharedOptions {
    fn problems(&self) -> Vec<Finding> {
        let mut found: Vec<_> =
            url_fault(&self.url).map(|fault| Finding::new("url", fault)).into_iter().collect();
        found.extend(self.password().problem("password"));
        if self.username.is_some() && self.password_file.is_none() && self.password_env.is_none() {
            found.push(Finding::new("username", "needs password_file or password_env"));
        }
        found.extend(self.tls_problems());
        if self.client_name.contains(|c: char| c.is_whitespace() || !c.is_ascii_graphic()) {
            let message =
                format!("{:?} is no name for Redis: expected no spaces, and ASCII", self.client_name);
            found.push(Finding::new("client_name", message));
        }
        if self.prefix.is_empty() || self.prefix.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let message =
                format!("{:?} is no prefix: expected at least one character, and no spaces", self.prefix);
            found.push(Finding::new("prefix", message));
        }
        found
    }
}

impl SharedOptions {
    fn tls_problems(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            let (given, lacking) =
                if self.tls_key.is_none() { ("tls_cert", "tls_key") } else { ("tls_key", "tls_cert") };
            found.push(Finding::new(given, format!("needs {lacking}")));
        }
        let given = [
            ("tls_ca", self.tls_ca.is_some()),
            ("tls_cert", self.tls_cert.is_some()),
            ("tls_key", self.tls_key.is_some()),
            ("tls_name", self.tls_name.is_some()),
        ];
        if Url::parse(&self.url).is_ok_and(|url| !url.tls) {
            let idle = given.into_iter().filter(|(_, given)| *given);
            found.extend(
                idle.map(|(option, _)| Finding::new(option, "is of no use without rediss:// in url")),
            );
        }
        found
    }
}

/// What is wrong with a Redis URL, as the one who will connect to it reads it. The URL itself is never repeated: it may
/// hold a password.
fn url_fault(url: &str) -> Option<String> {
    Url::parse(url).err().map(|fault| fault.to_string())
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
        check("rediss://127.0.0.1", None);
        check("unix:///run/redis.sock", None);
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
