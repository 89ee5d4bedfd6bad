//! Messages of both transports, both protocols and both forms, whole, in pieces, large, and with flaws.

use super::*;
use crate::wire::message::Header;
use crate::wire::message::{Form, Kind, put_message};

const WAYS: [(Transport, Protocol, Form); 6] = [
    (Transport::Framed, Protocol::Binary, Form::Strict),
    (Transport::Framed, Protocol::Binary, Form::Lenient),
    (Transport::Framed, Protocol::Compact, Form::Strict),
    (Transport::Unframed, Protocol::Binary, Form::Strict),
    (Transport::Unframed, Protocol::Binary, Form::Lenient),
    (Transport::Unframed, Protocol::Compact, Form::Strict),
];

fn message(way: (Transport, Protocol, Form), seqid: i32, body: &[u8]) -> BytesMut {
    let (transport, protocol, form) = way;
    let mut out = BytesMut::new();
    put_message(
        &mut out,
        transport,
        protocol,
        &Header { kind: Kind::Call, name: b"ping", seqid, form },
        body,
    );
    out
}

/// A struct with one text of so many bytes.
fn text(protocol: Protocol, length: u32) -> Vec<u8> {
    let bytes = vec![b'x'; length as usize];
    let head = match protocol {
        Protocol::Binary => [&[11, 0, 1][..], &length.to_be_bytes()].concat(),
        Protocol::Compact => {
            vec![0x18, length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8]
        }
    };
    [&head[..], &bytes, &[0]].concat()
}

/// A struct with a list of so many empty structs.
fn empties(count: u32) -> Vec<u8> {
    [&[15, 0, 1, 12][..], &count.to_be_bytes(), &vec![0; count as usize], &[0]].concat()
}

fn inbound(way: (Transport, Protocol, Form), bytes: &[u8]) -> Inbound {
    let mut inbound = Inbound::new(
        Speech { transport: way.0, protocol: way.1 },
        Bounds { message: 32 << 20, ..Bounds::default() },
    );
    inbound.room().extend_from_slice(bytes);
    inbound
}

#[test]
fn a_frame_outside_the_bounds_is_an_error() {
    for length in [0_i32, -1, i32::MAX, 16_384_001] {
        assert!(inbound(WAYS[0], &length.to_be_bytes()).first().is_err(), "{length}");
    }
}

#[test]
fn messages_that_arrive_byte_by_byte_end_where_they_end() {
    for way in WAYS {
        let two = [message(way, 7, &[0]), message(way, 8, &[0])].concat();
        let mut inbound = inbound(way, b"");
        let mut found = Vec::new();
        for byte in two {
            inbound.room().extend_from_slice(&[byte]);
            if inbound.first() == Ok(Look::Whole) {
                let Whole { message, .. } = inbound.message().unwrap();
                found.push((message.header.name.to_vec(), message.header.seqid, message.body.to_vec()));
                inbound.skip();
            }
        }
        assert_eq!(found, [(b"ping".to_vec(), 7, vec![0]), (b"ping".to_vec(), 8, vec![0])], "{way:?}");
        assert!(inbound.is_empty());
    }
}

#[test]
fn a_number_is_known_as_soon_as_its_header_is_here() {
    for way in WAYS {
        let first = message(way, 7, &text(way.1, 200_000));
        let second = message(way, 9, &text(way.1, 200_000));
        let header = second.len() - 200_000;
        let mut inbound = inbound(way, &first[..header]);
        assert!(matches!(inbound.look(), Ok(Look::Needs(_))));
        assert_eq!(inbound.next_header().map(|header| header.seqid), Some(7), "{way:?}");
        inbound.room().extend_from_slice(&first[header..]);
        assert_eq!(inbound.first(), Ok(Look::Whole));
        assert!(inbound.next_header().is_none(), "given once");
        inbound.room().extend_from_slice(&second[..header]);
        assert!(matches!(inbound.look(), Ok(Look::Needs(_))));
        assert_eq!(inbound.next_header().map(|header| header.seqid), Some(9), "{way:?}");
        inbound.skip();
        assert!(inbound.next_header().is_none(), "given once");
    }
}

#[test]
fn a_large_message_is_shared_and_keeps_nothing_else_alive() {
    for way in WAYS {
        let bytes = [message(way, 7, &text(way.1, 200_000)), message(way, 8, &[0])].concat();
        let mut inbound = inbound(way, &bytes);
        assert_eq!((inbound.first(), inbound.position()), (Ok(Look::Whole), 0));
        let shared = inbound.message().unwrap().shared.unwrap().clone();
        inbound.skip();
        assert!(shared.is_unique(), "nothing but the message holds its buffer");
        assert_eq!(inbound.position() as usize, shared.len());
        assert_eq!(inbound.first(), Ok(Look::Whole));
        assert!(inbound.message().unwrap().shared.is_none());
        assert_eq!(inbound.take().unwrap().header().seqid, 8);
        assert_eq!(inbound.end() as usize, bytes.len());
    }
}

#[test]
fn a_message_of_very_many_values_is_walked_in_parts() {
    for way in [WAYS[0], WAYS[3]] {
        let mut inbound = inbound(way, &message(way, 7, &empties(2_000_000)));
        let mut parts = 1;
        while inbound.first() == Ok(Look::Unfinished) {
            parts += 1;
        }
        assert!(inbound.message().unwrap().flaw.is_none());
        // An element and its end are two tokens.
        assert_eq!(parts, 2 * 2_000_000 / TOKENS + 1, "{way:?}");
    }
}

#[test]
fn a_flaw_inside_a_frame_leaves_what_follows() {
    let way = WAYS[0];
    let bytes = [message(way, 7, &[99, 0]), message(way, 8, &[0])].concat();
    let mut inbound = inbound(way, &bytes);
    assert_eq!(inbound.first(), Ok(Look::Whole));
    assert_eq!(inbound.message().unwrap().flaw, Some(&WireError::UnknownType { code: 99 }));
    inbound.skip();
    assert_eq!(inbound.first(), Ok(Look::Whole));
    assert!(inbound.message().unwrap().flaw.is_none());
}

#[test]
fn an_empty_inbound_keeps_little_memory() {
    let way = WAYS[0];
    let mut inbound = inbound(way, &message(way, 7, &text(way.1, 50_000)));
    assert_eq!(inbound.first(), Ok(Look::Whole));
    inbound.skip();
    assert!(inbound.room().capacity() <= KEPT);
}
