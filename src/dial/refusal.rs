//! Why no connection could be opened, by whom that blames.

use std::io;

use rustix::io::Errno;
use thiserror::Error;

/// Why no connection could be opened. What the system says of it is more; this is what it proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The endpoint's host answers, and nobody listens there.
    Refused,
    /// The endpoint ended the connection before a byte of a call had left.
    Cut,
    /// There is no way to the endpoint's host.
    NoRoute,
    /// Nothing came back in time: the host is lost, or as many wait there as its backlog holds.
    Silent,
    /// No address is known: no endpoint was asked.
    Nameless,
    /// Whoever is there does not prove to be the endpoint, or does not take this gateway, or speaks no TLS.
    Untrusted,
    /// The gateway's own host gives none: it has no descriptor, port, memory, permission or network for it. Whatever is not
    /// known to prove anything of the endpoint counts as this.
    Ours,
}

/// What is wrong with whoever is there: why that proves not to be the endpoint, or does not take this gateway.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Unproven(pub(crate) String);

impl Refusal {
    /// What the system's error proves.
    pub fn of(error: &io::Error) -> Self {
        if error.raw_os_error() == Some(Errno::HOSTDOWN.raw_os_error()) {
            return Self::NoRoute;
        }
        if error.get_ref().is_some_and(|inner| inner.is::<Unproven>()) {
            return Self::Untrusted;
        }
        let proven = PROOFS.iter().find(|(kind, _)| *kind == error.kind());
        proven.map_or(Self::Ours, |(_, refusal)| *refusal)
    }

    /// Whether it is the endpoint's failure.
    pub fn blames_endpoint(self) -> bool {
        match self {
            Self::Refused | Self::Cut | Self::NoRoute | Self::Silent | Self::Untrusted => true,
            Self::Nameless | Self::Ours => false,
        }
    }
}

/// What proves something of the endpoint. A network that is unreachable is not among them: this host has no route to it.
const PROOFS: [(io::ErrorKind, Refusal); 8] = [
    (io::ErrorKind::ConnectionRefused, Refusal::Refused),
    // A socket in the file system goes with whoever listened there.
    (io::ErrorKind::NotFound, Refusal::Refused),
    (io::ErrorKind::ConnectionReset, Refusal::Cut),
    (io::ErrorKind::ConnectionAborted, Refusal::Cut),
    (io::ErrorKind::BrokenPipe, Refusal::Cut),
    // In the middle of a handshake.
    (io::ErrorKind::UnexpectedEof, Refusal::Cut),
    (io::ErrorKind::HostUnreachable, Refusal::NoRoute),
    (io::ErrorKind::TimedOut, Refusal::Silent),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_blames_whom_it_proves() {
        let check = |refusal: Refusal, errors: &[Errno]| {
            for errno in errors {
                let error = io::Error::from_raw_os_error(errno.raw_os_error());
                assert_eq!(Refusal::of(&error), refusal, "{error}");
            }
        };
        check(Refusal::Refused, &[Errno::CONNREFUSED, Errno::NOENT]);
        check(Refusal::Cut, &[Errno::CONNRESET, Errno::CONNABORTED, Errno::PIPE]);
        check(Refusal::NoRoute, &[Errno::HOSTUNREACH, Errno::HOSTDOWN]);
        check(Refusal::Silent, &[Errno::TIMEDOUT]);
        let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
        check(Refusal::Ours, &exhausted);
        let forbidden = [Errno::NETUNREACH, Errno::NETDOWN, Errno::PERM, Errno::ACCESS, Errno::AGAIN];
        check(Refusal::Ours, &forbidden);
        check(Refusal::Ours, &[Errno::INVAL]);
    }

    #[test]
    fn what_tls_says_is_of_the_endpoint() {
        let unproven = Unproven("its certificate has expired".to_owned());
        let refusal = Refusal::of(&io::Error::new(io::ErrorKind::InvalidData, unproven));
        assert_eq!((refusal, refusal.blames_endpoint()), (Refusal::Untrusted, true));
        assert_eq!(Refusal::of(&io::ErrorKind::UnexpectedEof.into()), Refusal::Cut);
    }
}
