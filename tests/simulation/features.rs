//! What worlds may contain, and what of it is switched off.

/// Something that a world has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Clients with more than one call under way.
    Pipelines,
    /// Effects (calls not known to be idempotent) in pipelines.
    PipelinedEffects,
    /// Oneway calls.
    Oneways,
    /// Clients that send a oneway method as a call with a reply, the other way round, or a reply in place of a call.
    WrongTypes,
    /// Clients that end their sending side first.
    HalfClose,
    /// Clients that break their connection in the middle of anything.
    Vanish,
    /// Clients that stop reading, for a time or for good.
    StopReading,
    /// Clients that wait no longer and ask the next thing on the same connection, under the same number.
    GoOn,
    /// Clients that send half a message, or none at all.
    Nonsense,
    /// A listener that knows how long its clients wait.
    ClientTimeout,
    /// Clients of another protocol than the backend's.
    OtherProtocol,
    /// Endpoints that refuse, hang, or break off.
    Outages,
    /// Endpoints that take longer than a call may.
    Slow,
    /// Replies that are no replies to the call.
    WrongReplies,
    /// TApplicationExceptions, missing results and connections closed in place of an answer.
    Failures,
    /// Declared exceptions: kept ones, and failures.
    Exceptions,
    /// Declared exceptions that are answers, and remove what was kept.
    Removals,
    /// Many of those, on few keys, beside slow older calls of the same.
    Disputes,
    /// Endpoints that close connections after some calls, or after 3 s at rest.
    Closers,
    /// Endpoints that take one connection at a time.
    OneAtATime,
    /// Connections that are cut.
    Cuts,
    /// Directions that stand still and go on.
    Stalls,
    /// Replies longer than what is kept, and a small local tier.
    Evictions,
    /// Rules by which an old entry answers when the backend takes too long.
    SoftTimeouts,
    /// Rules that change under way.
    Reloads,
    /// A second backend that answers where the first fails.
    Backups,
    /// Endpoints that are not listed for a time.
    Moves,
    /// Rules that are observed or switched off.
    Modes,
    /// Rules that shorten the ttl of some entries.
    Jitter,
    /// Worlds in which nothing is wrong but some clients, and which are run again without them.
    Twins,
    /// A shared tier, and several gateways on it.
    SharedTier,
    /// Gateways whose clocks differ.
    Skew,
    /// Rules that name what they keep, and calls that change what has such a name.
    Writes,
    /// Clients that say who they are, and are answered what is for them.
    Identities,
    /// People who declare wrong what is kept.
    Purges,
    /// A shared tier that loses the last marks that it was told.
    LostMarks,
    /// Gateways that are cut off from the shared tier, each by itself.
    Severed,
}

/// What is switched off, and why. Taken off this list, it is drawn again.
pub(crate) const OFF: &[(Feature, &str)] = &[];

impl Feature {
    pub(crate) fn is_on(self) -> bool {
        OFF.iter().all(|(off, _)| *off != self)
    }
}
