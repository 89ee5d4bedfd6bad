//! What the config may say of the admin endpoint.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hosts::{Hosts, is_name};
use crate::setting::{Finding, Section};

/// The HTTP endpoint with `/metrics`, `/livez`, `/readyz` and `/status`. It asks nobody for a password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// The address to listen on; port 0 takes a free one, which the log names.
    #[schemars(with = "String", extend("x-accepts" = "an address and port such as \"127.0.0.1:9099\""))]
    pub bind: SocketAddr,
    /// Host names, without a port, by which the endpoint may be asked beside `localhost` and any IP address. Others are refused: a web
    /// page could lead a browser here by a name of its own.
    #[schemars(length(max = 256))]
    pub hosts: Vec<String>,
}

/// What the admin endpoint is told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The address to listen on.
    pub bind: SocketAddr,
    /// The names by which it may be asked.
    pub hosts: Hosts,
}

impl Options {
    /// What the admin endpoint is told.
    pub(crate) fn settings(&self) -> Settings {
        Settings { bind: self.bind, hosts: Hosts::new(&self.hosts) }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 9099)), hosts: Vec::new() }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let none = self.hosts.iter().filter(|name| !is_name(name));
        none.map(|name| {
            Finding::new("hosts", format!("{name:?} is no host name; it is written without scheme and port"))
        })
        .collect()
    }

    fn warnings(&self) -> Vec<Finding> {
        if self.bind.ip().is_loopback() {
            return Vec::new();
        }
        let message = format!(
            "{} is not a loopback address: whoever reaches it sees the whole gateway",
            self.bind.ip()
        );
        vec![Finding::new("bind", message)]
    }
}
