//! What is known of how an endpoint takes checks.

/// Whether an endpoint was checked while it answered: what its checks are worth must be known before they are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acquaintance {
    None,
    Made,
}

/// What is known of a habit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    Unknown,
    /// It was seen once; a call that is answered now proves it.
    Likely,
    Proven,
}
