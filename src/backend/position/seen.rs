//! What was seen of an endpoint since it last gave a sign of life, in the words of the log.

use std::time::Duration;

use tokio::time::Instant;

use crate::backend::standing::Why;

/// What was seen of an endpoint since it last gave a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) struct Seen {
    /// Refusals and failed checks.
    pub(in crate::backend) strikes: u32,
    /// Connections that it ended without an answer.
    pub(in crate::backend) closes: u32,
    /// When it is checked next; none while a check is under way.
    pub(in crate::backend) next_check: Option<Instant>,
}

impl Seen {
    /// What took it out of rotation, where nothing had come for `silence` while calls waited, and `methods_out` methods were out there.
    pub(in crate::backend) fn evidence(self, why: Why, silence: Duration, methods_out: usize) -> String {
        let Self { strikes, closes, .. } = self;
        match why {
            Why::Refused => format!("{strikes} tries in a row without a connection"),
            Why::Untrusted => format!("{strikes} tls handshakes in a row that failed"),
            Why::Closed => format!("{closes} connections in a row closed without an answer"),
            Why::Silent if silence > Duration::ZERO => {
                format!("{} ms without a byte while calls wait", silence.as_millis())
            }
            Why::Silent => format!("{strikes} connections or checks in a row without an answer"),
            Why::Unwell => format!("{strikes} checks in a row without a proper answer"),
            Why::Failing => format!("the calls of {methods_out} methods failed, and none was answered"),
            Why::Draining => "its own word".to_owned(),
            Why::Drained | Why::Ordered => "an operator's word".to_owned(),
        }
    }
}
