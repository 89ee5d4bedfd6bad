//! What may be ordered of a running gateway, and what comes of it.
//!
//! A command travels to whoever runs the gateway and its answer comes back: the endpoint itself changes nothing.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// An order, and where its answer is awaited. One that is dropped was not carried out.
#[derive(Debug)]
pub(crate) enum Command {
    /// Reads the rules and the IDL again, as SIGHUP does.
    Reload(oneshot::Sender<Reloaded>),
}

/// What a reload came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub(crate) enum Reloaded {
    /// The rules that were read are in force.
    Applied {
        /// What is in force now that was not.
        changes: Vec<String>,
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
