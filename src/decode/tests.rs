//! What bytes are read as, and how those are told that cannot be.

use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;
use serde_json::json;
use thrift::ApplicationErrorKind;

use super::*;
use crate::cache::envelope::Codec;
use crate::clock::Millis;
use crate::entry::{Ending, Entry, Slot};
use crate::idl::{Schema, value};
use crate::key::{Ignored, Prefix, Scope, Spelling};
use crate::wire::exception;
use crate::wire::message::{Form, Header, Kind, put_message};

const IDL: &str = "exception Gone { 1: string why }
    service S { i32 get(1: i64 id) throws (1: Gone gone), oneway void tell(1: string what) }
    service T { i32 get(1: i64 id) throws (1: Gone gone), void other() }
    service U { string other() }";

fn schema() -> Schema {
    Schema::load(Path::new("s.thrift"), |_| Ok(IDL.to_owned())).unwrap()
}

fn names() -> Names {
    Names::new(Some(schema()), None).unwrap()
}

fn put(
    out: &mut BytesMut,
    transport: Transport,
    protocol: Protocol,
    (kind, name): (Kind, &str),
    body: &[u8],
) {
    let header = Header { kind, name: name.as_bytes(), seqid: 7, form: Form::Strict };
    put_message(out, transport, protocol, &header, body);
}

fn says(found: &Found) -> Json {
    let json = serde_json::to_value(found).unwrap();
    json["message"]["says"].clone()
}

#[test]
fn both_sides_of_a_connection_are_read() {
    let schema = schema();
    let [get, tell] = ["get", "tell"].map(|name| &schema.service("S").unwrap().methods[name]);
    for (transport, protocol) in [
        (Transport::Framed, Protocol::Binary),
        (Transport::Framed, Protocol::Compact),
        (Transport::Unframed, Protocol::Binary),
        (Transport::Unframed, Protocol::Compact),
    ] {
        let bodies = [
            (Kind::Call, "S:get", value::arguments(&schema, get, &json!({"id": 5}), protocol).unwrap()),
            (Kind::Oneway, "tell", value::arguments(&schema, tell, &json!({"what": "x"}), protocol).unwrap()),
            (Kind::Reply, "get", value::result(&schema, get, &json!(3), protocol).unwrap()),
            (
                Kind::Reply,
                "get",
                value::thrown(&schema, get, &json!({"gone": {"why": "so"}}), protocol).unwrap(),
            ),
            (Kind::Exception, "get", exception::encode(protocol, ApplicationErrorKind::UnknownMethod, "no")),
            (Kind::Call, "stranger", value::arguments(&schema, get, &json!({"id": 5}), protocol).unwrap()),
        ];
        let mut bytes = BytesMut::new();
        for (kind, name, body) in &bodies {
            put(&mut bytes, transport, protocol, (*kind, name), body);
        }
        let bytes = bytes.freeze();
        let (found, error) = decode(&bytes, &names());
        assert!(error.is_none(), "{error:?}");
        assert_eq!(
            found.iter().map(says).collect::<Vec<_>>(),
            [
                json!({"arguments": {"id": 5}}),
                json!({"arguments": {"what": "x"}}),
                json!({"result": 3}),
                json!({"thrown": {"field": "gone", "kind": "exception Gone", "value": {"why": "so"}}}),
                json!({"failed": {"kind": "UnknownMethod", "message": "no"}}),
                json!({"fields": {"1:i64": 5}}),
            ]
        );
        let (found, error) = decode(&bytes.slice(..bytes.len() - 1), &names());
        assert_eq!(found.len(), 5);
        assert!(matches!(error, Some(DecodeError::Unfinished { .. })), "{error:?}");
    }
}

#[test]
fn what_services_do_not_agree_on_has_no_names() {
    let mut bytes = BytesMut::new();
    put(&mut bytes, Transport::Framed, Protocol::Binary, (Kind::Reply, "other"), &[8, 0, 0, 0, 0, 0, 5, 0]);
    let bytes = bytes.freeze();
    let unsaid = |names: &Names| decode(&bytes, names).0.iter().map(says).collect::<Vec<_>>();
    assert_eq!(unsaid(&names()), [json!({"fields": {"0:i32": 5}})]);
    assert!(Names::new(Some(schema()), Some("V".to_owned())).is_err());
    let said = Names::new(Some(schema()), Some("T".to_owned())).unwrap();
    assert_eq!(unsaid(&said), [json!({"fields": {"0:i32": 5}})]);
}

#[test]
fn what_is_no_message_is_told_with_its_place() {
    let check = |bytes: &'static [u8], expected: &str| {
        let (found, error) = decode(&Bytes::from_static(bytes), &Names::default());
        assert!(found.is_empty());
        assert_eq!(error.unwrap().to_string(), expected);
    };
    check(b"GET / HTTP/1.1\r\n\r\n", "at byte 0: http instead of thrift");
    check(&[0x80, 1, 0, 1, 0, 0], "at byte 0: 6 bytes begin a message that is not whole");
    check(
        b"LRD\x04",
        "the value that larder keeps cannot be read: envelope does not have the length it says",
    );
}

#[test]
fn what_is_kept_is_read_with_the_call_that_it_answers() {
    let schema = schema();
    let get = &schema.service("S").unwrap().methods["get"];
    let scope = Scope {
        backend: "users",
        service: b"S",
        method: b"get",
        spelling: Spelling::Plain,
        protocol: Protocol::Compact,
        revision: 0,
        ignored: &Ignored::default(),
    };
    let arguments = value::arguments(&schema, get, &json!({"id": 5}), Protocol::Binary).unwrap();
    let key = [Prefix::new(&scope).as_bytes(), &arguments].concat();
    let somebody = [&key[..], &[0xab; 32]].concat();
    let body = value::result(&schema, get, &json!(3), Protocol::Compact).unwrap();
    let entry = Entry::new(Millis(1_000), Ending::Result, Protocol::Compact, body.into());
    for (slot, reply) in [
        (
            Slot::Entry(Arc::new(entry)),
            json!({"protocol": "compact", "bytes": 4, "covers": 0, "version": "0-0", "says": {"result": 3}}),
        ),
        (Slot::Tombstone(Millis(1_000)), Json::Null),
    ] {
        let mut bytes = Codec::default().encode(&key, &slot).unwrap();
        bytes.push(b'\n');
        let (found, error) = decode(&bytes.into(), &names());
        assert!(error.is_none(), "{error:?}");
        assert_eq!(
            serde_json::to_value(&found).unwrap(),
            json!([{"kept": {
                "backend": "users", "method": "S.get", "born": "1970-01-01T00:00:01.000Z",
                "call": {"arguments": {"id": 5}}, "reply": reply,
            }}])
        );
    }
    let bytes = Codec::default().encode(&somebody, &Slot::Tombstone(Millis(1_000))).unwrap();
    let (found, _) = decode(&bytes.into(), &names());
    let kept = &serde_json::to_value(&found).unwrap()[0]["kept"];
    assert_eq!(
        (&kept["call"], &kept["identity"]),
        (&json!({"arguments": {"id": 5}}), &json!("ab".repeat(32)))
    );
}
