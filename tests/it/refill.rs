//! What was kept is lost: what comes to the backend for that, and what becomes of it there.

use std::thread;

use crate::harness::*;

fn ping() -> Message {
    Message::call("ping", 0, vec![])
}

#[test]
fn a_gateway_without_entries_asks_four_at_once_and_holds_back_nothing_else() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let gateway = gateway().endpoint(backend.address()).get_user("ttl = '60s'\ntimeout = '60s'").start();
    let (mut client, mut other) = (gateway.client(), gateway.client());
    client.send_together((1..=20).map(get_user).collect());
    eventually(|| gateway.metric("larder_backend_waiting", &[]) == 16);
    let asked = || backend.seen().iter().filter(|call| call.name.ends_with("getUser")).count();
    eventually(|| asked() == 4);
    assert!(!other.call(ping()).is_exception());
    assert_eq!((asked(), gateway.metric("larder_backend_miss_limit", &[])), (4, 4));
    backend.does("getUser", Act::User);
    backend.release();
    for id in 1..=20 {
        assert_eq!(client.receive().user_id(), id);
    }
    assert_eq!((asked(), gateway.faults("shed")), (20, 0));
}

/// Each of eight clients asks for ten users of its own, so many times.
fn all_ask(gateway: &Gateway, times: usize) {
    thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let mut client = gateway.client();
                for id in (0..times).flat_map(|_| (0..10).map(|n| 2010 + number * 10 + n)) {
                    assert_eq!(client.get_user(id).user_id(), id);
                }
            });
        }
    });
}

#[test]
fn a_redis_that_is_emptied_and_then_dies_takes_no_busy_server_with_it() {
    let (mut redis, server) = (redis(), python_backend_of(4, Library::Thriftpy2, Wire::framed()));
    let rule = "ttl = '60s'\ntimeout = '30s'\ntiers = ['shared']";
    let gateway = gateway().endpoint(server.address()).shared(&redis).get_user(rule).start();
    gateway.finds_redis();
    let losses = |reason| gateway.metric("larder_backend_tier_losses_total", &[("reason", reason)]);
    eventually(|| {
        all_ask(&gateway, 100);
        redis.flush();
        all_ask(&gateway, 1);
        losses("fallen") > 0
    });
    redis.kill();
    eventually(|| losses("away") > 0);
    all_ask(&gateway, 2);
    assert!(gateway.metric("larder_backend_miss_limit", &[]) > 0, "it stays while Redis is away");
    redis.restart();
    gateway.finds_redis();
    all_ask(&gateway, 3);
    assert_eq!((gateway.faults("timeout"), gateway.faults("shed")), (0, 0));
    assert_eq!(gateway.metric("larder_backend_ejections_total", &[]), 0);
    gateway.logs(&["what was kept is lost"]);
}
