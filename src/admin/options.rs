//! What the config may say of the admin endpoint.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hosts::{Hosts, is_name};
use crate::setting::{Finding, Keeper, Secret, Section};
use crate::tls::Server;
use crate::tls::options::ServerOptions;

/// The HTTP endpoint: `/metrics`, `/livez`, `/readyz` and what `/v1/openapi.json` describes. Everybody may ask who reaches it; what changes
/// something takes a token, or comes through its socket.
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
    /// A socket in the file system, relative to this file, at which the endpoint answers too. Only the gateway's own user may use it, and
    /// needs no token. At most 100 bytes.
    #[schemars(extend("x-default" = "none"))]
    pub socket: Option<PathBuf>,
    /// The file whose first line is the token that orders show at `bind` (`Authorization: Bearer`), relative to this file. Without
    /// a token none are taken there.
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds this token.
    pub token_env: Option<String>,
    /// TLS 1.2 or 1.3 at `bind`, and nothing else there; who comes through `socket` needs none. Its files are looked at each second.
    pub tls: Option<ServerOptions>,
}

/// What the admin endpoint is told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The address to listen on.
    pub bind: SocketAddr,
    /// The names by which it may be asked.
    pub hosts: Hosts,
    /// The socket in the file system; there is none without.
    pub socket: Option<PathBuf>,
    /// What those show who give orders at the address.
    pub token: Option<Secret>,
    /// How those speak TLS who ask at the address; without it they speak none.
    pub tls: Option<Server>,
}

impl Options {
    /// What the admin endpoint is told, with the token and the TLS that were found where these options say. `beside` tells where a path is
    /// that stands in the file.
    pub(crate) fn settings(
        &self,
        (token, tls): (Option<Secret>, Option<Server>),
        beside: impl Fn(&Path) -> PathBuf,
    ) -> Settings {
        let socket = self.socket.as_deref().map(beside);
        Settings { bind: self.bind, hosts: Hosts::new(&self.hosts), socket, token, tls }
    }

    /// Where the token is.
    pub(crate) fn token(&self) -> Keeper<'_> {
        Keeper::of_token(self.token_file.as_deref(), self.token_env.as_deref())
    }
}

impl Default for Options {
    fn default() -> Self {
        let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 9099));
        Self { bind, hosts: Vec::new(), socket: None, token_file: None, token_env: None, tls: None }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let none = self.hosts.iter().filter(|name| !is_name(name));
        let found = none.map(|name| {
            Finding::new("hosts", format!("{name:?} is no host name; it is written without scheme and port"))
        });
        let socket = self.socket.as_deref().and_then(|path| Finding::of_socket("socket", path));
        found.chain(self.token().problem("token")).chain(socket).collect()
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
