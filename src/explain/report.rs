//! An explanation as the admin endpoint gives it and `larder explain` reads it. Ages are in seconds, sizes in bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mark::Kind;

/// What is known of one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Explanation {
    /// Its method, as `Service.method`.
    pub method: String,
    /// Why nothing is said of the call itself, where that is so.
    #[serde(default)]
    pub untold: Option<String>,
    /// How the gateway shares with others, if it does.
    #[serde(default)]
    pub shared: Option<SharingReport>,
    /// The listeners that serve the method.
    pub listeners: Vec<ListenerReport>,
}

/// The shared tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SharingReport {
    /// Whether it is reached.
    pub up: bool,
    /// Whether all marks of the other gateways are known here.
    pub hears: bool,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ListenerReport {
    /// Its name.
    pub listener: String,
    /// The rule that governs the method there.
    pub rule: RuleReport,
    /// The backend that is asked.
    pub backend: BackendReport,
    /// The one that is asked where that fails.
    #[serde(default)]
    pub backup: Option<BackendReport>,
    /// The ways in which clients may ask the call; each has a key of its own.
    pub calls: Vec<CallReport>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RuleReport {
    /// For which methods it is; nothing without a rule.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Where the IDL states it, as `FILE:LINE`; nothing where the configuration does.
    #[serde(default)]
    pub annotation: Option<String>,
    /// `on`, `observe` or `off`.
    #[serde(default)]
    pub mode: Option<String>,
    /// Why it keeps nothing of this method, where that is so.
    #[serde(default)]
    pub not_kept: Option<String>,
    /// For how long it lets replies answer, where it keeps them or would.
    #[serde(default)]
    pub windows: Option<WindowsReport>,
    /// What is verified of its hits.
    #[serde(default)]
    pub verification: Option<VerificationReport>,
    /// Whether it has a fallback.
    pub fallback: bool,
    /// What an operator says of the method, its rule or its backend for a while.
    #[serde(default)]
    pub switches: Vec<String>,
    /// The templates of the tags that its calls mark.
    #[serde(default)]
    pub invalidates: Vec<String>,
}

/// What was found of the last hits of a rule that the backend was asked again, 64 at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct VerificationReport {
    /// Of which share of the hits it is asked.
    pub share: String,
    /// Hits to which it says the same.
    pub matches: usize,
    /// Those that have changed since they were kept.
    pub changed: usize,
    /// Those for which no one reply is right.
    pub mismatches: usize,
}

/// For how long replies answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct WindowsReport {
    /// At once.
    pub ttl: f64,
    /// After that at once too, while they are refreshed.
    pub stale_while_revalidate: f64,
    /// After `ttl` while the backend fails.
    pub stale_if_error: f64,
    /// When such a reply answers although the backend has not failed yet.
    #[serde(default)]
    pub soft_timeout: Option<f64>,
    /// Where they are kept: `local`, `shared`.
    pub tiers: Vec<String>,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BackendReport {
    /// Its name.
    pub name: String,
    /// Whether every endpoint fails.
    pub down: bool,
    /// Whether every endpoint fails at this method, or it is spared.
    pub out: bool,
    /// Whether an operator has it spared.
    #[serde(default)]
    pub spared: bool,
}

/// One way in which a call may be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CallReport {
    /// The backend's protocol.
    pub protocol: String,
    /// The method's name on the wire.
    pub name: String,
    /// What it is kept under, or would be.
    #[serde(default)]
    pub key: Option<KeyReport>,
    /// Why it has no key, although its rule would keep it.
    #[serde(default)]
    pub unkeyable: Option<String>,
    /// The tags of its reply.
    pub tags: Vec<TagReport>,
    /// The last marks on whatever may cover its reply.
    pub marks: Vec<MarkReport>,
    /// What this process holds.
    pub local: TierReport,
    /// What the gateways hold together.
    pub shared: TierReport,
    /// What would become of it now, in the words of `larder_calls_total`.
    pub now: String,
    /// What would become of it if the backend failed.
    pub in_outage: String,
}

impl CallReport {
    /// Whether a tier holds a reply.
    pub(crate) fn is_held(&self) -> bool {
        [&self.local, &self.shared].iter().any(|tier| matches!(tier, TierReport::Entry(_)))
    }
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct KeyReport {
    /// Its hash, as `larder purge --key` takes it.
    pub hash: String,
    /// What it is called in Redis.
    #[serde(default)]
    pub redis: Option<String>,
    /// The call that it stands for: its arguments by name, without those that the rule ignores as a whole.
    pub call: String,
    /// Arguments that the rule ignores, as a whole or in part.
    pub ignored: Vec<String>,
}

/// The tags that one template gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TagReport {
    /// The template with empty holes.
    pub template: String,
    /// The tags.
    pub tags: Vec<String>,
    /// Why there are none, where that is so.
    #[serde(default)]
    pub untold: Option<String>,
}

/// A mark.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MarkReport {
    /// What it covers.
    pub on: String,
    /// What it makes of that.
    pub kind: Kind,
    /// Since this gateway made it, or heard of it.
    pub age: f64,
    /// Its place among those of all gateways, once it has one.
    #[serde(default)]
    pub version: Option<String>,
    /// For how much longer replies are not kept, because a write may still spread.
    pub settles: f64,
}

/// What a tier holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "holds", rename_all = "snake_case")]
pub(crate) enum TierReport {
    /// Nothing ever: the rule does not use it, or there is none.
    Unused,
    /// Nothing.
    Nothing,
    /// Nobody knows what.
    Unread {
        /// Why.
        why: String,
    },
    /// Nothing: what was there was proved wrong.
    Removed {
        /// By an answer to a call that was sent so long ago.
        age: f64,
    },
    /// A reply.
    Entry(EntryReport),
}

/// A kept reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EntryReport {
    /// When its backend call was sent, in milliseconds since the Unix epoch.
    pub born: u64,
    /// Since then.
    pub age: f64,
    /// Its size.
    pub bytes: usize,
    /// `result`, `empty` or `exception`.
    pub ending: String,
    /// What the rule in force lets it be used for: `fresh`, `stale_while_revalidate`, `stale_if_error` or `expired`.
    pub state: String,
    /// What keeps it from answering as long as its age allows.
    pub because: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_is_told_by_what_it_holds() {
        let written = |tier: &TierReport| serde_json::to_string(tier).unwrap();
        assert_eq!(written(&TierReport::Nothing), r#"{"holds":"nothing"}"#);
        let unread = TierReport::Unread { why: "timeout".to_owned() };
        assert_eq!(written(&unread), r#"{"holds":"unread","why":"timeout"}"#);
        for tier in [TierReport::Unused, unread, TierReport::Removed { age: 0.5 }] {
            assert_eq!(serde_json::from_str::<TierReport>(&written(&tier)).unwrap(), tier);
        }
    }
}
