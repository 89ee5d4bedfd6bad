//! What no client may send, and what comes of it: an exception where the framing stands, else a closed connection, always a counter.

use std::io::Write;

use crate::harness::*;

fn limited(limits: &str) -> (Backend, Gateway) {
    let backend = backend();
    let gateway =
        gateway().section("limits", limits).get_user("ttl = '60s'").endpoint(backend.address()).start();
    (backend, gateway)
}

/// These bytes end their own connection for this reason, and nobody else's.
#[track_caller]
fn closes_only_its_connection(bytes: &[u8], reason: &str) {
    let (backend, gateway) = limited("");
    let mut bystander = gateway.client();
    bystander.get_user(1);
    let mut client = gateway.client();
    client.send_bytes(bytes);
    client.drain();
    eventually(|| gateway.closed(reason) == 1);
    assert_eq!(bystander.get_user(2).user_id(), 2);
    assert_eq!(backend.calls(), 2);
}

#[track_caller]
fn exceeds(gateway: &Gateway, limit: &str) {
    eventually(|| gateway.metric("larder_limits_exceeded_total", &[("limit", limit)]) > 0);
}

#[test]
fn http_is_named() {
    closes_only_its_connection(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http");
}

#[test]
fn tls_is_named() {
    closes_only_its_connection(&[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3], "tls");
}

#[test]
fn ssh_is_named() {
    closes_only_its_connection(b"SSH-2.0-OpenSSH_9.2\r\n", "ssh");
}

#[test]
fn garbage_is_named() {
    closes_only_its_connection(&[0xff; 64], "garbage");
}

#[test]
fn garbage_after_good_calls_closes_too() {
    let (_backend, gateway) = limited("");
    let mut client = gateway.client();
    client.get_user(1);
    client.send_bytes(&[0xff; 64]);
    client.drain();
    eventually(|| gateway.closed_for_any_reason() == 1);
}

#[test]
fn a_frame_too_large_is_refused() {
    let (backend, gateway) = limited("frame = '4KiB'");
    let mut client = gateway.client();
    let mut bytes = get_user_traced(7, &"x".repeat(8 << 10)).bytes(Wire::framed());
    bytes.truncate(100);
    client.send_bytes(&bytes);
    exceeds(&gateway, "frame");
    assert_eq!(backend.calls(), 0);
}

#[test]
fn an_unframed_message_too_large_is_refused() {
    let (backend, gateway) = limited("message = '4KiB'");
    let mut client = gateway.client_speaking(Wire::unframed());
    let bytes = get_user_traced(7, &"x".repeat(8 << 10)).bytes(Wire::unframed());
    // It may be refused, and the connection be closed, before the last byte is sent.
    let _ = client.stream().write_all(&bytes);
    exceeds(&gateway, "message");
    assert_eq!(backend.calls(), 0);
}

fn nested(depth: usize) -> Message {
    let inmost = Value::Struct(vec![]);
    let value = (1..depth).fold(inmost, |inner, _| Value::Struct(vec![(1, inner)]));
    Message::call("getUser", 0, vec![(1, Value::I64(7)), (9, value)])
}

#[test]
fn nesting_too_deep_is_refused() {
    for wire in Wire::ALL {
        let backend = backend_speaking(wire);
        let gateway = gateway().endpoint(backend.address()).backend_speaks(wire).start();
        let mut client = gateway.client_speaking(wire);
        assert_eq!(client.call(nested(60)).user_id(), 7);
        client.send(nested(70));
        exceeds(&gateway, "depth");
        assert_eq!(backend.calls(), 1);
    }
}

#[test]
fn nesting_too_deep_leaves_a_framed_connection_standing() {
    let (_backend, gateway) = limited("");
    let mut client = gateway.client();
    assert!(client.call(nested(70)).is_exception());
    assert_eq!(client.get_user(7).user_id(), 7);
}

#[test]
fn a_truncated_message_goes_nowhere() {
    for wire in Wire::ALL {
        let backend = backend_speaking(wire);
        let gateway = gateway().endpoint(backend.address()).backend_speaks(wire).start();
        let bytes = get_user(7).bytes(wire);
        for length in [1, 4, 5, 9, bytes.len() - 1] {
            let mut client = gateway.client_speaking(wire);
            client.send_bytes(&bytes[..length]);
            client.finish_sending();
            assert_eq!(client.drain(), b"", "{length} bytes of {wire:?}");
        }
        assert_eq!(backend.calls(), 0);
    }
}

/// A code far from all that there are is no type of the future.
#[test]
fn a_type_that_no_thrift_will_have_is_refused() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let mut body = Message::call("getUser", 1, vec![]).body(Protocol::Binary);
    body.pop();
    for code in [1, 5, 32, 99, 255] {
        let mut client = gateway.client();
        client.send_bytes(&frame(&[&body[..], &[code, 0, 9, 0, 0]].concat()));
        assert!(client.receive().exception_text().contains("is not one of thrift's"), "{code}");
    }
    assert_eq!(backend.calls(), 0);
}

#[test]
fn a_message_must_fill_its_frame() {
    for protocol in [Protocol::Binary, Protocol::Compact] {
        let wire = Wire::of(Transport::Framed, protocol);
        let backend = backend_speaking(wire);
        let gateway = gateway().endpoint(backend.address()).backend_speaks(wire).start();
        let body = get_user(7).body(protocol);
        let two = [body.clone(), body.clone()].concat();
        let short = &body[..body.len() - 1];
        for refused in [two.as_slice(), short] {
            let mut client = gateway.client_speaking(wire);
            client.send_bytes(&frame(refused));
            if let Ok(Some(reply)) = client.try_receive() {
                assert!(reply.is_exception(), "{reply:?}");
            }
        }
        assert_eq!(backend.calls(), 0);
    }
}

