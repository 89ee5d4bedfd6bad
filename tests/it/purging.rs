//! Purges from outside: what was kept before answers no more, or in an outage alone.

use std::process::Output;

use serde_json::{Value as Json, json};

use crate::harness::*;

const KEPT: &str = "ttl = '60s'\nstale_if_error = '60s'\ntags = ['user:{id}']\nignore = ['trace_id']";

fn keeping(backend: &Backend) -> Builder {
    gateway().endpoint(backend.address()).get_user(KEPT)
}

/// `larder purge` at this gateway.
fn larder_purge(gateway: &Gateway, words: &[&str]) -> Output {
    larder().arg("purge").arg(gateway.door()).args(words).output().unwrap()
}

#[track_caller]
fn said(output: &Output, code: i32, part: &str) {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(part), "{said}");
}

/// Whether each of these users is asked for anew after an order.
#[track_caller]
fn asked_anew(gateway: &Gateway, order: Json, users: [i64; 2]) -> [bool; 2] {
    let mut client = gateway.client();
    let before = users.map(|id| client.get_user(id).email());
    let (status, answer) = gateway.purge(order);
    assert_eq!(status, 200, "{answer}");
    let after = users.map(|id| client.get_user(id).email());
    [before[0] != after[0], before[1] != after[1]]
}

#[test]
fn what_is_named_is_asked_for_anew_and_nothing_else() {
    let backend = backend();
    let gateway = keeping(&backend).start();
    let asked = |order| asked_anew(&gateway, order, [5, 6]);
    let call = json!({"method": "UserService.getUser", "arguments": {"id": 5}});
    for kind in ["soft", "hard"] {
        assert_eq!(asked(json!({"tag": "user:5", "kind": kind})), [true, false]);
        assert_eq!(asked(json!({"tag": ["user:5", "user:6"], "kind": kind})), [true, true]);
        assert_eq!(asked(json!({"call": call, "kind": kind})), [true, false]);
        assert_eq!(asked(json!({"method": "UserService.getUser", "kind": kind})), [true, true]);
        assert_eq!(asked(json!({"method": "UserService.listUsers", "kind": kind})), [false, false]);
        assert_eq!(asked(json!({"service": "UserService", "kind": kind})), [true, true]);
        assert_eq!(asked(json!({"all": true, "kind": kind})), [true, true]);
    }
    assert_eq!(gateway.metric("larder_purges_total", &[("what", "tag"), ("kind", "hard")]), 2);
    assert_eq!(gateway.metric("larder_purges_total", &[]), 14);
    assert!(gateway.metric("larder_marks", &[]) >= 7);
}

#[test]
fn a_soft_purge_leaves_what_an_outage_needs_and_a_hard_one_nothing() {
    let mut backend = backend();
    let gateway = keeping(&backend).start();
    let mut client = gateway.client();
    let soft = client.get_user(5).email();
    client.get_user(6);
    backend.kill();
    assert_eq!(gateway.purge(json!({"tag": "user:5"})).0, 200);
    assert_eq!(gateway.purge(json!({"tag": "user:6", "kind": "hard"})).0, 200);
    assert_eq!(client.get_user(5).email(), soft);
    assert!(client.get_user(6).is_exception());
    assert_eq!(gateway.outcomes("stale_if_error"), 1);
}

/// Of each spelling of its name a call has a key of its own.
#[test]
fn a_call_is_purged_however_it_is_asked() {
    for protocol in [Wire::framed(), Wire { protocol: Protocol::Compact, ..Wire::framed() }] {
        let backend = backend_speaking(protocol);
        let gateway = gateway().backend_speaks(protocol).endpoint(backend.address()).get_user(KEPT).start();
        let mut client = gateway.client_speaking(protocol);
        let named = || Message { name: "UserService:getUser".to_owned(), ..get_user(5) };
        let ask = |client: &mut Client| [client.get_user(5).email(), client.call(named()).email()];
        let before = ask(&mut client);
        assert_eq!(ask(&mut client), before);
        let call = json!({"method": "UserService.getUser", "arguments": {"id": 5, "trace_id": "t"}});
        let (status, answer) = gateway.purge(json!({"call": call}));
        assert_eq!((status, answer.matches("key ").count()), (200, 2), "{answer}");
        let after = ask(&mut client);
        assert!(before[0] != after[0] && before[1] != after[1]);
    }
}

#[test]
fn a_tag_that_could_not_be_told_is_purged_with_any_that_it_may_be() {
    let backend = backend();
    let gateway = keeping(&backend).start();
    let mut client = gateway.client();
    let nameless = || Message::call("getUser", 0, vec![]);
    let before = client.call(nameless()).email();
    assert_eq!(gateway.purge(json!({"tag": "team:5"})).0, 200);
    assert_eq!(client.call(nameless()).email(), before);
    assert_eq!(gateway.purge(json!({"tag": "user:5"})).0, 200);
    assert_ne!(client.call(nameless()).email(), before);
}

#[test]
fn a_fetch_that_began_before_the_purge_answers_nobody_who_came_after() {
    let backend = backend();
    backend.does("getUser", Act::Held);
    let gateway = keeping(&backend).start();
    let mut early = gateway.client();
    early.send(get_user(5));
    eventually(|| backend.calls() == 1);
    assert_eq!(gateway.purge(json!({"tag": "user:5"})).0, 200);
    backend.does("getUser", Act::User);
    let mut client = gateway.client();
    let fresh = client.get_user(5).email();
    backend.release();
    early.receive();
    assert_eq!(client.get_user(5).email(), fresh);
}

