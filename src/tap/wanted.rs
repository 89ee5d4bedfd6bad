//! What somebody asks who wants to watch: which calls, how many a second, and for how long.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Filter;
use crate::outcome::Outcome;
use crate::rule::pattern::PatternError;
use crate::setting::{Nearest, Period};

/// Which calls to show. Each is left out that does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Calls of these methods, as rules name them: `Service.method`, `Service.prefix*`, `Service.*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Calls of which this became; several words with commas in between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Calls that came to this listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// Calls for this backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Calls that were sent to this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Calls that took at least so long, such as `50ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slower_than: Option<Period>,
    /// The most calls that are shown in a second, 1 to 1000; the others are counted. Without, 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// For how long, 1s to 1h; without, 10m.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Period>,
}

/// What is asked for, understood.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Which calls.
    pub filter: Filter,
    /// How many a second at most.
    pub per_second: u32,
    /// For how long.
    pub lasts: Duration,
}

/// Why nothing can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum WantedError {
    /// No pattern.
    #[error("method: {0:?} {1}")]
    Method(String, PatternError),
    /// Nothing that a call can become.
    #[error("outcome: unknown outcome {0}{1}")]
    Outcome(String, Nearest),
    /// No address.
    #[error("endpoint: {0:?} is no address; expected an address and a port, such as 10.0.0.1:9191")]
    Endpoint(String),
    /// Out of bounds.
    #[error("per_second: {0} is not in 1 to {PER_SECOND_MAX}")]
    PerSecond(u32),
    /// Too short, or too long.
    #[error("for: {0} is not in 1s to 1h")]
    Lasts(Period),
}

impl Wanted {
    /// What it means.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn terms(self) -> Result<Terms, WantedError> {
        let method = self.method.map(|text| text.parse().map_err(|error| WantedError::Method(text, error)));
        let endpoint = self.endpoint.map(|text| text.parse().map_err(|_| WantedError::Endpoint(text)));
        let (per_second, lasts) = (self.per_second.unwrap_or(PER_SECOND), self.lasts.unwrap_or(LASTS));
        if !(1..=PER_SECOND_MAX).contains(&per_second) {
            return Err(WantedError::PerSecond(per_second));
        }
        if !(Period::from_secs(1)..=LASTS_MAX).contains(&lasts) {
            return Err(WantedError::Lasts(lasts));
        }
        let filter = Filter {
            method: method.transpose()?,
            outcomes: outcomes(self.outcome.as_deref().unwrap_or_default())?,
            listener: self.listener,
            backend: self.backend,
            endpoint: endpoint.transpose()?,
            slower_than: self.slower_than.unwrap_or_default().duration(),
        };
        Ok(Terms { filter, per_second, lasts: lasts.duration() })
    }
}

/// What words with commas in between mean.
fn outcomes(words: &str) -> Result<Vec<Outcome>, WantedError> {
    let known = |word: &str| {
        let unknown =
            || WantedError::Outcome(word.to_owned(), Nearest::of(word, Outcome::ALL.map(Outcome::as_str)));
        Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word).ok_or_else(unknown)
    };
    words.split(',').filter(|word| !word.is_empty()).map(known).collect()
}

/// Calls a second where nothing is said.
const PER_SECOND: u32 = 100;
/// Calls a second at most: more are for no eyes, and each costs the call that is shown.
const PER_SECOND_MAX: u32 = 1_000;
/// For how long where nothing is said.
const LASTS: Period = Period::from_secs(600);
/// The longest: whoever forgets it does not watch for ever.
const LASTS_MAX: Period = Period::from_secs(3_600);
