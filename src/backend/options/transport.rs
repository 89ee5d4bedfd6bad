//! How a service delimits messages, as the config names it.

use std::sync::Arc;

use hyper::http::uri::PathAndQuery;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::setting::Finding;
use crate::wire;

/// How a service delimits messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    /// A length goes before each message.
    Framed,
    /// A message ends where its last field does.
    Unframed,
    /// Thrift's header transport (`THeader`): a frame for each message, with headers of its own.
    Header,
    /// Each message is the body of a POST, and its reply that of the answer.
    Http,
}

impl Transport {
    /// What is spoken on its connections: what is posted is a frame with headers before.
    pub(super) fn spoken(self) -> wire::Transport {
        match self {
            Self::Framed => wire::Transport::Framed,
            Self::Unframed => wire::Transport::Unframed,
            Self::Header | Self::Http => wire::Transport::Header,
        }
    }

    /// Where messages are posted, if they are.
    pub(super) fn posts(self, path: &str) -> Option<Arc<str>> {
        match self {
            Self::Http => Some(path.into()),
            Self::Framed | Self::Unframed | Self::Header => None,
        }
    }

    /// What is wrong with the path that messages would be posted to.
    pub(super) fn problem(path: &str) -> Option<Finding> {
        if path.starts_with('/') && path.parse::<PathAndQuery>().is_ok() {
            return None;
        }
        Some(Finding::new("path", format!("{path:?} is no path of HTTP: expected one such as \"/users\"")))
    }
}
