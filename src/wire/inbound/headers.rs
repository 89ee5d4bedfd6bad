//! Headers of messages that need not be whole.

use super::found::{Found, Progress};
use super::{FRAME_HEAD, Inbound};
use crate::wire::header::{self, Packing};
use crate::wire::message::{Head, Header};
use crate::wire::{Speech, Transport, WireError};

impl Inbound {
    /// The header of the next message in line that was not yet given here: it need not be whole.
    pub fn next_header(&mut self) -> Option<Header<'_>> {
        let index = self.seen;
        let (head, start) = match (self.whole.get(index), self.progress) {
            (Some(found), _) => (found.head, found.start),
            (None, Progress::Struct { head, .. }) if index == self.whole.len() && !self.is_unwrapping() => {
                (head, self.origin + self.start as u64)
            }
            (None, Progress::Struct { .. } | Progress::Header { .. }) => return None,
        };
        self.seen += 1;
        let unpacked = self.whole.get(index).and_then(Found::unpacked);
        let bytes = match (unpacked, &self.apart, index) {
            (Some(unpacked), ..) => unpacked,
            (None, Some(apart), 0) => apart,
            _ => self.bytes.get(start.saturating_sub(self.origin) as usize..)?,
        };
        Some(head.header(bytes))
    }

    /// The header of the message that is being found, once it is here, though the message may be longer than it may be.
    ///
    /// # Errors
    /// There is none, or it is packed.
    pub fn header_ahead(&self) -> Result<Option<Header<'_>>, WireError> {
        let Some(Speech { transport, protocol }) = self.speech else { return Ok(None) };
        let bytes = self.bytes.get(self.start..).unwrap_or_default();
        let before = match transport {
            Transport::Framed => FRAME_HEAD,
            Transport::Unframed => 0,
            Transport::Header => match header::Read::parse(bytes) {
                Ok(header::Read { packing: Packing::Plain, message, .. }) => message,
                Ok(_) => return Err(WireError::Inflated { bound: self.bounds.frame }),
                Err(WireError::Short) => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        match Head::parse(protocol, bytes, before) {
            Ok(head) => Ok(Some(head.header(bytes))),
            Err(WireError::Short) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
