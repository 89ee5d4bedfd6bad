//! The header transport: what travels beside a message, and packed messages.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Value as Json, json};

use crate::harness::*;

const HEADER: Wire = Wire::of(Transport::Header, Protocol::Binary);
const CACHED: &str = "ttl = '60s'";

/// The header of an answer with this name.
fn header<'a>(answer: &'a Json, name: &str) -> Option<&'a str> {
    answer["headers"][name].as_str()
}

#[test]
fn headers_of_a_passed_call_go_to_the_backend_and_those_of_its_reply_come_back() {
    let server = python_backend(Library::Apache, HEADER);
    let gateway = gateway().endpoint(server.address()).backend_speaks(HEADER).start();
    let mut client = PythonClient::connect(gateway.address(), Library::Apache, HEADER);
    let trace = json!({"traceparent": "00-4bf9-00f0-01", "authorization": "Bearer x"});
    let answer = client.call_beside(trace, "getUser", json!([7, "t"]));
    assert_eq!(header(&answer, "heard"), Some("authorization=Bearer x,traceparent=00-4bf9-00f0-01"));
    assert_eq!(header(&answer, "x-larder-source"), Some("backend"));
    assert_eq!(header(&answer, "cache-status"), Some("larder; fwd=bypass"));
    assert_eq!(header(&client.call_beside(json!({}), "getUser", json!([7, "t"])), "heard"), Some(""));
}

#[test]
fn headers_of_a_cached_call_stay_with_its_caller() {
    let server = python_backend(Library::Apache, HEADER);
    let gateway = gateway().get_user(CACHED).endpoint(server.address()).backend_speaks(HEADER).start();
    let mut client = PythonClient::connect(gateway.address(), Library::Apache, HEADER);
    let answer = client.call_beside(json!({"authorization": "root"}), "getUser", json!([7, "t"]));
    assert_eq!((header(&answer, "heard"), header(&answer, "cache-status")), (None, Some("larder; fwd=miss")));
    let hit = client.call_beside(json!({}), "getUser", json!([7, "t"]));
    assert_eq!((&hit["value"], header(&hit, "heard")), (&answer["value"], None));
    assert_eq!(header(&hit, "x-larder-source"), Some("hit"));
    assert_eq!(header(&hit, "cache-status"), Some("larder; hit"));
    assert!(header(&hit, "x-larder-age-ms").is_some_and(|age| age.parse::<u64>().is_ok()), "{hit}");
    assert_eq!(gateway.outcomes("hit_local"), 1);
}

#[test]
fn a_header_of_the_key_tells_calls_apart_and_goes_to_the_backend_with_those_that_are_inert() {
    let server = python_backend(Library::Apache, HEADER);
    let rule = "ttl = '60s'\nkey_headers = ['X-Tenant']\nforward_headers = ['traceparent']";
    let gateway = gateway().get_user(rule).endpoint(server.address()).backend_speaks(HEADER).start();
    let mut client = PythonClient::connect(gateway.address(), Library::Apache, HEADER);
    let mut user = |headers: Json| client.call_beside(headers, "getUser", json!([7, "t"]))["value"].take();
    let heard = |user: &Json| user["attributes"]["heard"].as_str().map(str::to_owned);
    let one = user(json!({"x-tenant": "1", "authorization": "root", "traceparent": "a"}));
    assert_eq!(heard(&one).as_deref(), Some("traceparent=a,x-tenant=1"));
    assert_eq!(user(json!({"X-Tenant": "1", "traceparent": "b"})), one);
    let (two, none) = (user(json!({"x-tenant": "2"})), user(json!({})));
    assert_eq!((heard(&two).as_deref(), heard(&none)), (Some("x-tenant=2"), None));
    assert_eq!((gateway.outcomes("miss"), gateway.outcomes("hit_local")), (3, 1));
    let mut plain = PythonClient::connect(gateway.address(), Library::Thriftpy2, Wire::framed());
    let plain = plain.call("getUser", json!([7, "t"]));
    assert_eq!(plain["value"], none, "who sends no headers asks as who sends none of these");
}

#[test]
fn a_purge_of_a_call_is_for_all_its_headers() {
    let backend = backend_speaking(HEADER);
    let rule = "ttl = '60s'\nkey_headers = ['x-tenant']";
    let gateway = gateway().get_user(rule).endpoint(backend.address()).backend_speaks(HEADER).start();
    let mut client = PythonClient::connect(gateway.address(), Library::Apache, HEADER);
    let mut calls = |tenant: &str| {
        client.call_beside(json!({"x-tenant": tenant}), "getUser", json!([7, "trace"]));
        backend.calls()
    };
    assert_eq!((calls("1"), calls("1"), calls("2")), (1, 1, 2));
    let call = json!({"method": "UserService.getUser", "arguments": {"id": 7, "trace_id": "trace"}});
    gateway.purge(json!({"call": call, "kind": "hard"}));
    assert_eq!((calls("1"), calls("2"), calls("2")), (3, 4, 4));
}

