//! Finds where messages end in a buffer that grows.

use std::ops::Range;

use super::message::Header;
use super::walk::{Walk, Walked};
use super::{Bounds, Protocol, Transport, WireError};

/// Tells the messages of one connection apart.
#[derive(Debug)]
pub struct Boundary {
    transport: Transport,
    protocol: Protocol,
    bounds: Bounds,
    walk: Walk,
    progress: Progress,
}

/// A message in a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where the message itself lies, its frame's length left out.
    pub message: Range<usize>,
}

/// What was found at the start of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A whole message.
    Message(Extent),
    /// The start of one that needs at least so many bytes in all.
    Needs(usize),
}

#[derive(Clone, Copy, Debug)]
enum Progress {
    Header,
    Body { needs: usize },
}

impl Boundary {
    /// A boundary finder for a connection that speaks `transport` and `protocol`.
    pub fn new(transport: Transport, protocol: Protocol, bounds: Bounds) -> Self {
        let walk = Walk::new(protocol, 0, bounds.message, bounds.depth);
        Self { transport, protocol, bounds, walk, progress: Progress::Header }
    }

    /// The first message in `bytes`. While it is not whole, `bytes` must keep its start and only grow.
    ///
    /// # Errors
    /// The stream cannot be told apart any further: the connection is lost.
    #[inline]
    pub fn find(&mut self, bytes: &[u8]) -> Result<Found, WireError> {
        match self.transport {
            Transport::Framed => self.framed(bytes),
            Transport::Unframed => self.unframed(bytes),
        }
    }

    fn framed(&self, bytes: &[u8]) -> Result<Found, WireError> {
        let Some(&length) = bytes.first_chunk::<4>() else {
            return Ok(Found::Needs(4));
        };
        let length = i32::from_be_bytes(length);
        let bound = self.bounds.frame;
        match usize::try_from(length) {
            Ok(size) if size > 0 && size <= bound => {
                let end = 4 + size;
                Ok(if bytes.len() < end {
                    Found::Needs(end)
                } else {
                    Found::Message(Extent { message: 4..end })
                })
            }
            _ => Err(WireError::Frame { length, bound }),
        }
    }

    fn unframed(&mut self, bytes: &[u8]) -> Result<Found, WireError> {
        match self.progress {
            Progress::Header => match Header::parse(self.protocol, bytes) {
                Ok((_, start)) => self.walk.restart(self.protocol, start, self.bounds.message),
                Err(WireError::Short) => return Ok(Found::Needs(bytes.len() + 1)),
                Err(error) => return Err(error),
            },
            Progress::Body { needs } if bytes.len() < needs => return Ok(Found::Needs(needs)),
            Progress::Body { .. } => {}
        }
        match self.walk.advance(bytes)? {
            Walked::Done(end) => {
                self.progress = Progress::Header;
                Ok(Found::Message(Extent { message: 0..end }))
            }
            Walked::Needs(needs) => {
                self.progress = Progress::Body { needs };
                Ok(Found::Needs(needs))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: &[u8] = &[0x80, 1, 0, 1, 0, 0, 0, 4, b'p', b'i', b'n', b'g', 0, 0, 0, 7, 0];

    #[test]
    fn a_frame_ends_by_its_length() {
        let mut boundary = Boundary::new(Transport::Framed, Protocol::Binary, Bounds::default());
        let mut bytes = vec![0, 0, 0, 17];
        assert_eq!(boundary.find(&bytes), Ok(Found::Needs(21)));
        bytes.extend_from_slice(PING);
        assert_eq!(boundary.find(&bytes), Ok(Found::Message(Extent { message: 4..21 })));
    }

    #[test]
    fn a_frame_outside_the_bounds_is_an_error() {
        let mut boundary = Boundary::new(Transport::Framed, Protocol::Binary, Bounds::default());
        for length in [0_i32, -1, i32::MAX, 16_384_001] {
            assert!(boundary.find(&length.to_be_bytes()).is_err(), "{length}");
        }
    }

    #[test]
    fn unframed_messages_arriving_byte_by_byte_end_where_they_end() {
        let mut boundary = Boundary::new(Transport::Unframed, Protocol::Binary, Bounds::default());
        for end in 0..PING.len() {
            assert!(matches!(boundary.find(&PING[..end]), Ok(Found::Needs(_))), "at {end}");
        }
        let two = [PING, PING].concat();
        assert_eq!(boundary.find(&two), Ok(Found::Message(Extent { message: 0..PING.len() })));
    }
}
