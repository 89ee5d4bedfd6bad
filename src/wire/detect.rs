//! Which transport and protocol a peer speaks, from its first bytes.

use super::header::protocol_ahead;
use super::message::NAME_MAX;
use super::{Protocol, Speech, Transport, WireError};

/// What arrives on Thrift ports and is not the Thrift that is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// HTTP, from either side.
    #[error("http instead of thrift")]
    Http,
    /// A TLS handshake, or an alert.
    #[error("tls instead of thrift")]
    Tls,
    /// An SSH banner.
    #[error("an ssh banner instead of thrift")]
    Ssh,
    /// A command of Redis, or its answer.
    #[error("the protocol of redis instead of thrift")]
    Redis,
    /// How a client of PostgreSQL begins.
    #[error("the protocol of postgresql instead of thrift")]
    Postgres,
    /// A frame of Kitex's TTHeader.
    #[error("a frame of kitex's ttheader, which is not spoken here")]
    TtHeader,
    /// One of Thrift's JSON protocols.
    #[error("a json message, which is not spoken here")]
    Json,
    /// Another transport or protocol than is fixed.
    #[error("{} {} thrift, and not what is spoken here", .0.as_str(), .1.as_str())]
    Other(Transport, Protocol),
    /// None of the known ones.
    #[error("unknown bytes instead of thrift")]
    Garbage,
}

impl Foreign {
    /// The word for it in metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Ssh => "ssh",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::TtHeader => "ttheader",
            Self::Json => "json",
            Self::Other(..) => "other_thrift",
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
            Some(0x80) => Ok(Some((Transport::Framed, Protocol::Binary))),
            Some(0x82) => Ok(Some((Transport::Framed, Protocol::Compact))),
            Some(0) => framed_lenient(bytes),
            Some(0x0f) => Ok(protocol_ahead(bytes)?.map(|protocol| (Transport::Header, protocol))),
            Some(0x10) if bytes.get(5) == Some(&0) => Err(WireError::Foreign(Foreign::TtHeader)),
            Some(0x10) if bytes.len() == 5 => Ok(None),
            Some(b'{' | b'[') => Err(WireError::Foreign(Foreign::Json)),
            Some(letter) if letter.is_ascii_alphabetic() || *letter == b'_' => lenient(bytes),
            Some(_) => Err(WireError::Foreign(named(bytes))),
        },
        Some(_) => Err(WireError::Foreign(Foreign::Garbage)),
    }
}

/// What the first bytes of a peer are that cannot be read as `speech`, as far as they tell.
pub(super) fn other_than(speech: Speech, bytes: &[u8]) -> Option<Foreign> {
    match detect(bytes) {
        Ok(Some((transport, protocol))) if (Speech { transport, protocol }) != speech => {
            Some(Foreign::Other(transport, protocol))
        }
        Err(WireError::Foreign(foreign)) if foreign != Foreign::Garbage => Some(foreign),
        Ok(_) | Err(_) => None,
    }
}

/// In a frame, a lenient message begins with the length of its name.
fn framed_lenient(bytes: &[u8]) -> Result<Option<(Transport, Protocol)>, WireError> {
    match bytes.get(4..).and_then(|name| name.first_chunk::<4>()) {
        None => Ok(None),
        Some(length) if u32::from_be_bytes(*length) as usize <= NAME_MAX => {
            Ok(Some((Transport::Framed, Protocol::Binary)))
        }
        Some(_) => Err(WireError::Foreign(named(bytes))),
    }
}

/// A lenient message's name must be a plausible one.
fn lenient(bytes: &[u8]) -> Result<Option<(Transport, Protocol)>, WireError> {
    let length = bytes.first_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length));
    if length as usize <= NAME_MAX {
        Ok(Some((Transport::Unframed, Protocol::Binary)))
    } else {
        Err(WireError::Foreign(named(bytes)))
    }
}

