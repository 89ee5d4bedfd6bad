//! The admin endpoint of a running gateway, as a command names and asks it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::http::uri::Authority;
use serde::de::DeserializeOwned;
use tokio::runtime::Builder;

use crate::http::{self, Failure, Followed, Method, Request, Server};
use crate::tls::Papers;

/// Where an admin endpoint is, as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admin(Server);

/// Why a text names no admin endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AdminError {
    /// The endpoint speaks HTTP.
    #[error("the admin endpoint speaks http or https, not {0}")]
    Scheme(String),
    /// There is no TLS on the way to it.
    #[error("{0} is not asked inside tls, so certificates are of no use there: write https:// before it")]
    Plain(Admin),
    /// It is no host, nor one with a port.
    #[error(
        "{0:?} is no address; expected a host and a port, such as 127.0.0.1:9099 or gateway1:9099, or the path of a socket, such as ./admin.sock"
    )]
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
    pub(super) fn get(&self, path: &str, limit: usize, timeout: Duration) -> Result<Vec<u8>, AskError> {
        let request = Request { method: Method::GET, path, token: None, body: &[] };
        self.ask(&request, limit, timeout).map_err(|error| match error {
            // A gateway shows its pages to everybody.
            AskError::Refused { why, .. } => self.stranger(why),
            AskError::Silence { .. } | AskError::Stranger { .. } => error,
        })
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
        limit: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, AskError> {
        let request = Request { method: Method::POST, path, token, body: order };
        self.ask(&request, limit, timeout)
    }

    /// What comes of the order that what lies at `path` be no more; else as [`post`](Self::post).
    ///
    /// # Errors
    /// If nobody answers in time, or the order is refused.
    pub(super) fn delete(
        &self,
        path: &str,
        reason: &[u8],
        token: Option<&str>,
        limit: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, AskError> {
        self.ask(&Request { method: Method::DELETE, path, token, body: reason }, limit, timeout)
    }

    /// Whether it is asked inside TLS.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.0, Server::Encrypted(..))
    }

    /// The same endpoint, with these papers where it is asked inside TLS.
    ///
    /// # Errors
    /// If it is not.
    pub(super) fn with(self, papers: Papers) -> Result<Self, AdminError> {
        match self.0 {
            Server::Encrypted(authority, _) => Ok(Self(Server::Encrypted(authority, Arc::new(papers)))),
            Server::Network(_) | Server::Local(_) => Err(AdminError::Plain(self)),
        }
    }

    fn ask(&self, request: &Request<'_>, limit: usize, timeout: Duration) -> Result<Vec<u8>, AskError> {
        let (status, body) = self.run(http::ask(&self.0, request, limit, timeout))?;
        if status.is_success() { Ok(body) } else { Err(self.refusal(status, &body)) }
    }

    /// Lets `take` have each part of the page at `path`, which goes on, until it breaks with something; nothing, if the page ends before.
    ///
    /// # Errors
    /// If nobody answers, or says nothing for [`TIMEOUT`], or there is no such page.
    pub(super) fn follow<T>(
        &self,
        path: &str,
        take: impl FnMut(&[u8]) -> ControlFlow<T>,
    ) -> Result<Option<T>, AskError> {
        let request = Request { method: Method::GET, path, token: None, body: &[] };
        match self.run(http::follow(&self.0, &request, (REFUSAL_MAX, TIMEOUT), take))? {
            Followed::Broke(broke) => Ok(Some(broke)),
            Followed::Ended => Ok(None),
            Followed::Refused(status, body) => Err(self.refusal(status, &body)),
        }
    }

    fn run<T>(&self, exchange: impl Future<Output = Result<T, Failure>>) -> Result<T, AskError> {
        let silence = |why| AskError::Silence { admin: self.clone(), why };
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| silence(error.to_string()))?;
        runtime.block_on(exchange).map_err(|failure| match failure {
            Failure::Unreached(why) => silence(why),
            Failure::Strange(why) => self.stranger(why),
        })
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> AskError {
        let why = String::from_utf8_lossy(body);
        let why = if why.trim().is_empty() { status.to_string() } else { why.trim().to_owned() };
        AskError::Refused { admin: self.clone(), why }
    }

    /// What a command says of an answer, and its exit code where there is none: the answer as it is, or as people read it.
    pub(super) fn told<T: DeserializeOwned>(
        &self,
        answer: Result<Vec<u8>, AskError>,
        form: Form,
        tell: impl FnOnce(T) -> String,
    ) -> Result<String, (String, u8)> {
        let failed = |error: AskError| (error.to_string(), 1);
        let answer = answer.map_err(failed)?;
        match form {
            Form::AsItIs => Ok(format!("{}\n", String::from_utf8_lossy(&answer))),
            Form::Told => serde_json::from_slice(&answer)
                .map(tell)
                .map_err(|error| failed(self.stranger(error.to_string()))),
        }
    }

    /// What to say of an answer that cannot be understood.
    pub(super) fn stranger(&self, why: String) -> AskError {
        AskError::Stranger { admin: self.clone(), why }
    }
}

