//! A gateway that the system gives too few descriptors, from its start or all at once: it harms nobody, and recovers by itself.

use std::net::TcpStream;

use crate::harness::*;

/// So few that the clients have half of them, after the gateway's own 64.
const FEW: u64 = 64 + 40;

#[test]
fn clients_take_no_descriptor_that_backends_and_operators_need() {
    let backend = backend();
    let text = gateway().endpoint(backend.address()).get_user("ttl = '60s'").text();
    let gateway = Gateway::start_within(&text, FEW);
    gateway.logs(&["WARN", "limits.connections", "104 descriptors", "20 client connections"]);
    let mut welcome = gateway.client_from([127, 0, 0, 2]);
    assert_eq!(welcome.get_user(7).user_id(), 7);
    let mut crowd: Vec<_> = (0..60).map(|_| TcpStream::connect(gateway.address()).unwrap()).collect();
    eventually(|| gateway.closed("connections_per_address") + gateway.closed("connections") == 60 - 18);
    for id in 8..12 {
        assert_eq!(welcome.get_user(id).user_id(), id);
    }
    assert!(gateway.log().iter().all(|line| !line.contains("cannot accept")));
    crowd.clear();
    eventually(|| {
        let mut client = gateway.client();
        client.send(get_user(7));
        client.try_receive().is_ok_and(|reply| reply.is_some())
    });
}

#[test]
fn a_system_without_room_for_a_gateway_is_told_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.toml");
    std::fs::write(&file, gateway().endpoint(backend().address()).text()).unwrap();
    let run = |command: &str| larder_within(60).arg(command).arg(&file).output().unwrap();
    let (served, checked) = (run("serve"), run("check"));
    assert_eq!((served.status.code(), checked.status.code()), (Some(1), Some(0)));
    for said in [served.stderr, checked.stdout] {
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("60 descriptors") && said.contains("LimitNOFILE"), "{said}");
    }
}

/// An endpoint is not to blame for what this host cannot do, and what is open goes on.
#[test]
fn a_gateway_out_of_descriptors_answers_what_it_can_and_recovers() {
    let backend = backend();
    let rule = "ttl = '60s'\ntimeout = '20s'";
    let gateway = gateway().endpoint(backend.address()).get_user(rule).start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    let mut other = gateway.client();
    other.get_user(7);
    gateway.opens_descriptors(false);
    backend.reset_connections();
    let mut told = String::new();
    eventually(|| {
        let reply = client.get_user(8);
        told = if reply.is_exception() { reply.exception_text() } else { String::new() };
        told.contains("Too many open files")
    });
    for id in 9..20 {
        assert!(other.get_user(id).is_exception());
        assert_eq!(client.get_user(7).email(), known);
    }
    // Who comes now waits until there are descriptors again.
    let mut late = gateway.client();
    late.send(get_user(7));
    gateway.opens_descriptors(true);
    assert_eq!(late.receive().email(), known);
    assert_eq!(client.get_user(20).user_id(), 20);
    assert_eq!(gateway.metric("larder_backend_ejections_total", &[]), 0);
    assert!(gateway.faults("ours") >= 12);
}

#[test]
fn without_descriptors_one_line_a_second_says_so() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    gateway.opens_descriptors(false);
    let _wait = [gateway.address(), gateway.admin()].map(|address| TcpStream::connect(address).unwrap());
    for what in ["\"cannot accept a connection\"", "the admin endpoint cannot accept a connection"] {
        let lines = || gateway.log().into_iter().filter(|line| line.contains(what));
        eventually(|| lines().count() >= 3);
        // Twenty attempts a second are made.
        assert!(lines().all(|line| line.contains("\"dropped\"")));
        assert!(!lines().nth(1).unwrap().contains("\"dropped\":0"));
    }
}
