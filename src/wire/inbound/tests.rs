//! Messages of both transports, both protocols and both forms, whole, in pieces, large, and with flaws.

use super::*;
use crate::wire::detect::Foreign;
use crate::wire::header::Packing;
use crate::wire::header::info::Info;
use crate::wire::message::{Form, Header, Kind, put_message, put_wrapped};

const WAYS: [(Transport, Protocol, Form); 9] = [
    (Transport::Framed, Protocol::Binary, Form::Strict),
    (Transport::Framed, Protocol::Binary, Form::Lenient),
    (Transport::Framed, Protocol::Compact, Form::Strict),
    (Transport::Unframed, Protocol::Binary, Form::Strict),
    (Transport::Unframed, Protocol::Binary, Form::Lenient),
    (Transport::Unframed, Protocol::Compact, Form::Strict),
    (Transport::Header, Protocol::Binary, Form::Strict),
    (Transport::Header, Protocol::Binary, Form::Lenient),
    (Transport::Header, Protocol::Compact, Form::Strict),
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
    // In a frame that has headers, once that is whole.
    for way in WAYS.into_iter().filter(|way| way.0 != Transport::Header) {
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
    for way in [WAYS[0], WAYS[3], WAYS[6]] {
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

/// A message in a frame of the header transport.
fn wrapped(packing: Packing, info: &Info, seqid: i32, body: &[u8]) -> BytesMut {
    let header = Header { kind: Kind::Call, name: b"ping", seqid, form: Form::Strict };
    let mut out = BytesMut::new();
    put_wrapped(&mut out, (Protocol::Binary, packing, info), &header, body);
    out
}

#[test]
fn what_is_packed_is_unpacked_and_what_follows_is_found() {
    let mut info = Info::default();
    info.push(b"Trace", b"1");
    let bodies = [text(Protocol::Binary, 300_000), text(Protocol::Binary, 70_000), vec![0]];
    let stream =
        bodies.iter().map(|body| wrapped(Packing::Zlib, &info, 7, body)).collect::<Vec<_>>().concat();
    let mut inbound = inbound(WAYS[6], &stream);
    for body in &bodies {
        while matches!(inbound.look(), Ok(Look::Whole | Look::Unfinished)) {}
        assert_eq!(inbound.first(), Ok(Look::Whole));
        let held = inbound.held();
        let Whole { message, flaw, shared, preamble } = inbound.message().unwrap();
        assert_eq!((message.header.name, message.body, flaw), (&b"ping"[..], &body[..], None));
        assert!(shared.is_some() && held >= body.len());
        let preamble = preamble.unwrap();
        assert_eq!(preamble.packing, Packing::Zlib);
        assert_eq!(preamble.info.as_ref().unwrap().get(b"trace"), Some(&b"1"[..]));
        assert_eq!(inbound.take().unwrap().body(), body);
    }
    assert!(inbound.is_empty() && inbound.held() <= KEPT);
}

#[test]
fn of_what_waits_little_is_unpacked() {
    let bomb = wrapped(Packing::Zlib, &Info::default(), 7, &text(Protocol::Binary, 1_000_000));
    assert!(bomb.len() < 10_000);
    let mut inbound = inbound(WAYS[6], &bomb.repeat(20));
    while inbound.first() == Ok(Look::Unfinished) {}
    for _ in 0..100 {
        inbound.look().unwrap();
    }
    assert!(inbound.held() < 1_300_000, "{}", inbound.held());
}

#[test]
fn what_unpacks_to_more_than_a_frame_is_an_error() {
    let bomb = wrapped(Packing::Zlib, &Info::default(), 7, &text(Protocol::Binary, 2_000_000));
    let speech = Speech { transport: Transport::Header, protocol: Protocol::Binary };
    let mut inbound = Inbound::new(speech, Bounds { frame: 100_000, ..Bounds::default() });
    inbound.room().extend_from_slice(&bomb);
    while inbound.first() == Ok(Look::Unfinished) {}
    assert_eq!(inbound.first(), Err(WireError::Inflated { bound: 100_000 }));
    assert!(inbound.held() < 250_000);
}

#[test]
fn a_frame_that_makes_no_sense_is_an_error() {
    let good = wrapped(Packing::Zlib, &Info::default(), 7, &[0]);
    let with = |at: usize, bytes: &[u8]| {
        let mut frame = good.to_vec();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        inbound(WAYS[6], &frame).first()
    };
    assert_eq!(
        with(4, &[0x80, 1]),
        Err(WireError::Foreign(Foreign::Other(Transport::Framed, Protocol::Binary)))
    );
    assert_eq!(with(14, &[1]), Err(WireError::HeaderProtocol { id: 1 }));
    assert_eq!(with(14, &[2]), Err(WireError::Foreign(Foreign::Other(Transport::Header, Protocol::Compact))));
    assert_eq!(with(16, &[5]), Err(WireError::Transform { id: 5 }));
    assert_eq!(with(15, &[2, 1, 1]), Err(WireError::Preamble));
    assert_eq!(with(12, &[0xff, 0xff]), Err(WireError::Preamble));
    assert_eq!(with(20, &[0xff]), Err(WireError::Zlib));
    let (_, error) = (with(16, &[5]).unwrap_err(), with(16, &[5]).unwrap_err().to_string());
    assert_eq!(error, "transform 5 (zstd) of the header transport is not known here; 1 (zlib) is");
}

#[test]
fn info_headers_are_bounded() {
    let mut info = Info::default();
    for _ in 0..300 {
        info.push(b"name", b"value");
    }
    assert_eq!(info.iter().count(), 256);
    info = Info::default();
    info.push(b"long", &[b'x'; 300_000]);
    assert!(info.is_empty());
}
