//! What the config may say of the tier in Redis, and what that is told.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cache::envelope::{Codec, Format, Keyring};
use crate::cache::shared::redis::{self, Flaw, Form, Login, Place, Url, Watched};
use crate::setting::{Finding, Keeper, Period, Secret, Section, Size};
use crate::tls::{self, Client, Papers, Part};

/// The tier in Redis that all gateways share. Without this section there is none. One of `url`, `sentinels` and `cluster` says where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SharedOptions {
    /// Where one server listens, without a password: `redis://127.0.0.1:6379/0`, `rediss://redis.example.com` for TLS, or
    /// `unix:///run/redis.sock`.
    pub url: Option<String>,
    /// Hosts, and ports unless they are 26379, of the sentinels that watch a primary; the gateway follows it.
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub sentinels: Vec<String>,
    /// What they call it.
    pub master: Option<String>,
    /// Hosts, and ports unless they are 6379, of some servers of a Redis Cluster; they tell of the others.
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub cluster: Vec<String>,
    /// The database's number, with `sentinels`; with `url` that says it.
    #[schemars(range(max = 1_000_000))]
    pub database: u32,
    /// The name to log in with, where Redis has users.
    pub username: Option<String>,
    /// The file whose first line is the password, relative to this file.
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// The name to log in to sentinels with.
    pub sentinel_username: Option<String>,
    /// The file whose first line is the sentinels' password, relative to this file.
    pub sentinel_password_file: Option<PathBuf>,
    /// The environment variable that holds the sentinels' password.
    pub sentinel_password_env: Option<String>,
    /// Whether servers and sentinels speak TLS, with `sentinels` or `cluster`; with `url`, `rediss://` says so.
    pub tls: bool,
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
    /// The format in which entries are written: the newest, or the one before, as long as gateways share the tier that cannot read the
    /// newest. Both are read.
    #[schemars(range(min = 3, max = 4))]
    pub format: u8,
    /// Longer replies are compressed with zstd where that makes them shorter, if `format` is 4. `0`: none are. All are read.
    #[schemars(extend("x-least" = "0", "x-most" = "32MiB"))]
    pub compress_above: Size,
    /// The file whose first line is the secret that entries in Redis are signed with, relative to this file; a second line is a secret that
    /// is believed too. Each has at least 32 bytes. With it, what is not signed so answers nothing. It needs `format` 4.
    pub secret_file: Option<PathBuf>,
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

/// What was found where the options point.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The password.
    pub password: Option<Secret>,
    /// The sentinels' password.
    pub sentinel_password: Option<Secret>,
    /// What entries are signed with, line by line.
    pub secret: Option<Secret>,
    /// What TLS needs.
    pub papers: Papers,
}

/// What the options say of where Redis is.
struct Servers {
    form: Form,
    tls: bool,
    database: u32,
}

