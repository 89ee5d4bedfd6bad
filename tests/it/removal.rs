//! An answer that proves an entry wrong: what it removed stays removed.

use crate::harness::*;

/// A gateway of two backends' worth of patience.
fn patient(backend: &Backend, ttl: &str) -> Builder {
    let rule = format!("ttl = '{ttl}'\nstale_if_error = '60s'\ntimeout = '20s'");
    gateway().endpoint(backend.address()).get_user(&rule)
}

/// One gateway's call is under way when another gateway learns that the user is gone.
#[test]
fn an_older_call_of_another_gateway_brings_nothing_back() {
    let (slow, quick, redis) = (backend(), backend(), redis());
    slow.does("getUser", Act::Held);
    quick.does("getUser", Act::Reply(not_found(7)));
    let gateways = [patient(&slow, "60s"), patient(&quick, "60s")].map(|builder| {
        let gateway = builder.shared(&redis).start();
        gateway.finds_redis();
        gateway
    });
    let mut older = gateways[0].client();
    older.send(get_user(7));
    eventually(|| slow.calls() == 1);
    assert_eq!(gateways[1].client().get_user(7).fields, not_found(7));
    let tombstone = redis.value(&redis.only_key());
    slow.release();
    assert_eq!(older.receive().user_id(), 7);
    // A later write of the same gateway has arrived, so the one before it has too.
    slow.does("getUser", Act::User);
    gateways[0].client().get_user(8);
    eventually(|| redis.keys().len() == 2);
    assert!(redis.keys().iter().any(|key| redis.value(key) == tombstone));
    slow.does("getUser", Act::Reply(not_found(7)));
    for gateway in &gateways {
        eventually(|| gateway.client().get_user(7).fields == not_found(7));
        assert_eq!((gateway.outcomes("hit_shared"), gateway.outcomes("hit_local")), (0, 0));
    }
}

/// The older call has outlived its rule's ttl, so a younger one did not wait for it.
#[test]
fn an_older_call_of_the_same_gateway_brings_nothing_back() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let gateway = patient(&backend, "100ms").start();
    let mut older = gateway.client();
    older.send(get_user(7));
    eventually(|| backend.calls() == 1);
    pass(ms(110));
    backend.does("getUser", Act::Reply(not_found(7)));
    assert_eq!(gateway.client().get_user(7).fields, not_found(7));
    backend.release();
    assert_eq!(older.receive().user_id(), 7);
    backend.does("getUser", Act::Close);
    assert!(gateway.client().get_user(7).is_exception());
    assert_eq!(gateway.outcomes("stale_if_error"), 0);
}

/// The call found an old entry before it asked, and its backend fails after the entry was proved wrong.
#[test]
fn an_entry_removed_meanwhile_does_not_answer_in_place_of_a_fault() {
    let backend = backend();
    let gateway = patient(&backend, "100ms").start();
    gateway.client().get_user(7);
    pass(ms(110));
    backend.does("getUser", Act::HeldThen(Box::new(Act::Close)));
    let mut older = gateway.client();
    older.send(get_user(7));
    eventually(|| backend.calls() == 2);
    pass(ms(110));
    backend.does("getUser", Act::Reply(not_found(7)));
    assert_eq!(gateway.client().get_user(7).fields, not_found(7));
    backend.does("getUser", Act::Close);
    backend.release();
    assert!(older.receive().is_exception());
}
