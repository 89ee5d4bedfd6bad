//! Mistakes that can be planted in the model's steps.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// The fence is off: a reply is taken for one that was asked for when it came.
    NotedWhenLanding,
    /// What lies in the shared tier is kept without being held against the marks.
    TakenUnjudged,
    /// What is older than the log is held against the marks that Redis has alone.
    OldIsAskedForAlone,
    /// A lease never ends.
    LeaseWithoutEnd,
    /// A lease is counted from when its answer came.
    LeaseFromTheReply,
    /// A lease is held as long as the others wait, whatever the clocks' rates are.
    LeaseWithoutMargin,
    /// What Redis has taken is known to the fleet.
    SaidIsKnown,
    /// What Redis has taken lies where it says, also if a failover loses it before it is heard.
    TakenIsTold,
    /// A mark that was heard in the log, and was lost, counts as told.
    LostIsTold,
    /// In a new history nobody is waited for who is not listed.
    NoGrace,
    /// How far a gateway had come in a history before counts in the next.
    OldHistoryCounts,
    /// A log that is shorter than it was goes on.
    ShorterLogGoesOn,
    /// A mark in the place of another is taken for it.
    PlaceWithoutOrigin,
    /// A new history opens no epoch while the log goes on for who hears it first.
    HistoryOpensNoEpoch,
    /// An epoch has the number after the last that is known.
    EpochsAreCounted,
    /// A mark of another gateway is heard and not made here.
    HeardAndForgotten,
    /// What is older replaces what is younger.
    OlderReplaces,
}

impl Plant {
    /// All of them.
    pub(crate) const ALL: [Self; 17] = [
        Self::NotedWhenLanding,
        Self::TakenUnjudged,
        Self::OldIsAskedForAlone,
        Self::LeaseWithoutEnd,
        Self::LeaseFromTheReply,
        Self::LeaseWithoutMargin,
        Self::SaidIsKnown,
        Self::TakenIsTold,
        Self::LostIsTold,
        Self::NoGrace,
        Self::OldHistoryCounts,
        Self::ShorterLogGoesOn,
        Self::PlaceWithoutOrigin,
        Self::HistoryOpensNoEpoch,
        Self::EpochsAreCounted,
        Self::HeardAndForgotten,
        Self::OlderReplaces,
    ];
}
