//! Clients that speak another protocol than the backend: calls, replies and what is kept of them.

use crate::harness::*;

const KEPT: &str = "ttl = '60s'\nstale_if_error = '60s'\ntimeout = '10s'";
const PROTOCOLS: [Protocol; 2] = [Protocol::Binary, Protocol::Compact];

fn wire(protocol: Protocol) -> Wire {
    Wire::of(Transport::Framed, protocol)
}

/// A backend of each protocol, and a gateway before it.
fn each(builder: &Builder, test: impl Fn(&mut Backend, &Gateway)) {
    for protocol in PROTOCOLS {
        let mut backend = backend_speaking(wire(protocol));
        let gateway = builder.clone().backend_speaks(wire(protocol)).endpoint(backend.address()).start();
        test(&mut backend, &gateway);
    }
}

/// A client of each protocol.
fn clients(gateway: &Gateway) -> [Client; 2] {
    PROTOCOLS.map(|protocol| gateway.client_speaking(wire(protocol)))
}

/// A list with a boolean that is neither true nor false.
fn odd() -> Fields {
    vec![(0, Value::List(vec![Value::OddBool(7)]))]
}

#[test]
fn what_one_has_fetched_answers_the_other() {
    each(&gateway().get_user(KEPT), |backend, gateway| {
        let [mut binary, mut compact] = clients(gateway);
        let first = binary.get_user(1).email();
        let second = compact.get_user(2).email();
        for _ in 0..2 {
            assert_eq!([&mut binary, &mut compact].map(|client| client.get_user(1).email()), [&*first; 2]);
            assert_eq!([&mut binary, &mut compact].map(|client| client.get_user(2).email()), [&*second; 2]);
        }
        assert_eq!((backend.calls(), gateway.outcomes("hit_local")), (2, 8));
        backend.kill();
        assert_eq!(compact.get_user(1).email(), first);
    });
}

#[test]
fn both_wait_for_one_call() {
    each(&gateway().get_user(KEPT), |backend, gateway| {
        backend.does("getUser", Act::Held);
        let mut both = clients(gateway);
        both.iter_mut().for_each(|client| _ = client.send(get_user(1)));
        eventually(|| backend.calls() == 1);
        backend.release();
        let [one, other] = both.map(|mut client| client.receive().email());
        assert_eq!((one == other, backend.calls()), (true, 1));
    });
}

#[test]
fn the_shared_tier_has_one_reply_for_both() {
    let redis = redis();
    let shared = gateway().get_user(KEPT).shared(&redis);
    each(&shared, |backend, gateway| {
        gateway.finds_redis();
        let email = gateway.client().get_user(1).email();
        eventually(|| redis.keys().len() == 1);
        let other = shared.clone().endpoint(backend.address()).backend_speaks(backend.wire()).start();
        other.finds_redis();
        assert_eq!(clients(&other).map(|mut client| client.get_user(1).email()), [&*email; 2]);
        assert_eq!((backend.calls(), other.outcomes("hit_shared"), other.outcomes("hit_local")), (1, 1, 1));
        redis.flush();
    });
}

#[test]
fn whatever_a_backend_says_reaches_both() {
    each(&gateway(), |backend, gateway| {
        for mut client in clients(gateway) {
            backend.does("getUser", Act::Reply(not_found(7)));
            assert_eq!(client.get_user(7).fields, not_found(7));
            backend.does("getUser", Act::Exception(6, "no"));
            assert_eq!(client.get_user(7).exception_text(), "no");
            backend.does("getUser", Act::Reply(vec![]));
            assert_eq!(client.get_user(7).fields, vec![]);
            backend.does(
                "listUsers",
                Act::by(|call| vec![(0, Value::List(vec![Value::Struct(call.fields.clone())]))]),
            );
            let listed = client.call(list_users(&[3, 1], &[("a", "b")]));
            let asked = Value::Struct(list_users(&[3, 1], &[("a", "b")]).fields);
            assert_eq!(listed.fields, vec![(0, Value::List(vec![asked]))]);
            let empty = client.call(list_users(&[], &[]));
            assert_eq!(
                empty.fields,
                vec![(0, Value::List(vec![Value::Struct(list_users(&[], &[]).fields)]))]
            );
        }
    });
}

