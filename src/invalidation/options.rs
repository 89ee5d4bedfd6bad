//! What the config may say of the invalidation service.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::{Finding, Keeper, Secret, Section};

/// The Thrift service `larder.Invalidation` of `idl/larder.thrift`, by which services say what of their replies is wrong by now. Without this
/// section there is none. It reads framed and unframed messages, binary and compact ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// The address to listen on; port 0 takes a free one, which the log names.
    #[schemars(with = "String", extend("x-accepts" = "an address and port such as \"127.0.0.1:9098\""))]
    pub bind: SocketAddr,
    /// The file whose first line is the token that each call shows, relative to this file. Without a token calls are obeyed only where `bind`
    /// is a loopback address. The token goes over the network as it is.
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds this token.
    pub token_env: Option<String>,
}

/// What the invalidation service is told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The address to listen on.
    pub bind: SocketAddr,
    /// What those show who give orders.
    pub token: Option<Secret>,
}

impl Options {
    /// What the service is told, with the token that was found where these options say.
    pub(crate) fn settings(&self, token: Option<Secret>) -> Settings {
        Settings { bind: self.bind, token }
    }

    /// Where the token is.
    pub(crate) fn token(&self) -> Keeper<'_> {
        Keeper::of_token(self.token_file.as_deref(), self.token_env.as_deref())
    }
}

impl Default for Options {
    fn default() -> Self {
        let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 9098));
        Self { bind, token_file: None, token_env: None }
    }
}

impl Section for Options {
    fn problems(&self) -> Vec<Finding> {
        let open = !self.bind.ip().is_loopback() && !self.token().is_given();
        let message = format!(
            "{} is not a loopback address, and neither token_file nor token_env says by what who may purge is known",
            self.bind.ip()
        );
        let open = open.then(|| Finding::new("bind", message));
        open.into_iter().chain(self.token().problem("token")).collect()
    }
}
