//! What can be known of a client that speaks TLS.

use super::{Client, Peer};
use crate::tls::Accepted;

impl<S: Client> Client for Accepted<S> {
    fn peer(&self) -> Peer {
        self.inner().get_ref().0.peer()
    }

    fn has_unread(&self) -> bool {
        let (stream, session) = self.inner().get_ref();
        // What is deciphered and not taken yet is no longer at the socket.
        !session.wants_read() || stream.has_unread()
    }
}
