//! Replies that must not be: to oneway calls, to calls whose client has given up, and to the tracking handshake.

use serde_json::{Value as Json, json};

use crate::harness::*;

#[test]
fn oneway_calls_get_no_reply_and_block_nothing() {
    for wire in Wire::ALL {
        let backend = backend_speaking(wire);
        let gateway = gateway().endpoint(backend.address()).backend_speaks(wire).start();
        let mut client = gateway.client_speaking(wire);
        client.send(touch(7));
        assert_eq!(client.get_user(8).user_id(), 8);
        eventually(|| backend.seen().iter().any(|call| call.name == "touch"));
        assert_eq!(gateway.outcomes("oneway"), 1);
    }
}

#[test]
fn a_oneway_call_that_fails_gets_no_reply_either() {
    let mut gone = backend();
    gone.kill();
    let gateway = gateway().endpoint(gone.address()).start();
    let mut client = gateway.client();
    client.send(touch(7));
    assert!(client.call(get_user(8)).is_exception());
    eventually(|| gateway.outcomes("failed") == 2);
}

/// Clients from before oneway messages send such methods as calls; nobody answers those.
#[test]
fn a_oneway_method_sent_as_a_call_gets_no_reply() {
    let backend = backend();
    let by_idl = gateway().endpoint(backend.address()).start();
    let by_rule = gateway()
        .without_idl()
        .rule("UserService.touch", "oneway = true")
        .endpoint(backend.address())
        .start();
    for gateway in [by_idl, by_rule] {
        let mut client = gateway.client();
        client.send(Message { kind: Kind::Call, ..touch(7) });
        assert_eq!(client.get_user(8).user_id(), 8);
    }
}

/// Servers answer such a call. So does the gateway where the IDL says that there is a reply; elsewhere the message's type
/// decides, and the answer that comes nevertheless is nobody's.
#[test]
fn a_method_with_a_reply_sent_as_oneway_poisons_nothing() {
    let backend = python_backend(Library::Thriftpy2, Wire::framed());
    let known = gateway().endpoint(backend.address()).start();
    let unknown = gateway().without_idl().endpoint(backend.address()).start();
    let (mut answered, mut unanswered) = (known.client(), unknown.client());
    for id in 0..20 {
        let as_oneway = Message { kind: Kind::Oneway, ..get_user(1000 + id) };
        assert_eq!(answered.call(as_oneway.clone()).user_id(), 1000 + id);
        assert_eq!(answered.get_user(id).user_id(), id);
        unanswered.send(as_oneway);
        assert_eq!(unanswered.get_user(id).user_id(), id);
    }
}

/// After a timeout a ThriftPy client takes whatever comes for the answer to its next call.
#[test]
fn a_client_that_gave_up_never_gets_the_late_reply() {
    for library in [Library::Thriftpy2, Library::Apache] {
        let backend = backend();
        backend.does("getUser", Act::Late(ms(600), Box::new(Act::User)));
        let gateway = gateway().endpoint(backend.address()).start();
        let mut client = PythonClient::connect_with(
            gateway.address(),
            library,
            Wire::unframed(),
            &["--timeout-ms", "300"],
        );
        assert!(client.call("getUser", json!([7, "t"])).get("exception").is_some());
        for _ in 0..4 {
            own_answer_or_error(&client.call("listUsers", json!([[1], {}])));
            pass(ms(150));
        }
    }
}

/// With the client's patience known, a reply beyond it is not written at all.
#[test]
fn a_reply_beyond_the_clients_patience_is_not_written() {
    for library in [Library::Thriftpy2, Library::Apache] {
        let backend = backend();
        backend.does("getUser", Act::Late(ms(600), Box::new(Act::User)));
        let gateway = gateway().listener("client_timeout = '300ms'").endpoint(backend.address()).start();
        let mut client =
            PythonClient::connect_with(gateway.address(), library, Wire::framed(), &["--timeout-ms", "300"]);
        assert!(client.call("getUser", json!([7, "t"])).get("exception").is_some());
        pass(ms(600));
        own_answer_or_error(&client.call("listUsers", json!([[1], {}])));
        eventually(|| gateway.closed_for_any_reason() > 0);
    }
}

#[track_caller]
fn own_answer_or_error(answer: &Json) {
    let own = answer["value"] == json!([]);
    let error = answer["exception"] == "TTransportException" || answer.to_string().contains("Error");
    // A late getUser reply shows as a missing result or as a user.
    assert!(own || error || answer["exception"] == "timeout", "another call's answer: {answer}");
}

#[test]
fn the_seqid_of_a_call_still_unanswered_closes_the_connection() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.send_as(0, get_user(1));
    eventually(|| backend.calls() == 1);
    client.send_as(0, get_user(2));
    assert!(client.is_closed_unanswered());
}

/// The tracking handshake would change what every later byte of the connection means.
#[test]
fn the_tracking_handshake_is_answered_by_the_gateway() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let handshake = Message::call("__thriftpy_tracing_method_name__v2", 0, vec![]);
    assert_eq!(gateway.client().call(handshake).exception_kind(), UNKNOWN_METHOD);
    let mut client =
        PythonClient::connect_with(gateway.address(), Library::Thriftpy2, Wire::framed(), &["--tracking"]);
    client.email(7);
    assert!(backend.seen().iter().all(|call| call.name == "getUser"));
}

/// To thriftpy2 an undeclared exception of the handler is an end of the connection, which its client meets by connecting anew.
#[test]
fn a_close_that_is_handed_on_looks_as_it_does_without_a_gateway() {
    for library in [Library::Thriftpy2, Library::Apache] {
        let server = python_backend(Library::Thriftpy2, Wire::unframed());
        let through = gateway().listener("on_close = 'close'").endpoint(server.address());
        let through = through.backend_speaks(Wire::unframed()).start();
        let [straight, handed_on] = [server.address(), through.address()].map(|address| {
            let mut client = PythonClient::connect(address, library, Wire::unframed());
            client.email(7);
            client.call("getUser", json!([500, "t"]))
        });
        assert_eq!(straight, handed_on);
        assert_eq!(through.closed("backend"), 1);
    }
}
