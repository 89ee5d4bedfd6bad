//! An endpoint as the config names it.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::dial::UNIX;

/// A host and its port, or a socket in the file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    /// An address (an IPv6 one without brackets) or a host name; or `unix:` and the socket's path.
    pub host: String,
    /// Never 0, but for a socket.
    pub port: u16,
}

impl Endpoint {
    /// Where the socket is, if it is one.
    pub fn socket(&self) -> Option<&Path> {
        self.host.strip_prefix(UNIX).map(Path::new)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(path) = text.strip_prefix(UNIX) {
            let is_one = path.starts_with('/') && path.len() <= SOCKET_PATH_MAX;
            return is_one.then(|| Self { host: text.to_owned(), port: 0 }).ok_or(EndpointError::Socket);
        }
        let (host, port) = text.rsplit_once(':').ok_or(EndpointError::Port)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(EndpointError::Port)?;
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let valid = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
        };
        match valid {
            true => Ok(Self { host: bracketed.unwrap_or(host).to_owned(), port }),
            false => Err(EndpointError::Host),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.socket().is_some() {
            return f.write_str(&self.host);
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It does not end in a colon and a number.
    #[error("a port from 1 to 65535 is missing")]
    Port,
    /// What goes before the port is no host.
    #[error("the host is neither an address nor a name")]
    Host,
    /// What follows `unix:` is no path of a socket.
    #[error("a socket's path begins with / and has at most {SOCKET_PATH_MAX} bytes")]
    Socket,
}

/// Bytes of a socket's path that Linux takes.
const SOCKET_PATH_MAX: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        let check = |text: &str, expected: Result<(&str, u16), EndpointError>| {
            let read = text.parse::<Endpoint>();
            let pair =
                read.as_ref().map(|endpoint| (endpoint.host.as_str(), endpoint.port)).map_err(|error| *error);
            assert_eq!(pair, expected, "{text}");
            if let Ok(endpoint) = read {
                assert_eq!(endpoint.to_string(), text);
            }
        };
        check("10.0.0.1:9191", Ok(("10.0.0.1", 9191)));
        check("db.example:9191", Ok(("db.example", 9191)));
        check("[::1]:9191", Ok(("::1", 9191)));
        check("db.example", Err(EndpointError::Port));
        check("db.example:0", Err(EndpointError::Port));
        check("db.example:http", Err(EndpointError::Port));
        check("unix:/run/users.sock", Ok(("unix:/run/users.sock", 0)));
        check("unix:users.sock", Err(EndpointError::Socket));
        check(&format!("unix:/{}", "x".repeat(107)), Err(EndpointError::Socket));
        check(":9191", Err(EndpointError::Host));
        check("http://db:9191", Err(EndpointError::Host));
        check("::1:9191", Err(EndpointError::Host));
    }
}
