//! What answered the calls of the last hour, as `/v1/answers` shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::Source;

/// The last hour, in slots; the last slot is the one that lasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Answers {
    /// How long a slot is.
    pub slot_seconds: u64,
    /// How many there are.
    pub slots: u64,
    /// When it was told, in seconds since 1970.
    pub until_unix_seconds: f64,
    /// The calls of each method that had any.
    pub methods: Vec<MethodAnswers>,
}

/// The calls of one method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MethodAnswers {
    /// The listener that they came to.
    pub listener: String,
    /// The method, or the rule's pattern.
    pub method: String,
    /// What answered any.
    pub sources: Vec<SourceAnswers>,
}

/// The calls that one source answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SourceAnswers {
    /// Which one.
    pub source: Source,
    /// Calls of each slot, the oldest first.
    pub calls: Vec<u64>,
}
