//! Headers of messages that need not be whole.

use super::{FRAME_HEAD, Inbound, Progress};
use crate::wire::message::{Head, Header};
use crate::wire::{Speech, Transport, WireError};

impl Inbound {
    /// The header of the next message in line that was not yet given here: it need not be whole.
    pub fn next_header(&mut self) -> Option<Header<'_>> {
        let index = self.seen;
        let (head, start) = match (self.whole.get(index), self.progress) {
            (Some(found), _) => (found.head, found.start),
            (None, Progress::Struct { head, .. }) if index == self.whole.len() => {
                (head, self.origin + self.start as u64)
            }
            (None, Progress::Struct { .. } | Progress::Header { .. }) => return None,
        };
        self.seen += 1;
        let bytes = match (&self.apart, index) {
            (Some(apart), 0) => apart,
            _ => self.bytes.get(start.saturating_sub(self.origin) as usize..)?,
        };
        Some(head.header(bytes))
    }

    /// The header of the message that is being found, once it is here, though the message may be longer than it may be.
    ///
    /// # Errors
    /// There is none.
    pub fn header_ahead(&self) -> Result<Option<Header<'_>>, WireError> {
        let Some(Speech { transport, protocol }) = self.speech else { return Ok(None) };
        let before = match transport {
            Transport::Framed => FRAME_HEAD,
            Transport::Unframed => 0,
        };
        let bytes = self.bytes.get(self.start..).unwrap_or_default();
        match Head::parse(protocol, bytes, before) {
            Ok(head) => Ok(Some(head.header(bytes))),
            Err(WireError::Short) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
