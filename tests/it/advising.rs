//! `larder advise`: which rules a service should have, from its own traffic.

use std::process::Output;

use serde_json::{Value as Json, json};

use crate::harness::*;

fn advise(gateway: &Gateway, words: &[&str]) -> Output {
    larder().arg("advise").arg(gateway.admin().to_string()).args(words).output().unwrap()
}

#[track_caller]
fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What is reported of a method.
#[track_caller]
fn report(gateway: &Gateway, method: &str) -> Json {
    let advice: Json = serde_json::from_str(&text(&advise(gateway, &["--json"]))).unwrap();
    let methods = advice["methods"].as_array().unwrap();
    methods
        .iter()
        .find(|one| one["method"] == method)
        .unwrap_or_else(|| panic!("{method}: {advice:#}"))
        .clone()
}

/// Whom a call asks for.
fn id(call: &Message) -> i64 {
    let (_, id) = call.fields.iter().find(|(field, _)| *field == 1).unwrap();
    let Value::I64(id) = id else { panic!("{call:?}") };
    *id
}

/// A user who is the same each time.
fn steady() -> Act {
    Act::by(|call| user(id(call), "always@example"))
}

#[test]
fn a_rule_for_all_learns_from_real_clients_and_names_what_to_leave_out() {
    let backend = backend();
    backend.does("getUser", steady());
    let gateway = gateway().endpoint(backend.address()).rule("*", "mode = 'observe'").start();
    let none = text(&advise(&gateway, &[]));
    assert_eq!(none, "no rule with mode = \"observe\" has met a call yet\n");
    let mut client = gateway.client();
    for call in 0..300 {
        client.call(get_user_traced(call % 5, &format!("trace-{call}")));
        client.call(rename_user(call % 5, "again"));
    }
    assert_eq!(backend.calls(), 600, "nothing is kept");
    let get = report(&gateway, "UserService.getUser");
    assert_eq!(
        (&get["calls"], &get["listener"], &get["name"]),
        (&json!(300), &json!("users"), &json!("getUser"))
    );
    assert_eq!(get["verdict"], json!({"leave_out": {"fields": ["trace_id"]}}));
    let rename = report(&gateway, "UserService.renameUser");
    let why = rename["verdict"]["pass"]["why"].as_str().unwrap();
    assert_eq!(why, "it returns nothing, so it is called for its effect");
    let told = text(&advise(&gateway, &[]));
    assert!(told.contains("trace_id is another in 100 % of calls, and changed none of "), "{told}");
    assert!(told.contains("leave trace_id out of keys, and look again"), "{told}");
    let rules = text(&advise(&gateway, &["--toml"]));
    assert_eq!(rules, "[rules.\"UserService.getUser\"]\nmode = \"observe\"\nignore = [\"trace_id\"]\n");
}

#[test]
fn what_is_advised_may_be_pasted_and_a_study_outlives_a_reload() {
    let backend = backend();
    backend.does("getUser", steady());
    let builder = gateway().endpoint(backend.address());
    let observing = builder.clone().rule("UserService.getUser", "mode = 'observe'");
    let gateway = observing.start();
    let mut client = gateway.client();
    let begun = std::time::Instant::now();
    let mut calls = 0;
    // Half of the time that was looked at counts.
    while begun.elapsed() < ms(2_300) {
        client.get_user(calls % 10);
        calls += 1;
    }
    gateway.reload(&observing.rule("UserService.listUsers", "mode = 'observe'").text());
    let get = report(&gateway, "UserService.getUser");
    assert_eq!(get["calls"], json!(calls));
    assert_eq!((&get["distinct"], &get["lifetimes"][0]["wrong"]), (&json!(10), &json!(0)));
    let verdict = &get["verdict"]["cache"];
    assert_eq!((&verdict["ttl"], &verdict["wrong"]), (&json!(1), &json!(0)), "{get:#}");
    let rules = text(&advise(&gateway, &["--toml"]));
    let pasted = format!("{}\n{rules}", builder.text());
    assert!(check(&pasted).status.success(), "{pasted}");
    gateway.reload(&pasted);
    eventually(|| {
        client.get_user(3);
        gateway.outcomes("hit_local") > 0
    });
}

#[test]
fn what_changes_with_each_call_is_never_to_be_kept() {
    // The usual backend counts its calls in each answer.
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user("mode = 'observe'\nttl = '5s'").start();
    let mut client = gateway.client();
    let begun = std::time::Instant::now();
    let mut calls = 0;
    while begun.elapsed() < ms(2_200) || calls < 400 {
        client.get_user(calls % 3);
        calls += 1;
    }
    let get = report(&gateway, "UserService.getUser");
    let why = get["verdict"]["pass"]["why"].as_str().unwrap_or_else(|| panic!("{get:#}"));
    assert!(
        why.contains("its replies change: of what 1s would have answered, about 100.0 % had changed"),
        "{why}"
    );
    assert_eq!(text(&advise(&gateway, &["--toml"])), "");
    assert!(gateway.outcomes("observed_hit") > 0, "what its ttl would have hit is counted as before");
}

#[test]
fn without_idl_methods_and_fields_are_told_as_they_are_on_the_wire() {
    let backend = backend();
    backend.does("getUser", steady());
    let gateway = gateway().without_idl().endpoint(backend.address()).rule("*", "mode = 'observe'").start();
    let mut client = gateway.client();
    for call in 0..200 {
        client.call(get_user_traced(call % 5, &format!("trace-{call}")));
    }
    let get = report(&gateway, "UserService.getUser");
    assert_eq!(get["verdict"], json!({"leave_out": {"fields": ["2"]}}));
}

#[test]
fn what_a_rule_for_all_may_say_and_what_may_be_asked() {
    let said = |options: &str| {
        let output = check(&gateway().rule("*", options).text());
        assert_eq!(output.status.code(), Some(78));
        String::from_utf8(output.stderr).unwrap()
    };
    let keeps = said("ttl = '5s'");
    assert!(keeps.contains("a rule for all services may only observe them"), "{keeps}");
    let more = said("mode = 'observe'\ntimeout = '1s'");
    assert!(more.contains("a rule for all services says its mode and nothing else"), "{more}");
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).start();
    assert_eq!(advise(&gateway, &["--tolerance", "0"]).status.code(), Some(64));
    assert_eq!(gateway.post("/v1/advise", r#"{"tolerance": 2}"#).0, 422);
    assert_eq!(gateway.post("/v1/advise", r#"{"tolerence": 1}"#).0, 400);
}
