//! `larder explain`: what somebody reads at night.

use crate::harness::*;

const KEPT: &str = "ttl = '2s'\nstale_if_error = '60s'\ntags = ['user:{id}']\nignore = ['trace_id']";

/// What `larder explain` says, and whether it is content.
fn explain(gateway: &Gateway, words: &[&str]) -> (bool, String) {
    let output = larder().arg("explain").arg(gateway.door()).args(words).output().unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[track_caller]
fn says(gateway: &Gateway, words: &[&str], parts: &[&str]) {
    let (content, said) = explain(gateway, words);
    assert!(content, "{said}");
    // Words are aligned by people's standards.
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
}

const CALL: [&str; 2] = ["UserService.getUser", r#"{"id": 5, "trace_id": "t"}"#];

#[test]
fn what_is_kept_is_told_wherever_it_is() {
    let (mut backend, mut redis) = (backend(), redis());
    let start = || {
        let gateway = gateway().endpoint(backend.address()).get_user(KEPT).shared(&redis).start();
        gateway.finds_redis();
        eventually(|| gateway.metric("larder_coherence_lease", &[]) == 1);
        gateway
    };
    let first = start();
    says(
        &first,
        &CALL,
        &["tags user:5", "local nothing", "shared nothing", "now the backend is asked (miss)"],
    );
    let before = first.metric("larder_calls_total", &[]);
    first.client().get_user(5);
    let named = format!("redis key {}", redis.only_key());
    says(
        &first,
        &CALL,
        &["UserService.getUser {\"id\":5}, ignoring trace_id", "local fresh (result", "shared fresh"],
    );
    says(&first, &CALL, &[&named, "now the entry of this gateway answers (hit_local)"]);
    assert_eq!((first.metric("larder_calls_total", &[]) - before, backend.calls()), (1, 1));
    drop(first);
    let other = start();
    pass(ms(2_100));
    let old = "in an outage an old entry answers for the backend (stale_if_error)";
    says(&other, &CALL, &["local nothing", "shared stale_if_error (result", old]);
    // To ask has not brought it here.
    assert_eq!(other.metric("larder_local_entries", &[]), 0);
    assert_eq!(other.purge(serde_json::json!({"tag": "user:5"})).0, 200);
    says(
        &other,
        &CALL,
        &["marks soft,", "on tag user:5, version ", "shared stale_if_error: a soft mark covers it", old],
    );
    assert_eq!(other.purge(serde_json::json!({"tag": "user:5", "kind": "hard"})).0, 200);
    let failed = "in an outage an exception answers (failed)";
    says(&other, &CALL, &["marks hard,", "shared expired: a hard mark covers it", failed]);
    redis.kill();
    eventually(|| other.metric("larder_coherence_lease", &[]) == 0);
    says(&other, &CALL, &["shared tier down", "shared unknown: ", "marks hard,"]);
    backend.kill();
    assert!(other.client().get_user(5).is_exception());
    eventually(|| other.metric("larder_backend_down", &[]) == 1);
    says(&other, &CALL, &["backend users: down, every endpoint fails", "now an exception answers (failed)"]);
}

#[test]
fn what_no_rule_keeps_is_told_with_the_reason() {
    let backend = backend();
    let gateway = gateway()
        .endpoint(backend.address())
        .rule("UserService.renameUser", "invalidates = ['user:{id}']")
        .rule("UserService.listUsers", "ttl = '5s'\nmode = 'observe'")
        .rule("UserService.*", "ttl = '5s'")
        .start();
    says(
        &gateway,
        &["UserService.renameUser", r#"{"id": 5}"#],
        &["because its rule has no ttl", "invalidates user:{}"],
    );
    says(
        &gateway,
        &["UserService.touch"],
        &["rule UserService.* (on): nothing is kept, because it has no reply", "(oneway)"],
    );
    says(&gateway, &["UserService.ping"], &["keeps only what the idl declares with a result", "(passed)"]);
    says(&gateway, &["UserService.listUsers", r#"{"ids": [1]}"#], &["(observe)", "(observed_miss)"]);
    let (_, json) = explain(&gateway, &["UserService.getUser", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["listeners"][0]["rule"]["pattern"], "UserService.*");
}

#[test]
fn what_is_not_there_is_told_with_the_nearest_name() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user(KEPT).start();
    for (words, told) in [
        (&["UserService.getUsr"][..], "did you mean UserService.getUser?"),
        (&["UserServ.getUser"], "did you mean UserService?"),
        (&["UserService.getUser", r#"{"idd": 5}"#], "did you mean id?"),
        (&["UserService.getUser", "{"], "are no JSON"),
    ] {
        let (content, said) = explain(&gateway, words);
        assert!(!content && said.contains(told), "{said}");
    }
}

#[test]
fn without_an_idl_the_rule_is_told_and_why_no_more() {
    let backend = backend();
    let gateway = gateway().without_idl().endpoint(backend.address()).get_user("ttl = '5s'").start();
    says(&gateway, &CALL, &["rule UserService.getUser (on): ttl 5s", "is declared by no listener's idl"]);
}
