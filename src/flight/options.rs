//! What the config may say of flights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Bounds;
use crate::setting::{Period, Section};

/// A flight is the one backend call that all who ask the same meanwhile share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// Calls that may wait for one flight; further ones are refused with an exception.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_waiters: u32,
    /// How long a stale entry is served without another try after its refresh has failed.
    #[schemars(extend("x-least" = "0s", "x-most" = "1h"))]
    pub refresh_pause: Period,
}

impl Options {
    /// What the flights are told.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { waiters_max: self.max_waiters as usize, refresh_pause: self.refresh_pause.duration() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { max_waiters: 10_000, refresh_pause: Period::from_secs(1) }
    }
}

impl Section for Options {}
