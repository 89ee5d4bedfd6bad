//! Several gateways on one Redis, and what becomes of calls when it goes and returns.

use crate::harness::*;

const KEPT: &str = "ttl = '60s'\nstale_if_error = '120s'";

/// A gateway that has found its Redis.
fn sharing(backend: &Backend, redis: &Redis, rule: &str) -> Gateway {
    let gateway = started(backend, redis, rule);
    gateway.finds_redis();
    gateway
}

fn started(backend: &Backend, redis: &Redis, rule: &str) -> Gateway {
    gateway().endpoint(backend.address()).shared(redis).get_user(rule).start()
}

#[test]
fn what_one_gateway_fetched_the_other_answers() {
    let (backend, redis) = (backend(), redis());
    let (one, other) = (sharing(&backend, &redis, KEPT), sharing(&backend, &redis, KEPT));
    let known = one.client().get_user(7).email();
    redis.only_key();
    assert_eq!(other.client().get_user(7).email(), known);
    assert_eq!((backend.calls(), other.outcomes("hit_shared")), (1, 1));
}

#[test]
fn what_one_gateway_fetched_is_as_old_in_the_other() {
    let (backend, redis) = (backend(), redis());
    let (one, other) = (sharing(&backend, &redis, "ttl = '3s'"), sharing(&backend, &redis, "ttl = '3s'"));
    let known = one.client().get_user(7).email();
    redis.only_key();
    pass(ms(1500));
    assert_eq!(other.client().get_user(7).email(), known);
    pass(ms(1600));
    assert_ne!(other.client().get_user(7).email(), known, "its age began anew");
}

#[test]
fn a_gateway_restarted_during_an_outage_answers_from_redis() {
    let (mut backend, redis) = (backend(), redis());
    let mut before = sharing(&backend, &redis, "ttl = '50ms'\nstale_if_error = '60s'");
    let known = before.client().get_user(7).email();
    redis.only_key();
    backend.kill();
    before.kill();
    let after = sharing(&backend, &redis, "ttl = '50ms'\nstale_if_error = '60s'");
    pass(ms(60));
    assert_eq!(after.client().get_user(7).email(), known);
}

#[test]
fn a_killed_redis_is_missed_by_nobody_and_used_again_when_it_returns() {
    let (backend, mut redis) = (backend(), redis());
    let gateway = sharing(&backend, &redis, KEPT);
    let mut client = gateway.client();
    let known = client.get_user(1).email();
    redis.only_key();
    redis.kill();
    assert_eq!(client.get_user(1).email(), known);
    let mut id = 100;
    let mut asks_another = || {
        id += 1;
        assert_eq!(client.get_user(id).user_id(), id);
    };
    eventually(|| {
        asks_another();
        gateway.metric("larder_shared_up", &[]) == 0
    });
    redis.restart();
    eventually(|| {
        asks_another();
        !redis.keys().is_empty()
    });
    eventually(|| gateway.metric("larder_shared_up", &[]) == 1);
}

#[test]
fn a_stopped_redis_is_missed_by_nobody_and_used_again_when_it_goes_on() {
    let (backend, redis) = (backend(), redis());
    let gateway = sharing(&backend, &redis, KEPT);
    let mut client = gateway.client();
    let known = client.get_user(1).email();
    redis.only_key();
    redis.stop();
    assert_eq!(client.get_user(1).email(), known);
    let mut id = 100;
    eventually(|| {
        id += 1;
        assert_eq!(client.get_user(id).user_id(), id);
        gateway.metric("larder_shared_up", &[]) == 0
    });
    redis.cont();
    eventually(|| {
        id += 1;
        assert_eq!(client.get_user(id).user_id(), id);
        gateway.metric("larder_shared_up", &[]) == 1
    });
}

