//! The end of a connection from this side, without a loss of what was sent on it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::dial::Stream;

/// A connection on which nothing is sent any more.
pub(super) struct Closing(Box<dyn Stream>);

impl Closing {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self(stream)
    }

    /// Ends the sending side, then reads and drops what still comes, until the peer ends its own: to close before it has
    /// read all would reset the connection and lose what it has not read.
    pub(super) async fn run(mut self) {
        if self.0.shutdown().await.is_err() {
            return;
        }
        let mut bytes = [0; 512];
        loop {
            match self.0.read(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}