impl SharedOptions {
    /// Where the password is.
    pub(crate) fn password(&self) -> Keeper<'_> {
        Keeper {
            file: ("password_file", self.password_file.as_deref()),
            variable: ("password_env", self.password_env.as_deref()),
        }
    }

    /// Where the sentinels' password is.
    pub(crate) fn sentinel_password(&self) -> Keeper<'_> {
        Keeper {
            file: ("sentinel_password_file", self.sentinel_password_file.as_deref()),
            variable: ("sentinel_password_env", self.sentinel_password_env.as_deref()),
        }
    }

    /// What the shared tier is told, with what was found where these options point.
    ///
    /// # Errors
    /// The option that does not say where Redis is, or cannot be used for TLS, and why.
    pub(crate) fn settings(&self, found: Found) -> Result<SharedSettings, Finding> {
        let Servers { mut form, tls, database } = self.servers()?;
        if let Form::Sentinel(watched) = &mut form {
            watched.login.password = found.sentinel_password;
        }
        let tls = tls.then(|| Client::new(found.papers, self.tls_name.as_deref()));
        let tls = tls.transpose().map_err(|flaw| finding(&flaw))?;
        let redis = redis::Settings {
            form,
            login: Login { username: self.username.clone(), password: found.password },
            tls,
            database,
            client_name: self.client_name.clone(),
            prefix: self.prefix.clone(),
            codec: self.codec(found.secret.as_ref())?,
            read_timeout: self.read_timeout.duration(),
            write_timeout: self.write_timeout.duration(),
            connect_timeout: self.connect_timeout.duration(),
            connections: self.connections,
            max_writes: self.max_writes,
        };
        Ok(SharedSettings { redis, keep: self.keep.duration(), lease: self.lease.duration() })
    }

    fn codec(&self, secret: Option<&Secret>) -> Result<Codec, Finding> {
        let format = Format::numbered(self.format).unwrap_or_default();
        let compress_above = Some(self.compress_above.length()).filter(|above| *above > 0);
        let keyring = secret.map(|secret| Keyring::parse(secret.reveal())).transpose();
        let keyring = keyring.map_err(|flaw| Finding::new("secret_file", flaw.to_string()))?;
        Ok(Codec { format, compress_above, keyring, ..Codec::default() })
    }

    fn servers(&self) -> Result<Servers, Finding> {
        let one_of = |option, other| {
            let message = format!("{other} is given too: it is one of url, sentinels and cluster");
            Err(Finding::new(option, message))
        };
        let (database, tls) = (self.database, self.tls);
        match (&self.url, &self.sentinels[..], &self.cluster[..]) {
            (Some(url), [], []) => {
                let Url { place, tls, database } =
                    Url::parse(url).map_err(|fault| Finding::new("url", fault.to_string()))?;
                Ok(Servers { form: Form::One(place), tls, database })
            }
            (None, [_, ..], []) => {
                let sentinels = places("sentinels", &self.sentinels, Place::sentinel)?;
                let missing =
                    || Finding::new("master", "missing: expected what the sentinels call the primary");
                let master = self.master.clone().ok_or_else(missing)?;
                let login = Login { username: self.sentinel_username.clone(), password: None };
                Ok(Servers { form: Form::Sentinel(Watched { sentinels, master, login }), tls, database })
            }
            (None, [], [_, ..]) => {
                let seeds = places("cluster", &self.cluster, Place::server)?;
                Ok(Servers { form: Form::Cluster(seeds), tls, database: 0 })
            }
            (None, [], []) => {
                Err(Finding::new("url", "missing: expected url, or sentinels and master, or cluster"))
            }
            (Some(_), [_, ..], _) => one_of("sentinels", "url"),
            (Some(_), [], [_, ..]) => one_of("cluster", "url"),
            (None, [_, ..], [_, ..]) => one_of("cluster", "sentinels"),
        }
    }

    /// Options that mean nothing beside the others.
    fn idle(&self) -> Vec<Finding> {
        let Ok(servers) = self.servers() else {
            return Vec::new();
        };
        let (sentinels, one) =
            (matches!(servers.form, Form::Sentinel(_)), matches!(servers.form, Form::One(_)));
        let without_sentinels = "is of no use without sentinels";
        let without_tls =
            if one { "is of no use without rediss:// in url" } else { "is of no use without tls = true" };
        let given = [
            ("master", self.master.is_some() && !sentinels, without_sentinels),
            ("sentinel_username", self.sentinel_username.is_some() && !sentinels, without_sentinels),
            (
                "sentinel_password_file",
                self.sentinel_password_file.is_some() && !sentinels,
                without_sentinels,
            ),
            ("sentinel_password_env", self.sentinel_password_env.is_some() && !sentinels, without_sentinels),
            ("database", self.database != 0 && one, "belongs into url, as in redis://HOST:PORT/DATABASE"),
            ("database", self.database != 0 && !one && !sentinels, "a cluster has database 0 alone"),
            ("tls", self.tls && one, "belongs into url, as rediss://"),
            ("tls_ca", self.tls_ca.is_some() && !servers.tls, without_tls),
            ("tls_cert", self.tls_cert.is_some() && !servers.tls, without_tls),
            ("tls_key", self.tls_key.is_some() && !servers.tls, without_tls),
            ("tls_name", self.tls_name.is_some() && !servers.tls, without_tls),
        ];
        let idle = given.into_iter().filter(|(_, idle, _)| *idle);
        idle.map(|(option, _, why)| Finding::new(option, why)).collect()
    }

    /// Options that need another, or exclude it.
    fn pairs(&self) -> Vec<Finding> {
        let (certificate, key) = (self.tls_cert.is_some(), self.tls_key.is_some());
        let wrong = [
            (
                "username",
                self.username.is_some() && !self.password().is_given(),
                "needs password_file or password_env".to_owned(),
            ),
            (
                "sentinel_username",
                self.sentinel_username.is_some() && !self.sentinel_password().is_given(),
                "needs sentinel_password_file or sentinel_password_env".to_owned(),
            ),
            ("tls_cert", certificate && !key, "needs tls_key".to_owned()),
            ("tls_key", key && !certificate, "needs tls_cert".to_owned()),
            (
                "secret_file",
                self.secret_file.is_some() && self.format < Format::default().number(),
                format!(
                    "needs format = {}: what is written is not signed otherwise",
                    Format::default().number()
                ),
            ),
            (
                "prefix",
                !self.cluster.is_empty() && self.prefix.contains('{'),
                "has a brace: all keys would lie in one slot of the cluster".to_owned(),
            ),
        ];
        let wrong = wrong.into_iter().filter(|(_, wrong, _)| *wrong);
        wrong.map(|(option, _, why)| Finding::new(option, why)).collect()
    }
}

/// The places that an option lists, each read by `read`.
fn places(
    option: &'static str,
    texts: &[String],
    read: impl Fn(&str) -> Result<Place, Flaw>,
) -> Result<Vec<Place>, Finding> {
    let place = |text: &String| {
        read(text).map_err(|fault| {
            // What stands before an @ may be a secret.
            let shown = if text.contains('@') { "an address" } else { text };
            Finding::new(option, format!("{shown}: {fault}"))
        })
    };
    texts.iter().map(place).collect()
}

fn finding(flaw: &tls::Flaw) -> Finding {
    let option = match flaw.part {
        Part::Authority => "tls_ca",
        Part::Certificate => "tls_cert",
        Part::Key => "tls_key",
        Part::Name => "tls_name",
    };
    Finding::new(option, flaw.to_string())
}

impl Default for SharedOptions {
    fn default() -> Self {
        Self {
            url: None,
            sentinels: Vec::new(),
            master: None,
            cluster: Vec::new(),
            database: 0,
            username: None,
            password_file: None,
            password_env: None,
            sentinel_username: None,
            sentinel_password_file: None,
            sentinel_password_env: None,
            tls: false,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            tls_name: None,
            client_name: "larder".to_owned(),
            prefix: "larder".to_owned(),
            format: Format::default().number(),
            compress_above: Size::from_bytes(2_048),
            secret_file: None,
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

impl Section for SharedOptions {
    fn problems(&self) -> Vec<Finding> {
        let mut found: Vec<_> = self.servers().err().into_iter().collect();
        found.extend(self.password().problem("password"));
        found.extend(self.sentinel_password().problem("password"));
        found.extend(self.pairs());
        found.extend(self.idle());
        if self.client_name.contains(|c: char| !c.is_ascii_graphic()) {
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

#[cfg(test)]
mod tests;
