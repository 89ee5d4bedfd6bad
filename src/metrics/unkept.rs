//! Why replies of methods that are cached are not kept.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;

/// Why a reply is not kept: one of a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unkept {
    /// It is longer than the rule's `max_reply`.
    TooLarge,
    /// It is a declared exception that the rule does not list.
    Exception,
    /// It is empty, and nobody said that the method returns nothing.
    Empty,
    /// A write may have changed meanwhile what it says.
    Unsettled,
}

impl Unkept {
    /// All that there are.
    pub(crate) const ALL: [Self; 4] = [Self::TooLarge, Self::Exception, Self::Empty, Self::Unsettled];

    /// Its name in metrics and the log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Exception => "exception",
            Self::Empty => "empty",
            Self::Unsettled => "unsettled",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct UnkeptLabels {
    pub(super) listener: Arc<str>,
    pub(super) method: Arc<str>,
    pub(super) reason: &'static str,
}
