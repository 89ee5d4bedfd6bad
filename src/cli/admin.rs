//! The admin endpoint of a running gateway, as a command names and asks it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use ureq::Agent;
use ureq::http::header::{AUTHORIZATION, HOST};
use ureq::http::uri::Authority;

/// Where an admin endpoint is: a host and a port, as people write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admin {
    authority: String,
}

/// Why a text names no admin endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AdminError {
    /// The endpoint speaks plain HTTP.
    #[error("the admin endpoint speaks http, not {0}")]
    Scheme(String),
    /// It is no host, nor one with a port.
    #[error("{0:?} is no address; expected a host and a port, such as 127.0.0.1:9099 or gateway1:9099")]
    Address(String),
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// Nobody answers.
    #[error("no gateway answers at {admin}: {why}")]
    Silence {
        /// Who was asked.
        admin: Admin,
        /// What asking came to.
        why: String,
    },
    /// The gateway does not do what it was told.
    #[error("{admin} refuses: {why}")]
    Refused {
        /// Who was asked.
        admin: Admin,
        /// What it says.
        why: String,
    },
    /// Somebody answers, and it is no gateway.
    #[error("what answers at {admin} is no gateway: {why}")]
    Stranger {
        /// Who was asked.
        admin: Admin,
        /// What is wrong with the answer.
        why: String,
    },
}

impl Admin {
    /// The page at `path`, of at most `limit` bytes, within `timeout`.
    ///
    /// # Errors
    /// If nobody answers in time, or with something else than a page.
    pub(super) fn get(&self, path: &str, limit: u64, timeout: Duration) -> Result<Vec<u8>, AskError> {
        // A proxy from the environment must not stand between a command and the gateway.
        let agent: Agent = Agent::config_builder().timeout_global(Some(timeout)).proxy(None).build().into();
        // The endpoint answers to few names, because a web page can lead a browser to it by any. A command is no browser: it has
        // found the gateway already, by whatever name.
        let asked = agent.get(format!("http://{}{path}", self.authority)).header(HOST, "localhost").call();
        let read = asked.and_then(|mut page| page.body_mut().with_config().limit(limit).read_to_vec());
        read.map_err(|error| self.trouble(&error))
    }

    /// What comes of this order, at most `limit` bytes, within `timeout`; `token` is shown to whoever asks for one.
    ///
    /// # Errors
    /// If nobody answers in time, or the order is refused.
    pub(super) fn post(
        &self,
        path: &str,
        order: &[u8],
        token: Option<&str>,
        limit: u64,
        timeout: Duration,
    ) -> Result<Vec<u8>, AskError> {
        let config = Agent::config_builder().timeout_global(Some(timeout)).proxy(None);
        let agent: Agent = config.http_status_as_error(false).build().into();
        let asked = agent.post(format!("http://{}{path}", self.authority)).header(HOST, "localhost");
        let asked = match token {
            Some(token) => asked.header(AUTHORIZATION, format!("Bearer {token}")),
            None => asked,
        };
        let mut page = asked.send(order).map_err(|error| self.trouble(&error))?;
        let read = page.body_mut().with_config().limit(limit).read_to_vec();
        let body = read.map_err(|error| self.trouble(&error))?;
        if page.status().is_success() {
            return Ok(body);
        }
        let why = String::from_utf8_lossy(&body);
        let why = if why.trim().is_empty() { page.status().to_string() } else { why.trim().to_owned() };
        Err(AskError::Refused { admin: self.clone(), why })
    }

    /// What to say of an answer that cannot be understood.
    pub(super) fn stranger(&self, why: String) -> AskError {
        AskError::Stranger { admin: self.clone(), why }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "ureq's errors may grow, and the rest of them is silence"
    )]
    fn trouble(&self, error: &ureq::Error) -> AskError {
        match error {
            ureq::Error::StatusCode(_) | ureq::Error::Protocol(_) | ureq::Error::BodyExceedsLimit(_) => {
                self.stranger(error.to_string())
            }
            _ => AskError::Silence { admin: self.clone(), why: error.to_string() },
        }
    }
}

/// The endpoint of a gateway on this host whose configuration names none.
impl Default for Admin {
    fn default() -> Self {
        Self { authority: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)).to_string() }
    }
}

impl FromStr for Admin {
    type Err = AdminError;

    fn from_str(text: &str) -> Result<Self, AdminError> {
        let place = match text.split_once("://") {
            None => text,
            Some((scheme, place)) if scheme.eq_ignore_ascii_case("http") => place,
            Some((scheme, _)) => return Err(AdminError::Scheme(scheme.to_owned())),
        };
        let place = place.strip_suffix('/').unwrap_or(place);
        if let Ok(address) = place.parse::<IpAddr>() {
            return Ok(Self { authority: SocketAddr::new(address, PORT).to_string() });
        }
        let wrong = || AdminError::Address(text.to_owned());
        let authority: Authority = place.parse().map_err(|_| wrong())?;
        let named = authority.host().starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
        let after = authority.as_str().strip_prefix(authority.host()).filter(|_| named);
        let port = match after.ok_or_else(wrong)? {
            "" => PORT,
            after => after.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or_else(wrong)?,
        };
        Ok(Self { authority: format!("{}:{port}", authority.host()) })
    }
}

impl fmt::Display for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}

/// The port of an admin endpoint whose configuration names none.
const PORT: u16 = 9099;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_may_be_written_in_every_way_that_people_write_it() {
        let table = [
            ("127.0.0.1:9100", "127.0.0.1:9100"),
            ("127.0.0.1", "127.0.0.1:9099"),
            ("localhost:9100", "localhost:9100"),
            ("localhost", "localhost:9099"),
            ("gateway-1.example.com:80", "gateway-1.example.com:80"),
            ("http://localhost:9100/", "localhost:9100"),
            ("HTTP://10.0.0.1", "10.0.0.1:9099"),
            ("::1", "[::1]:9099"),
            ("[::1]:9100", "[::1]:9100"),
            ("[::1]", "[::1]:9099"),
        ];
        for (written, meant) in table {
            assert_eq!(written.parse::<Admin>().map(|admin| admin.to_string()).as_deref(), Ok(meant));
        }
    }

    #[test]
    fn what_is_no_address_is_told() {
        for text in [
            "",
            ":9099",
            "http://",
            "localhost:",
            "localhost:port",
            "localhost:99999",
            "a b",
            "me@here",
            "a@a",
        ] {
            assert_eq!(text.parse::<Admin>(), Err(AdminError::Address(text.to_owned())), "{text}");
        }
        for text in ["localhost:9099/status", "http://localhost/metrics"] {
            assert_eq!(text.parse::<Admin>(), Err(AdminError::Address(text.to_owned())), "{text}");
        }
        assert_eq!("https://localhost".parse::<Admin>(), Err(AdminError::Scheme("https".to_owned())));
    }
}
