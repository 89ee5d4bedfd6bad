//! Endpoints: which one is asked, when one is left alone, and how connections to it are used.

use crate::harness::*;

const PATIENT: &str = "ttl = '60s'\ntimeout = '20s'";

fn ping() -> Message {
    Message::call("ping", 0, vec![])
}

#[test]
fn calls_are_spread_over_endpoints() {
    let backends = [backend(), backend(), backend()];
    let builder = backends.iter().fold(gateway(), |builder, backend| builder.endpoint(backend.address()));
    let gateway = builder.start();
    let mut client = gateway.client();
    (0..100).for_each(|id| assert_eq!(client.get_user(id).user_id(), id));
    assert!(backends.iter().all(|backend| backend.calls() > 0));
}

#[test]
fn an_idempotent_call_that_died_is_answered_by_another_endpoint() {
    let (bad, good) = (backend(), backend());
    bad.does("getUser", Act::Close);
    let rule = "ttl = '60s'\ntimeout = '10s'";
    let gateway = gateway().get_user(rule).endpoint(bad.address()).endpoint(good.address()).start();
    let mut client = gateway.client();
    for id in 0..20 {
        assert_eq!(client.get_user(id).user_id(), id);
    }
    assert!(bad.calls() > 0);
}

#[test]
fn a_failing_endpoint_is_left_alone_and_returns() {
    let (mut failing, steady) = (backend(), backend());
    let options = "ejection_failures = 2\nejection_time = '100ms'\nejection_time_max = '200ms'";
    let gateway = gateway().backend(options).endpoint(failing.address()).endpoint(steady.address()).start();
    let mut client = gateway.client();
    failing.kill();
    for _ in 0..50 {
        assert!(!client.call(rename_user(1, "x")).is_exception());
    }
    assert_eq!(steady.calls(), 50);
    failing.revive();
    eventually(|| {
        client.get_user(1);
        failing.calls() > 0
    });
}

#[test]
fn one_call_at_a_time_tries_whether_a_backend_is_back() {
    let backend = backend();
    backend.does("getUser", Act::Silence);
    let rule = "ttl = '60s'\ntimeout = '200ms'";
    let options = "ejection_failures = 1\nejection_time = '300ms'\nejection_time_max = '300ms'";
    let gateway = gateway().get_user(rule).backend(options).endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.get_user(1);
    gateway.logs(&["method out at an endpoint"]);
    let before = backend.calls();
    // All of these ask at once; one is let through, because they have nothing else to be answered with.
    client.send_together((10..20).map(get_user).collect());
    (10..20).for_each(|_| assert!(client.receive().is_exception()));
    assert_eq!(backend.calls(), before + 1);
    backend.does("getUser", Act::User);
    eventually(|| !client.get_user(1).is_exception());
}

#[test]
fn a_server_that_closes_idle_connections_is_never_caught_by_it() {
    let server = python_backend(Library::Thriftpy2, Wire::unframed());
    let gateway = gateway().endpoint(server.address()).backend_speaks(Wire::unframed()).start();
    let mut client = gateway.client();
    client.get_user(1);
    // thriftpy2 closes after 3 s.
    pass(ms(3100));
    assert!(!client.call(rename_user(1, "x")).is_exception());
    assert_eq!(gateway.metric("larder_faults_total", &[]), 0);
}

#[test]
fn idle_connections_are_closed() {
    let backend = backend();
    let gateway = gateway().backend("idle_timeout = '100ms'").endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.get_user(1);
    eventually(|| backend.open_connections() == 0);
    assert_eq!(client.get_user(2).user_id(), 2);
}

#[test]
fn a_connection_that_died_in_the_pool_costs_no_call() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client();
    for round in 1..=5 {
        assert!(!client.call(rename_user(1, "x")).is_exception());
        backend.reset_connections();
        eventually(|| backend.open_connections() == 0);
        assert_eq!(backend.calls(), round);
    }
}

