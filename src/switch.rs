//! An operator's switches: what is done otherwise than configured, for a while.
//!
//! A switch says one thing of one subject. While it is in force it is applied on top of the configuration whenever that is compiled, so the
//! decision of a call knows none of them.

pub(crate) mod effect;
pub(crate) mod order;
pub(crate) mod table;

use crate::dial::Address;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::Ordered;
use crate::rule::options::Mode;
use crate::setting::Period;

/// What is done otherwise than configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Switch {
    /// Old replies answer for longer when backends fail.
    HoldStale {
        /// Whose.
        of: Scope,
        /// For how long after `ttl` they do at least.
        window: Period,
    },
    /// Backends are not asked for what a rule keeps: what is kept answers, as in an outage.
    StaleOnly {
        /// Whose calls.
        of: Scope,
    },
    /// The calls of a method pass, and nothing is kept of them.
    Bypass {
        /// The method, as `Service.method`.
        method: String,
    },
    /// A rule has another mode.
    Mode {
        /// The rule's pattern.
        rule: String,
        /// Its mode.
        mode: Mode,
    },
    /// A rule is for another share of its keys.
    Ramp {
        /// The rule's pattern.
        rule: String,
        /// The share, in percent.
        #[schemars(range(max = 100))]
        percent: u8,
    },
    /// An endpoint stands as is said, whatever is seen of it.
    Endpoint {
        /// Its backend.
        backend: String,
        /// Its address.
        #[schemars(with = "String")]
        endpoint: Address,
        /// How it stands.
        state: Ordered,
    },
    /// An endpoint has another weight.
    Weight {
        /// Its backend.
        backend: String,
        /// Its address.
        #[schemars(with = "String")]
        endpoint: Address,
        /// How many times the calls of an ordinary endpoint it is to have.
        #[schemars(range(min = 1, max = 1000))]
        weight: u32,
    },
    /// A backend is up or down, whatever is seen of it.
    Backend {
        /// Its name.
        backend: String,
        /// Which of the two.
        state: Declared,
    },
    /// Calls that endpoints died of are sent all the same.
    TryAnyway {
        /// The backend.
        backend: String,
    },
    /// Other lines are logged.
    Log {
        /// A level, or directives such as `info,larder::backend=debug`.
        level: String,
    },
}

/// Whose calls a switch is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// Those of a method, as `Service.method`.
    Method(String),
    /// Those that go to a backend.
    Backend(String),
    /// All.
    All,
}

/// What a backend is declared to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Declared {
    /// Its endpoints get calls.
    Up,
    /// They get none.
    Down,
}

/// Whether a switch may be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// It would hurt: it must expire.
    Required,
    /// It is what will be configured next.
    Optional,
}

impl Switch {
    /// The words for all kinds, in metrics and logs.
    pub(crate) const KINDS: [&'static str; 10] = [
        "hold_stale",
        "stale_only",
        "bypass",
        "mode",
        "ramp",
        "endpoint",
        "weight",
        "backend",
        "try_anyway",
        "log",
    ];

    /// The word for its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::HoldStale { .. } => "hold_stale",
            Self::StaleOnly { .. } => "stale_only",
            Self::Bypass { .. } => "bypass",
            Self::Mode { .. } => "mode",
            Self::Ramp { .. } => "ramp",
            Self::Endpoint { .. } => "endpoint",
            Self::Weight { .. } => "weight",
            Self::Backend { .. } => "backend",
            Self::TryAnyway { .. } => "try_anyway",
            Self::Log { .. } => "log",
        }
    }

    /// What it is said of. Another switch of this kind and subject takes its place.
    pub(crate) fn subject(&self) -> String {
        match self {
            Self::HoldStale { of, .. } | Self::StaleOnly { of } => of.to_string(),
            Self::Bypass { method } => format!("method {method}"),
            Self::Mode { rule, .. } | Self::Ramp { rule, .. } => format!("rule {rule}"),
            Self::Endpoint { backend, endpoint, .. } | Self::Weight { backend, endpoint, .. } => {
                format!("endpoint {backend}/{endpoint}")
            }
            Self::Backend { backend, .. } | Self::TryAnyway { backend } => format!("backend {backend}"),
            Self::Log { .. } => "the log".to_owned(),
        }
    }

    /// The backend that it is said of, or whose endpoint it is.
    pub(crate) fn backend(&self) -> Option<&str> {
        match self {
            Self::Endpoint { backend, .. }
            | Self::Weight { backend, .. }
            | Self::Backend { backend, .. }
            | Self::TryAnyway { backend } => Some(backend),
            Self::HoldStale { of, .. } | Self::StaleOnly { of } => match of {
                Scope::Backend(backend) => Some(backend),
                Scope::Method(_) | Scope::All => None,
            },
            Self::Bypass { .. } | Self::Mode { .. } | Self::Ramp { .. } | Self::Log { .. } => None,
        }
    }

    /// Whether it may be forgotten.
    pub(crate) fn expiry(&self) -> Expiry {
        match self {
            Self::Mode { .. } | Self::Ramp { .. } | Self::Weight { .. } => Expiry::Optional,
            Self::HoldStale { .. }
            | Self::StaleOnly { .. }
            | Self::Bypass { .. }
            | Self::Endpoint { .. }
            | Self::Backend { .. }
            | Self::TryAnyway { .. }
            | Self::Log { .. } => Expiry::Required,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(method) => write!(f, "method {method}"),
            Self::Backend(backend) => write!(f, "backend {backend}"),
            Self::All => f.write_str("all methods"),
        }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject();
        match self {
            Self::HoldStale { window, .. } => write!(f, "hold stale {window} for {subject}"),
            Self::StaleOnly { .. } => write!(f, "stale only for {subject}"),
            Self::Bypass { .. } => write!(f, "bypass the cache of {subject}"),
            Self::Mode { mode, .. } => write!(f, "{subject} {}", mode.as_str()),
            Self::Ramp { percent, .. } => write!(f, "{subject} for {percent} % of its keys"),
            Self::Endpoint { state, .. } => match state {
                Ordered::Drained => write!(f, "{subject} drained"),
                Ordered::Out => write!(f, "{subject} out"),
                Ordered::In => write!(f, "{subject} in"),
            },
            Self::Weight { weight, .. } => write!(f, "{subject} weighs {weight}"),
            Self::Backend { state, .. } => match state {
                Declared::Up => write!(f, "{subject} up"),
                Declared::Down => write!(f, "{subject} down"),
            },
            Self::TryAnyway { .. } => write!(f, "{subject} is sent what endpoints died of"),
            Self::Log { level } => write!(f, "log {level}"),
        }
    }
}
