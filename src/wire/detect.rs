//! Which transport and protocol a client speaks, from its first bytes.

use super::message::NAME_MAX;
use super::{Protocol, Transport, WireError};

/// What arrives on Thrift ports and is not Thrift that is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// An HTTP request.
    #[error("an http request")]
    Http,
    /// A TLS handshake.
    #[error("a tls handshake")]
    Tls,
    /// An SSH banner.
    #[error("an ssh banner")]
    Ssh,
    /// A frame of Thrift's header transport.
    #[error("a frame of the header transport")]
    HeaderTransport,
    /// One of Thrift's JSON protocols.
    #[error("a json message")]
    Json,
    /// None of the known ones.
    #[error("unknown bytes")]
    Garbage,
}

impl Foreign {
    /// The word for it in metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Ssh => "ssh",
            Self::HeaderTransport => "header_transport",
            Self::Json => "json",
            Self::Garbage => "garbage",
        }
    }
}

/// The transport and protocol that begin with `bytes`, or `None` while they do not suffice to tell.
///
/// # Errors
/// The bytes begin no message of a known transport and protocol.
pub fn detect(bytes: &[u8]) -> Result<Option<(Transport, Protocol)>, WireError> {
    if let Some(foreign) = foreign(bytes) {
        return Err(WireError::Foreign(foreign));
    }
    match bytes.first() {
        None => Ok(None),
        Some(0x80) => Ok(Some((Transport::Unframed, Protocol::Binary))),
        Some(0x82) => Ok(Some((Transport::Unframed, Protocol::Compact))),
        // A length first: of a frame, or of a lenient message's name.
        Some(0..0x80) => match bytes.get(4) {
            None => Ok(None),
            Some(0x80 | 0) => Ok(Some((Transport::Framed, Protocol::Binary))),
            Some(0x82) => Ok(Some((Transport::Framed, Protocol::Compact))),
            Some(0x0f) => Err(WireError::Foreign(Foreign::HeaderTransport)),
            Some(b'{' | b'[') => Err(WireError::Foreign(Foreign::Json)),
            Some(letter) if letter.is_ascii_alphabetic() || *letter == b'_' => lenient(bytes),
            Some(_) => Err(WireError::Foreign(Foreign::Garbage)),
        },
        Some(_) => Err(WireError::Foreign(Foreign::Garbage)),
    }
}

/// A lenient message's name must be a plausible one.
fn lenient(bytes: &[u8]) -> Result<Option<(Transport, Protocol)>, WireError> {
    let length = bytes.first_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length));
    if length as usize <= NAME_MAX {
        Ok(Some((Transport::Unframed, Protocol::Binary)))
    } else {
        Err(WireError::Foreign(Foreign::Garbage))
    }
}

fn foreign(bytes: &[u8]) -> Option<Foreign> {
    const METHODS: [&[u8]; 8] = [b"GET ", b"POST", b"PUT ", b"HEAD", b"OPTI", b"DELE", b"PATC", b"CONN"];
    let first = bytes.get(..4)?;
    if METHODS.contains(&first) || first == b"PRI " {
        return Some(Foreign::Http);
    }
    match first {
        [0x16, 3, ..] => Some(Foreign::Tls),
        b"SSH-" => Some(Foreign::Ssh),
        [b'[' | b'{', ..] => Some(Foreign::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Option<(Transport, Protocol)>) {
        assert_eq!(detect(bytes), Ok(expected));
    }

    #[test]
    fn each_way_to_begin_is_known() {
        check(&[0x80, 1], Some((Transport::Unframed, Protocol::Binary)));
        check(&[0x82, 0x21], Some((Transport::Unframed, Protocol::Compact)));
        check(&[0, 0, 0, 17], None);
        check(&[0, 0, 0, 17, 0x80], Some((Transport::Framed, Protocol::Binary)));
        check(&[0, 0, 0, 17, 0x82], Some((Transport::Framed, Protocol::Compact)));
        check(&[0, 0, 0, 17, 0, 0, 0, 4], Some((Transport::Framed, Protocol::Binary)));
        check(&[0, 0, 0, 4, b'p', b'i'], Some((Transport::Unframed, Protocol::Binary)));
    }

    #[test]
    fn what_is_not_thrift_is_named() {
        for (bytes, foreign) in [
            (&b"GET / HTTP/1.1\r\n"[..], Foreign::Http),
            (&[0x16, 3, 1, 2, 0, 1], Foreign::Tls),
            (b"SSH-2.0", Foreign::Ssh),
            (&[0, 0, 0, 40, 0x0f, 0xff], Foreign::HeaderTransport),
            (b"[1,\"ping\"", Foreign::Json),
            (&[0xff, 0xfe], Foreign::Garbage),
            (&[0, 0x10, 0, 0, b'x'], Foreign::Garbage),
        ] {
            assert_eq!(detect(bytes), Err(WireError::Foreign(foreign)));
        }
    }
}
