//! `TApplicationException`: how Thrift says that a call has no result.

use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TCompactInputProtocol, TCompactOutputProtocol,
};
use thrift::{ApplicationError, ApplicationErrorKind, Error};

use super::Protocol;

/// The struct of an exception of `kind` that says `message`, without a message header.
pub(crate) fn encode(protocol: Protocol, kind: ApplicationErrorKind, message: &str) -> Vec<u8> {
    let error = ApplicationError { kind, message: message.to_owned() };
    let mut bytes = Vec::new();
    let written = match protocol {
        Protocol::Binary => {
            let mut out = TBinaryOutputProtocol::new(&mut bytes, true);
            Error::write_application_error_to_out_protocol(&error, &mut out)
        }
        Protocol::Compact => {
            let mut out = TCompactOutputProtocol::new(&mut bytes);
            Error::write_application_error_to_out_protocol(&error, &mut out)
        }
    };
    debug_assert!(written.is_ok(), "memory takes any bytes");
    bytes
}

/// Reads the struct of an exception, which must have been walked. What has no kind, or takes more than 1 MiB, has the unknown one.
pub(crate) fn decode(protocol: Protocol, body: &[u8]) -> ApplicationError {
    // The official reader goes through all fields at once, however many there are.
    let body = if body.len() > READ_MAX { &[] } else { body };
    let read = match protocol {
        Protocol::Binary => {
            let mut input = TBinaryInputProtocol::new(body, true);
            Error::read_application_error_from_in_protocol(&mut input)
        }
        Protocol::Compact => {
            let mut input = TCompactInputProtocol::new(body);
            Error::read_application_error_from_in_protocol(&mut input)
        }
    };
    read.unwrap_or_else(|_| ApplicationError::new(ApplicationErrorKind::Unknown, "unreadable exception"))
}

const READ_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_returns() {
        for protocol in [Protocol::Binary, Protocol::Compact] {
            let bytes = encode(protocol, ApplicationErrorKind::UnknownMethod, "no such method");
            let error = decode(protocol, &bytes);
            assert_eq!(error.kind, ApplicationErrorKind::UnknownMethod);
            assert_eq!(error.message, "no such method");
        }
    }
}
