//! Where a server listens.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Where a Redis listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A host, by name or address without brackets, and a port.
    Host(String, u16),
    /// A socket in the file system.
    Socket(PathBuf),
}

/// Why a text names no host and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Flaw {
    /// No host, or none that could be one.
    #[error("no host: expected HOST or HOST:PORT")]
    Host,
    /// No port number.
    #[error("port is not a number from 1 to 65535")]
    Port,
}

impl Place {
    /// A server that keeps replies, at `HOST[:PORT]`.
    ///
    /// # Errors
    /// The text names no host and port.
    pub(crate) fn server(text: &str) -> Result<Self, Flaw> {
        Self::parse(text, SERVER_PORT)
    }

    /// A sentinel, at `HOST[:PORT]`.
    ///
    /// # Errors
    /// The text names no host and port.
    pub(crate) fn sentinel(text: &str) -> Result<Self, Flaw> {
        Self::parse(text, SENTINEL_PORT)
    }

    /// What `HOST`, `HOST:PORT`, `[ADDRESS]` or `[ADDRESS]:PORT` names; `port` where the text has none.
    fn parse(text: &str, port: u16) -> Result<Self, Flaw> {
        let (host, given) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']').ok_or(Flaw::Host)?;
                let given = after.strip_prefix(':');
                if given.is_none() && !after.is_empty() {
                    return Err(Flaw::Port);
                }
                (host, given)
            }
            None => match text.split_once(':') {
                Some((host, given)) => (host, Some(given)),
                None => (text, None),
            },
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || "/@?#".contains(c)) {
            return Err(Flaw::Host);
        }
        match given.map_or(Ok(port), str::parse) {
            Ok(0) | Err(_) => Err(Flaw::Port),
            Ok(port) => Ok(Self::Host(host.to_owned(), port)),
        }
    }

    /// What a server tells of another, `HOST:PORT` with an address never in brackets. A server that tells no host means
    /// the one it is reached by itself.
    pub(super) fn told(&self, text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Some(self.beside(host, port.parse().ok()?))
    }

    /// The place that a server here means by `host`, which may be empty or unknown to it, and `port`.
    pub(super) fn beside(&self, host: &str, port: u16) -> Self {
        match self {
            Self::Host(own, _) if host.is_empty() || host == "?" => Self::Host(own.clone(), port),
            Self::Host(..) | Self::Socket(_) => Self::Host(host.to_owned(), port),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Redis' own.
const SERVER_PORT: u16 = 6379;
/// The sentinels' own.
const SENTINEL_PORT: u16 = 26_379;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_a_host_and_a_port() {
        let place = |text: &str| Place::parse(text, 6379).map(|place| place.to_string());
        assert_eq!(place("db"), Ok("db:6379".to_owned()));
        assert_eq!(place("db:7000"), Ok("db:7000".to_owned()));
        assert_eq!(place("[::1]:7000"), Ok("[::1]:7000".to_owned()));
        assert_eq!(place("[::1]"), Ok("[::1]:6379".to_owned()));
        for (text, flaw) in [
            ("", Flaw::Host),
            (":1", Flaw::Host),
            ("::1", Flaw::Host),
            ("[::1", Flaw::Host),
            ("a b:1", Flaw::Host),
            ("me@a:1", Flaw::Host),
            ("a/1", Flaw::Host),
            ("db:0", Flaw::Port),
            ("db:x", Flaw::Port),
            ("[::1]x", Flaw::Port),
        ] {
            assert_eq!(place(text), Err(flaw), "{text}");
        }
    }

    #[test]
    fn a_server_tells_of_others_and_of_itself() {
        let asked = Place::Host("10.0.0.1".to_owned(), 7000);
        let told = |text: &str| asked.told(text).map(|place| place.to_string());
        assert_eq!(told("10.0.0.2:7001"), Some("10.0.0.2:7001".to_owned()));
        assert_eq!(told("fe80::1:7001"), Some("[fe80::1]:7001".to_owned()));
        assert_eq!(told(":7001"), Some("10.0.0.1:7001".to_owned()));
        assert_eq!(told("?:7001"), Some("10.0.0.1:7001".to_owned()));
        assert_eq!(told("nonsense"), None);
    }
}