#[test]
fn a_gateway_starts_without_its_redis() {
    let (backend, mut redis) = (backend(), redis());
    redis.kill();
    let gateway = started(&backend, &redis, KEPT);
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    assert_eq!(client.get_user(7).email(), known);
    redis.restart();
    let mut id = 100;
    eventually(|| {
        id += 1;
        client.get_user(id);
        !redis.keys().is_empty()
    });
}

/// Whatever stands in Redis that this gateway did not write so is a miss, and then replaced.
#[track_caller]
fn is_a_miss(spoil: impl Fn(Vec<u8>) -> Vec<u8>) {
    let (backend, redis) = (backend(), redis());
    let writer = sharing(&backend, &redis, KEPT);
    writer.client().get_user(7);
    let key = redis.only_key();
    let spoilt = spoil(redis.value(&key));
    redis.set(&key, &spoilt);
    let gateway = sharing(&backend, &redis, KEPT);
    assert_eq!(gateway.client().get_user(7).user_id(), 7);
    assert_eq!((backend.calls(), gateway.outcomes("miss")), (2, 1));
    eventually(|| redis.value(&key) != spoilt);
}

#[test]
fn a_foreign_value_is_a_miss() {
    is_a_miss(|_| b"somebody else's".to_vec());
}

#[test]
fn an_empty_value_is_a_miss() {
    is_a_miss(|_| Vec::new());
}

#[test]
fn a_truncated_value_is_a_miss() {
    is_a_miss(|mut value| {
        value.truncate(value.len() - 5);
        value
    });
}

#[test]
fn a_value_with_one_bit_changed_is_a_miss() {
    is_a_miss(|mut value| {
        let last = value.len() - 3;
        value[last] ^= 1;
        value
    });
}

#[test]
fn another_keys_value_is_a_miss() {
    let (backend, redis) = (backend(), redis());
    let first = sharing(&backend, &redis, KEPT);
    first.client().get_user(7);
    let seven = redis.only_key();
    first.client().get_user(8);
    let eight = found(|| redis.keys().into_iter().find(|key| *key != seven));
    redis.set(&seven, &redis.value(&eight));
    assert_eq!(sharing(&backend, &redis, KEPT).client().get_user(7).user_id(), 7);
}

#[test]
fn an_older_entry_never_replaces_a_younger_one() {
    let (slow, quick, redis) = (backend(), backend(), redis());
    slow.does("getUser", Act::Held);
    let patient = "ttl = '60s'\ntimeout = '20s'";
    let (older, younger) = (sharing(&slow, &redis, patient), sharing(&quick, &redis, patient));
    let mut client = older.client();
    client.send(get_user(7));
    eventually(|| slow.calls() == 1);
    younger.client().get_user(7);
    let key = redis.only_key();
    let value = redis.value(&key);
    slow.does("getUser", Act::User);
    slow.release();
    client.receive();
    // A later write of the same gateway has arrived, so the one before it has too.
    client.get_user(8);
    eventually(|| redis.keys().len() == 2);
    assert_eq!(redis.value(&key), value);
}

#[test]
fn a_rule_may_keep_out_of_redis() {
    let (backend, redis) = (backend(), redis());
    let local = "ttl = '60s'\ntiers = ['local']";
    let listing =
        gateway().endpoint(backend.address()).shared(&redis).get_user(local).rule("UserService.list*", KEPT);
    let gateway = listing.start();
    gateway.finds_redis();
    let mut client = gateway.client();
    assert_eq!(client.get_user(7).email(), client.get_user(7).email());
    client.call(list_users(&[1], &[]));
    redis.only_key();
    assert_eq!(sharing(&backend, &redis, local).outcomes("hit_shared"), 0);
}

#[test]
fn a_rule_may_keep_in_redis_alone() {
    let (backend, redis) = (backend(), redis());
    let gateway = sharing(&backend, &redis, "ttl = '60s'\ntiers = ['shared']");
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    redis.only_key();
    assert_eq!(client.get_user(7).email(), known);
    assert_eq!((gateway.outcomes("hit_shared"), gateway.metric("larder_local_entries", &[])), (1, 0));
}

