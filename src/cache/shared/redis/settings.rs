//! Where Redis is and how it is asked.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// Everything the shared tier needs to know of its Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Where it listens. The first place is the one used.
    pub servers: Vec<Server>,
    /// ACL user; sent with a password only. Without it, Redis takes its user `default`.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Database number.
    pub database: u32,
    /// First part of every Redis key.
    pub prefix: String,
    /// How long one read may take before it is a miss.
    pub read_timeout: Duration,
    /// How long name, connection, login and a first answer may take together.
    pub connect_timeout: Duration,
    /// Writes in flight; more are dropped.
    pub max_writes: u32,
}

/// Where a Redis listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl Settings {
    /// What `url` says: `redis://HOST[:PORT][/DATABASE]`; all else as by default: port 6379, database 0, prefix
    /// `larder`, 50 ms to read, 250 ms to connect, 1024 writes.
    ///
    /// # Errors
    /// What in `url` is not supported, without repeating what may be a secret.
    pub(crate) fn from_url(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once(':').ok_or(UrlError::NoScheme)?;
        match scheme {
            "redis" => {}
            "rediss" => return Err(UrlError::Tls),
            "unix" | "redis+unix" | "valkey+unix" => return Err(UrlError::Unix),
            _ => return Err(UrlError::Scheme),
        }
        let rest = rest.strip_prefix("//").ok_or(UrlError::NoHost)?;
        // What lies before the last `@` is taken for a login wherever it stands, so that no error repeats it.
        if let Some((login, _)) = rest.rsplit_once('@') {
            return Err(if login.contains(':') { UrlError::Password } else { UrlError::Username });
        }
        if rest.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = authority_parts(authority)?;
        let database = if path.is_empty() { 0 } else { path.parse().map_err(|_| UrlError::Database)? };
        Ok(Self {
            servers: vec![Server { host: host.to_owned(), port }],
            username: None,
            password: None,
            database,
            prefix: "larder".to_owned(),
            read_timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_millis(250),
            max_writes: 1024,
        })
    }
}

fn authority_parts(authority: &str) -> Result<(&str, u16), UrlError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed.split_once(']').ok_or(UrlError::NoHost)?;
            let port = after.strip_prefix(':');
            if port.is_none() && !after.is_empty() {
                return Err(UrlError::Port);
            }
            (host, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| UrlError::Port))?;
    if port == 0 { Err(UrlError::Port) } else { Ok((host, port)) }
}

/// Why a URL does not say where Redis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum UrlError {
    /// No scheme.
    #[error("not a url: expected redis://HOST:PORT/DATABASE")]
    NoScheme,
    /// Not a Redis scheme.
    #[error("unknown scheme: expected a url such as redis://127.0.0.1:6379/0")]
    Scheme,
    /// TLS.
    #[error("rediss:// (tls) is not supported yet: use redis://")]
    Tls,
    /// A Unix socket.
    #[error("unix sockets are not supported yet: use redis://HOST:PORT")]
    Unix,
    /// No host.
    #[error("no host: expected redis://HOST:PORT/DATABASE")]
    NoHost,
    /// No port number.
    #[error("port is not a number from 1 to 65535")]
    Port,
    /// No database number.
    #[error("database is not a number: expected redis://HOST:PORT/DATABASE")]
    Database,
    /// A query or fragment.
    #[error("options after ? or # are not supported: use the keys of [cache.shared]")]
    Query,
    /// A user name.
    #[error("must not hold a name or a password: use username and password_file or password_env")]
    Username,
    /// A password.
    #[error("must not hold a name or a password: use username and password_file or password_env")]
    Password,
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

/// Redis's own.
const DEFAULT_PORT: u16 = 6379;

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<(String, u32), UrlError> {
        let settings = Settings::from_url(url)?;
        let [server] = &settings.servers[..] else { unreachable!() };
        Ok((server.to_string(), settings.database))
    }

    #[test]
    fn a_url_says_where() {
        assert_eq!(server("redis://db"), Ok(("db:6379".to_owned(), 0)));
        assert_eq!(server("redis://db/"), Ok(("db:6379".to_owned(), 0)));
        assert_eq!(server("redis://127.0.0.1:7000/3"), Ok(("127.0.0.1:7000".to_owned(), 3)));
        assert_eq!(server("redis://[::1]:7000"), Ok(("[::1]:7000".to_owned(), 0)));
    }

    #[test]
    fn what_a_url_may_not_say_is_named() {
        let cases = [
            ("db:6379", UrlError::Scheme),
            ("db", UrlError::NoScheme),
            ("http://db", UrlError::Scheme),
            ("rediss://db", UrlError::Tls),
            ("unix:///run/redis.sock", UrlError::Unix),
            ("redis+unix:///run/redis.sock", UrlError::Unix),
            ("redis://", UrlError::NoHost),
            ("redis://:6379", UrlError::NoHost),
            ("redis:db", UrlError::NoHost),
            ("redis://[::1", UrlError::NoHost),
            ("redis://db:port", UrlError::Port),
            ("redis://db:0", UrlError::Port),
            ("redis://::1", UrlError::NoHost),
            ("redis://db/first", UrlError::Database),
            ("redis://db/-1", UrlError::Database),
            ("redis://db?protocol=resp3", UrlError::Query),
            ("redis://user@db", UrlError::Username),
            ("redis://user:word@db", UrlError::Password),
            ("redis://:wo/rd@db", UrlError::Password),
        ];
        for (url, problem) in cases {
            assert_eq!(server(url), Err(problem), "{url}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let mut settings = Settings::from_url("redis://db").unwrap();
        settings.password = Some(Secret::new("sesame".to_owned()));
        assert!(!format!("{settings:?}").contains("sesame"));
    }
}
