//! A message of a client, as it came.

use tokio::time::Instant;

use super::outbox::Echo;
use crate::wire::Speech;
use crate::wire::header::Packing;
use crate::wire::inbound::Whole;
use crate::wire::message::Header;

/// A message and what is known of its arrival.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived<'a> {
    /// The message.
    pub(super) whole: Whole<'a>,
    /// How it was spelled.
    pub(super) speech: Speech,
    /// When its first byte arrived.
    pub(super) at: Instant,
    /// Whether bytes of another are here.
    pub(super) followed: bool,
}

impl Arrived<'_> {
    /// What a reply to it repeats, `header` being its own.
    #[inline]
    pub(super) fn echo<'h>(&self, header: &Header<'h>) -> Echo<'h> {
        let (speech, packing, Header { seqid, form, .. }) = (self.speech, self.packing(), *header);
        Echo { speech, packing, method: header.method(), seqid, form }
    }

    /// How it was packed, and its reply is to be.
    #[inline]
    pub(super) fn packing(&self) -> Packing {
        self.whole.preamble.map_or(Packing::Plain, |preamble| preamble.packing)
    }
}
