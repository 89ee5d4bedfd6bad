//! A call as those who watch see it. It never holds argument or result values.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::accept::Asker;
use crate::clock::Millis;
use crate::dial::Address;
use crate::outcome::Outcome;

/// A call whose reply goes out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    /// When.
    pub at: Millis,
    /// The listener that it came to.
    pub listener: &'a str,
    /// Where its client is.
    pub client: Asker,
    /// The service that it is for, as far as its name tells.
    pub service: &'a [u8],
    /// The method, without prefix.
    pub method: &'a [u8],
    /// The backend that its method is for.
    pub backend: &'a str,
    /// The endpoint that was asked last, where one was.
    pub endpoint: Option<&'a Address>,
    /// What became of it.
    pub outcome: Outcome,
    /// The fault that was met, also where something else answered.
    pub why: Option<&'static str>,
    /// How old what answered it was.
    pub age: Option<Duration>,
    /// From its first byte to its reply.
    pub took: Duration,
}

/// A call that was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Line {
    /// When its reply went out, in seconds since 1970.
    pub at_unix_seconds: f64,
    /// The listener that it came to.
    pub listener: String,
    /// The client's address.
    pub client: String,
    /// Its service and method, at most 64 bytes of each and escaped: names come from the network.
    pub method: String,
    /// The hash of its key, where a rule caches it: the one that `larder explain` shows and `larder purge --key` takes.
    pub key: Option<String>,
    /// What became of it, in the words of the metric `larder_calls_total`.
    pub outcome: String,
    /// The fault that was met, also where something else answered.
    pub why: Option<String>,
    /// The age of the entry that answered.
    pub age_seconds: Option<f64>,
    /// The backend that its method is for.
    pub backend: String,
    /// The endpoint that was asked last, where one was; with a backup it may be that one's.
    pub endpoint: Option<String>,
    /// From its first byte to its reply.
    pub took_seconds: f64,
    /// Calls like it that were not shown since the last that was: there were more than may be in a second, or more than were read.
    pub missed: u64,
}

impl Line {
    pub(super) fn new(seen: &Seen<'_>, key: Option<u128>, missed: u64) -> Self {
        Self {
            at_unix_seconds: seen.at.0 as f64 / 1_000.0,
            listener: seen.listener.to_owned(),
            client: seen.client.to_string(),
            method: format!("{}.{}", shown(seen.service), shown(seen.method)),
            key: key.map(|key| format!("{key:032x}")),
            outcome: seen.outcome.as_str().to_owned(),
            why: seen.why.map(str::to_owned),
            age_seconds: seen.age.map(|age| age.as_secs_f64()),
            backend: seen.backend.to_owned(),
            endpoint: seen.endpoint.map(|endpoint| endpoint.to_string()),
            took_seconds: seen.took.as_secs_f64(),
            missed,
        }
    }
}

/// A name from the network: bounded, and in letters that move no cursor.
fn shown(name: &[u8]) -> String {
    name.get(..NAME_SHOWN).unwrap_or(name).escape_ascii().to_string()
}

/// Bytes of a name that are shown.
const NAME_SHOWN: usize = 64;