#[test]
fn a_size_beyond_what_is_left_is_refused_before_anything_is_allocated() {
    let (backend, gateway) = limited("");
    let mut body = Message::call("getUser", 1, vec![]).body(Protocol::Binary);
    body.pop();
    for claim in [
        &[11, 0, 2, 0x7f, 0xff, 0xff, 0xff][..],
        &[15, 0, 2, 8, 0x7f, 0xff, 0xff, 0xff],
        &[11, 0, 2, 0xff, 0xff, 0xff, 0xff],
    ] {
        let mut client = gateway.client();
        client.send_bytes(&frame(&[&body, claim, &[0]].concat()));
        if let Ok(Some(reply)) = client.try_receive() {
            assert!(reply.is_exception(), "{reply:?}");
        }
    }
    assert_eq!(backend.calls(), 0);
}

#[test]
fn a_reply_is_no_call() {
    let (backend, gateway) = limited("");
    let mut client = gateway.client();
    client.send(Message { kind: Kind::Reply, ..get_user(7) });
    if let Ok(Some(reply)) = client.try_receive() {
        assert!(reply.is_exception(), "{reply:?}");
    }
    assert_eq!(backend.calls(), 0);
}

/// What bounds clients bounds no backend; and what exceeds its own bound says nothing of the endpoint.
#[test]
fn a_reply_over_the_bound_of_its_backend_fails_alone() {
    let backend = backend();
    let rule = "ttl = '1ms'\nstale_if_error = '60s'\ntimeout = '20s'";
    let bounded = gateway().section("limits", "frame = '4KiB'").backend("reply = '1MiB'").get_user(rule);
    let gateway = bounded.endpoint(backend.address()).start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    backend.does("getUser", Act::Reply(user(8, &"x".repeat(64 << 10))));
    assert_eq!(client.get_user(8).user_id(), 8);
    backend.does("getUser", Act::Reply(user(9, &"x".repeat(2 << 20))));
    for id in 10..20 {
        let told = client.get_user(id).exception_text();
        assert!(told.contains("too large") && told.contains("backends.users.reply"), "{told}");
    }
    assert_eq!(client.get_user(7).email(), known);
    assert_eq!((gateway.outcomes("stale_if_error"), gateway.faults("oversized")), (1, 11));
    assert_eq!(client.call(Message::call("ping", 0, vec![])).kind, Kind::Reply);
    assert_eq!(gateway.metric("larder_backend_ejections_total", &[]), 0);
}

#[test]
fn one_connection_too_many_is_closed() {
    let (_backend, gateway) = limited("connections = 2");
    let mut welcome = [gateway.client(), gateway.client()];
    for client in &mut welcome {
        client.get_user(1);
    }
    assert!(gateway.client().is_closed_unanswered());
    exceeds(&gateway, "connections");
    assert_eq!(welcome[0].get_user(1).user_id(), 1);
    drop(welcome);
    // Once they have gone there is room.
    eventually(|| {
        let mut client = gateway.client();
        client.send(get_user(1));
        client.try_receive().is_ok_and(|reply| reply.is_some())
    });
}

#[test]
fn one_address_does_not_take_all_connections() {
    let (_backend, gateway) = limited("connections = 4\nconnections_per_address = 2");
    let mut welcome = [gateway.client(), gateway.client()];
    for client in &mut welcome {
        client.get_user(1);
    }
    assert!(gateway.client().is_closed_unanswered());
    exceeds(&gateway, "connections_per_address");
    assert_eq!(gateway.client_from([127, 0, 0, 2]).get_user(1).user_id(), 1);
}

#[test]
fn calls_beyond_the_bound_of_a_connection_wait_unread() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let patient =
        gateway().section("limits", "calls_per_connection = 2").get_user("ttl = '60s'\ntimeout = '20s'");
    let gateway = patient.endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.send_together((0..5).map(get_user).collect());
    eventually(|| backend.calls() == 2);
    assert_eq!(gateway.client().call(Message::call("ping", 0, vec![])).kind, Kind::Reply);
    assert_eq!(backend.calls(), 3);
    backend.does("getUser", Act::User);
    backend.release();
    assert_eq!((0..5).map(|_| client.receive().user_id()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_message_must_be_finished_in_time() {
    let (_backend, gateway) = limited("message_time = '200ms'");
    let mut client = gateway.client();
    client.send_bytes(&get_user(7).bytes(Wire::framed())[..10]);
    assert!(client.is_closed_unanswered());
    exceeds(&gateway, "message_time");
}

/// An idle connection has begun no message: no client but a few reconnects.
#[test]
fn an_idle_connection_stays() {
    let (_backend, gateway) = limited("message_time = '200ms'");
    let mut client = gateway.client();
    client.get_user(7);
    pass(ms(400));
    assert_eq!(client.get_user(7).user_id(), 7);
}

#[test]
fn an_idle_connection_ends_where_the_configuration_says_so() {
    let (_backend, gateway) = limited("idle_time = '1s'");
    let mut client = gateway.client();
    client.get_user(7);
    assert!(client.is_closed_unanswered());
    eventually(|| gateway.closed("idle_time") == 1);
}

#[test]
fn a_slow_reader_delays_nobody_else_and_gets_everything() {
    let (backend, gateway) = limited("");
    backend.does("getUser", Act::Reply(user(7, &"x".repeat(256 << 10))));
    let mut slow = gateway.client();
    let calls = 40;
    for _ in 0..calls {
        slow.send(get_user(7));
    }
    let mut quick = gateway.client();
    for _ in 0..20 {
        assert_eq!(quick.get_user(7).user_id(), 7);
    }
    for seqid in 1..=calls {
        assert_eq!(slow.receive().seqid, seqid);
    }
}
