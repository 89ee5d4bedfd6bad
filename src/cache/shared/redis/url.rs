//! What a URL says of where Redis is.

use thiserror::Error;

use super::place::{Flaw, Place};

/// What a URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// Where the server listens.
    pub place: Place,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The database's number.
    pub database: u32,
}

impl Url {
    /// Reads `redis://HOST[:PORT][/DATABASE]`, the same with `rediss` for TLS, or `unix://PATH`. The port is 6379 and the
    /// database 0 where none is said.
    ///
    /// # Errors
    /// What in `url` is not supported, without repeating what may be a secret.
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once(':').ok_or(UrlError::NoScheme)?;
        let tls = match scheme {
            "redis" => false,
            "rediss" => true,
            "unix" => return Self::socket(rest),
            _ => return Err(UrlError::Scheme),
        };
        let rest = rest.strip_prefix("//").ok_or(UrlError::NoHost)?;
        // What lies before the last `@` is taken for a login wherever it stands, so that no error repeats it.
        if rest.contains('@') {
            return Err(UrlError::Login);
        }
        if rest.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let place = Place::server(authority).map_err(|flaw| match flaw {
            Flaw::Host => UrlError::NoHost,
            Flaw::Port => UrlError::Port,
        })?;
        let database = if path.is_empty() { 0 } else { path.parse().map_err(|_| UrlError::Database)? };
        Ok(Self { place, tls, database })
    }

    fn socket(rest: &str) -> Result<Self, UrlError> {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if !path.starts_with('/') || path.len() == 1 {
            return Err(UrlError::Socket);
        }
        if path.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        Ok(Self { place: Place::Socket(path.into()), tls: false, database: 0 })
    }
}

/// Why a URL does not say where Redis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum UrlError {
    /// No scheme.
    #[error("not a url: expected redis://HOST:PORT/DATABASE")]
    NoScheme,
    /// Not a Redis scheme.
    #[error("unknown scheme: expected a url such as redis://127.0.0.1:6379/0, rediss://HOST or unix:///PATH")]
    Scheme,
    /// No host.
    #[error("no host: expected redis://HOST:PORT/DATABASE")]
    NoHost,
    /// No path of a socket.
    #[error("no socket: expected unix:///PATH, from the root of the file system on")]
    Socket,
    /// No port number.
    #[error("port is not a number from 1 to 65535")]
    Port,
    /// No database number.
    #[error("database is not a number: expected redis://HOST:PORT/DATABASE")]
    Database,
    /// A query or fragment.
    #[error("options after ? or # are not supported: use the keys of [cache.shared]")]
    Query,
    /// A user name or a password.
    #[error("must not hold a name or a password: use username and password_file or password_env")]
    Login,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(url: &str) -> Result<(String, bool, u32), UrlError> {
        Url::parse(url).map(|url| (url.place.to_string(), url.tls, url.database))
    }

    #[test]
    fn a_url_says_where() {
        assert_eq!(says("redis://db"), Ok(("db:6379".to_owned(), false, 0)));
        assert_eq!(says("redis://db/"), Ok(("db:6379".to_owned(), false, 0)));
        assert_eq!(says("redis://127.0.0.1:7000/3"), Ok(("127.0.0.1:7000".to_owned(), false, 3)));
        assert_eq!(says("redis://[::1]:7000"), Ok(("[::1]:7000".to_owned(), false, 0)));
        assert_eq!(says("rediss://db:7000/1"), Ok(("db:7000".to_owned(), true, 1)));
        assert_eq!(says("unix:///run/redis.sock"), Ok(("/run/redis.sock".to_owned(), false, 0)));
    }

    #[test]
    fn what_a_url_may_not_say_is_named() {
        let cases = [
            ("db:6379", UrlError::Scheme),
            ("db", UrlError::NoScheme),
            ("http://db", UrlError::Scheme),
            ("unix://", UrlError::Socket),
            ("unix://run/redis.sock", UrlError::Socket),
            ("unix:///run/redis.sock?db=1", UrlError::Query),
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
            ("redis://user@db", UrlError::Login),
            ("redis://user:word@db", UrlError::Login),
            ("redis://:wo/rd@db", UrlError::Login),
        ];
        for (url, problem) in cases {
            assert_eq!(says(url), Err(problem), "{url}");
        }
    }
}
