//! What is known of a message that is being found, and of one that is.

use std::task::Poll;

use bytes::Bytes;

use super::FRAME_HEAD;
use crate::wire::WireError;
use crate::wire::header::Preamble;
use crate::wire::message::Head;
use crate::wire::walk::Walked;

/// A whole message where it lies.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) head: Head,
    /// Where it begins, counted from the connection's first byte.
    pub(super) start: u64,
    pub(super) length: usize,
    pub(super) flaw: Option<WireError>,
    /// What else its frame holds, in the header transport.
    pub(super) wrap: Option<Box<Wrap>>,
}

/// What a frame holds beside its message.
#[derive(Clone, Debug)]
pub(super) struct Wrap {
    pub(super) preamble: Preamble,
    /// The message, where it does not lie in the frame as it is.
    pub(super) unpacked: Option<Bytes>,
}

/// How far the message is that is being found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Progress {
    Header { needs: usize },
    Struct { head: Head, needs: usize },
}

impl Found {
    /// Its bytes, where they do not lie in its frame.
    #[inline]
    pub(super) fn unpacked(&self) -> Option<&Bytes> {
        self.wrap.as_ref()?.unpacked.as_ref()
    }
}

impl Wrap {
    /// Bytes of memory that it takes.
    pub(super) fn held(&self) -> usize {
        self.unpacked.as_ref().map_or(0, Bytes::len)
            + self.preamble.info.as_ref().map_or(0, |info| info.len())
    }
}

/// What is wrong with the struct of a message that ends with its frame, at `end`, once it is walked.
#[inline]
pub(super) fn flaw(walked: Result<Walked, WireError>, end: usize) -> Poll<Option<WireError>> {
    Poll::Ready(match walked {
        Ok(Walked::Done(at)) if at == end => None,
        Ok(Walked::Done(at)) => Some(WireError::Trailing { left: end - at }),
        Ok(Walked::Needs(_)) | Err(WireError::TooLong { .. }) => Some(WireError::Short),
        Ok(Walked::Unfinished) => return Poll::Pending,
        Err(error) => Some(error),
    })
}

/// Bytes of a frame with this length, its own aside.
pub(super) fn frame_length(length: [u8; FRAME_HEAD], bound: usize) -> Result<usize, WireError> {
    let length = i32::from_be_bytes(length);
    let size = usize::try_from(length).ok().filter(|&size| size > 0 && size <= bound);
    size.ok_or(WireError::Frame { length, bound })
}
