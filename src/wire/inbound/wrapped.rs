//! Messages in frames of the header transport: found as those in plain frames are, once a frame is whole and what is packed in it is unpacked.

use std::sync::Arc;
use std::task::Poll;

use super::found::{Progress, Wrap, flaw, frame_length};
use super::{FRAME_HEAD, Inbound, Look, TOKENS};
use crate::wire::header::info::Info;
use crate::wire::header::zlib::Inflate;
use crate::wire::header::{self, Packing, Preamble};
use crate::wire::message::Head;
use crate::wire::{Protocol, WireError};

/// A frame whose message is being found.
#[derive(Debug)]
pub(super) struct Unwrapping {
    wrap: Wrap,
    /// Where its message, or what that is packed in, begins.
    start: usize,
    inflate: Inflate,
}

/// What is known of all frames of a connection.
#[derive(Debug, Default)]
pub(super) struct Wrapped {
    /// The frame whose message is being found.
    current: Option<Box<Unwrapping>>,
    /// The info headers that hold for all messages from here on.
    persistent: Info,
    /// Bytes of messages that were unpacked and of the info headers of those that wait.
    pub(super) held: usize,
}

impl Unwrapping {
    /// Begins with a whole frame.
    fn begin(frame: &[u8], persistent: &mut Info) -> Result<Box<Self>, WireError> {
        let read = header::Read::parse(frame);
        let read = read.map_err(|error| if error == WireError::Short { WireError::Preamble } else { error });
        let header::Read { protocol, packing, mut info, persistent: further, message } = read?;
        if !further.is_empty() {
            let before = std::mem::replace(persistent, further);
            persistent.fill_from(&before);
        }
        info.fill_from(persistent);
        let info = (!info.is_empty()).then(|| Arc::new(info));
        let wrap = Wrap { preamble: Preamble { protocol, packing, info }, unpacked: None };
        Ok(Box::new(Self { wrap, start: message, inflate: Inflate::default() }))
    }

    /// Unpacks a part of what is packed. Whether its message is at hand.
    fn unpack(&mut self, frame: &[u8], bound: usize) -> Result<bool, WireError> {
        if self.wrap.preamble.packing == Packing::Plain || self.wrap.unpacked.is_some() {
            return Ok(true);
        }
        if !self.inflate.advance(frame.get(self.start..).unwrap_or_default(), bound)? {
            return Ok(false);
        }
        self.wrap.unpacked = Some(std::mem::take(&mut self.inflate).into_plain().into());
        Ok(true)
    }

    /// The bytes that its message ends with, and where in them it begins.
    fn message<'a>(&'a self, frame: &'a [u8]) -> (&'a [u8], usize) {
        match &self.wrap.unpacked {
            Some(unpacked) => (unpacked, 0),
            None => (frame, self.start),
        }
    }
}

impl Inbound {
    /// Looks for a message in a frame of the header transport. Nothing is told of it before the frame is whole.
    pub(super) fn wrapped(&mut self, protocol: Protocol) -> Result<Look, WireError> {
        let bytes = self.bytes.get(self.start..).unwrap_or_default();
        let Some(&length) = bytes.first_chunk::<FRAME_HEAD>() else {
            return Ok(self.needs(FRAME_HEAD));
        };
        let end = FRAME_HEAD + frame_length(length, self.bounds.frame)?;
        let Some(frame) = bytes.get(..end) else { return Ok(self.needs(end)) };
        if self.wrapped.held >= UNPACKED_AHEAD && !self.whole.is_empty() {
            // A few bytes may be very many: what waits behind so much waits packed.
            return Ok(Look::Needs(self.bytes.len() + 1));
        }
        let current = match &mut self.wrapped.current {
            Some(current) => current,
            None => self.wrapped.current.insert(Unwrapping::begin(frame, &mut self.wrapped.persistent)?),
        };
        let told = current.wrap.preamble.protocol;
        if told != protocol {
            return Err(WireError::HeaderProtocol { id: header::protocol_id(told).into() });
        }
        if !current.unpack(frame, self.bounds.frame)? {
            return Ok(Look::Unfinished);
        }
        let (message, start) = current.message(frame);
        let head = match self.progress {
            Progress::Struct { head, .. } => head,
            Progress::Header { .. } => {
                let head = Head::parse(protocol, message, start)?;
                self.walk.restart(protocol, head.body(), message.len());
                head
            }
        };
        match flaw(self.walk.advance(message, TOKENS), message.len()) {
            Poll::Ready(flaw) => {
                let wrap = self.wrapped.current.take().map(|current| current.wrap);
                self.wrapped.held += wrap.as_ref().map_or(0, Wrap::held);
                Ok(self.found(head, end, (flaw, wrap.map(Box::new))))
            }
            Poll::Pending => {
                self.progress = Progress::Struct { head, needs: end };
                Ok(Look::Unfinished)
            }
        }
    }

    /// Whether a message is being found in a frame.
    pub(super) fn is_unwrapping(&self) -> bool {
        self.wrapped.current.is_some()
    }
}

/// Bytes of messages that wait unpacked, but for the last.
const UNPACKED_AHEAD: usize = 64 << 10;
