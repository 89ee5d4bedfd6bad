//! Mistakes that can be planted in the model's steps, each with the scene that shows it.

use crate::scenes::{FAILOVER, FILLS, FLUSH, JOINING, LEASES, MARKS, Scene};

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
    /// In a new history nobody is waited for who is not listed.
    NoGrace,
    /// A new history opens no epoch while the log goes on for who hears it first.
    HistoryOpensNoEpoch,
    /// An epoch has the number after the last that is known.
    EpochsAreCounted,
    /// A mark of another gateway is heard and not made here.
    HeardAndForgotten,
    /// What the log lost is told by nobody.
    NotToldAgain,
    /// What is older replaces what is younger.
    OlderReplaces,
}

impl Plant {
    /// All of them, and where each is looked for.
    pub(crate) const ALL: [(Self, Scene); 14] = [
        (Self::NotedWhenLanding, FILLS),
        (Self::TakenUnjudged, FILLS),
        (Self::OldIsAskedForAlone, FLUSH),
        (Self::LeaseWithoutEnd, LEASES),
        (Self::LeaseFromTheReply, LEASES),
        (Self::LeaseWithoutMargin, LEASES),
        (Self::SaidIsKnown, LEASES),
        (Self::TakenIsTold, MARKS),
        (Self::NoGrace, FLUSH),
        (Self::HistoryOpensNoEpoch, JOINING),
        (Self::EpochsAreCounted, FLUSH),
        (Self::HeardAndForgotten, LEASES),
        (Self::NotToldAgain, FAILOVER),
        (Self::OlderReplaces, FILLS),
    ];
}
