//! What may be ordered of a running gateway, and what comes of it.
//!
//! A command travels to whoever runs the gateway and its answer comes back: the endpoint itself changes nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// An order, and where its answer is awaited. One that is dropped was not carried out.
#[derive(Debug)]
pub(crate) enum Command {
    /// Reads the configuration again, as SIGHUP does.
    Reload(oneshot::Sender<Reloaded>),
    /// Puts the configuration of this generation in force again.
    RollBack(u64, oneshot::Sender<Reloaded>),
}

/// Why an order is given, as it is written in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Reason {
    /// For whoever reads the log.
    pub why: String,
}

impl Reason {
    /// Reads a reason. None is needed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(body: &[u8]) -> serde_json::Result<Self> {
        if body.is_empty() { Ok(Self::default()) } else { serde_json::from_slice(body) }
    }
}

/// What a reload came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub(crate) enum Reloaded {
    /// Another configuration is in force.
    Applied {
        /// What is in force now that was not.
        changes: Vec<String>,
        /// What that means, in words.
        #[serde(default)]
        says: Vec<String>,
        /// What has changed too, and waits for a restart.
        needs_restart: Vec<String>,
        /// What is legal and unwise.
        warnings: Vec<String>,
    },
    /// Nothing has changed.
    Refused {
        /// What must be put right.
        problems: Vec<String>,
        /// What is legal and unwise.
        warnings: Vec<String>,
    },
}
