//! The promise, sentence by sentence, and the three things that never happen.

use crate::harness::*;

/// A call that no rule caches goes to a backend, and its reply is not kept.
#[test]
fn a_call_that_no_rule_caches_goes_to_a_backend() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let mut client = gateway.client();
    assert_ne!(client.get_user(7).email(), client.get_user(7).email());
    assert_eq!(backend.calls(), 2);
    assert_eq!(gateway.outcomes("passed"), 2);
    assert_eq!(gateway.metric("larder_local_entries", &[]), 0);
}

/// A fresh entry answers at once.
#[test]
fn a_fresh_entry_answers_at_once() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user("ttl = '60s'").start();
    let mut client = gateway.client();
    let first = client.get_user(7).email();
    backend.stall();
    assert_eq!(client.get_user(7).email(), first);
    assert_eq!(backend.calls(), 1);
    assert_eq!((gateway.outcomes("miss"), gateway.outcomes("hit_local")), (1, 1));
}

/// A stale entry answers at once too, while one call refreshes it.
#[test]
fn a_stale_entry_answers_at_once_while_one_call_refreshes_it() {
    let backend = backend();
    let rule = "ttl = '100ms'\nstale_while_revalidate = '60s'\ntimeout = '20s'";
    let gateway = gateway().endpoint(backend.address()).get_user(rule).start();
    let mut client = gateway.client();
    let first = client.get_user(7).email();
    backend.does("getUser", Act::Held);
    pass(ms(110));
    for _ in 0..10 {
        assert_eq!(client.get_user(7).email(), first);
    }
    eventually(|| backend.calls() == 2);
    assert_eq!(gateway.outcomes("stale"), 10);
    backend.release();
    eventually(|| client.get_user(7).email() != first);
}

/// Otherwise one call asks a backend, and all who ask the same meanwhile share its reply.
#[test]
fn one_call_asks_a_backend_and_the_others_share_its_reply() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let gateway = gateway().endpoint(backend.address()).get_user("ttl = '60s'\ntimeout = '20s'").start();
    let mut clients: Vec<_> = (0..8).map(|_| gateway.client()).collect();
    for client in &mut clients {
        client.send_together(vec![get_user(7), get_user(7)]);
    }
    eventually(|| backend.calls() == 1);
    let mut late = gateway.client();
    late.send_together(vec![get_user(7), get_user(8)]);
    // The call for 8 has come, so the one for 7 before it waits with the others.
    eventually(|| backend.calls() == 2);
    backend.release();
    let shared = late.receive().email();
    for client in &mut clients {
        assert_eq!([client.receive().email(), client.receive().email()], [shared.clone(), shared.clone()]);
    }
    assert_eq!(backend.calls(), 2);
    assert_eq!(gateway.outcomes("miss"), 2);
    assert!(gateway.outcomes("coalesced") > 0);
}

/// If that fails, an old entry answers where the rule allows it; else the rule's fallback; else the fault does, as a clear
/// exception.
#[test]
fn if_that_fails_an_old_entry_answers_else_the_fallback_else_the_fault() {
    let mut backend = backend();
    let getting = "ttl = '50ms'\nstale_if_error = '60s'\nfallback = '{\"id\": 0, \"name\": \"nobody\", \"email\": \"none\"}'";
    let gateway = gateway()
        .endpoint(backend.address())
        .get_user(getting)
        .rule("UserService.list*", "ttl = '1s'")
        .start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    backend.kill();
    pass(ms(60));
    assert_eq!(client.get_user(7).email(), known);
    assert_eq!(client.get_user(8).email(), "none");
    let fault = client.call(list_users(&[1], &[])).exception_text();
    assert!(fault.contains("users"), "it names no backend: {fault}");
    assert_eq!(gateway.outcomes("stale_if_error"), 1);
    assert_eq!(gateway.outcomes("fallback"), 1);
    assert_eq!(gateway.outcomes("failed"), 1);
}

/// Never: a reply older than its rule allows.
#[test]
fn no_reply_is_older_than_its_rule_allows() {
    let mut backend = backend();
    let rule = "ttl = '50ms'\nstale_while_revalidate = '50ms'\nstale_if_error = '100ms'";
    let gateway = gateway().endpoint(backend.address()).get_user(rule).start();
    let mut client = gateway.client();
    client.get_user(7);
    backend.kill();
    pass(ms(160));
    assert!(client.get_user(7).is_exception());
}

/// Never: a reply that belongs to another call, or another key.
#[test]
fn no_reply_belongs_to_another_call() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user("ttl = '20ms'").start();
    let askers = (0..8).map(|asker| {
        let mut client = gateway.client();
        move || {
            for call in 0..200 {
                let id = (asker + call) % 17;
                assert_eq!(client.get_user(id).user_id(), id);
            }
        }
    });
    let askers: Vec<_> = askers.map(std::thread::spawn).collect();
    askers.into_iter().for_each(|asker| asker.join().unwrap());
}

/// Never: a failure remembered as an answer.
#[test]
fn no_failure_is_remembered_as_an_answer() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user("ttl = '60s'").start();
    let mut client = gateway.client();
    let failures = [
        Act::Exception(INTERNAL_ERROR, "broken"),
        Act::Exception(UNKNOWN_METHOD, "unheard of"),
        Act::Reply(vec![]),
        Act::Reply(not_found(7)),
        Act::Close,
        Act::OtherSeqid,
    ];
    for (id, failure) in (0..).zip(failures) {
        backend.does("getUser", failure.clone());
        client.get_user(id);
        backend.does("getUser", Act::User);
        assert_eq!(client.get_user(id).user_id(), id, "after {failure:?}");
    }
}
