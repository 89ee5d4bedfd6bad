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
    /// Flights under way, over all keys. From half of it on no stale entry is refreshed; from three quarters on calls get the old entry
    /// that they have at once, as if a backend had failed; at all of it calls are refused with an exception.
    #[schemars(range(min = 4, max = 10_000_000))]
    pub max_flights: u32,
    /// How long a stale entry is served without another try after its refresh has failed, or brought what is not kept.
    #[schemars(extend("x-least" = "0s", "x-most" = "1h"))]
    pub refresh_pause: Period,
    /// How long a key is remembered whose last reply was not kept: it was too long, an exception that is not listed, or empty. For so long
    /// nobody waits behind another call for it that is too old to be shared, and where no tier had anything for it, a backend is asked
    /// before the shared tier. `0s` remembers none.
    #[schemars(extend("x-least" = "0s", "x-most" = "1h"))]
    pub unkept_time: Period,
}

impl Options {
    /// What the flights are told.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            waiters_max: self.max_waiters as usize,
            flights_max: self.max_flights as usize,
            refresh_pause: self.refresh_pause.duration(),
            unkept_time: self.unkept_time.duration(),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_waiters: 10_000,
            max_flights: FLIGHTS,
            refresh_pause: Period::from_secs(1),
            unkept_time: Period::from_secs(10),
        }
    }
}

impl Section for Options {}

/// Twice as many as there are client connections by default. A flight takes about 2 KiB besides its key and its call, of which one that
/// outlives its callers holds at most 16 KiB: some 40 MiB for all of them, 360 MiB at worst.
const FLIGHTS: u32 = 20_000;
