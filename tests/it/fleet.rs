//! Gateways that share one Redis: what one invalidates, none answers.

use crate::harness::*;

const KEPT: &str = "ttl = '60s'\nstale_if_error = '60s'\ntags = ['user:{id}']";

/// Gateways on one Redis that have heard of each other.
fn fleet<const N: usize>(backend: &Backend, redis: &Redis, kept: &str, writes: &str) -> [Gateway; N] {
    let gateways = [(); N].map(|()| {
        let builder = gateway().endpoint(backend.address()).get_user(kept).shared(redis);
        builder.rule("UserService.renameUser", &format!("invalidates = ['user:{{id}}']\n{writes}")).start()
    });
    for gateway in &gateways {
        gateway.finds_redis();
        // Until it has heard all marks it keeps nothing that has tags for fresh.
        eventually(|| gateway.metric("larder_coherence_lease", &[]) == 1);
    }
    gateways
}

#[test]
fn a_write_through_one_gateway_is_seen_through_all() {
    let (backend, redis) = (backend(), redis());
    let [one, other] = fleet(&backend, &redis, KEPT, "settle = '0s'\nhold_until = 'fleet'");
    for turn in 0..20 {
        let before = other.client().get_user(1).email();
        assert_eq!(other.client().get_user(1).email(), before);
        one.client().call(rename_user(1, "anna"));
        let after = other.client().get_user(1).email();
        assert_ne!(after, before, "at turn {turn}");
    }
    assert!(other.outcomes("hit_local") >= 20);
}

#[test]
fn what_one_gateway_learnt_is_no_answer_for_another_once_it_is_invalidated() {
    let (backend, redis) = (backend(), redis());
    let [one, other] = fleet(&backend, &redis, &format!("{KEPT}\ntiers = ['shared']"), "settle = '0s'");
    let before = one.client().get_user(1).email();
    eventually(|| redis.keys().len() == 1);
    assert_eq!(other.client().get_user(1).email(), before);
    assert_eq!(other.outcomes("hit_shared"), 1);
    one.client().call(rename_user(1, "anna"));
    // This one knows at once, the other soon.
    assert_ne!(one.client().get_user(1).email(), before);
    eventually(|| other.client().get_user(1).email() != before);
    // What is learnt now answers all.
    eventually(|| one.client().get_user(1).email() == other.client().get_user(1).email());
}

#[test]
fn a_gateway_that_starts_later_knows_what_was_invalidated() {
    let (mut backend, redis) = (backend(), redis());
    let [one] = fleet(&backend, &redis, KEPT, "");
    one.client().get_user(1);
    one.client().get_user(2);
    eventually(|| redis.keys().len() == 2);
    one.client().call(rename_user(1, "anna"));
    eventually(|| one.metric("larder_marks_untold", &[]) == 0);
    backend.kill();
    let [late] = fleet(&backend, &redis, KEPT, "");
    assert!(late.client().get_user(1).is_exception());
    assert_eq!(late.client().get_user(2).user_id(), 2);
}

#[test]
fn while_redis_is_away_what_has_tags_is_asked_for_and_answers_in_an_outage() {
    let (mut backend, mut redis) = (backend(), redis());
    let [gateway] = fleet(&backend, &redis, KEPT, "");
    let mut client = gateway.client();
    let before = client.get_user(1).email();
    assert_eq!(client.get_user(1).email(), before);
    redis.kill();
    eventually(|| gateway.metric("larder_coherence_lease", &[]) == 0);
    let during = client.get_user(1).email();
    assert_ne!(during, before);
    client.call(rename_user(2, "anna"));
    assert!(gateway.metric("larder_marks_untold", &[]) > 0);
    backend.kill();
    assert_eq!(client.get_user(1).email(), during);
    backend.revive();
    redis.restart();
    eventually(|| gateway.metric("larder_coherence_lease", &[]) == 1);
    eventually(|| gateway.metric("larder_marks_untold", &[]) == 0);
    eventually(|| client.get_user(1).email() == client.get_user(1).email());
}

#[test]
fn an_emptied_redis_does_not_make_the_fleet_forget() {
    let (backend, redis) = (backend(), redis());
    let [one, other] = fleet(&backend, &redis, KEPT, "settle = '0s'\nhold_until = 'fleet'");
    let before = other.client().get_user(1).email();
    redis.flush();
    one.client().call(rename_user(1, "anna"));
    assert_ne!(other.client().get_user(1).email(), before);
    let after = other.client().get_user(1).email();
    eventually(|| other.client().get_user(1).email() == after);
}
