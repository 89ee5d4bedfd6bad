//! An order to purge: what is wrong, how wrong it is, and why.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use thiserror::Error;

use crate::mark::Kind;

/// What is to be purged, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Order {
    /// What is wrong.
    pub what: What,
    /// Whether it may answer in an outage.
    pub kind: Kind,
    /// For whoever reads the log.
    pub why: String,
    /// Whether it is done although it takes away what answers while backends are down.
    pub force: bool,
}

/// What is to be purged.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// The replies to one call.
    Call {
        /// Its method, as `Service.method`.
        method: String,
        /// Its arguments by name.
        arguments: Json,
    },
    /// The reply under the key with this hash.
    Key(u128),
    /// The replies with any of these tags.
    Tags(Vec<String>),
    /// The replies of one method, as `Service.method`.
    Method(String),
    /// The replies of all methods of a service.
    Service(String),
    /// All replies.
    All,
}

/// An order as it is written in JSON: exactly one of the first six.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Written {
    /// A call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Called>,
    /// The hash of a key, 32 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Tags.
    #[serde(alias = "tags", skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tags>,
    /// A method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A service.
    #[serde(alias = "service_name", skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// `true` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// How.
    pub kind: Kind,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Whether it is done in any case.
    #[serde(skip_serializing_if = "is_no")]
    pub force: bool,
}

/// A call as it is written in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Called {
    /// Its method, as `Service.method`.
    pub method: String,
    /// Its arguments by name.
    #[serde(default = "no_arguments")]
    pub arguments: Json,
}

/// One tag, or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "tag: expected a text or a list of texts")]
pub(crate) enum Tags {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// Why a text is no order.
#[derive(Debug, Error)]
pub(crate) enum OrderError {
    /// It is no JSON, or says something else.
    #[error("not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// It names several things, or none.
    #[error("names {0} of call, key, tag, method, service and all: expected exactly one")]
    NotOne(usize),
    /// All or nothing.
    #[error("all: expected true")]
    NotAll,
    /// No hash.
    #[error("key: {0:?} is no hash of a key: expected 32 hexadecimal digits")]
    Key(String),
    /// No tag, or too many.
    #[error("tag: expected 1 to {TAGS_MAX} tags of 1 to {TEXT_MAX} bytes")]
    Tags,
    /// A long reason.
    #[error("why: {0} bytes are more than {TEXT_MAX}")]
    Why(usize),
}

impl Order {
    /// Reads an order in JSON.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, OrderError> {
        Self::try_from(serde_json::from_slice::<Written>(json)?)
    }
}

impl TryFrom<Written> for Order {
    type Error = OrderError;

    fn try_from(written: Written) -> Result<Self, OrderError> {
        let Written { call, key, tag, method, service, all, kind, why, force } = written;
        let named = [
            call.map(|Called { method, arguments }| Ok(What::Call { method, arguments })),
            key.map(|text| What::key(&text)),
            tag.map(|tags| What::tags(tags.into())),
            method.map(|name| Ok(What::Method(name))),
            service.map(|name| Ok(What::Service(name))),
            all.map(|all| if all { Ok(What::All) } else { Err(OrderError::NotAll) }),
        ];
        let mut named: Vec<_> = named.into_iter().flatten().collect();
        let what = match (named.pop(), named.len()) {
            (Some(what), 0) => what?,
            (last, others) => return Err(OrderError::NotOne(others + usize::from(last.is_some()))),
        };
        if why.len() > TEXT_MAX {
            return Err(OrderError::Why(why.len()));
        }
        Ok(Self { what, kind, why, force })
    }
}

impl What {
    /// The tags of these names.
    pub(crate) fn tags(tags: Vec<String>) -> Result<Self, OrderError> {
        let counts = 1..=TAGS_MAX;
        let is_tag = |tag: &String| (1..=TEXT_MAX).contains(&tag.len());
        match counts.contains(&tags.len()) && tags.iter().all(is_tag) {
            true => Ok(Self::Tags(tags)),
            false => Err(OrderError::Tags),
        }
    }

    fn key(text: &str) -> Result<Self, OrderError> {
        let is_hash = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let hash = u128::from_str_radix(text, 16).ok().filter(|_| is_hash);
        hash.map(Self::Key).ok_or_else(|| OrderError::Key(text.chars().take(SHOWN).collect()))
    }