#[test]
fn a_deadline_ends_its_callers_wait_and_not_the_flight() {
    let backend = backend();
    backend.does("getUser", Act::HeldThen(Box::new(Act::User)));
    let gateway = gateway().get_user(CACHED).endpoint(backend.address()).start();
    let mut client = PythonClient::connect(gateway.address(), Library::Apache, HEADER);
    let late = client.call_beside(json!({"client_timeout": "50"}), "getUser", json!([7, "t"]));
    assert_eq!(late["exception"], "TApplicationException");
    assert!(late["message"].as_str().unwrap().contains("did not answer within 45 ms"), "{late}");
    assert_eq!(header(&late, "x-larder-source"), Some("none"));
    eventually(|| backend.calls() == 1);
    backend.release();
    let brought = client.call("getUser", json!([7, "t"]));
    assert_eq!((&brought["value"]["id"], backend.calls()), (&json!(7), 1), "what the flight brought is kept");
}

#[test]
fn a_deadline_of_a_passed_call_blames_nobody() {
    let backend = backend();
    backend.does("getUser", Act::Silence);
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = PythonClient::connect(gateway.address(), Library::Apache, HEADER);
    for _ in 0..20 {
        let late = client.call_beside(json!({"client_timeout": "10"}), "getUser", json!([7, "t"]));
        assert_eq!(late["exception"], "TApplicationException");
    }
    backend.does("getUser", Act::User);
    client.email(7);
    assert_eq!(gateway.metric("larder_backend_ejections_total", &[]), 0);
}

#[test]
fn who_packs_is_answered_so() {
    let backend = backend();
    let gateway = gateway().get_user(CACHED).endpoint(backend.address()).start();
    let mut client = PythonClient::connect_with(gateway.address(), Library::Apache, HEADER, &["--zlib"]);
    let email = client.email(7);
    assert_eq!(client.email(7), email);
    let mut exact = gateway.client_speaking(HEADER);
    exact.send_bytes(&packed(1, &get_user(7).body(Protocol::Binary)));
    let reply = exact.frame();
    // The protocol, one transform, and that it is zlib.
    assert_eq!(reply[10..13], [0, 1, 1], "{reply:?}");
}

#[test]
fn a_few_bytes_that_are_very_many_are_refused() {
    let backend = backend();
    let gateway = gateway().section("limits", "frame = 65536").endpoint(backend.address()).start();
    let mut client = gateway.client_speaking(HEADER);
    let call = get_user_traced(7, &"x".repeat(1 << 20)).body(Protocol::Binary);
    client.send_bytes(&packed(1, &call));
    assert!(client.is_closed_unanswered());
    eventually(|| gateway.metric("larder_limits_exceeded_total", &[("limit", "frame")]) == 1);
}

#[test]
fn a_large_reply_to_who_packs_is_not_packed() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client_speaking(HEADER);
    backend.does("getUser", Act::Reply(vec![(0, string(&"x".repeat(1 << 20)))]));
    client.send_bytes(&packed(1, &get_user(7).body(Protocol::Binary)));
    let reply = client.frame();
    assert_eq!(reply[10..12], [0, 0]);
    assert!(unwrapped(&reply).is_ok_and(|(_, message)| message.len() > 1 << 20));
}

#[test]
fn headers_that_hold_for_a_connection_go_with_each_of_its_calls() {
    let server = python_backend(Library::Apache, HEADER);
    let gateway = gateway().endpoint(server.address()).backend_speaks(HEADER).start();
    let mut client = gateway.client_speaking(HEADER);
    let mut first = wrap(1, Protocol::Binary, &[("tenant", "7")], &get_user(7).body(Protocol::Binary));
    // The block is one of headers that hold from here on.
    first[16] = 2;
    client.send_bytes(&first);
    let heard = |client: &mut Client| {
        let frame = client.frame();
        let (info, _) = unwrapped(&frame).unwrap();
        info.into_iter().find(|(name, _)| name == "heard").unwrap().1
    };
    assert_eq!(heard(&mut client), "tenant=7");
    client.send_bytes(&wrap(1, Protocol::Binary, &[("region", "eu")], &get_user(7).body(Protocol::Binary)));
    assert_eq!(heard(&mut client), "region=eu,tenant=7");
}

/// A message in a frame, packed.
fn packed(seqid: i32, message: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(message).unwrap();
    let mut frame = wrap(seqid, Protocol::Binary, &[], &zlib.finish().unwrap());
    // One transform, which is zlib.
    frame[15..17].copy_from_slice(&[1, 1]);
    frame
}
