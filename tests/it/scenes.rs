//! Scenes that fool who watches over endpoints: services that are well and look dead, and dead ones that look alive.

use crate::harness::*;

fn ping() -> Message {
    Message::call("ping", 0, vec![])
}

/// How often an endpoint was taken out, for any reason.
fn ejections(gateway: &Gateway) -> u64 {
    gateway.metric("larder_backend_ejections_total", &[])
}

/// How often an endpoint was said to be back.
fn returns(gateway: &Gateway) -> usize {
    gateway.log().iter().filter(|line| line.contains("endpoint is back")).count()
}

/// One call overtakes another: from then on it is known that checks need not wait for a call.
fn shows_two_at_once(gateway: &Gateway) {
    let (mut slow, mut fast) = (gateway.client(), gateway.client());
    slow.send(get_user(2200));
    fast.get_user(8);
    slow.receive();
}

/// The report takes half a second and has less: it fails each time, and nothing else does.
#[test]
fn a_method_that_is_always_too_slow_takes_no_other_with_it() {
    for library in [Library::Thriftpy2, Library::Apache] {
        let server = python_backend(library, Wire::framed());
        let gateway = gateway().endpoint(server.address()).get_user("ttl = '60s'\ntimeout = '100ms'").start();
        let (mut slow, mut fast) = (gateway.client(), gateway.client());
        for _ in 0..12 {
            slow.send(get_user(2500));
            for _ in 0..20 {
                assert!(!fast.call(ping()).is_exception(), "{library:?}");
                assert!(!fast.call(list_users(&[1], &[])).is_exception(), "{library:?}");
            }
            assert!(slow.receive().is_exception());
        }
        gateway.logs(&["method out at an endpoint"]);
        assert_eq!(ejections(&gateway), 0, "{library:?}");
    }
}

/// As the README says to set it for such servers.
#[test]
fn a_server_of_one_connection_serves_four_clients() {
    let server = single_python_backend(Wire::framed());
    let options = "max_connections = 1\nidle_timeout = '100ms'";
    let gateway = gateway().endpoint(server.address()).backend(options).start();
    let clients = (0..4).map(|number| {
        let mut client = gateway.client();
        std::thread::spawn(move || {
            for id in (0..50).map(|id| 20_000 + 100 * number + id) {
                assert_eq!(client.get_user(id).user_id(), id);
                assert!(!client.call(rename_user(id, "x")).is_exception());
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!((ejections(&gateway), gateway.metric("larder_faults_total", &[])), (0, 0));
    // Others have their turn: the connection that has rested is closed.
    let mut other = Client::connect(server.address(), Wire::framed());
    assert_eq!(other.get_user(7).user_id(), 7);
}

/// The load balancer goes on accepting when its servers are dead. That something accepts brings nothing back.
#[test]
fn an_accepting_load_balancer_before_dead_servers_is_an_outage_until_something_answers() {
    for (dead, why) in [(Front::Closes, "closed"), (Front::Silent, "silent")] {
        let server = python_backend(Library::Thriftpy2, Wire::framed());
        let front = balancer(server.address());
        let rule = "ttl = '100ms'\nstale_if_error = '60s'\nsoft_timeout = '50ms'";
        let gateway = gateway().endpoint(front.address()).get_user(rule).start();
        let mut client = gateway.client();
        shows_two_at_once(&gateway);
        let known = client.get_user(7).email();
        front.does(dead);
        pass(ms(110));
        let mut answers_until = |condition: &dyn Fn() -> bool| {
            eventually(|| {
                assert_eq!(client.get_user(7).email(), known, "{dead:?}");
                condition()
            });
        };
        answers_until(&|| ejections(&gateway) == 1);
        let checks = || gateway.metric("larder_backend_checks_total", &[]);
        let before = checks();
        answers_until(&|| checks() > before + 2);
        let reasons = [("reason", why)];
        assert_eq!(
            gateway.metric("larder_backend_ejections_total", &reasons),
            ejections(&gateway),
            "{dead:?}"
        );
        // Where checks are closed on, a call finds out, after a time that grows; where they are not answered, none has to.
        assert!(dead == Front::Closes || returns(&gateway) == 0);
        front.does(Front::To(server.address()));
        eventually(|| client.get_user(7).email() != known);
    }
}

/// Beside one that is well, callers do not notice, if their calls may be sent again.
#[test]
fn a_load_balancer_that_closes_beside_one_that_is_well_costs_no_idempotent_call() {
    let (dead, well) = (backend(), backend());
    let front = balancer(dead.address());
    front.does(Front::Closes);
    let gateway =
        gateway().endpoint(front.address()).endpoint(well.address()).get_user("ttl = '60s'").start();
    let mut client = gateway.client();
    for id in 0..200 {
        assert_eq!(client.get_user(id).user_id(), id);
    }
    gateway.logs(&["endpoint ejected"]);
    front.does(Front::To(dead.address()));
    gateway.logs(&["endpoint is back"]);
    eventually(|| {
        client.call(ping());
        dead.calls() > 0
    });
}

/// Nobody waits for an answer to what has none, so nobody could see the service come back but by checks.
#[test]
fn the_oneways_of_a_service_that_restarts_arrive_again() {
    let mut backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.send(touch(1));
    eventually(|| backend.calls() == 1);
    backend.kill();
    eventually(|| {
        client.send(touch(2));
        ejections(&gateway) == 1
    });
    let before = backend.calls();
    backend.revive();
    gateway.logs(&["endpoint is back"]);
    client.send(touch(3));
    eventually(|| backend.calls() > before);
    assert_eq!(ejections(&gateway), 1);
}

/// Some servers close on a method that they do not have, and are well.
#[test]
fn a_backend_that_closes_on_checks_and_answers_calls_stays() {
    let backend = backend();
    backend.does("larder_check", Act::Close);
    // What thriftpy2 does with an exception that the IDL does not declare.
    backend.does("renameUser", Act::Close);
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.get_user(1);
    // It is checked once after its first answer, and a call shows what that is worth.
    eventually(|| gateway.metric("larder_backend_checks_total", &[]) == 1);
    for id in 0..50 {
        assert_eq!(client.get_user(id).user_id(), id);
        assert!(client.call(rename_user(id, "x")).is_exception());
    }
    assert_eq!(ejections(&gateway), 0);
}

/// All that a method hangs at is its own: the connections that others need are left to them, and who has an old answer gets it.
#[test]
fn a_method_that_hangs_leaves_the_others_what_they_need() {
    let backend = backend();
    let rule = "ttl = '100ms'\nstale_if_error = '60s'";
    let gateway =
        gateway().endpoint(backend.address()).backend("max_connections = 16").get_user(rule).start();
    let (mut known, mut other) = (gateway.client(), gateway.client());
    known.get_user(7);
    backend.does("getUser", Act::Silence);
    pass(ms(110));
    let mut hung: Vec<_> = (0..40).map(|_| gateway.client()).collect();
    for (id, client) in (100..).zip(&mut hung) {
        client.send(get_user(id));
    }
    for _ in 0..200 {
        assert!(!other.call(ping()).is_exception());
        assert!(!other.call(rename_user(1, "x")).is_exception());
    }
    // Ten seconds of silence are more than it can be slow; the others are answered all the while.
    let asks = std::thread::spawn(move || known.get_user(7).user_id());
    while !asks.is_finished() {
        assert!(!other.call(ping()).is_exception());
    }
    assert_eq!(asks.join().unwrap(), 7);
    gateway.logs(&["method out at an endpoint"]);
    assert_eq!(ejections(&gateway), 0);
    assert_eq!(gateway.client().get_user(7).user_id(), 7);
}
