//! Writes that a rule tells of: what they change answers no more once they have succeeded.

use crate::harness::*;
use serde_json::json;

const KEPT: &str = "ttl = '60s'\nstale_if_error = '60s'\ntags = ['user:{id}']";

fn writing(backend: &Backend) -> Builder {
    gateway()
        .endpoint(backend.address())
        .get_user(KEPT)
        .rule("UserService.renameUser", "invalidates = ['user:{id}']\nsettle = '0s'\ntimeout = '1s'")
}

#[test]
fn who_writes_and_then_reads_sees_what_was_written_and_others_keep_their_entries() {
    let backend = backend();
    let gateway = writing(&backend).start();
    let mut client = gateway.client();
    let [one, other] = [1, 2].map(|id| client.get_user(id).email());
    for _ in 0..3 {
        assert_eq!([1, 2].map(|id| client.get_user(id).email()), [one.clone(), other.clone()]);
    }
    client.call(rename_user(1, "anna"));
    let renamed = client.get_user(1).email();
    assert_ne!(renamed, one);
    assert_eq!([1, 2].map(|id| client.get_user(id).email()), [renamed, other]);
    assert_eq!(backend.calls(), 4);
}

#[test]
fn real_clients_and_servers_see_their_writes() {
    for library in [Library::Thriftpy2, Library::Apache] {
        let backend = python_backend(library, Wire::framed());
        let gateway = gateway()
            .endpoint(backend.address())
            .get_user(KEPT)
            .rule("UserService.renameUser", "invalidates = ['user:{id}']")
            .start();
        let mut client = PythonClient::connect(gateway.address(), library, Wire::framed());
        let before = client.email(1);
        assert_eq!(client.email(1), before);
        client.call("renameUser", json!([1, "anna"]));
        assert_ne!(client.email(1), before);
    }
}

#[test]
fn a_read_that_began_before_the_write_brings_nothing_back() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let gateway = writing(&backend).start();
    let mut early = gateway.client();
    early.send(get_user(1));
    eventually(|| backend.calls() == 1);
    let mut client = gateway.client();
    client.call(rename_user(1, "anna"));
    // Who asks now does not share the call that was under way.
    backend.does("getUser", Act::User);
    let fresh = client.get_user(1).email();
    backend.release();
    assert_eq!(early.receive().user_id(), 1);
    assert_eq!(client.get_user(1).email(), fresh);
    assert_eq!(backend.calls(), 3);
}

#[test]
fn a_write_that_fails_leaves_what_is_needed_in_the_outage() {
    let mut backend = backend();
    let gateway = writing(&backend).start();
    let mut client = gateway.client();
    let known = client.get_user(1).email();
    backend.does("renameUser", Act::Close);
    assert!(client.call(rename_user(1, "anna")).is_exception());
    // Nobody knows whether it took effect: what is known is asked for anew while somebody answers.
    let asked = client.get_user(1).email();
    assert_ne!(asked, known);
    backend.kill();
    assert!(client.call(rename_user(1, "anna")).is_exception());
    assert_eq!(client.get_user(1).email(), asked);
    assert_eq!(gateway.outcomes("stale_if_error"), 1);
}

#[test]
fn what_was_written_answers_no_more_even_in_an_outage() {
    let mut backend = backend();
    let gateway = writing(&backend).start();
    let mut client = gateway.client();
    client.get_user(1);
    client.call(rename_user(1, "anna"));
    backend.kill();
    assert!(client.get_user(1).is_exception());
    assert_eq!(gateway.outcomes("stale_if_error"), 0);
}

#[test]
fn nothing_is_kept_while_a_write_settles() {
    let backend = backend();
    let gateway = gateway()
        .endpoint(backend.address())
        .get_user(KEPT)
        .rule("UserService.renameUser", "invalidates = ['user:{id}']\nsettle = '1h'")
        .start();
    let mut client = gateway.client();
    client.call(rename_user(1, "anna"));
    let emails = [1, 1, 2, 2].map(|id| client.get_user(id).email());
    assert_ne!(emails[0], emails[1]);
    assert_eq!(emails[2], emails[3]);
}

#[test]
fn each_user_in_a_list_is_a_tag_of_it() {
    let backend = backend();
    let list = [1, 2].map(|id| user(id, "")[0].1.clone()).to_vec();
    backend.does("listUsers", Act::Reply(vec![(0, Value::List(list))]));
    let gateway =
        writing(&backend).rule("UserService.listUsers", "ttl = '60s'\ntags = ['user:{reply.id}']").start();
    let mut client = gateway.client();
    let mut asked_anew_after = |id: i64| {
        client.call(list_users(&[], &[]));
        let before = backend.calls();
        client.call(rename_user(id, "anna"));
        client.call(list_users(&[], &[]));
        backend.calls() == before + 2
    };
    assert_eq!([1, 2, 3].map(&mut asked_anew_after), [true, true, false]);
}

#[test]
fn a_write_that_does_not_say_whom_it_changes_changes_all() {
    let backend = backend();
    let gateway = writing(&backend).start();
    let mut client = gateway.client();
    let before = client.get_user(1).email();
    client.call(Message::call("renameUser", 0, vec![(2, string("anna"))]));
    assert_ne!(client.get_user(1).email(), before);
}
