//! A time out of rotation, by what was seen of an endpoint.

use std::time::Duration;

use tokio::time::Instant;

use crate::backend::standing::Why;

/// An endpoint's time out of rotation.
#[derive(Debug)]
pub(super) struct Ejected {
    pub(super) why: Why,
    pub(super) since: Instant,
    /// When it last left the rotation: later, where it was tried in vain.
    pub(super) left: Instant,
    /// Where calls took it out: before this, checks do not bring it back. Where it closed: after this, a call may try.
    pub(super) until: Instant,
    /// Checks that were answered, in a row.
    pub(super) passed: u32,
    /// When a call last was on its way to find out.
    pub(super) probed: Option<Instant>,
    /// Since when it takes calls again that find out whether it is back.
    pub(super) tried: Option<Instant>,
}

impl Ejected {
    /// From `now` on, until `until` at the least.
    pub(super) fn new(why: Why, now: Instant, until: Instant) -> Self {
        Self { why, since: now, left: now, until, passed: 0, probed: None, tried: None }
    }

    /// Whether it takes no calls but those that find out and those that have nothing else to answer with.
    pub(super) fn is_out(&self) -> bool {
        self.tried.is_none()
    }

    /// Whether a call may find out now whether it is back.
    pub(super) fn is_probe_due(&self, now: Instant, interval: Duration) -> bool {
        !matches!(self.why, Why::Refused | Why::Untrusted | Why::Draining)
            && self.probed.is_none_or(|probed| probed + interval <= now)
    }
}
