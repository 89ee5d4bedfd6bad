//! Thrift over HTTP: clients that post their calls to a listener's port, and servers that calls are posted to.

use std::io::Write;
use std::net::TcpStream;

use serde_json::json;

use crate::harness::*;
use crate::wires::a_day_at_work;

const CACHED: &str = "ttl = '60s'\ntimeout = '10s'";

fn posting(address: std::net::SocketAddr, library: Library, protocol: Protocol) -> PythonClient {
    PythonClient::connect_with(address, library, Wire::of(Transport::Framed, protocol), &["--http"])
}

/// A request for `/` with this body.
fn post(more: &str, body: &[u8]) -> Vec<u8> {
    post_as("Content-Type: application/x-thrift\r\n", more, body)
}

fn post_as(kind: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\n{kind}{more}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn get_user_posted(id: i64) -> Vec<u8> {
    post("", &get_user(id).body(Protocol::Binary))
}

/// What comes back for these bytes until the connection ends.
fn said(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut client = gateway.client();
    client.send_bytes(bytes);
    String::from_utf8_lossy(&client.drain()).into_owned()
}

fn status(said: &str) -> &str {
    said.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn clients_of_both_libraries_post_their_calls_to_the_port_of_all_others() {
    for protocol in [Protocol::Binary, Protocol::Compact] {
        let wire = Wire::of(Transport::Framed, protocol);
        let server = python_backend(Library::Apache, wire);
        for library in Library::ALL {
            let caching = gateway().get_user(CACHED).rule("UserService.list*", CACHED);
            let gateway = caching.endpoint(server.address()).backend_speaks(wire).start();
            let mut client = posting(gateway.address(), library, protocol);
            a_day_at_work(&mut client);
            assert_eq!(PythonClient::connect(gateway.address(), library, wire).email(7), client.email(7));
        }
    }
}

#[test]
fn headers_are_info_headers_and_tell_of_the_cache() {
    let header = Wire::of(Transport::Header, Protocol::Binary);
    let server = python_backend(Library::Apache, header);
    let gateway = gateway()
        .get_user("ttl = '60s'\nkey_headers = ['x-tenant']")
        .endpoint(server.address())
        .backend_speaks(header)
        .start();
    let mut client = posting(gateway.address(), Library::Apache, Protocol::Binary);
    let mut user = |tenant: &str| client.call_beside(json!({"X-Tenant": tenant}), "getUser", json!([7, "t"]));
    let (one, hit, two) = (user("1"), user("1"), user("2"));
    assert_eq!((&one["value"], &one["value"]["attributes"]["heard"]), (&hit["value"], &json!("x-tenant=1")));
    assert_eq!(two["value"]["attributes"]["heard"], "x-tenant=2");
    assert_eq!(
        (&one["headers"]["cache-status"], &hit["headers"]["cache-status"]),
        (&json!("larder; fwd=miss"), &json!("larder; hit"))
    );
    assert_eq!(hit["headers"]["x-larder-source"], "hit");
    assert_eq!(hit["headers"]["content-type"], "application/x-thrift");
}

#[test]
fn a_connection_is_kept_for_one_request_after_another() {
    let backend = backend();
    let gateway = gateway().get_user(CACHED).endpoint(backend.address()).start();
    let touched = post("", &touch(7).body(Protocol::Binary));
    let last = post("Connection: close\r\n", &get_user(8).body(Protocol::Binary));
    let said = said(&gateway, &[get_user_posted(7), get_user_posted(7), touched, last].concat());
    assert_eq!(said.matches("HTTP/1.1 200 OK\r\n").count(), 4, "{said}");
    assert_eq!(said.matches("content-length: 0\r\n").count(), 1, "the one that has no reply: {said}");
    eventually(|| backend.calls() == 3);
    assert_eq!(gateway.outcomes("hit_local"), 1);
}

#[test]
fn what_is_no_message_has_a_clear_status() {
    let backend = backend();
    let gateway = gateway().section("limits", "frame = 65536").endpoint(backend.address()).start();
    let close = "Connection: close\r\n";
    let after = |request: &str| said(&gateway, &[&get_user_posted(7)[..], request.as_bytes()].concat());
    assert!(after("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").contains(" 405 "));
    let call = get_user(7).body(Protocol::Binary);
    for kind in ["", "Content-Type: text/plain\r\n", "Content-Type: application/json\r\n"] {
        assert_eq!(status(&said(&gateway, &post_as(kind, close, &call))), "415", "{kind}");
    }
    // A page in a browser that runs beside the gateway.
    let page = format!("Origin: http://elsewhere.example\r\n{close}");
    assert_eq!(status(&said(&gateway, &post(&page, &call))), "403");
    assert_eq!(status(&said(&gateway, &post(close, b"[1,\"getUser\",1,0,{}]"))), "400");
    assert_eq!(status(&said(&gateway, &post(close, &[0x80, 1, 0, 1, 0xff]))), "400");
    assert_eq!(status(&said(&gateway, &post(close, &[0x80; 70_000]))), "413");
    let two = [get_user(7).body(Protocol::Binary), get_user(8).body(Protocol::Binary)].concat();
    assert!(said(&gateway, &post(close, &two)).contains("bytes before its frame does"));
    assert_eq!(backend.calls(), 1);
}

#[test]
fn a_large_message_and_a_large_reply_are_posted() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = posting(gateway.address(), Library::Apache, Protocol::Binary);
    backend.does(
        "getUser",
        Act::by(|call| match call.field(2) {
            Some(Value::String(trace)) => user(7, trace),
            other => panic!("a trace is {other:?}"),
        }),
    );
    let trace = "x".repeat(1 << 20);
    let answer = client.call("getUser", json!([7, trace]));
    assert_eq!(answer["value"]["email"].as_str().map(str::len), Some(1 << 20));
}

#[test]
fn a_client_that_hangs_in_a_request_is_not_waited_for() {
    let backend = backend();
    let limits = "message_time = '200ms'";
    let gateway = gateway().section("limits", limits).endpoint(backend.address()).start();
    for bytes in [&b"POST / HTTP/1.1\r\nHost"[..], &get_user_posted(7)[..100]] {
        let mut client = gateway.client();
        client.send_bytes(bytes);
        client.drain();
    }
    assert_eq!(backend.calls(), 0);
}

#[test]
fn a_gateway_that_stops_waits_for_no_idle_client() {
    let backend = backend();
    let mut gateway = gateway().endpoint(backend.address()).start();
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.write_all(&get_user_posted(7)).unwrap();
    eventually(|| backend.calls() == 1);
    gateway.terminate();
    eventually(|| gateway.exit_code().is_some());
    assert_eq!(gateway.exit_code(), Some(0));
}

#[test]
fn calls_are_posted_to_servers_of_both_libraries() {
    for protocol in [Protocol::Binary, Protocol::Compact] {
        let wire = Wire::of(Transport::Framed, protocol);
        for server in Library::ALL {
            let server = posted_python_backend(server, protocol);
            let caching = gateway().get_user(CACHED).rule("UserService.list*", CACHED);
            let gateway =
                caching.endpoint(server.address()).backend_speaks(wire).backend_is_posted_to().start();
            a_day_at_work(&mut PythonClient::connect(gateway.address(), Library::Thriftpy2, wire));
            a_day_at_work(&mut posting(gateway.address(), Library::Apache, protocol));
        }
    }
}

#[test]
fn a_gateway_behind_another_is_posted_to_on_connections_that_are_kept() {
    let backend = backend();
    let behind = gateway().get_user(CACHED).endpoint(backend.address()).start();
    let before = gateway().endpoint(behind.address()).backend_is_posted_to().start();
    let header = Wire::of(Transport::Header, Protocol::Binary);
    let mut client = PythonClient::connect(before.address(), Library::Apache, header);
    for status in ["larder; fwd=miss, larder; fwd=bypass", "larder; hit, larder; fwd=bypass"] {
        let answer = client.call_beside(json!({}), "getUser", json!([7, "t"]));
        assert_eq!(answer["headers"]["cache-status"], status);
    }
    let opened = || before.metric("larder_backend_connections_opened_total", &[]);
    let before_more = opened();
    for id in 0..20 {
        client.email(id);
        client.call("touch", json!([id]));
    }
    eventually(|| backend.seen().iter().filter(|call| call.name == "touch").count() == 20);
    assert!(opened() <= before_more + 2, "{} and then {}", before_more, opened());
}

#[test]
fn a_server_that_answers_no_thrift_is_no_server() {
    let backend = backend();
    let behind = gateway().endpoint(backend.address()).start();
    // The admin endpoint knows no such page.
    let before = gateway().endpoint(behind.admin()).backend_is_posted_to().start();
    assert!(before.client().call(get_user(7)).is_exception());
}
