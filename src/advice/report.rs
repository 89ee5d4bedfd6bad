//! Advice as the admin endpoint gives it and `larder advise` reads it. Times are in seconds, sizes in bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Question {
    /// The share of answers that may be others than the backend would give at that moment: above 0, at most 1.
    #[schemars(range(min = 0.0001, max = 1.0))]
    pub tolerance: f64,
}

/// What is advised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Advice {
    /// What was learnt of each method that a rule observes, or has observed since the start.
    pub methods: Vec<MethodReport>,
    /// The rules that are advised, as they stand in a configuration.
    pub rules: String,
}

/// One method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MethodReport {
    /// Whose clients call it.
    pub listener: String,
    /// The method, as `Service.method`.
    pub method: String,
    /// Its name on the wire.
    pub name: String,
    /// For how long its calls were looked at.
    pub observed: f64,
    /// How many there were.
    pub calls: u64,
    /// How many different ones, within about 5 %.
    pub distinct: u64,
    /// How many came with arguments that make no key.
    pub unkeyable: u64,
    /// How many were not answered.
    pub faults: u64,
    /// How many were answered with a declared exception.
    pub exceptions: u64,
    /// Bytes of a reply on average.
    pub reply: f64,
    /// What each `ttl` would have done.
    pub lifetimes: Vec<LifetimeReport>,
    /// What its argument fields do.
    pub fields: Vec<FieldReport>,
    /// What to do.
    pub verdict: Verdict,
    /// The rule that says so, where one does.
    #[serde(default)]
    pub rule: Option<String>,
}

/// What one `ttl` would have done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LifetimeReport {
    /// The `ttl`.
    pub ttl: u64,
    /// Whether the method was looked at for so long.
    pub seen: bool,
    /// The share of calls that would have been answered without a backend: 0 to 1.
    pub hits: f64,
    /// Calls of which is known what the cache would have said, and what the backend said.
    pub compared: u64,
    /// Those of them that would have been answered otherwise than the backend did.
    pub wrong: u64,
    /// What the replies would take in memory.
    pub memory: u64,
}

/// What an argument field does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FieldReport {
    /// Its name, or its id where no IDL names it.
    pub name: String,
    /// Calls that differed in it alone from one before.
    pub others: u64,
    /// Those of them that were answered otherwise.
    pub differing: u64,
    /// Calls that differed in nothing from one before.
    pub again: u64,
    /// The share of calls that brought a value which no call before had: 0 to 1.
    pub new_values: f64,
    /// Whether it names the call: it is another in nearly each, and changes no answer.
    pub idle: bool,
}

/// What to do with a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Keep its replies.
    Cache {
        /// For how long they are fresh.
        ttl: u64,
        /// How long they may be stale beyond.
        stale_while_revalidate: u64,
        /// The share of calls that are answered so.
        hits: f64,
        /// Of so many calls it is known what they would have been answered.
        compared: u64,
        /// So many of those would have been answered otherwise.
        wrong: u64,
    },
    /// Leave fields out of its keys, and look again.
    LeaveOut {
        /// Their names.
        fields: Vec<String>,
    },
    /// Look longer.
    Wait {
        /// What is missing.
        why: String,
    },
    /// Leave it alone.
    Pass {
        /// Why.
        why: String,
    },
}

/// The share of calls that bring a new value of a field which tells nearly all of them apart.
pub(crate) const UNIQUE: f64 = 0.95;

impl Default for Question {
    fn default() -> Self {
        Self { tolerance: 0.01 }
    }
}