#[test]
fn what_is_not_there_is_told_with_the_nearest_name() {
    let backend = backend();
    let gateway = keeping(&backend).start();
    let call = |method: &str, arguments| json!({"call": {"method": method, "arguments": arguments}});
    for (order, told) in [
        (
            json!({"method": "UserService.getUsr"}),
            "unknown method UserService.getUsr, did you mean UserService.getUser?",
        ),
        (json!({"service": "UserServ"}), "unknown service UserServ, did you mean UserService?"),
        (json!({"method": "getUser"}), "expected Service.method"),
        (call("UserService.getUser", json!({"idd": 5})), "method getUser has no idd, did you mean id?"),
        (call("UserService.getUser", json!({"id": "five"})), ".id: expected i64"),
        (call("UserService.renameUser", json!({"id": 5})), "no rule caches UserService.renameUser"),
    ] {
        let (status, said) = gateway.purge(order);
        assert!(status == 422 && said.contains(told), "{status} {said}");
    }
    let (status, said) = gateway.purge(json!({"tag": "usr:5"}));
    assert!(status == 200 && said.contains("no rule in force makes a tag"), "{said}");
    gateway.logs(&["purge refused", "getUsr"]);
}

#[test]
fn the_cover_is_taken_away_by_force_alone() {
    let mut backend = backend();
    let gateway = keeping(&backend).start();
    let mut client = gateway.client();
    let kept = client.get_user(5).email();
    backend.kill();
    assert!(client.get_user(6).is_exception());
    eventually(|| gateway.metric("larder_backend_down", &[]) == 1);
    let (status, said) = gateway.purge(json!({"all": true, "kind": "hard"}));
    assert!(status == 409 && said.contains("backend users is down"), "{status} {said}");
    assert_eq!(gateway.purge(json!({"all": true})).0, 200);
    assert_eq!(client.get_user(5).email(), kept);
    assert_eq!(gateway.purge(json!({"all": true, "kind": "hard", "force": true})).0, 200);
    assert!(client.get_user(5).is_exception());
}

/// Nobody has called since it died, and no connection has ended with it: the order itself finds out.
#[test]
fn the_cover_of_a_server_that_died_unseen_is_not_taken_away() {
    for library in [Library::Thriftpy2, Library::Apache] {
        let mut server = python_backend(library, Wire::framed());
        let gateway = gateway()
            .endpoint(server.address())
            .backend("idle_timeout = '0s'")
            .get_user("ttl = '60s'\nstale_if_error = '60s'")
            .start();
        let hard = || gateway.purge(json!({"all": true, "kind": "hard"}));
        let mut client = gateway.client();
        client.get_user(5);
        assert_eq!(hard().0, 200, "it lives");
        let kept = client.get_user(5).email();
        let connections = |status: Json| status["backends"][0]["endpoints"][0]["connections"].clone();
        eventually(|| {
            connections(serde_json::from_str(&gateway.page("/v1/status").unwrap().1).unwrap()) == 0
        });
        server.kill();
        assert_eq!(gateway.metric("larder_backend_down", &[]), 0, "nobody knows");
        let (status, said) = hard();
        assert!(status == 409 && said.contains("backend users is down"), "{status} {said}");
        assert_eq!(client.get_user(5).email(), kept);
        server.revive();
        eventually(|| hard().0 == 200);
    }
}

#[test]
fn larder_purge_says_what_became_of_it_and_the_log_who_asked() {
    let backend = backend();
    let gateway = keeping(&backend).start();
    let mut client = gateway.client();
    let before = client.get_user(5).email();
    said(&larder_purge(&gateway, &["--tag", "user:5", "--why", "renamed by hand"]), 0, "tag user:5");
    assert_ne!(client.get_user(5).email(), before);
    gateway.logs(&["\"message\":\"purged\"", "\"from\":\"user ", "tag user:5", "renamed by hand", "soft"]);
    let call = ["--call", "UserService.getUser", "{\"id\": 5}", "--hard", "--json"];
    said(&larder_purge(&gateway, &call), 0, "\"reached\":\"gateway\"");
    said(
        &larder_purge(&gateway, &["--method", "UserService.getUsr"]),
        1,
        "did you mean UserService.getUser?",
    );
    said(&larder_purge(&gateway, &[]), 64, "--tag");
    said(&larder_purge(&gateway, &["--call", "UserService.getUser", "{"]), 64, "no JSON");
    let nobody = larder().args(["purge", "127.0.0.1:1", "--all"]).output().unwrap();
    said(&nobody, 1, "no gateway answers");
}

#[test]
fn orders_are_taken_from_who_has_the_token() {
    let backend = backend();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "sesame\n").unwrap();
    let option = format!("token_file = '{}'", token.display());
    let gateway = keeping(&backend).section("admin", &option).start();
    let purge =
        |words: &[&str]| larder().arg("purge").arg(gateway.admin().to_string()).args(words).output().unwrap();
    said(&purge(&["--all"]), 1, "shows its token");
    said(&purge(&["--all", "--token-file", token.to_str().unwrap()]), 0, "all");
    gateway.logs(&["\"message\":\"purged\"", "127.0.0.1:"]);
    assert_eq!(gateway.post_over_network("/v1/reload", "").0, 401);
    assert_eq!(gateway.page("/v1/status").unwrap().0, 200);
    said(&larder_purge(&gateway, &["--all"]), 0, "all");
}
