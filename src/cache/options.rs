//! What the config may say of the two tiers, and what they are told.

mod shared;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::snapshot;
use crate::setting::{Period, Section, Size};

pub(crate) use shared::{Found, SharedOptions, SharedSettings};

/// The tier in this process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LocalOptions {
    /// The memory it may take, keys and overhead included. What was asked for least recently leaves first.
    #[schemars(extend("x-least" = "1MiB", "x-most" = "1TiB"))]
    pub capacity: Size,
    /// How much of it is kept for the next start where `runtime.state_dir` is given: keys and replies, the youngest first. `0` keeps nothing.
    #[schemars(extend("x-least" = "0", "x-most" = "1TiB"))]
    pub save_size: Size,
    /// How often it is kept, besides at a stop. `0s`: at a stop alone. What a killed process learnt since is lost, and what was declared
    /// wrong since may answer in an outage.
    #[schemars(extend("x-least" = "0s", "x-most" = "24h"))]
    pub save_interval: Period,
    /// How long a start may take to read what was kept.
    #[schemars(extend("x-least" = "0s", "x-most" = "1h"))]
    pub restore_time: Period,
}

/// What the tiers are told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Bytes that the local tier may take.
    pub capacity: u64,
    /// What is kept of it for the next start.
    pub snapshot: snapshot::Bounds,
    /// The tier in Redis, if there is one.
    pub shared: Option<SharedSettings>,
}

impl LocalOptions {
    /// What the local tier is told, beside a shared one.
    pub(crate) fn settings(&self, shared: Option<SharedSettings>) -> Settings {
        let snapshot = snapshot::Bounds {
            size: self.save_size.bytes(),
            interval: Some(self.save_interval.duration()).filter(|interval| !interval.is_zero()),
            restore_time: self.restore_time.duration(),
        };
        Settings { capacity: self.capacity.bytes(), snapshot, shared }
    }
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            capacity: Size::from_mib(256),
            save_size: Size::from_mib(64),
            save_interval: Period::from_secs(300),
            restore_time: Period::from_secs(2),
        }
    }
}

impl Section for LocalOptions {}
