//! Thrift as real libraries and exact bytes speak it, through the gateway.

use std::io::Write;

use serde_json::json;

use crate::harness::*;

const CACHED: &str = "ttl = '60s'\ntimeout = '10s'";

/// What every pair of a real client and a real server must see.
#[track_caller]
pub(crate) fn a_day_at_work(client: &mut PythonClient) {
    let email = client.email(7);
    assert_eq!(client.email(7), email, "the second answer comes from the cache");
    let known = client.call("getUser", json!([404, "t"]));
    assert_eq!((&known["exception"], &known["fields"]), (&json!("NotFound"), &json!({"id": 404})));
    assert_eq!(client.call("getUser", json!([503, "t"]))["exception"], "Unavailable");
    assert_eq!(client.call("getUser", json!([500, "t"]))["exception"], "TApplicationException");
    let missing = client.call("getUser", json!([204, "t"]));
    assert_eq!(
        (&missing["exception"], &missing["type"]),
        (&json!("TApplicationException"), &json!(MISSING_RESULT))
    );
    assert_eq!(client.call("ping", json!([])), json!({"value": null}));
    assert_eq!(client.call("renameUser", json!([9, "Ada"])), json!({"value": null}));
    assert_eq!(client.call("touch", json!([10])), json!({"value": null}));
    assert_eq!(client.call("getUser", json!([9, "t"]))["value"]["name"], "Ada");
    let listed = client.call("listUsers", json!([[3, 1], {"b": "2", "a": "1"}]));
    assert_eq!(listed["value"].as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!(
        client.call("listUsers", json!([[1, 3], {"a": "1", "b": "2"}])),
        listed,
        "in another order, the same key"
    );
}

/// Both libraries' clients in all their transports and protocols, in front of one real server.
fn everyone_speaks_to(server: Library, wire: Wire) {
    let server = python_backend(server, wire);
    let caching = gateway().get_user(CACHED).rule("UserService.list*", CACHED);
    for client in Library::ALL {
        for &spoken in client.wires() {
            let gateway = caching.clone().endpoint(server.address()).backend_speaks(wire).start();
            a_day_at_work(&mut PythonClient::connect(gateway.address(), client, spoken));
        }
    }
}

#[test]
fn thriftpy2_server_framed_binary() {
    everyone_speaks_to(Library::Thriftpy2, Wire::framed());
}

#[test]
fn thriftpy2_server_unframed_binary() {
    everyone_speaks_to(Library::Thriftpy2, Wire::unframed());
}

#[test]
fn thriftpy2_server_framed_compact() {
    everyone_speaks_to(Library::Thriftpy2, Wire::of(Transport::Framed, Protocol::Compact));
}

#[test]
fn thriftpy2_server_unframed_compact() {
    everyone_speaks_to(Library::Thriftpy2, Wire::of(Transport::Unframed, Protocol::Compact));
}

#[test]
fn apache_server_framed_binary() {
    everyone_speaks_to(Library::Apache, Wire::framed());
}

#[test]
fn apache_server_unframed_binary() {
    everyone_speaks_to(Library::Apache, Wire::unframed());
}

#[test]
fn apache_server_framed_compact() {
    everyone_speaks_to(Library::Apache, Wire::of(Transport::Framed, Protocol::Compact));
}

#[test]
fn apache_server_unframed_compact() {
    everyone_speaks_to(Library::Apache, Wire::of(Transport::Unframed, Protocol::Compact));
}

#[test]
fn apache_server_header_binary() {
    everyone_speaks_to(Library::Apache, Wire::of(Transport::Header, Protocol::Binary));
}

#[test]
fn apache_server_header_compact() {
    everyone_speaks_to(Library::Apache, Wire::of(Transport::Header, Protocol::Compact));
}

#[test]
fn multiplexed_clients_reach_multiplexed_servers() {
    for library in Library::ALL {
        for &wire in library.wires() {
            let server = multiplexed_python_backend(library, wire);
            let gateway = gateway().get_user(CACHED).endpoint(server.address()).backend_speaks(wire).start();
            let mut client = PythonClient::connect_with(gateway.address(), library, wire, &["--multiplexed"]);
            assert_eq!(client.email(7), client.email(7));
            assert_eq!(gateway.outcomes("hit_local"), 1);
        }
    }
}

/// The reply to a multiplexed call has no prefix, whoever's call brought it.
#[test]
fn a_multiplexed_reply_has_no_prefix() {
    let backend = backend();
    let gateway = gateway().get_user(CACHED).endpoint(backend.address()).start();
    let mut client = gateway.client();
    for _ in 0..2 {
        assert_eq!(
            client.call(Message { name: "UserService:getUser".to_owned(), ..get_user(7) }).user_id(),
            7
        );
        assert_eq!(client.get_user(7).user_id(), 7);
    }
}

#[test]
fn sequence_ids_are_echoed_whatever_they_are() {
    for wire in Wire::ALL {
        let backend = backend_speaking(wire);
        let gateway = gateway().get_user(CACHED).endpoint(backend.address()).backend_speaks(wire).start();
        let mut client = gateway.client_speaking(wire);
        for seqid in [0, 1, i32::MAX, i32::MIN, -1] {
            client.send_as(seqid, get_user(7));
            assert_eq!(client.receive().seqid, seqid);
        }
        assert_eq!(backend.calls(), 1, "a seqid is no part of the key");
    }
}

#[test]
fn a_lenient_client_is_answered() {
    for transport in [Transport::Framed, Transport::Unframed] {
        let backend = backend();
        let gateway = gateway().get_user(CACHED).endpoint(backend.address()).start();
        let mut client = gateway.client_speaking(Wire::of(transport, Protocol::Lenient));
        assert_eq!(client.get_user(7).email(), client.get_user(7).email());
    }
}

#[test]
fn messages_may_come_byte_by_byte() {
    for wire in Wire::ALL {
        let backend = backend_speaking(wire);
        let gateway = gateway().get_user(CACHED).endpoint(backend.address()).backend_speaks(wire).start();
        let mut client = gateway.client_speaking(wire);
        for byte in get_user(7).bytes(wire) {
            client.send_bytes(&[byte]);
        }
        assert_eq!(client.receive().user_id(), 7);
    }
}

#[test]
fn pipelined_calls_are_answered_in_order() {
    let backend = backend();
    let gateway = gateway().get_user(CACHED).endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.get_user(1);
    backend.does("getUser", Act::Held);
    client.send_together(vec![get_user(2), get_user(1), get_user(3), get_user(1)]);
    eventually(|| backend.calls() == 3);
    backend.release();
    let replies: Vec<_> =
        (0..4).map(|_| client.receive()).map(|reply| (reply.seqid, reply.user_id())).collect();
    assert_eq!(replies, [(1, 2), (2, 1), (3, 3), (4, 1)]);
}

#[test]
fn a_call_that_is_not_idempotent_keeps_its_place() {
    let backend = backend();
    let gateway = gateway().get_user("ttl = '0s'\nstale_if_error = '1s'").endpoint(backend.address()).start();
    let mut client = gateway.client();
    backend.does("renameUser", Act::Late(ms(50), Box::new(Act::Reply(vec![]))));
    backend.does("getUser", Act::Late(ms(20), Box::new(Act::User)));
    client.send_together(vec![
        get_user(1),
        rename_user(1, "x"),
        get_user(2),
        rename_user(2, "y"),
        get_user(3),
    ]);
    let answered: Vec<_> = (0..5).map(|_| client.receive().name).collect();
    assert_eq!(answered, ["getUser", "renameUser", "getUser", "renameUser", "getUser"]);
    let asked: Vec<_> = backend.seen().into_iter().map(|call| call.name).collect();
    assert_eq!(asked, answered);
}

#[test]
fn real_clients_may_pipeline() {
    let backend = backend();
    let gateway = gateway().listener("duplicate_seqid = 'allow'").endpoint(backend.address()).start();
    for library in [Library::Thriftpy2, Library::Apache] {
        let mut client = PythonClient::connect(gateway.address(), library, Wire::framed());
        for id in [1, 2, 3] {
            client.send("getUser", json!([id, "t"]));
        }
        for id in [1, 2, 3] {
            assert_eq!(client.receive("getUser")["value"]["id"], id);
        }
    }
}

#[test]
fn a_half_closed_client_still_gets_its_replies() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.send_together(vec![get_user(1), get_user(2)]);
    client.finish_sending();
    eventually(|| backend.calls() == 1);
    backend.does("getUser", Act::User);
    backend.release();
    assert_eq!((client.receive().user_id(), client.receive().user_id()), (1, 2));
    assert!(client.is_closed_unanswered());
}

#[test]
fn bytes_that_are_no_text_pass_unchanged() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client();
    let mut bytes = get_user_traced(7, "ABCD").bytes(Wire::framed());
    let at = bytes.windows(4).position(|window| window == b"ABCD").unwrap();
    bytes[at..at + 4].copy_from_slice(&[0xff, 0xfe, 0, 0xc0]);
    client.stream().write_all(&bytes).unwrap();
    // The scripted backend reads texts strictly and hangs up, which only happens if the bytes arrived as they were sent.
    assert!(client.receive().is_exception());
    assert_eq!(gateway.faults("closed"), 1);
}

#[test]
fn a_large_unframed_message_may_come_in_small_pieces() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client_speaking(Wire::unframed());
    let trace = "x".repeat(4 << 20);
    for piece in get_user_traced(7, &trace).bytes(Wire::unframed()).chunks(1000) {
        client.send_bytes(piece);
    }
    assert_eq!(client.receive().user_id(), 7);
}