#[test]
fn effects_keep_their_order() {
    each(&gateway(), |backend, gateway| {
        for mut client in clients(gateway) {
            let before = backend.calls();
            client.send_as(1, touch(1));
            client.send_together(vec![rename_user(1, "a"), rename_user(2, "b"), rename_user(3, "c")]);
            (0..3).for_each(|_| assert_eq!(client.receive().fields, vec![]));
            let names: Vec<_> = backend.seen().into_iter().skip(before).map(|call| call.fields).collect();
            let sent = [touch(1), rename_user(1, "a"), rename_user(2, "b"), rename_user(3, "c")];
            assert_eq!(names, sent.map(|call| call.fields));
        }
    });
}

#[test]
fn a_connection_of_ones_own_speaks_its_backends_protocol() {
    each(&gateway().backend("connections = 'per_client'"), |backend, gateway| {
        for mut client in clients(gateway) {
            assert_eq!(client.get_user(7).user_id(), 7);
            assert_eq!(client.call(rename_user(7, "x")).fields, vec![]);
        }
        assert_eq!(backend.connections(), 2);
    });
}

#[test]
fn a_fallback_is_spelled_for_each() {
    let rule = "fallback = '{\"id\": 0, \"name\": \"nobody\", \"email\": \"none\"}'\nidempotent = true";
    each(&gateway().get_user(rule), |backend, gateway| {
        backend.kill();
        for mut client in clients(gateway) {
            assert_eq!(client.get_user(7).email(), "none");
        }
    });
}

#[test]
fn a_backup_may_speak_another_protocol() {
    let (mut usual, backup) = (backend(), backend_speaking(wire(Protocol::Compact)));
    let more = format!("endpoints = ['{}']\ntransport = 'framed'\nprotocol = 'compact'", backup.address());
    let rule = format!("{KEPT}\nbackup = 'more'");
    let gateway = gateway().endpoint(usual.address()).get_user(&rule).section("backends.more", &more).start();
    usual.kill();
    let [binary, compact] = clients(&gateway).map(|mut client| client.get_user(7).email());
    assert_eq!((binary, backup.calls(), gateway.outcomes("backup")), (compact, 1, 1));
}

#[test]
fn an_observed_method_is_studied_all_the_same() {
    each(&gateway().get_user("mode = 'observe'\nttl = '60s'"), |_, gateway| {
        clients(gateway).iter_mut().for_each(|client| assert_eq!(client.get_user(7).user_id(), 7));
        assert_eq!((gateway.outcomes("observed_miss"), gateway.outcomes("observed_hit")), (1, 1));
    });
}

#[test]
fn a_reply_without_a_spelling_reaches_those_who_can_read_it() {
    for (rule, calls) in [("mode = 'off'", 3), (KEPT, 1)] {
        let backend = backend();
        backend.does("getUser", Act::Reply(odd()));
        let gateway = gateway().get_user(rule).endpoint(backend.address()).start();
        let [mut binary, mut compact] = clients(&gateway);
        for _ in 0..2 {
            let text = compact.get_user(7).exception_text();
            assert!(text.contains("reply has no spelling in compact") && text.contains("field 0"), "{text}");
        }
        assert_eq!(binary.get_user(7).fields, odd());
        assert_eq!((gateway.faults("untranslatable_reply"), backend.calls()), (2, calls));
        assert_eq!(gateway.outcomes("failed"), 2);
    }
}

/// A call with a field of a type that Thrift does not have yet.
fn of_the_future() -> Message {
    Message::call("getUser", 0, vec![(1, Value::I64(7)), (9, Value::Future(3))])
}

/// Calls and replies pass in frames of either protocol. Nothing is kept of the call, and nobody else's calls go down its connection.
#[test]
fn a_type_of_the_future_passes_where_a_frame_tells_the_end() {
    each(&gateway().get_user(KEPT), |backend, gateway| {
        let mut others = gateway.client_speaking(backend.wire());
        let kept = others.get_user(7).email();
        backend.does("getUser", Act::by(|call| vec![(0, Value::Struct(call.fields.clone()))]));
        let mut client = gateway.client_speaking(backend.wire());
        for _ in 0..2 {
            let said = client.call(of_the_future());
            assert_eq!(said.fields, vec![(0, Value::Struct(of_the_future().fields))]);
        }
        assert_eq!((backend.calls(), backend.connections(), others.get_user(7).email()), (3, 2, kept));
    });
}

#[test]
fn a_type_of_the_future_has_no_translation() {
    each(&gateway().get_user(KEPT), |backend, gateway| {
        let other = PROTOCOLS.into_iter().find(|protocol| *protocol != backend.wire().protocol).unwrap();
        let text = gateway.client_speaking(wire(other)).call(of_the_future()).exception_text();
        assert!(text.contains("is not one of thrift's"), "{text}");
        assert_eq!((gateway.faults("untranslatable_call"), backend.calls()), (1, 0));
    });
}
