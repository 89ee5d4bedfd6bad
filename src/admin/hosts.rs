//! The names by which the endpoint may be asked.
//!
//! A web page can give a name of its own the gateway's address, and so lead the browser of whoever can reach the gateway to it ("DNS
//! rebinding"). The browser then still asks by that name, so the endpoint answers only to names that no stranger can give away.

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

/// The names by which the endpoint may be asked: `localhost`, any IP address, and those that the configuration lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts {
    listed: Vec<String>,
}

impl Hosts {
    /// With these names beside `localhost` and the addresses.
    pub(crate) fn new(listed: &[String]) -> Self {
        Self { listed: listed.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// The name by which a request asks, if the endpoint does not answer to it.
    ///
    /// A request without any is answered: checks of load balancers send none, and browsers always do.
    pub(super) fn stranger(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let asked =
            headers.get_all(HOST).iter().map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
        let target = uri.authority().map(ToString::to_string);
        asked.chain(target).find(|name| !self.knows(name))
    }

    fn knows(&self, asked: &str) -> bool {
        // Browsers send neither user nor password; other readers may take such a text for another host.
        let Some(authority) = asked.parse::<Authority>().ok().filter(|_| !asked.contains('@')) else {
            return false;
        };
        let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
        name == "localhost" || is_address(&name) || self.listed.contains(&name)
    }
}

/// Whether a name is one that the option may list: letters, digits, hyphens and dots, without a port.
pub(super) fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    name.split('.').all(label)
}

/// Whether a host is an IP address as a URL writes it.
fn is_address(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_listed_names_are_known_and_no_others() {
        let hosts = Hosts::new(&["Gateway-1.example.com".to_owned()]);
        for known in [
            "localhost",
            "LOCALHOST:9099",
            "localhost.",
            "127.0.0.1:9099",
            "10.1.2.3",
            "[::1]:9099",
            "gateway-1.example.com:9099",
            "GATEWAY-1.EXAMPLE.COM.",
        ] {
            assert!(hosts.knows(known), "{known}");
        }
        for strange in [
            "",
            "evil.example",
            "example.com",
            "localhost.evil.example:9099",
            "127.0.0.1.evil.example",
            "evil.example:80@127.0.0.1:9099",
            "[::1",
            "[evil.example]",
            "gateway-1",
            "a b",
        ] {
            assert!(!hosts.knows(strange), "{strange}");
        }
    }

    #[test]
    fn names_are_told_from_what_is_none() {
        for name in ["gateway", "gateway-1.example.com", "larder_1.internal"] {
            assert!(is_name(name), "{name}");
        }
        for none in ["", "a..b", "gateway:9099", "http://gateway", "*.example.com", "gateway/", "a b"] {
            assert!(!is_name(none), "{none}");
        }
    }
}