/// What no message of Thrift begins with, by its name if it has one.
fn named(bytes: &[u8]) -> Foreign {
    let second =
        bytes.get(4..).and_then(|rest| rest.first_chunk::<4>()).map(|code| u32::from_be_bytes(*code));
    match bytes {
        [b'H', b'T', b'T', b'P', ..] => Foreign::Http,
        [0x15, 3, ..] => Foreign::Tls,
        [b'*', b'0'..=b'9', ..] | [b'+', b'O', b'K', ..] | [b'-', b'E', b'R', b'R', ..] => Foreign::Redis,
        [b'P' | b'p', b'I' | b'i', b'N' | b'n', b'G' | b'g', b'\r' | b'\n', ..] => Foreign::Redis,
        _ if second.is_some_and(|code| POSTGRES.contains(&code)) => Foreign::Postgres,
        _ => Foreign::Garbage,
    }
}

/// What a client of PostgreSQL asks for first, behind a length: version 3.0, to cancel, TLS, or GSSAPI.
const POSTGRES: [u32; 4] = [0x0003_0000, 80_877_102, 80_877_103, 80_877_104];

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
        check(&[0, 0, 0, 17, 0, 0], None);
        check(&[0, 0, 0, 17, 0x80], Some((Transport::Framed, Protocol::Binary)));
        check(&[0, 0, 0, 17, 0x82], Some((Transport::Framed, Protocol::Compact)));
        check(&[0, 0, 0, 17, 0, 0, 0, 4], Some((Transport::Framed, Protocol::Binary)));
        check(&[0, 0, 0, 4, b'p', b'i'], Some((Transport::Unframed, Protocol::Binary)));
        let header = |id| [0, 0, 0, 40, 0x0f, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, id];
        check(&header(0)[..14], None);
        check(&header(0), Some((Transport::Header, Protocol::Binary)));
        check(&header(2), Some((Transport::Header, Protocol::Compact)));
        assert_eq!(detect(&header(1)), Err(WireError::HeaderProtocol { id: 1 }));
    }

    #[test]
    fn what_is_not_thrift_is_named() {
        for (bytes, foreign) in [
            (&b"GET / HTTP/1.1\r\n"[..], Foreign::Http),
            (&[0x16, 3, 1, 2, 0, 1], Foreign::Tls),
            (b"SSH-2.0", Foreign::Ssh),
            (&[0, 0, 0, 40, 0x10, 0, 0, 0, 0, 0, 0, 1], Foreign::TtHeader),
            (b"[1,\"ping\"", Foreign::Json),
            (&[0xff, 0xfe], Foreign::Garbage),
            (&[0, 0x10, 0, 0, b'x'], Foreign::Garbage),
            (b"HTTP/1.1 400 Bad Request\r\n", Foreign::Http),
            (&[0x15, 3, 1, 0, 2, 2, 70], Foreign::Tls),
            (b"*1\r\n$4\r\nPING\r\n", Foreign::Redis),
            (b"*12\r\n$4\r\n", Foreign::Redis),
            (b"PING\r\n", Foreign::Redis),
            (b"-ERR unknown command", Foreign::Redis),
            (&[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f], Foreign::Postgres),
            (&[0, 0, 0, 40, 0, 3, 0, 0, b'u'], Foreign::Postgres),
        ] {
            assert_eq!(detect(bytes), Err(WireError::Foreign(foreign)), "{bytes:?}");
        }
    }

    #[test]
    fn what_a_peer_speaks_instead_is_named() {
        let fixed = Speech { transport: Transport::Framed, protocol: Protocol::Binary };
        let other = |bytes: &[u8]| other_than(fixed, bytes).map(|foreign| foreign.to_string());
        let said = other(&[0x80, 1, 0, 1, 0, 0, 0, 4]);
        assert_eq!(said.as_deref(), Some("unframed binary thrift, and not what is spoken here"));
        let said = other(&[0, 0, 0, 17, 0x82, 0x21]);
        assert_eq!(said.as_deref(), Some("framed compact thrift, and not what is spoken here"));
        assert_eq!(other(b"GET / HTTP/1.1\r\n").as_deref(), Some("http instead of thrift"));
        assert_eq!([other(&[0, 0, 0, 17, 0x80, 1]), other(&[0xff; 8]), other(&[0])], [None, None, None]);
    }
}
