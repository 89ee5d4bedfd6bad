//! Messages on a stream: told apart whatever the pieces, recognised from their first bytes, read by the official crate.

use bytes::BytesMut;
use larder::wire::detect::detect;
use larder::wire::inbound::{Inbound, Look};
use larder::wire::message::{Form, Header, Kind, put_message};
use larder::wire::{Bounds, Protocol, Speech, Transport};
use proptest::prelude::*;
use thrift::protocol::{TBinaryInputProtocol, TCompactInputProtocol, TInputProtocol, TMessageType, TType};

use super::tree::{Value, arguments};

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
const KINDS: [(Kind, TMessageType); 4] = [
    (Kind::Call, TMessageType::Call),
    (Kind::Reply, TMessageType::Reply),
    (Kind::Exception, TMessageType::Exception),
    (Kind::Oneway, TMessageType::OneWay),
];

fn name() -> impl Strategy<Value = String> {
    "([A-Za-z_][A-Za-z0-9_.]{0,8}:)?[A-Za-z_][A-Za-z0-9_]{0,30}"
}

fn message(
    way: (Transport, Protocol, Form),
    kind: Kind,
    name: &str,
    seqid: i32,
    body: &Value,
) -> (Vec<u8>, Vec<u8>) {
    let (transport, protocol, form) = way;
    let header = Header { kind, name: name.as_bytes(), seqid, form };
    let mut out = BytesMut::new();
    let body = body.written(protocol, 1);
    put_message(&mut out, transport, protocol, &header, &body);
    (out.to_vec(), body)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_official_reader_reads_what_is_written(
        name in name(), seqid in any::<i32>(), which in 0..4_usize, body in arguments(),
    ) {
        for way in WAYS {
            let (bytes, _) = message(way, KINDS[which].0, &name, seqid, &body);
            let inner = match way.0 {
                Transport::Framed => &bytes[4..],
                Transport::Unframed => &bytes[..],
                // Without info headers, a header has one word.
                Transport::Header => &bytes[18..],
            };
            let mut left = inner;
            let (head, skipped) = match way.1 {
                Protocol::Binary => read(TBinaryInputProtocol::new(&mut left, false)),
                Protocol::Compact => read(TCompactInputProtocol::new(&mut left)),
            };
            prop_assert_eq!((head.0, head.1, head.2), (name.clone(), seqid, KINDS[which].1));
            prop_assert!(skipped && left.is_empty());
        }
    }

    #[test]
    fn messages_are_told_apart_whatever_the_pieces(
        calls in proptest::collection::vec((name(), any::<i32>(), arguments()), 1..5),
        pieces in proptest::collection::vec(1..40_usize, 1..30),
    ) {
        for way in WAYS {
            let messages: Vec<_> = calls
                .iter()
                .map(|(name, seqid, body)| message(way, Kind::Call, name, *seqid, body))
                .collect();
            let stream: Vec<u8> = messages.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let found = found(way, &stream, &pieces);
            prop_assert_eq!(found.len(), messages.len());
            for (found, (_, body)) in found.iter().zip(&messages) {
                prop_assert_eq!(found.as_ref(), Some(body));
            }
        }
    }

    #[test]
    fn no_beginning_of_a_message_is_mistaken(name in name(), seqid in any::<i32>(), body in arguments()) {
        for way in WAYS {
            let (bytes, _) = message(way, Kind::Call, &name, seqid, &body);
            let told: Vec<_> = (0..=bytes.len()).map(|end| detect(&bytes[..end])).collect();
            prop_assert!(told.iter().all(|told| matches!(told, Ok(None)) || *told == Ok(Some((way.0, way.1)))), "{told:?}");
            // In a frame, a lenient message begins with a length, which must be a plausible one.
            let enough = match way {
                (Transport::Header, ..) => 15,
                (Transport::Framed, _, Form::Lenient) => 8,
                (Transport::Framed | Transport::Unframed, ..) => 5,
            };
            prop_assert!(told[enough..].iter().all(|told| *told == Ok(Some((way.0, way.1)))), "{told:?}");
        }
    }

    #[test]
    fn pieces_of_any_bytes_are_refused_alike(
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        pieces in proptest::collection::vec(1..10_usize, 1..20),
    ) {
        for way in WAYS {
            prop_assert_eq!(found(way, &bytes, &pieces), found(way, &bytes, &[usize::MAX]));
        }
    }
}

fn read(mut input: impl TInputProtocol) -> ((String, i32, TMessageType), bool) {
    let head = input.read_message_begin().unwrap();
    let skipped = input.skip(TType::Struct).is_ok();
    ((head.name, head.sequence_number, head.message_type), skipped)
}

/// The structs of the whole messages of a stream that arrives in pieces of these sizes, over and over, until it ends or is refused;
/// nothing for one that has a flaw.
fn found(way: (Transport, Protocol, Form), stream: &[u8], pieces: &[usize]) -> Vec<Option<Vec<u8>>> {
    let mut inbound = Inbound::new(Speech { transport: way.0, protocol: way.1 }, Bounds::default());
    let (mut messages, mut rest) = (Vec::new(), stream);
    for piece in pieces.iter().cycle() {
        let (arrived, later) = rest.split_at((*piece).min(rest.len()));
        inbound.room().extend_from_slice(arrived);
        rest = later;
        loop {
            match inbound.first() {
                Ok(Look::Whole) => {
                    let whole = inbound.message().unwrap();
                    messages.push(whole.flaw.is_none().then(|| whole.message.body.to_vec()));
                    inbound.skip();
                }
                Ok(Look::Needs(total)) => {
                    assert!(total > inbound.len(), "{total} bytes are there");
                    break;
                }
                Ok(Look::Unfinished) => {}
                Err(_) => return messages,
            }
        }
        if rest.is_empty() {
            return messages;
        }
    }
    messages
}
