//! Oneway calls in front of real servers: one client's come in their order, and nobody else waits for their handlers.

use crate::harness::*;

const SERVERS: [Library; 2] = [Library::Thriftpy2, Library::Apache];

/// The user of whom touching ends when he is renamed.
const BLOCKED: i64 = 13_000;

fn opened(gateway: &Gateway) -> u64 {
    gateway.metric("larder_backend_connections_opened_total", &[])
}

/// While the handler of one client's oneway goes on, calls of others come and go.
#[test]
fn a_slow_oneway_handler_holds_nobody_elses_call_up() {
    for library in SERVERS {
        let server = python_backend(library, Wire::framed());
        let gateway = gateway().endpoint(server.address()).start();
        let (mut teller, mut other) = (gateway.client(), gateway.client());
        teller.send(touch(BLOCKED));
        eventually(|| other.get_user(BLOCKED).user_name() == "being touched");
        // Each round needs more connections than the one before.
        for round in 1..=4 {
            let mut clients: Vec<_> = (0..round).map(|_| gateway.client()).collect();
            for client in &mut clients {
                client.send(get_user(BLOCKED));
            }
            for client in &mut clients {
                assert_eq!(client.receive().user_name(), "being touched", "{library:?}");
            }
        }
        // A oneway of another client has a way of its own too.
        other.send(touch(1));
        eventually(|| other.get_user(1).user_name() == "touched");
        // The client's own next call is behind its effect.
        teller.send(get_user(BLOCKED));
        assert!(!other.call(rename_user(BLOCKED, "renamed")).is_exception());
        assert_eq!(teller.receive().user_name(), "touched", "{library:?}");
    }
}

/// Some servers answer a oneway message of a method that has a reply; no answer comes to the wrong call.
#[test]
fn oneways_of_one_client_come_in_their_order_over_one_connection() {
    for library in SERVERS {
        for declared in ["", "oneway = true"] {
            let server = python_backend(library, Wire::framed());
            // A check beside a call that waits would open one more.
            let mut gateway = gateway().without_idl().backend("check = 'off'");
            if !declared.is_empty() {
                gateway = gateway.rule("UserService.renameUser", declared);
            }
            let gateway = gateway.endpoint(server.address()).start();
            let mut client = gateway.client();
            let renames: Vec<_> = (0..1500)
                .map(|number| Message { kind: Kind::Oneway, ..rename_user(7, &format!("+{number}")) })
                .collect();
            renames.chunks(100).for_each(|some| client.send_together(some.to_vec()));
            let name: String = (0..1500).map(|number| format!("+{number}")).collect();
            assert!(client.get_user(7).user_name() == name, "{library:?} {declared}: out of order");
            for id in 0..5 {
                assert_eq!(client.get_user(id).user_id(), id);
            }
            assert_eq!(opened(&gateway), 1, "{library:?} {declared}");
            assert_eq!(gateway.outcomes("oneway"), 1500);
            assert_eq!(gateway.metric("larder_faults_total", &[]), 0);
        }
    }
}

/// A client that says something and goes has said it.
#[test]
fn oneways_of_a_client_that_has_gone_all_arrive() {
    let server = python_backend(Library::Thriftpy2, Wire::framed());
    let gateway = gateway().without_idl().endpoint(server.address()).start();
    let mut client = gateway.client();
    let said = |number| Message { kind: Kind::Oneway, ..rename_user(7, &format!("+{number}")) };
    client.send_together((0..200).map(said).collect());
    drop(client);
    let name: String = (0..200).map(|number| format!("+{number}")).collect();
    let mut other = gateway.client();
    eventually(|| other.get_user(7).user_name() == name);
}

/// A private connection tells answers nobody asked for by their numbers, however late they come.
#[test]
fn oneways_on_a_private_connection_answer_no_later_call() {
    let server = python_backend(Library::Thriftpy2, Wire::framed());
    let own = gateway().without_idl().backend("connections = 'per_client'\ncheck = 'off'");
    let gateway = own.endpoint(server.address()).start();
    let mut client = gateway.client();
    for id in 0..20 {
        client.send(Message { kind: Kind::Oneway, ..get_user(2100) });
        assert_eq!(client.get_user(id).user_id(), id);
    }
    assert_eq!(opened(&gateway), 1);
    assert_eq!(gateway.metric("larder_backend_unsolicited_total", &[]), 0);
}
