//! Which calls share a reply.

use crate::harness::*;

const CACHED: &str = "ttl = '60s'\ntimeout = '10s'";

#[test]
fn sets_and_maps_in_any_order_share_a_key() {
    let backend = backend();
    let gateway = gateway().rule("UserService.listUsers", CACHED).endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.call(list_users(&[1, 2, 3], &[("a", "1"), ("b", "2")]));
    client.call(list_users(&[3, 1, 2], &[("b", "2"), ("a", "1")]));
    assert_eq!(backend.calls(), 1);
    client.call(list_users(&[1, 2], &[("a", "1"), ("b", "2")]));
    client.call(list_users(&[1, 2, 3], &[("a", "2"), ("b", "1")]));
    assert_eq!(backend.calls(), 3);
}

#[test]
fn ignored_fields_are_not_in_the_key_and_all_others_are() {
    let backend = backend();
    let rule = format!("{CACHED}\nignore = ['trace_id']");
    let gateway = gateway().get_user(&rule).endpoint(backend.address()).start();
    let mut client = gateway.client();
    client.call(get_user_traced(7, "one"));
    client.call(get_user_traced(7, "two"));
    assert_eq!(backend.calls(), 1);
    let mut unheard_of = get_user(7);
    unheard_of.fields.push((99, Value::I32(1)));
    client.call(unheard_of.clone());
    assert_eq!(backend.calls(), 2);
    assert_eq!(backend.seen()[1].fields, unheard_of.fields, "unknown fields pass");
}

#[test]
fn a_call_that_two_readers_may_read_differently_passes() {
    let backend = backend();
    let gateway = gateway().get_user(CACHED).endpoint(backend.address()).start();
    let mut client = gateway.client();
    let mut twice = get_user(7);
    twice.fields.push((1, Value::I64(8)));
    client.call(twice.clone());
    client.call(twice);
    assert_eq!((backend.calls(), gateway.outcomes("passed_unkeyable")), (2, 2));
}

#[test]
fn a_name_with_and_without_its_service_shares_nothing() {
    let backend = backend();
    let gateway = gateway().get_user(CACHED).endpoint(backend.address()).start();
    let mut client = gateway.client();
    let multiplexed = || Message { name: "UserService:getUser".to_owned(), ..get_user(7) };
    let (first, plain) = (client.call(multiplexed()).email(), client.get_user(7).email());
    assert_ne!(plain, first);
    assert_eq!((client.call(multiplexed()).email(), client.get_user(7).email()), (first, plain));
    let names: Vec<String> = backend.seen().into_iter().map(|call| call.name).collect();
    assert_eq!(names, ["UserService:getUser", "getUser"]);
}

#[test]
fn unknown_methods_pass() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    let reply = gateway.client().call(Message::call("unheardOf", 0, vec![(5, string("x"))]));
    assert_eq!(reply.exception_kind(), UNKNOWN_METHOD);
    assert_eq!(gateway.metric("larder_calls_total", &[("method", "_OTHER")]), 1);
}
