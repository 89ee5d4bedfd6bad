//! `larder call` and `larder decode`: Thrift from a shell.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use serde_json::{Value as Json, json};

use crate::harness::*;

const IDL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/idl/users.thrift");

fn call(address: SocketAddr, wire: Wire, method: &str, words: &[&str]) -> Output {
    let transport = wire.transport_name();
    let protocol = match wire.protocol {
        Protocol::Binary | Protocol::Lenient => "binary",
        Protocol::Compact => "compact",
    };
    let mut command = larder();
    command.args(["call", &address.to_string(), method, "--idl", IDL]);
    command.args(["--transport", transport, "--protocol", protocol]).args(words);
    command.output().unwrap()
}

/// The result as JSON.
#[track_caller]
fn result(output: &Output) -> Json {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What is said in place of a result.
#[track_caller]
fn trouble(output: &Output) -> String {
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn decode(words: &[&str], input: &[u8]) -> Output {
    let mut command: Command = larder();
    command.arg("decode").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    process.wait_with_output().unwrap()
}

#[test]
fn one_call_is_made_straight_to_servers_of_both_libraries_in_all_their_wires() {
    for library in Library::ALL {
        for &wire in library.wires() {
            let backend = python_backend(library, wire);
            let ask = |method: &str, words: &[&str]| call(backend.address(), wire, method, words);
            let user = result(&ask("UserService.getUser", &[r#"{"id": 7}"#]));
            assert_eq!(user["id"], json!(7), "{library:?} {wire:?}");
            assert_eq!(result(&ask("UserService.ping", &[])), Json::Null);
            let touched = ask("UserService.touch", &[r#"{"id": 7}"#]);
            assert!(touched.status.success() && touched.stdout.is_empty(), "{touched:?}");
            let said = trouble(&ask("UserService.getUser", &[r#"{"id": 404}"#]));
            assert_eq!(said, "larder: exception NotFound (not_found): {\"id\":404}\n");
        }
    }
}

#[test]
fn one_call_goes_through_the_gateway_as_any_clients() {
    let mut backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user("ttl = '60s'").start();
    let ask = |wire| call(gateway.address(), wire, "UserService.getUser", &[r#"{"id": 7}"#]);
    for transport in [Transport::Framed, Transport::Unframed] {
        let wire = Wire { transport, protocol: Protocol::Binary };
        assert_eq!(result(&ask(wire))["id"], json!(7));
    }
    assert_eq!((backend.calls(), gateway.outcomes("hit_local")), (1, 1));
    let compact = Wire { transport: Transport::Framed, protocol: Protocol::Compact };
    assert_eq!((result(&ask(compact))["id"].clone(), backend.calls()), (json!(7), 1));
    backend.kill();
    let wire = Wire { transport: Transport::Framed, protocol: Protocol::Binary };
    let said = trouble(&call(gateway.address(), wire, "UserService.ping", &[]));
    assert!(said.contains("TApplicationException InternalError"), "{said}");
}

#[test]
fn what_cannot_be_asked_is_told() {
    let backend = backend();
    let wire = Wire { transport: Transport::Framed, protocol: Protocol::Binary };
    let ask = |method: &str, words: &[&str]| {
        let output = call(backend.address(), wire, method, words);
        assert_eq!(output.status.code(), Some(64), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let check =
        |method: &str, words: &[&str], said: &str| assert!(ask(method, words).contains(said), "{method}");
    check("UserService.getUzer", &[], "UserService has no method getUzer, did you mean getUser?");
    check("UserServise.getUser", &[], "the idl has no service UserServise, did you mean UserService?");
    check("getUser", &[], "expected a service and its method");
    check("UserService.getUser", &["{"], "the arguments of UserService.getUser are no JSON");
    check("UserService.getUser", &[r#"{"id": "7"}"#], ".id: expected i64, found \"7\"");
    assert_eq!(backend.calls(), 0);
}

#[test]
fn who_does_not_answer_is_told_with_a_likely_reason() {
    let mut backend = backend();
    let (address, framed) =
        (backend.address(), Wire { transport: Transport::Framed, protocol: Protocol::Binary });
    backend.does("ping", Act::Close);
    let said = trouble(&call(address, framed, "UserService.ping", &[]));
    assert!(said.contains("closed the connection without an answer; is it really framed?"), "{said}");
    backend.does("ping", Act::Silence);
    let said = trouble(&call(address, framed, "UserService.ping", &["--timeout", "200ms"]));
    assert!(said.contains("has not answered within 200ms"), "{said}");
    backend.kill();
    let said = trouble(&call(address, framed, "UserService.ping", &[]));
    assert!(said.contains(&format!("no connection to {address}: ")), "{said}");
}

#[test]
fn what_lies_in_redis_is_read_with_its_call() {
    let (backend, redis) = (backend(), redis());
    let gateway = gateway()
        .endpoint(backend.address())
        .get_user("ttl = '60s'\ntags = ['user:{id}']")
        .shared(&redis)
        .start();
    gateway.finds_redis();
    gateway.client().get_user(5);
    eventually(|| !redis.keys().is_empty());
    let value = redis.value(&redis.only_key());
    let output = decode(&["--idl", IDL, "--json"], &value);
    let kept = &result(&output)["kept"];
    assert_eq!(
        (&kept["method"], &kept["call"]["arguments"]["id"]),
        (&json!("UserService.getUser"), &json!(5))
    );
    assert_eq!((&kept["reply"]["says"]["result"]["id"], &kept["reply"]["covers"]), (&json!(5), &json!(2)));
    // What prints it ends the line; without IDL there are ids.
    let output = decode(&[], &[&value[..], b"\n"].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("UserService.getUser of backend users, asked at ") && text.contains("\"1:i64\": 5"),
        "{text}"
    );
    let output = decode(&[], &value[..value.len() - 1]);
    assert!(trouble(&output).contains("the value that larder keeps cannot be read"), "{output:?}");
}

#[test]
fn captured_bytes_are_read_as_far_as_they_go() {
    let call = "800100010000000467657455000000070a00010000000000000005";
    let output = decode(&[&format!("--hex={call}00{call}")], b"");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, "call getU, seqid 7, unframed binary, 12 bytes: {\n  \"1:i64\": 5\n}\n");
    let why = String::from_utf8(output.stderr).unwrap();
    assert_eq!(why, "larder: at byte 28: 27 bytes begin a message that is not whole\n");
    let output = decode(&["--hex", "zz"], b"");
    assert_eq!(output.status.code(), Some(64), "{output:?}");
}
