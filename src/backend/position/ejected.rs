//! A time out of rotation, by what was seen of an endpoint.

use std::time::Duration;

use tokio::time::Instant;

use crate::backend::standing::Why;

/// An endpoint's time out of rotation.
#[derive(Debug)]
pub(super) struct Ejected {
    pub(super) why: Why,
    pub(super) since: Instant,
    /// Where calls took it out: before this, checks do not bring it back. Where it closed: after this, a call may try.
    pub(super) until: Instant,
    /// Checks that were answered, in a row.
    pub(super) passed: u32,
    /// When a call last was on its way to find out.
    pub(super) probed: Option<Instant>,
}

impl Ejected {
    /// Whether a call may find out now whether it is back.
    pub(super) fn is_probe_due(&self, now: Instant, interval: Duration) -> bool {
        !matches!(self.why, Why::Refused | Why::Draining)
            && self.probed.is_none_or(|probed| probed + interval <= now)
    }
}
