//! Sees that a client has given up on a call: it uses the number of one that is still unanswered.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::wire::inbound::{Inbound, Look};
use crate::wire::message::Kind;

/// The numbers of the calls that wait unread, in their order. A number stands in the first bytes of its call, so it is known long before
/// the call is whole, and before the call is started.
#[derive(Debug, Default)]
pub(super) struct Fence {
    /// Nothing where no reply is expected, and so no number is taken.
    queued: VecDeque<Option<i32>>,
}

/// A number was used again while its call is unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reused {
    /// Since when that call waits for its reply, or the reply for its client, unless the call waits unread itself.
    pub(super) since: Option<Instant>,
}

impl Fence {
    /// Looks at the calls in `inbound` that were not looked at, as far as their headers are here, in bounded parts: true if there are more.
    ///
    /// # Errors
    /// A number is that of an unanswered call: of an unread one, or of one that is `unanswered` since a time.
    pub(super) fn look(
        &mut self,
        inbound: &mut Inbound,
        unanswered: impl Fn(i32) -> Option<Instant>,
    ) -> Result<bool, Reused> {
        loop {
            // What cannot be read is answered for when its turn comes.
            let look = inbound.look().unwrap_or(Look::Needs(0));
            while let Some(header) = inbound.next_header() {
                self.check(header.kind, header.seqid, &unanswered)?;
            }
            match look {
                Look::Whole => {}
                Look::Needs(_) => return Ok(false),
                Look::Unfinished => return Ok(true),
            }
        }
    }

    /// Notes that the first call was taken out.
    #[inline]
    pub(super) fn taken(&mut self) {
        self.queued.pop_front();
        if self.queued.is_empty() && self.queued.capacity() > KEPT {
            self.queued = VecDeque::new();
        }
    }

    fn check(
        &mut self,
        kind: Kind,
        seqid: i32,
        unanswered: impl Fn(i32) -> Option<Instant>,
    ) -> Result<(), Reused> {
        if let Some(since) = unanswered(seqid) {
            return Err(Reused { since: Some(since) });
        }
        let number = (kind == Kind::Call).then_some(seqid);
        if number.is_some() && self.queued.contains(&number) {
            return Err(Reused { since: None });
        }
        self.queued.push_back(number);
        Ok(())
    }
}

/// Room for numbers that is kept.
const KEPT: usize = 64;