#[test]
fn connections_are_used_again() {
    let backend = backend();
    let gateway = gateway().backend("check = 'off'").endpoint(backend.address()).start();
    let mut client = gateway.client();
    (0..50).for_each(|id| assert_eq!(client.get_user(id).user_id(), id));
    assert_eq!(backend.connections(), 1);
}

#[test]
fn a_connection_with_an_abandoned_call_is_never_used_again() {
    let backend = backend();
    backend.does("getUser", Act::Late(ms(400), Box::new(Act::User)));
    let rule = "ttl = '60s'\ntimeout = '200ms'";
    let gateway = gateway().get_user(rule).backend("check = 'off'").endpoint(backend.address()).start();
    let mut client = gateway.client();
    assert!(client.get_user(7).is_exception());
    backend.does("getUser", Act::User);
    assert_eq!(client.get_user(8).user_id(), 8);
    assert_eq!(backend.connections(), 2);
}

#[test]
fn a_server_with_few_threads_is_not_flooded() {
    let backend = backend();
    backend.does("getUser", Act::Late(ms(5), Box::new(Act::User)));
    let gateway = gateway().backend("max_connections = 2").endpoint(backend.address()).start();
    let askers = (0..10).map(|asker| {
        let mut client = gateway.client();
        move || {
            (0..10)
                .for_each(|call| assert_eq!(client.get_user(asker * 10 + call).user_id(), asker * 10 + call))
        }
    });
    let askers: Vec<_> = askers.map(std::thread::spawn).collect();
    askers.into_iter().for_each(|asker| asker.join().unwrap());
    assert_eq!(backend.calls(), 100);
    assert!(backend.most_open_connections() <= 2);
}

#[test]
fn upstream_sequence_ids_are_the_gateways_own() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client();
    for id in 0..5 {
        client.send_as(0, get_user(id));
        assert_eq!(client.receive().seqid, 0);
    }
    let mut seqids: Vec<_> = backend.seen().iter().map(|call| call.seqid).collect();
    seqids.dedup();
    assert_eq!(seqids.len(), 5);
    assert!(!seqids.contains(&0));
}

#[test]
fn host_names_are_looked_up() {
    let backend = backend();
    let port = backend.address().port();
    let text = gateway().text().replace("endpoints = []", &format!("endpoints = ['localhost:{port}']"));
    let gateway = Gateway::start(&text);
    assert_eq!(gateway.client().get_user(7).user_id(), 7);
}

#[test]
fn a_client_may_have_its_own_connection() {
    let backend = backend();
    let own = gateway().backend("connections = 'per_client'\ncheck = 'off'").get_user(PATIENT);
    let gateway = own.endpoint(backend.address()).start();
    let (mut one, mut other) = (gateway.client(), gateway.client());
    for _ in 0..3 {
        // Nothing is cached: the server may keep something in mind for the connection.
        assert_ne!(one.get_user(7).email(), other.get_user(7).email());
    }
    assert_eq!((backend.connections(), backend.calls()), (2, 6));
    drop(one);
    eventually(|| backend.open_connections() == 1);
    assert!(!other.call(ping()).is_exception());
}

#[test]
fn clients_and_backends_may_differ_in_transport() {
    for (ours, theirs) in [(Wire::framed(), Wire::unframed()), (Wire::unframed(), Wire::framed())] {
        let backend = backend_speaking(theirs);
        let gateway = gateway().endpoint(backend.address()).backend_speaks(theirs).start();
        let mut client = gateway.client_speaking(ours);
        assert_eq!(client.get_user(7).user_id(), 7);
        client.send_together((0..20).map(get_user).collect());
        (0..20).for_each(|id| assert_eq!(client.receive().user_id(), id));
    }
}

/// A client that hangs up ends nothing that others wait for.
#[test]
fn a_flight_outlives_the_client_that_began_it() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let gateway = gateway().get_user(PATIENT).endpoint(backend.address()).start();
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.send(get_user(7));
    eventually(|| backend.calls() == 1);
    second.send(get_user(7));
    drop(first);
    backend.release();
    assert_eq!(second.receive().user_id(), 7);
    assert_eq!(backend.calls(), 1);
}
