//! Takes the bytes of one side of a connection as they come and gives whole, walked messages: the one place that knows the transports apart.
//!
//! Whoever reads messages here sees headers and structs, never where they lie: in what was read, or in what was unpacked of it.

mod found;
mod headers;
mod taken;
mod wrapped;

use std::collections::VecDeque;
use std::task::Poll;

use bytes::{Buf, Bytes, BytesMut};

use super::detect::{detect, other_than};
use super::header::Preamble;
use super::message::{Head, Message};
use super::walk::{Walk, Walked};
use super::{Bounds, Protocol, Speech, Transport, WireError};

use found::{Found, Progress, Wrap, flaw, frame_length};
pub use taken::Taken;
use wrapped::Wrapped;

/// Bytes received, and the messages found in them.
#[derive(Debug)]
pub struct Inbound {
    transport: Option<Transport>,
    protocol: Option<Protocol>,
    speech: Option<Speech>,
    bounds: Bounds,
    bytes: BytesMut,
    /// Where `bytes` begins, counted from the connection's first byte.
    origin: u64,
    /// The first message, once it is whole and too large to be copied.
    apart: Option<Bytes>,
    whole: VecDeque<Found>,
    /// Where in `bytes` the message begins that is being found.
    start: usize,
    progress: Progress,
    walk: Walk,
    /// Headers that [`Self::next_header`] has given.
    seen: usize,
    /// What frames of the header transport bring along.
    wrapped: Wrapped,
}

/// What came of looking for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is whole.
    Whole,
    /// It takes at least so many bytes in all.
    Needs(usize),
    /// It has more values than are walked at once: let others run, then look again.
    Unfinished,
}

/// A whole message where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a> {
    /// Its header and its struct.
    pub message: Message<'a>,
    /// What is wrong with its struct, if anything is; the messages behind it can be told apart all the same.
    pub flaw: Option<&'a WireError>,
    /// All its bytes, where they are shared rather than copied.
    pub shared: Option<&'a Bytes>,
    /// What its frame says of it, in the header transport.
    pub preamble: Option<&'a Preamble>,
}

impl Inbound {
    /// Nothing received yet of a peer that speaks `speech`.
    pub fn new(speech: Speech, bounds: Bounds) -> Self {
        Self::detecting(Some(speech.transport), Some(speech.protocol), bounds)
    }

    /// Nothing received yet of a peer whose first bytes tell what is not given here.
    pub fn detecting(transport: Option<Transport>, protocol: Option<Protocol>, bounds: Bounds) -> Self {
        let speech = transport.zip(protocol).map(|(transport, protocol)| Speech { transport, protocol });
        Self {
            transport,
            protocol,
            speech,
            bounds,
            bytes: BytesMut::new(),
            origin: 0,
            apart: None,
            whole: VecDeque::new(),
            start: 0,
            progress: Progress::Header { needs: 1 },
            walk: Walk::new(Protocol::Binary, 0, 0, bounds.depth),
            seen: 0,
            wrapped: Wrapped::default(),
        }
    }

    /// The transport and protocol, once they are known.
    pub fn speech(&self) -> Option<Speech> {
        self.speech
    }

