//! Messages on a simulated connection, each with the bytes of the stream that it takes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::thrift::{Message, Wire};

/// What came and is not read yet.
#[derive(Debug)]
pub(crate) struct Incoming {
    wire: Wire,
    bytes: Vec<u8>,
    taken: usize,
}

impl Incoming {
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire, bytes: Vec::new(), taken: 0 }
    }

    /// The next message and where it lies in the stream; nothing at its end.
    pub(crate) async fn next(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Option<(Message, (usize, usize))>> {
        loop {
            if let Some(found) = self.whole()? {
                return Ok(Some(found));
            }
            if from.read_buf(&mut self.bytes).await? == 0 {
                return if self.bytes.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    fn whole(&mut self) -> io::Result<Option<(Message, (usize, usize))>> {
        let mut left = self.bytes.as_slice();
        match Message::read(&mut left, self.wire) {
            Ok(None) => Ok(None),
            Ok(Some(message)) => {
                let length = self.bytes.len() - left.len();
                self.bytes.drain(..length);
                let begin = self.taken;
                self.taken += length;
                Ok(Some((message, (begin, self.taken))))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}
