//! Where a server listens.

use std::fmt;
use std::path::PathBuf;

/// Where a Redis listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A host, by name or address without brackets, and a port.
    Host(String, u16),
    /// A socket in the file system.
    Socket(PathBuf),
}

/// Why a text names no host and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    Host,
    Port,
}

impl Place {
    /// What `HOST`, `HOST:PORT`, `[ADDRESS]` or `[ADDRESS]:PORT` names; `port` where the text has none.
    pub(super) fn parse(text: &str, port: u16) -> Result<Self, Flaw> {
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
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(Flaw::Host);
        }
        match given.map_or(Ok(port), str::parse) {
            Ok(0) | Err(_) => Err(Flaw::Port),
            Ok(port) => Ok(Self::Host(host.to_owned(), port)),
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
            ("db:0", Flaw::Port),
            ("db:x", Flaw::Port),
            ("[::1]x", Flaw::Port),
        ] {
            assert_eq!(place(text), Err(flaw), "{text}");
        }
    }
}
