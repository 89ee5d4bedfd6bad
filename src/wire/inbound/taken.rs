//! A whole message that has left the buffer it came in.

use bytes::Bytes;

use crate::wire::WireError;
use crate::wire::header::Preamble;
use crate::wire::message::{Head, Header};

/// A whole message taken out.
#[derive(Clone, Debug)]
pub struct Taken {
    bytes: Bytes,
    head: Head,
    /// What is wrong with its struct, if anything is.
    pub flaw: Option<WireError>,
    /// What its frame says of it, in the header transport.
    pub preamble: Option<Preamble>,
}

impl Taken {
    pub(super) fn new(bytes: Bytes, head: Head, flaw: Option<WireError>, preamble: Option<Preamble>) -> Self {
        Self { bytes, head, flaw, preamble }
    }

    /// Its header.
    pub fn header(&self) -> Header<'_> {
        self.head.header(&self.bytes)
    }

    /// Its struct.
    pub fn body(&self) -> Bytes {
        self.bytes.slice(self.head.body().min(self.bytes.len())..)
    }
}
