//! Gateways that share one Redis: what one invalidates, none answers.

use serde_json::{Value as Json, json};

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

/// Others may have changed it since that call was sent, and all have heard that but this gateway.
#[test]
fn who_cannot_hear_the_others_shares_no_call_of_before_where_nothing_may_answer() {
    let (backend, mut redis) = (backend(), redis());
    let [gateway] = fleet(&backend, &redis, &format!("{KEPT}\non_coherence_loss = 'hard'"), "");
    backend.does("getUser", Act::Held);
    let (mut first, mut second) = (gateway.client(), gateway.client());
    first.send(get_user(1));
    eventually(|| backend.calls() == 1);
    redis.kill();
    eventually(|| gateway.metric("larder_coherence_lease", &[]) == 0);
    second.send(get_user(1));
    eventually(|| backend.calls() == 2);
    backend.release();
    assert_ne!(first.receive().email(), second.receive().email());
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

#[test]
fn what_an_emptied_redis_has_lost_is_told_again_by_who_knows_it() {
    let (mut backend, redis, state) = (backend(), redis(), tempfile::tempdir().unwrap());
    let reader = gateway().endpoint(backend.address()).get_user(KEPT).shared(&redis);
    let reader = reader.section("runtime", &format!("state_dir = '{}'", state.path().display()));
    let mut before = reader.start();
    before.finds_redis();
    before.client().get_user(1);
    before.client().get_user(2);
    before.terminate();
    assert_eq!(before.exit_code(), Some(0));
    let [one] = fleet(&backend, &redis, KEPT, "settle = '0s'");
    one.client().call(rename_user(1, "anna"));
    eventually(|| one.metric("larder_marks_untold", &[]) == 0);
    redis.flush();
    eventually(|| !redis.scan("*:on:*").is_empty());
    backend.kill();
    let after = reader.start();
    eventually(|| after.metric("larder_coherence_lease", &[]) == 1);
    assert!(after.client().get_user(1).is_exception());
    assert_eq!(after.client().get_user(2).user_id(), 2);
}

#[test]
fn of_all_gateways_that_miss_a_key_one_asks() {
    let (backend, redis) = (backend(), redis());
    let gateways: [Gateway; 3] = fleet(&backend, &redis, KEPT, "");
    know_each_other(&gateways);
    backend.does("getUser", Act::Late(ms(200), Box::new(Act::User)));
    for id in 1..=5 {
        let mut clients = [0, 1, 2].map(|at| gateways[at].client());
        clients.iter_mut().for_each(|client| _ = client.send(get_user(id)));
        clients.iter_mut().for_each(|client| assert_eq!(client.receive().user_id(), id));
    }
    // Who gets no answer from Redis in time asks by itself; without turns all would.
    assert!(backend.calls() < 10, "{}", backend.calls());
}

#[test]
fn who_dies_while_it_asks_keeps_nobody_waiting_for_long() {
    let (backend, redis) = (backend(), redis());
    let [mut one, other] = fleet(&backend, &redis, KEPT, "");
    know_each_other([&one, &other]);
    backend.does("getUser", Act::Held);
    one.client().send(get_user(1));
    eventually(|| backend.calls() == 1);
    let mut client = other.client();
    client.send(get_user(1));
    backend.does("getUser", Act::User);
    one.kill();
    assert_eq!(client.receive().user_id(), 1);
    assert_eq!(backend.calls(), 2);
}

#[test]
fn who_fails_lets_the_next_one_ask() {
    let (backend, redis) = (backend(), redis());
    let [one, other] = fleet(&backend, &redis, KEPT, "");
    know_each_other([&one, &other]);
    backend.does("getUser", Act::HeldThen(Box::new(Act::Reply(not_found(1)))));
    let (mut first, mut second) = (one.client(), other.client());
    first.send(get_user(1));
    eventually(|| backend.calls() == 1);
    second.send(get_user(1));
    backend.does("getUser", Act::User);
    backend.release();
    assert_eq!(first.receive().fields, not_found(1));
    assert_eq!(second.receive().user_id(), 1);
    eventually(|| one.metric("larder_shared_writes_total", &[("result", "given_back")]) == 1);
}

/// Waits until each has heard of the others.
fn know_each_other<'a>(gateways: impl IntoIterator<Item = &'a Gateway>) {
    let gateways: Vec<_> = gateways.into_iter().collect();
    let count = gateways.len() as u64;
    eventually(|| gateways.iter().all(|gateway| gateway.metric("larder_gateways", &[]) == count));
}

#[test]
fn what_could_not_be_told_is_told_after_a_restart() {
    let (backend, redis) = (backend(), redis());
    let state = tempfile::tempdir().unwrap();
    let runtime = format!("state_dir = '{}'", state.path().display());
    let build = |with_state: bool| {
        let builder = gateway().endpoint(backend.address()).get_user(KEPT).shared(&redis);
        let builder = builder.rule("UserService.renameUser", "invalidates = ['user:{id}']");
        if with_state { builder.section("runtime", &runtime) } else { builder }
    };
    let (writer, reader) = (build(true), build(false));
    let (mut one, other) = (writer.start(), reader.start());
    know_each_other([&one, &other]);
    let before = other.client().get_user(1).email();
    redis.stop();
    one.client().call(rename_user(1, "anna"));
    let file = state.path().join("untold-marks");
    eventually(|| file.metadata().is_ok_and(|file| file.len() > 0));
    one.kill();
    redis.cont();
    eventually(|| other.metric("larder_coherence_lease", &[]) == 1);
    let _again = writer.start();
    eventually(|| other.client().get_user(1).email() != before);
    eventually(|| file.metadata().is_ok_and(|file| file.len() == 0));
}

#[test]
fn a_purge_tells_its_place_and_that_all_gateways_know() {
    let (backend, mut redis) = (backend(), redis());
    let [one, other] = fleet(&backend, &redis, KEPT, "");
    know_each_other([&one, &other]);
    let purge = || {
        let (status, answer) = one.purge(json!({"tag": "user:1", "kind": "hard"}));
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str::<Json>(&answer).unwrap()
    };
    let before = other.client().get_user(1).email();
    let told = purge();
    assert_eq!((&told["reached"], &told["warnings"]), (&json!("fleet"), &json!([])), "{told}");
    // At once: all know.
    let after = other.client().get_user(1).email();
    assert_ne!(after, before);
    let call = json!({"method": "UserService.getUser", "arguments": {"id": 1}}).to_string();
    let (_, there) = other.post("/v1/explain", &call);
    let there: Json = serde_json::from_str(&there).unwrap();
    assert_eq!(there["listeners"][0]["calls"][0]["marks"][0]["version"], told["version"]);
    let sequence = |told: &Json| -> u64 {
        told["version"].as_str().unwrap().split_once('-').unwrap().1.parse().unwrap()
    };
    let next = purge();
    assert_eq!(sequence(&next), sequence(&told) + 1);
    assert_eq!(next["tick"].as_u64(), told["tick"].as_u64().map(|tick| tick + 1));

    redis.kill();
    let told = purge();
    assert_eq!((&told["reached"], &told["version"]), (&json!("gateway"), &Json::Null), "{told}");
    assert!(told["warnings"][0].as_str().unwrap().contains("told as soon as"), "{told}");
    redis.restart();
    eventually(|| one.metric("larder_marks_untold", &[]) == 0);
    eventually(|| purge()["reached"] == "fleet");
}
