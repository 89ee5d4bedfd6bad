//! What other proxies and their users ran into, in front of real servers, with a proxy between that breaks what it carries. The names are
//! those of the page `tests/REGRESSIONS.md`.

use serde_json::json;

use crate::harness::*;

/// Both of thriftpy2's servers, and Apache's.
fn servers() -> [PythonBackend; 3] {
    let [thriftpy2, apache] =
        [Library::Thriftpy2, Library::Apache].map(|library| python_backend(library, Wire::framed()));
    [thriftpy2, asyncio_python_backend(Wire::framed()), apache]
}

/// The same test with each server, one beside the other.
fn with_each(test: impl Fn(PythonBackend) + Sync) {
    std::thread::scope(|scope| {
        for server in servers() {
            let test = &test;
            scope.spawn(move || test(server));
        }
    });
}

fn ping() -> Message {
    Message::call("ping", 0, vec![])
}

fn faults(gateway: &Gateway) -> u64 {
    gateway.metric("larder_faults_total", &[])
}

fn ejections(gateway: &Gateway) -> u64 {
    gateway.metric("larder_backend_ejections_total", &[])
}

#[test]
fn t1_a_reply_that_comes_too_late_is_nobody_elses() {
    with_each(|server| {
        let rule = "ttl = '0s'\ntimeout = '150ms'";
        let gateway = gateway().endpoint(server.address()).get_user(rule).start();
        let mut client = gateway.client();
        for id in 0..10 {
            assert!(client.get_user(2300).is_exception());
            assert_eq!(client.get_user(id).user_id(), id);
            assert!(!client.call(rename_user(id, "x")).is_exception());
        }
    });
}

#[test]
fn t3_a_oneway_whose_connection_ends_at_once_ends_nothing_else() {
    with_each(|server| {
        let front = balancer(server.address());
        let gateway = gateway().endpoint(front.address()).start();
        let mut client = gateway.client();
        client.get_user(1);
        front.does(Front::Closes);
        client.send(touch(1));
        front.does(Front::To(server.address()));
        eventually(|| !client.get_user(2).is_exception());
        client.send(touch(3));
        eventually(|| client.get_user(3).user_name() == "touched");
    });
}

#[test]
fn t4_who_leaves_before_the_reply_leaves_nothing_behind() {
    with_each(|server| {
        let gateway = gateway().endpoint(server.address()).start();
        for id in 0..40 {
            let mut client = gateway.client();
            client.send(if id % 2 == 0 { get_user(2200) } else { rename_user(id, "x") });
        }
        let mut client = gateway.client();
        assert_eq!(client.get_user(7).user_id(), 7);
        eventually(|| gateway.metric("larder_flights", &[]) == 0);
        assert_eq!(ejections(&gateway), 0);
    });
}

#[test]
fn t7_who_is_refused_for_want_of_room_keeps_his_connection() {
    with_each(|server| {
        let options = "max_connections = 1\nmax_waiting = 0";
        let gateway = gateway().endpoint(server.address()).backend(options).get_user("ttl = '0s'").start();
        let (mut slow, mut other) = (gateway.client(), gateway.client());
        slow.send(get_user(3500));
        eventually(|| gateway.metric("larder_flights", &[]) == 1);
        eventually(|| other.call(ping()).is_exception());
        assert_eq!(slow.receive().user_id(), 3500);
        eventually(|| !other.call(ping()).is_exception());
        assert!(gateway.faults("busy") > 0);
    });
}

#[test]
fn t9_connections_that_end_under_calls_leave_room_for_others() {
    with_each(|server| {
        let front = balancer(server.address());
        let options = "max_connections = 2\ncheck = 'tcp'";
        let gateway = gateway().endpoint(front.address()).backend(options).start();
        let mut client = gateway.client();
        for after in [0, 3, 4, 20, 60] {
            front.does(Front::Cuts(server.address(), after));
            for _ in 0..4 {
                assert!(client.get_user(1).is_exception());
            }
        }
        front.does(Front::To(server.address()));
        eventually(|| !client.get_user(1).is_exception());
        let mut both = [gateway.client(), gateway.client()];
        both.iter_mut().for_each(|client| assert!(client.send(get_user(2200)) > 0));
        both.iter_mut().for_each(|client| assert_eq!(client.receive().user_id(), 2200));
    });
}

/// For two seconds more than twice the 3 s after which thriftpy2's servers close: one from a connection's last call, one from its opening.
#[test]
fn t13_t26_no_call_meets_a_connection_that_its_server_is_closing() {
    with_each(|server| {
        let gateway = gateway().endpoint(server.address()).start();
        let began = std::time::Instant::now();
        std::thread::scope(|scope| {
            for pause in [3, 7, 990, 1500, 3100] {
                let mut client = gateway.client();
                scope.spawn(move || {
                    while began.elapsed() < ms(8000) {
                        assert!(!client.call(rename_user(pause, "x")).is_exception(), "each {pause} ms");
                        pass(ms(pause as u64));
                    }
                });
            }
        });
        assert_eq!(faults(&gateway), 0);
    });
}

#[test]
fn t14_replies_to_a_pipeline_come_in_its_order() {
    with_each(|server| {
        let gateway = gateway().endpoint(server.address()).start();
        let mut client = gateway.client();
        let call = |at: i64| match at % 3 {
            0 => rename_user(at, "x"),
            1 => get_user(2000 + at % 7),
            _ => list_users(&[at], &[]),
        };
        client.send_together((0..30).map(call).collect());
        for at in 0..30 {
            let (reply, call) = (client.receive(), call(at));
            assert_eq!((i64::from(reply.seqid), reply.name), (1 + at, call.name));
            assert_ne!(reply.kind, Kind::Exception);
        }
    });
}

