//! What became of a call.

/// Everything that can become of a call. Closed; these words are the metric label, the log field and the table in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Outcome {
    /// A fresh entry of the local tier answered.
    HitLocal,
    /// A fresh entry of the shared tier answered.
    HitShared,
    /// A stale entry answered while one call refreshed it.
    Stale,
    /// The call asked a backend, and its reply answered.
    Miss,
    /// Another call had asked a backend the same; its reply answered.
    Coalesced,
    /// A backend failed, and an old entry answered.
    StaleIfError,
    /// A backend was slow, and an old entry answered before it did.
    StaleIfSlow,
    /// A backend failed, and the rule's backup answered this call or another that had asked the same.
    Backup,
    /// A backend failed, and the rule's fallback answered.
    Fallback,
    /// No rule caches the call: it went to a backend.
    Passed,
    /// A rule caches the call, but it has no key: it went to a backend.
    PassedUnkeyable,
    /// A rule caches a share of the calls, and this is none of them: it went to a backend.
    PassedRamp,
    /// The call went to a backend; an observed rule would have answered it from the cache.
    ObservedHit,
    /// The call went to a backend; an observed rule would have asked one too.
    ObservedMiss,
    /// The gateway itself answered, asked about itself.
    Own,
    /// The call has no reply.
    Oneway,
    /// A fault answered.
    Failed,
}

impl Outcome {
    /// All there are, in their order.
    pub const ALL: [Self; 17] = [
        Self::HitLocal,
        Self::HitShared,
        Self::Stale,
        Self::Miss,
        Self::Coalesced,
        Self::StaleIfError,
        Self::StaleIfSlow,
        Self::Backup,
        Self::Fallback,
        Self::Passed,
        Self::PassedUnkeyable,
        Self::PassedRamp,
        Self::ObservedHit,
        Self::ObservedMiss,
        Self::Own,
        Self::Oneway,
        Self::Failed,
    ];

    /// Whether something kept answered, and nobody waited for a backend.
    #[inline]
    pub fn is_hit(self) -> bool {
        match self {
            Self::HitLocal | Self::HitShared | Self::Stale => true,
            Self::Miss
            | Self::Coalesced
            | Self::StaleIfError
            | Self::StaleIfSlow
            | Self::Backup
            | Self::Fallback
            | Self::Passed
            | Self::PassedUnkeyable
            | Self::PassedRamp
            | Self::ObservedHit
            | Self::ObservedMiss
            | Self::Own
            | Self::Oneway
            | Self::Failed => false,
        }
    }

    /// Who has answered, in the word for it that goes with a reply.
    pub fn source(self) -> &'static str {
        match self {
            Self::HitLocal | Self::HitShared => "hit",
            Self::Stale => "stale",
            Self::StaleIfError => "stale_if_error",
            Self::StaleIfSlow => "stale_if_slow",
            Self::Miss
            | Self::Coalesced
            | Self::Passed
            | Self::PassedUnkeyable
            | Self::PassedRamp
            | Self::ObservedHit
            | Self::ObservedMiss => "backend",
            Self::Backup => "backup",
            Self::Fallback => "fallback",
            Self::Own => "gateway",
            Self::Oneway | Self::Failed => "none",
        }
    }

    /// What the cache had to do with it, as the value of `Cache-Status` (RFC 9211).
    pub fn cache_status(self) -> &'static str {
        match self {
            Self::HitLocal => "larder; hit",
            Self::HitShared => "larder; hit; detail=shared",
            Self::Stale => "larder; hit; detail=stale",
            Self::StaleIfError => "larder; fwd=stale; detail=stale_if_error",
            Self::StaleIfSlow => "larder; fwd=stale; detail=stale_if_slow",
            Self::Miss => "larder; fwd=miss",
            Self::Coalesced => "larder; fwd=miss; collapsed",
            Self::Backup => "larder; fwd=miss; detail=backup",
            Self::Fallback => "larder; fwd=miss; detail=fallback",
            Self::Passed | Self::ObservedHit | Self::ObservedMiss => "larder; fwd=bypass",
            Self::PassedUnkeyable => "larder; fwd=bypass; detail=unkeyable",
            Self::PassedRamp => "larder; fwd=bypass; detail=ramp",
            Self::Own => "larder; detail=own",
            Self::Oneway | Self::Failed => "larder; fwd=miss; detail=failed",
        }
    }

    /// The word for it in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HitLocal => "hit_local",
            Self::HitShared => "hit_shared",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
            Self::StaleIfError => "stale_if_error",
            Self::StaleIfSlow => "stale_if_slow",
            Self::Backup => "backup",
            Self::Fallback => "fallback",
            Self::Passed => "passed",
            Self::PassedUnkeyable => "passed_unkeyable",
            Self::PassedRamp => "passed_ramp",
            Self::ObservedHit => "observed_hit",
            Self::ObservedMiss => "observed_miss",
            Self::Own => "own",
            Self::Oneway => "oneway",
            Self::Failed => "failed",
        }
    }
}
