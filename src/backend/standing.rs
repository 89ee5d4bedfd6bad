//! Where an endpoint stands, in the words of metrics, logs and `/v1/status`.

use std::time::Duration;

/// Where an endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It takes calls.
    Rotating,
    /// It takes none, but those that find out and those that have nothing else to answer with.
    Ejected(Why),
}

/// What took an endpoint out of rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It refuses connections, or there is no way to it.
    Refused,
    /// It does not prove to be the endpoint, or does not take this gateway, or speaks no TLS.
    Untrusted,
    /// It ends connections without an answer, a check's too.
    Closed,
    /// No byte comes from it although calls wait.
    Silent,
    /// It answers checks with something else than an answer, or says that it is not well.
    Unwell,
    /// Calls of several methods fail there, and none is answered.
    Failing,
    /// It says of itself that it is starting or stopping: it wants no calls, and fails none.
    Draining,
    /// An operator drains it.
    Drained,
    /// An operator has taken it out.
    Ordered,
}

impl Standing {
    /// The word for it in metrics and `/v1/status`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rotating => "rotating",
            Self::Ejected(_) => "ejected",
        }
    }

    /// Why it takes no calls.
    pub(crate) fn why(self) -> Option<Why> {
        match self {
            Self::Rotating => None,
            Self::Ejected(why) => Some(why),
        }
    }
}

impl Why {
    /// All there are.
    pub(crate) const ALL: [Self; 9] = [
        Self::Refused,
        Self::Untrusted,
        Self::Closed,
        Self::Silent,
        Self::Unwell,
        Self::Failing,
        Self::Draining,
        Self::Drained,
        Self::Ordered,
    ];

    /// The word for it in metrics, logs and `/v1/status`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Untrusted => "untrusted",
            Self::Closed => "closed",
            Self::Silent => "silent",
            Self::Unwell => "unwell",
            Self::Failing => "failing",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Ordered => "ordered",
        }
    }

    /// Whether calls that have nothing else to answer with still go there: where no connection can be had, or none lasts, they
    /// would only wait for a fault.
    pub(super) fn lets_pass(self) -> bool {
        match self {
            Self::Refused | Self::Untrusted | Self::Closed | Self::Ordered => false,
            Self::Silent | Self::Unwell | Self::Failing | Self::Draining | Self::Drained => true,
        }
    }
}

/// What happened to an endpoint by something that was seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It stands as it stood.
    Unchanged,
    /// It left the rotation.
    Ejected(Why),
    /// It takes calls again, for one to find out whether this is over.
    Tried(Why),
    /// It was tried, and is out again, for this.
    Failed(Why),
    /// It was tried, and is back: this kept it out, for so long.
    Proven(Why, Duration),
    /// It takes calls again and is back: this kept it out, for so long.
    Returned(Why, Duration),
}