#[test]
fn t18_an_unframed_client_that_starts_anew_is_served_and_a_server_too() {
    for library in [Library::Thriftpy2, Library::Apache] {
        let mut server = python_backend(library, Wire::unframed());
        let gateway = gateway().endpoint(server.address()).backend_speaks(Wire::unframed()).start();
        let bytes = get_user(1).bytes(Wire::unframed());
        for end in 1..bytes.len() {
            let mut client = gateway.client_speaking(Wire::unframed());
            client.send_bytes(&bytes[..end]);
        }
        let mut client = gateway.client_speaking(Wire::unframed());
        assert_eq!(client.get_user(7).user_id(), 7);
        server.kill();
        server.revive();
        eventually(|| !client.get_user(7).is_exception());
    }
}

#[test]
fn t21_replies_in_the_smallest_pieces_are_replies() {
    with_each(|server| {
        let front = balancer(server.address());
        front.does(Front::Slices(server.address()));
        let gateway = gateway().endpoint(front.address()).start();
        let mut client = gateway.client();
        for id in 0..10 {
            assert_eq!(client.get_user(id).user_id(), id);
        }
        client.send_together((0..10).map(get_user).collect());
        (0..10).for_each(|id| assert_eq!(client.receive().user_id(), id));
        assert_eq!(faults(&gateway), 0);
    });
}

#[test]
fn what_the_idl_does_not_declare_ends_a_connection_and_ejects_nobody() {
    with_each(|server| {
        let gateway = gateway().endpoint(server.address()).start();
        let mut client = gateway.client();
        for id in 0..20 {
            assert!(client.get_user(500).is_exception());
            assert_eq!(client.get_user(id).user_id(), id);
            assert!(!client.call(rename_user(id, "x")).is_exception());
        }
        assert_eq!(ejections(&gateway), 0);
    });
}

#[test]
fn what_the_idl_declares_is_an_answer() {
    with_each(|server| {
        let gateway = gateway().endpoint(server.address()).start();
        let mut client = gateway.client();
        for _ in 0..20 {
            let reply = client.get_user(404);
            assert!(reply.kind == Kind::Reply && reply.field(1).is_some());
        }
        assert_eq!((faults(&gateway), ejections(&gateway)), (0, 0));
    });
}

/// Some answer it, some answer it although it expects no answer, and none is the worse for it.
#[test]
fn what_no_server_has_is_an_exception_and_blames_nobody() {
    with_each(|server| {
        let gateway = gateway().endpoint(server.address()).start();
        let mut client = gateway.client();
        for id in 0..20 {
            assert_eq!(client.call(Message::call("nobodyHasIt", 0, vec![])).exception_kind(), UNKNOWN_METHOD);
            client.send(Message::oneway("norThis", 0, vec![]));
            assert_eq!(client.get_user(id).user_id(), id);
        }
        assert_eq!(ejections(&gateway), 0);
    });
}

#[test]
fn a_type_that_does_not_fit_the_method_poisons_nothing() {
    with_each(|server| {
        let known = gateway().endpoint(server.address()).start();
        let unknown = gateway().without_idl().endpoint(server.address()).start();
        for gateway in [known, unknown] {
            let (mut client, mut other) = (gateway.client(), gateway.client());
            for id in 0..10 {
                other.send(Message { kind: Kind::Oneway, ..rename_user(id, "x") });
                assert_eq!(client.get_user(id).user_id(), id);
            }
        }
    });
}

/// Both clients send every call under the number 0, and take whatever comes for their answer.
#[test]
fn real_clients_are_answered_by_every_server() {
    with_each(|server| {
        let gateway = gateway().endpoint(server.address()).start();
        for library in [Library::Thriftpy2, Library::Apache] {
            let mut client = PythonClient::connect(gateway.address(), library, Wire::framed());
            for id in 0..5 {
                assert_eq!(client.call("getUser", json!([id, "t"]))["value"]["id"], id);
                assert_eq!(client.call("getUser", json!([404, "t"]))["exception"], "NotFound");
                assert_eq!(client.call("renameUser", json!([id, "x"])), json!({"value": null}));
            }
        }
    });
}

#[test]
fn who_closes_his_half_is_answered_by_every_server() {
    with_each(|server| {
        let gateway = gateway().endpoint(server.address()).start();
        let mut client = gateway.client();
        client.send_together(vec![get_user(2100), rename_user(1, "x")]);
        client.finish_sending();
        assert_eq!(client.receive().user_id(), 2100);
        assert!(!client.receive().is_exception());
        assert!(client.is_closed_unanswered());
    });
}

#[test]
fn a_backend_of_another_transport_is_an_error_and_hangs_nobody() {
    for library in [Library::Thriftpy2, Library::Apache] {
        for (theirs, ours) in [(Wire::framed(), Wire::unframed()), (Wire::unframed(), Wire::framed())] {
            let server = python_backend(library, theirs);
            let rule = "ttl = '0s'\ntimeout = '2s'";
            let gateway = gateway().endpoint(server.address()).backend_speaks(ours).get_user(rule).start();
            assert!(gateway.client().get_user(1).is_exception(), "{library:?}");
        }
    }
}
