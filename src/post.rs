//! Thrift over HTTP/1.1, as clients and servers have it in common: a message is the body of a POST or of its answer, and info headers are
//! HTTP's.

pub(crate) mod client;

use hyper::HeaderMap;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPECT, HOST,
    HeaderName, HeaderValue, SERVER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use crate::wire::detect::detect;
use crate::wire::header::info::Info;
use crate::wire::{Protocol, Transport};

/// What a message is called, in either protocol.
pub(crate) const THRIFT: HeaderValue = HeaderValue::from_static("application/x-thrift");

/// The info headers of a request or an answer: all headers that do not say how its body is carried.
pub(crate) fn info(headers: &HeaderMap) -> Info {
    let mut info = Info::default();
    for (name, value) in headers {
        if !is_of_carriage(name) {
            info.push(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    info
}

/// Adds info headers to those of a request or an answer, but those that HTTP has no way to say.
pub(crate) fn put_info(info: &Info, headers: &mut HeaderMap) {
    for (name, value) in info.iter() {
        let spelled = HeaderName::from_bytes(name).ok().zip(HeaderValue::from_bytes(value).ok());
        if let Some((name, value)) = spelled.filter(|(name, _)| !is_of_carriage(name)) {
            headers.append(name, value);
        }
    }
}

/// The protocol that a body is spelled in, as its first bytes tell: it is a message, and no frame.
pub(crate) fn protocol(body: &[u8]) -> Option<Protocol> {
    match detect(body) {
        Ok(Some((Transport::Unframed, protocol))) => Some(protocol),
        Ok(Some((Transport::Framed | Transport::Header, _)) | None) | Err(_) => None,
    }
}

fn is_of_carriage(name: &HeaderName) -> bool {
    const ALL: [HeaderName; 14] = [
        ACCEPT,
        ACCEPT_ENCODING,
        CONNECTION,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        CONTENT_TYPE,
        DATE,
        EXPECT,
        HOST,
        SERVER,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    ALL.contains(name) || name == "keep-alive" || name.as_str().starts_with("proxy-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_info_headers_but_those_that_carry_the_body() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", "x"), ("x-tenant", "7"), ("content-length", "5"), ("x-tenant", "8")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let info = info(&headers);
        assert_eq!(info.values(b"x-tenant").collect::<Vec<_>>(), [b"7", b"8"]);
        assert_eq!(info.iter().count(), 2);
    }

    #[test]
    fn what_http_cannot_say_is_left_out() {
        let mut info = Info::default();
        info.push(b"no name", b"value");
        info.push(b"name", b"no\nvalue");
        info.push(b"Content-Length", b"1");
        info.push(b"X-Region", b"eu");
        let mut headers = HeaderMap::new();
        put_info(&info, &mut headers);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers.get("x-region"), Some(&HeaderValue::from_static("eu")));
    }
}
