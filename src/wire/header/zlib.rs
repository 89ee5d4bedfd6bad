//! A message packed as one zlib stream: unpacked in bounded parts, to a bounded length.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::wire::WireError;

/// A stream that is being unpacked.
#[derive(Debug)]
pub struct Inflate {
    state: Decompress,
    /// Bytes of the stream that were read.
    read: usize,
    plain: Vec<u8>,
}

impl Default for Inflate {
    fn default() -> Self {
        Self { state: Decompress::new(true), read: 0, plain: Vec::new() }
    }
}

impl Inflate {
    /// Unpacks a part of `packed`, which is the same each time. Whether it is unpacked as a whole.
    ///
    /// # Errors
    /// It is no stream, or not exactly one; or it has more than `bound` bytes.
    pub fn advance(&mut self, packed: &[u8], bound: usize) -> Result<bool, WireError> {
        let room = PART.min(bound.saturating_sub(self.plain.len()) + 1);
        self.plain.reserve(room);
        let (left, before) = (packed.get(self.read..).unwrap_or_default(), self.state.total_in());
        let unpacked = self.state.decompress_vec(left, &mut self.plain, FlushDecompress::None);
        let read = (self.state.total_in() - before) as usize;
        self.read += read;
        if self.plain.len() > bound {
            return Err(WireError::Inflated { bound });
        }
        match unpacked {
            Ok(Status::StreamEnd) if self.read == packed.len() => Ok(true),
            Ok(Status::Ok) if read > 0 || self.plain.len() == self.plain.capacity() => Ok(false),
            Ok(Status::StreamEnd | Status::Ok | Status::BufError) | Err(_) => Err(WireError::Zlib),
        }
    }

    /// What it is, unpacked.
    pub fn into_plain(self) -> Vec<u8> {
        self.plain
    }
}

/// Packs a message.
pub fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(plain.len() / 2 + 64);
    let mut state = Compress::new(Compression::fast(), true);
    loop {
        let left = plain.get(state.total_in() as usize..).unwrap_or_default();
        match state.compress_vec(left, &mut packed, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => return packed,
            Ok(Status::Ok | Status::BufError) | Err(_) => packed.reserve(plain.len() / 2 + 64),
        }
    }
}

/// Bytes that are unpacked at a time: about a millisecond's work.
const PART: usize = 256 << 10;