/// How a command shows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Told,
    /// For programs.
    AsItIs,
}

impl Form {
    /// What the option `--json` asks for.
    pub(super) fn of(json: bool) -> Self {
        if json { Self::AsItIs } else { Self::Told }
    }
}

/// The endpoint of a gateway on this host whose configuration names none.
impl Default for Admin {
    fn default() -> Self {
        Self(Server::Network(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)).to_string()))
    }
}

impl FromStr for Admin {
    type Err = AdminError;

    fn from_str(text: &str) -> Result<Self, AdminError> {
        if is_path(text) {
            return Ok(Self(Server::Local(text.into())));
        }
        let server = |authority| Self(Server::Network(authority));
        let encrypted = |authority| Self(Server::Encrypted(authority, Arc::default()));
        match text.split_once("://") {
            None => authority(text, text).map(server),
            Some((scheme, place)) if scheme.eq_ignore_ascii_case("http") => {
                authority(place, text).map(server)
            }
            Some((scheme, place)) if scheme.eq_ignore_ascii_case("https") => {
                authority(place, text).map(encrypted)
            }
            Some((scheme, _)) => Err(AdminError::Scheme(scheme.to_owned())),
        }
    }
}

/// The host and port at `place`, as `text` has it.
fn authority(place: &str, text: &str) -> Result<String, AdminError> {
    let place = place.strip_suffix('/').unwrap_or(place);
    if let Ok(address) = place.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, PORT).to_string());
    }
    let wrong = || AdminError::Address(text.to_owned());
    let authority: Authority = place.parse().map_err(|_| wrong())?;
    let named = authority.host().starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
    let after = authority.as_str().strip_prefix(authority.host()).filter(|_| named);
    let port = match after.ok_or_else(wrong)? {
        "" => PORT,
        after => after.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or_else(wrong)?,
    };
    Ok(format!("{}:{port}", authority.host()))
}

impl fmt::Display for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Server::Encrypted(..) = self.0 {
            f.write_str("https://")?;
        }
        self.0.fmt(f)
    }
}

/// Whether a text is a path: neither a host nor an address begins so, and one without a port has no slash but the one that may end it.
fn is_path(text: &str) -> bool {
    let inner = text.strip_suffix('/').unwrap_or(text);
    text.starts_with(['/', '.']) || inner.contains('/') && !text.contains(':')
}

/// How long a command waits for what the endpoint does: its own bound on an exchange, and some time on the way.
pub(super) const TIMEOUT: Duration = Duration::from_secs(12);
/// Bytes of what is said in place of a page that goes on.
const REFUSAL_MAX: usize = 64 << 10;
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
            ("localhost/", "localhost:9099"),
            ("https://gateway1", "https://gateway1:9099"),
            ("HTTPS://[::1]:9100/", "https://[::1]:9100"),
            ("./admin.sock", "./admin.sock"),
            ("config/admin.sock", "config/admin.sock"),
            ("/run/larder/admin.sock", "/run/larder/admin.sock"),
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
        assert_eq!("ftp://localhost".parse::<Admin>(), Err(AdminError::Scheme("ftp".to_owned())));
    }
}