#[test]
fn keys_in_redis_tell_service_method_and_protocol() {
    let (backend, redis) = (backend(), redis());
    let gateway = sharing(&backend, &redis, KEPT);
    gateway.client().get_user(7);
    let key = redis.only_key();
    let parts: Vec<&str> = key.split(':').collect();
    assert!(matches!(parts[..], ["larder", "UserService.getUser", _, "binary"]), "{key}");
    let found = redis.scan("larder:*UserService.getUser*");
    assert_eq!(found, [key]);
}

/// As in a rolling upgrade: one gateway writes the format before, and reads the newest.
#[test]
fn gateways_that_write_two_formats_share_what_they_have() {
    let (mut backend, redis) = (backend(), redis());
    let outlasting = "ttl = '50ms'\nstale_if_error = '60s'\ntiers = ['shared']";
    let [older, newer] = [3, 4].map(|format| {
        let gateway = gateway().endpoint(backend.address()).shared(&redis).get_user(outlasting);
        let gateway = gateway.section("cache.shared", &format!("format = {format}")).start();
        gateway.finds_redis();
        gateway
    });
    for (writer, reader, format) in [(&older, &newer, 3), (&newer, &older, 4)] {
        pass(ms(60));
        let known = writer.client().get_user(7).email();
        let key = redis.only_key();
        eventually(|| redis.value(&key)[3] == format);
        backend.kill();
        assert_eq!(reader.client().get_user(7).email(), known, "format {format}");
        backend.revive();
        eventually(|| {
            pass(ms(60));
            writer.client().get_user(7).email() != known
        });
    }
}

#[test]
fn two_prefixes_share_nothing() {
    let (backend, redis) = (backend(), redis());
    for prefix in ["one", "two"] {
        let prefixed = gateway().endpoint(backend.address()).shared(&redis).get_user(KEPT);
        let gateway = prefixed.section("cache.shared", &format!("prefix = '{prefix}'")).start();
        gateway.finds_redis();
        gateway.client().get_user(7);
        eventually(|| redis.keys().iter().any(|key| key.starts_with(prefix)));
    }
    assert_eq!(backend.calls(), 2);
}

/// One gateway in front of two endpoints' worth of trouble: Redis and backends go at once, and both return.
#[test]
fn everything_may_go_at_once_and_return() {
    let (mut backend, mut redis) = (backend(), redis());
    let gateway = sharing(&backend, &redis, "ttl = '50ms'\nstale_if_error = '60s'");
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    backend.kill();
    redis.kill();
    pass(ms(60));
    assert_eq!(client.get_user(7).email(), known);
    backend.revive();
    redis.restart();
    eventually(|| client.get_user(7).email() != known);
    eventually(|| {
        client.get_user(7);
        !redis.keys().is_empty()
    });
}

#[test]
fn what_was_learnt_while_redis_was_away_lies_there_when_it_is_back() {
    let (mut backend, mut redis) = (backend(), redis());
    let gateway = sharing(&backend, &redis, KEPT);
    redis.kill();
    eventually(|| gateway.metric("larder_shared_up", &[]) == 0);
    let known: Vec<_> = (1..=20).map(|id| gateway.client().get_user(id).email()).collect();
    assert_eq!(gateway.metric("larder_shared_backlog", &[]), 20);
    redis.restart();
    eventually(|| gateway.metric("larder_shared_backlog", &[]) == 0 && redis.keys().len() == 20);
    backend.kill();
    let other = sharing(&backend, &redis, KEPT);
    let told: Vec<_> = (1..=20).map(|id| other.client().get_user(id).email()).collect();
    assert_eq!(told, known);
    assert_eq!(gateway.metric("larder_shared_backlog_forgotten_total", &[]), 0);
}
