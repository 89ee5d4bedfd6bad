//! What answers where a method's backend fails and nothing is kept: another backend, or a reply that never changes.

use std::sync::Arc;

use bytes::Bytes;

use super::options::BackupWhen;
use crate::wire::Protocol;

/// The backend that is asked where the usual one fails: only for calls that may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backup {
    /// Its name.
    pub backend: Arc<str>,
    /// Whether old entries answer before it is asked.
    pub when: BackupWhen,
}

/// A rule's last answer, as the result struct of either protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fallback {
    /// For a client that speaks the binary protocol.
    pub binary: Bytes,
    /// For a client that speaks the compact protocol.
    pub compact: Bytes,
}

impl Fallback {
    /// The struct for a client that speaks `protocol`.
    pub(crate) fn body(&self, protocol: Protocol) -> Bytes {
        match protocol {
            Protocol::Binary => self.binary.clone(),
            Protocol::Compact => self.compact.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fallback_answers_in_its_clients_protocol() {
        let fallback = Fallback { binary: Bytes::from_static(b"b"), compact: Bytes::from_static(b"c") };
        let bodies = [Protocol::Binary, Protocol::Compact].map(|protocol| fallback.body(protocol));
        assert_eq!(bodies, [&b"b"[..], b"c"]);
    }
}
