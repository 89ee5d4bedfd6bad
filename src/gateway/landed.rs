//! What a flight brings, and from where.

use std::sync::Arc;

use crate::entry::Entry;
use crate::fault::Fault;
use crate::flight::Landing;
use crate::outcome::Outcome;

/// What a flight brought.
pub(crate) type Landed = Result<(Arc<Entry>, Origin), Fault>;

/// Where a flight found its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In the local tier: a flight before had just landed.
    Local,
    /// In the shared tier.
    Shared,
    /// At a backend.
    Backend,
    /// At a backend, and it is not kept.
    Passing,
}

impl Landing for Landed {
    /// An old entry of the shared tier.
    type Spare = Arc<Entry>;

    fn failed(&self) -> bool {
        matches!(self, Err(_) | Ok((_, Origin::Passing)))
    }
}

impl Origin {
    /// The outcome for a caller who would have caused `asked` had a backend been asked.
    pub(super) fn outcome(self, asked: Outcome) -> Outcome {
        match self {
            Self::Local => Outcome::HitLocal,
            Self::Shared => Outcome::HitShared,
            Self::Backend | Self::Passing => asked,
        }
    }
}
