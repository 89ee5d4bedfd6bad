//! What the config may say of the admin endpoint.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hosts::{Hosts, is_name};
use crate::setting::{Finding, Keeper, Secret, Section};

/// The HTTP endpoint with `/metrics`, `/livez`, `/readyz`, `/status`, `/outages` and `/explain`, which everybody may see who reaches it, and
/// `/reload` and `/purge`, which change something.
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
    /// The file whose first line is the token that `/reload` and `/purge` ask for (`Authorization: Bearer`), relative to this file. Without
    /// a token they answer only where `bind` is a loopback address.
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds this token.
    pub token_env: Option<String>,
}

/// What the admin endpoint is told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The address to listen on.
    pub bind: SocketAddr,
    /// The names by which it may be asked.
    pub hosts: Hosts,
    /// What those show who give orders.
    pub token: Option<Secret>,
}

impl Options {
    /// What the admin endpoint is told, with the token that was found where these options say.
    pub(crate) fn settings(&self, token: Option<Secret>) -> Settings {
        Settings { bind: self.bind, hosts: Hosts::new(&self.hosts), token }
    }

    /// Where the token is.
    pub(crate) fn token(&self) -> Keeper<'_> {
        Keeper::of_token(self.token_file.as_deref(), self.token_env.as_deref())
    }
}

impl Default for Options {
    fn default() -> Self {
        let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 9099));
        Self { bind, hosts: Vec::new(), token_file: None, token_env: None }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let none = self.hosts.iter().filter(|name| !is_name(name));
        let found = none.map(|name| {
            Finding::new("hosts", format!("{name:?} is no host name; it is written without scheme and port"))
        });
        found.chain(self.token().problem("token")).collect()
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