    /// The word for its sort.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Call { .. } => "call",
            Self::Key(_) => "key",
            Self::Tags(_) => "tag",
            Self::Method(_) => "method",
            Self::Service(_) => "service",
            Self::All => "all",
        }
    }
}

/// Without a call's arguments, which are nobody's affair who reads the log.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sort = self.as_str();
        match self {
            Self::Call { method, .. } => write!(f, "{sort} {method}"),
            Self::Key(hash) => write!(f, "{sort} {hash:032x}"),
            Self::Tags(tags) => write!(f, "{sort} {}", tags.join(", ")),
            Self::Method(name) | Self::Service(name) => write!(f, "{sort} {name}"),
            Self::All => f.write_str(sort),
        }
    }
}

impl From<Tags> for Vec<String> {
    fn from(tags: Tags) -> Self {
        match tags {
            Tags::One(tag) => vec![tag],
            Tags::Many(tags) => tags,
        }
    }
}

fn is_no(force: &bool) -> bool {
    !force
}

fn no_arguments() -> Json {
    Json::Object(serde_json::Map::new())
}

/// Tags of one order.
const TAGS_MAX: usize = 256;
/// Bytes of a tag, and of a reason.
const TEXT_MAX: usize = 1_024;
/// Characters of a wrong hash that are shown.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn parse(json: &Json) -> Result<Order, String> {
        Order::parse(json.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(json: &Json, what: What) {
        let expected = Order { what, kind: Kind::Soft, why: String::new(), force: false };
        assert_eq!(parse(json), Ok(expected), "{json}");
    }

    #[test]
    fn an_order_names_one_thing() {
        check(&json!({"tag": "user:5"}), What::Tags(vec!["user:5".to_owned()]));
        check(&json!({"tag": ["a", "b"]}), What::Tags(vec!["a".to_owned(), "b".to_owned()]));
        check(&json!({"method": "S.get"}), What::Method("S.get".to_owned()));
        check(&json!({"service": "S"}), What::Service("S".to_owned()));
        check(&json!({"all": true}), What::All);
        check(&json!({"key": "000000000000000000000000000000fF"}), What::Key(255));
        let call = |arguments| What::Call { method: "S.get".to_owned(), arguments };
        check(&json!({"call": {"method": "S.get", "arguments": {"id": 5}}}), call(json!({"id": 5})));
        check(&json!({"call": {"method": "S.get"}}), call(json!({})));
        let hard = parse(&json!({"all": true, "kind": "hard", "why": "moved", "force": true})).unwrap();
        assert_eq!((hard.kind, hard.why.as_str(), hard.force), (Kind::Hard, "moved", true));
    }

    #[test]
    fn what_is_no_order_is_told() {
        for (json, told) in [
            (json!({}), "names 0 of call"),
            (json!({"all": true, "tag": "a"}), "names 2 of call"),
            (json!({"all": false}), "all: expected true"),
            (json!({"tga": "a"}), "unknown field `tga`"),
            (json!({"tag": 5}), "tag: expected a text or a list of texts"),
            (json!({"tag": []}), "tag: expected 1 to 256 tags of 1 to 1024 bytes"),
            (json!({"tag": vec!["a"; 257]}), "tag: expected 1 to 256"),
            (json!({"tag": ""}), "tag: expected 1 to 256"),
            (json!({"all": true, "kind": "wet"}), "unknown variant `wet`"),
            (json!({"key": "+0000000000000000000000000000000"}), "is no hash of a key"),
            (json!({"key": "ff"}), "is no hash of a key"),
            (json!({"all": true, "why": "x".repeat(1_025)}), "why: 1025 bytes are more than 1024"),
            (json!("all"), "not understood: invalid type"),
        ] {
            let found = parse(&json).unwrap_err();
            assert!(found.contains(told), "{json}: {found}");
        }
        assert!(Order::parse(b"{").is_err() && Order::parse(b"").is_err());
    }

    #[test]
    fn arguments_are_not_told() {
        let what = What::Call { method: "S.get".to_owned(), arguments: json!({"id": 5}) };
        assert_eq!(what.to_string(), "call S.get");
    }
}