    /// Where further bytes go, with room for some of them: it grows with what has arrived, never with what was announced.
    pub fn room(&mut self) -> &mut BytesMut {
        let unfound = self.bytes.len().saturating_sub(self.start);
        let (Progress::Header { needs } | Progress::Struct { needs, .. }) = self.progress;
        let missing = needs.saturating_sub(unfound);
        let wanted = missing.min((GROWTH * unfound).max(BELIEVED)).max(ROOM_LEAST);
        if unfound >= BELIEVED {
            // A buffer that grows by itself takes up to twice what a large message needs.
            if self.bytes.capacity() - self.bytes.len() < missing.clamp(1, ROOM_LEAST) {
                let mut grown = BytesMut::with_capacity(self.bytes.len() + wanted);
                grown.extend_from_slice(&self.bytes);
                self.bytes = grown;
            }
            return &mut self.bytes;
        }
        self.bytes.reserve(wanted);
        // Only now does the buffer tell how large it is: what was taken from its front is room again.
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = BytesMut::with_capacity(wanted);
        }
        &mut self.bytes
    }

    /// Whether the bytes that were received and not taken begin so.
    pub fn starts_with(&self, bytes: &[u8]) -> bool {
        self.bytes.starts_with(bytes)
    }

    /// The bytes that were received and not taken.
    pub fn into_bytes(self) -> BytesMut {
        self.bytes
    }

    /// Bytes received and not taken.
    pub fn len(&self) -> usize {
        self.apart.as_ref().map_or(0, Bytes::len) + self.bytes.len()
    }

    /// Whether all bytes received were taken.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.apart.is_none()
    }

    /// Bytes of memory that they take, with what is known of them.
    pub fn held(&self) -> usize {
        self.apart.as_ref().map_or(0, Bytes::len)
            + self.bytes.capacity()
            + self.whole.len() * size_of::<Found>()
            + self.wrapped.held
    }

    /// Bytes behind the first message, if it was found to be whole.
    pub fn behind_first(&self) -> usize {
        self.whole.front().map_or(0, |found| self.len() - found.length)
    }

    /// Where the first message begins, counted from the connection's first byte.
    #[inline]
    pub fn position(&self) -> u64 {
        self.whole.front().map_or(self.origin, |found| found.start)
    }

    /// Where the next byte received will lie, counted from the connection's first byte.
    pub fn end(&self) -> u64 {
        self.origin + self.bytes.len() as u64
    }

    /// Whether the first message is whole. A bounded part of it is walked each time.
    ///
    /// # Errors
    /// The stream cannot be told apart any further: the connection is lost.
    #[inline]
    pub fn first(&mut self) -> Result<Look, WireError> {
        if self.whole.is_empty() {
            match self.look().map_err(|error| self.named(error))? {
                Look::Whole => {}
                unfinished @ (Look::Needs(_) | Look::Unfinished) => return Ok(unfinished),
            }
        }
        self.set_apart();
        Ok(Look::Whole)
    }

    /// Whether one more message is whole, behind those that are known to be.
    ///
    /// # Errors
    /// As [`Self::first`].
    #[inline]
    pub fn look(&mut self) -> Result<Look, WireError> {
        let (Progress::Header { needs } | Progress::Struct { needs, .. }) = self.progress;
        if self.bytes.len() - self.start < needs {
            return Ok(Look::Needs(needs));
        }
        let Some(speech) = self.told()? else {
            return Ok(self.needs(self.bytes.len() + 1));
        };
        match speech.transport {
            Transport::Framed => self.framed(speech.protocol),
            Transport::Unframed => self.unframed(speech.protocol),
            Transport::Header => self.wrapped(speech.protocol),
        }
    }

    /// What is wrong with the first bytes of all: what they are instead, where they tell.
    #[cold]
    fn named(&self, error: WireError) -> WireError {
        let first = self.speech.filter(|_| self.origin == 0);
        let other = first.and_then(|speech| other_than(speech, &self.bytes));
        other.map_or(error, WireError::Foreign)
    }

    /// The first message, if it was found to be whole.
    #[inline]
    pub fn message(&self) -> Option<Whole<'_>> {
        let found = self.whole.front()?;
        let shared = found.unpacked().or(self.apart.as_ref());
        let bytes = match shared {
            Some(shared) => shared,
            None => self.bytes.get(..found.length)?,
        };
        Some(Whole {
            message: found.head.message(bytes),
            flaw: found.flaw.as_ref(),
            shared,
            preamble: found.wrap.as_ref().map(|wrap| &wrap.preamble),
        })
    }

    /// What is known of the first message, which is to be taken.
    #[inline]
    fn next(&mut self) -> Option<Found> {
        let found = self.whole.pop_front()?;
        self.seen = self.seen.saturating_sub(1);
        self.wrapped.held -= found.wrap.as_ref().map_or(0, |wrap| wrap.held());
        Some(found)
    }

    /// Takes the first message away, if it was found to be whole.
    #[inline]
    pub fn skip(&mut self) {
        let Some(found) = self.next() else { return };
        if self.apart.take().is_none() {
            self.forget(found.length);
            self.bytes.advance(found.length);
        }
        if self.whole.is_empty() && self.whole.capacity() > FOUND_KEPT {
            self.whole = VecDeque::new();
        }
    }

    /// Takes the first message out, if it was found to be whole.
    pub fn take(&mut self) -> Option<Taken> {
        let found = self.next()?;
        let bytes = match self.apart.take() {
            Some(apart) => apart,
            None => {
                self.forget(found.length);
                self.bytes.split_to(found.length).freeze()
            }
        };
        let Found { head, flaw, wrap, .. } = found;
        let (unpacked, preamble) = wrap.map(|wrap| (wrap.unpacked, wrap.preamble)).unzip();
        Some(Taken::new(unpacked.flatten().unwrap_or(bytes), head, flaw, preamble))
    }

    /// The transport and protocol, once the first bytes tell.
    fn told(&mut self) -> Result<Option<Speech>, WireError> {
        if self.speech.is_none()
            && let Some((transport, protocol)) = detect(&self.bytes)?
        {
            let transport = self.transport.unwrap_or(transport);
            let protocol = self.protocol.unwrap_or(protocol);
            self.speech = Some(Speech { transport, protocol });
        }
        Ok(self.speech)
    }

    #[inline]
    fn framed(&mut self, protocol: Protocol) -> Result<Look, WireError> {
        let bytes = self.bytes.get(self.start..).unwrap_or_default();
        let Some(&length) = bytes.first_chunk::<FRAME_HEAD>() else {
            return Ok(self.needs(FRAME_HEAD));
        };
        let end = FRAME_HEAD + frame_length(length, self.bounds.frame)?;
        let frame = bytes.get(..end);
        let head = match self.progress {
            Progress::Struct { head, .. } => head,
            Progress::Header { .. } => match Head::parse(protocol, frame.unwrap_or(bytes), FRAME_HEAD) {
                Ok(head) => {
                    self.walk.restart(protocol, head.body(), end);
                    head
                }
                Err(WireError::Short) if frame.is_none() => {
                    return Ok(self.needs((bytes.len() + 1).min(end)));
                }
                Err(error) => return Err(error),
            },
        };
        let Some(frame) = frame else {
            self.progress = Progress::Struct { head, needs: end };
            return Ok(Look::Needs(end));
        };
        match flaw(self.walk.advance(frame, TOKENS), end) {
            Poll::Ready(flaw) => Ok(self.found(head, end, (flaw, None))),
            Poll::Pending => {
                self.progress = Progress::Struct { head, needs: end };
                Ok(Look::Unfinished)
            }
        }
    }

    #[inline]
    fn unframed(&mut self, protocol: Protocol) -> Result<Look, WireError> {
        let bytes = self.bytes.get(self.start..).unwrap_or_default();
        let head = match self.progress {
            Progress::Struct { head, .. } => head,
            Progress::Header { .. } => match Head::parse(protocol, bytes, 0) {
                Ok(head) => {
                    self.walk.restart(protocol, head.body(), self.bounds.message);
                    head
                }
                Err(WireError::Short) => return Ok(self.needs(bytes.len() + 1)),
                Err(error) => return Err(error),
            },
        };
        let (look, needs) = match self.walk.advance(bytes, TOKENS)? {
            Walked::Done(end) => return Ok(self.found(head, end, (None, None))),
            Walked::Needs(needs) => (Look::Needs(needs), needs),
            Walked::Unfinished => (Look::Unfinished, 0),
        };
        self.progress = Progress::Struct { head, needs };
        Ok(look)
    }

    fn needs(&mut self, needs: usize) -> Look {
        self.progress = Progress::Header { needs };
        Look::Needs(needs)
    }

    #[inline]
    fn found(
        &mut self,
        head: Head,
        length: usize,
        (flaw, wrap): (Option<WireError>, Option<Box<Wrap>>),
    ) -> Look {
        let start = self.origin + self.start as u64;
        self.whole.push_back(Found { head, start, length, flaw, wrap });
        self.start += length;
        self.progress = Progress::Header { needs: 1 };
        Look::Whole
    }

    /// Gives the first message a buffer of its own, if it is large: whoever keeps it need not copy it, and what follows does not keep it alive.
    #[inline]
    fn set_apart(&mut self) {
        let large = self.whole.front().map(|found| found.length).filter(|&length| length >= LARGE);
        let (Some(length), None) = (large, &self.apart) else { return };
        self.forget(length);
        self.apart = Some(self.bytes.split_to(length).freeze());
        self.bytes = BytesMut::from(&*self.bytes);
    }

    #[inline]
    fn forget(&mut self, length: usize) {
        self.origin += length as u64;
        self.start -= length;
    }
}

/// Bytes of a frame's length.
const FRAME_HEAD: usize = 4;
/// Values that are walked at a time: about a millisecond's work.
const TOKENS: usize = 64 << 10;
/// From this length on, a message has a buffer of its own instead of being copied.
pub const LARGE: usize = 64 << 10;
/// How many times what came is reserved: each step leaves the buffer before it behind.
const GROWTH: usize = 3;
/// Room for one read: what an idle connection costs.
const ROOM_LEAST: usize = 4 << 10;
/// Bytes that are reserved for a message because they were announced; beyond, room grows with what came.
const BELIEVED: usize = 64 << 10;
/// Places for messages found that are kept.
const FOUND_KEPT: usize = 32;
/// The largest buffer that a connection with nothing in it keeps.
const KEPT: usize = 16 << 10;

#[cfg(test)]
mod tests;
