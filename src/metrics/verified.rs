//! What came of the verification of a served reply.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;

/// What is found when the backend is asked what was served: one of a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The backend says the same.
    Match,
    /// It says otherwise, to all who ask: the reply has changed since it was kept, in which it was still fresh.
    Changed,
    /// It says otherwise, and not the same to all who ask, or not twice: no one reply is right for the key.
    Mismatch,
    /// It did not say, or what cannot be compared.
    Unverified,
}

impl Verdict {
    /// The word for it in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Changed => "changed",
            Self::Mismatch => "mismatch",
            Self::Unverified => "unverified",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct VerifiedLabels {
    pub(super) listener: Arc<str>,
    pub(super) method: Arc<str>,
    pub(super) verdict: &'static str,
}
