//! Which configuration is in force, which were before, and the way back to one.

use serde_json::Value as Json;

use crate::harness::*;

/// What `larder config` says.
#[track_caller]
fn config(gateway: &Gateway, words: &str) -> String {
    let output = larder().arg("config").arg(gateway.door()).args(words.split(' ')).output().unwrap();
    let said = String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{words}: {said}");
    said
}

/// How the configuration stands.
fn status(gateway: &Gateway) -> Json {
    let (_, status) = gateway.page("/v1/status").unwrap();
    serde_json::from_str::<Json>(&status).unwrap()["config"].take()
}

fn builder(backend: &Backend, ttl: &str) -> Builder {
    gateway().endpoint(backend.address()).get_user(&format!("ttl = '{ttl}'"))
}

#[test]
fn a_file_that_is_not_obeyed_is_named_until_it_is_mended() {
    let backend = backend();
    let gateway = builder(&backend, "60s").start();
    gateway.configure("[rules");
    assert_eq!(gateway.command("/v1/reload").0, 422);
    let stands = status(&gateway);
    assert_eq!((&stands["generation"], &stands["file_differs"]), (&1.into(), &true.into()));
    assert!(stands["last_reload"].as_str().unwrap().contains("larder.toml:1: no TOML"), "{stands}");
    assert_eq!(gateway.metric("larder_config_file_differs", &[]), 1);
    assert_eq!(gateway.metric("larder_config_reloads_total", &[("result", "refused")]), 1);
    gateway.configure(&builder(&backend, "60s").section("runtime", "handover = 'handover'").text());
    assert_eq!(gateway.command("/v1/reload").1["needs_restart"][0], "runtime.handover");
    assert_eq!(status(&gateway)["needs_restart"][0], "runtime.handover");
    gateway.configure(&builder(&backend, "60s").text());
    assert_eq!(gateway.command("/v1/reload").1["says"], serde_json::json!([]));
    assert_eq!(status(&gateway)["file_differs"], false);
}

#[test]
fn an_earlier_configuration_is_a_call_away() {
    let backend = backend();
    let gateway = builder(&backend, "60s").start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    gateway.configure(&builder(&backend, "0s").text());
    assert_eq!(gateway.command("/v1/reload").1["says"][0], "UserService.getUser: ttl 1m to 0s");
    assert_ne!(client.get_user(7).email(), known);
    gateway.configure("[rules");
    assert_eq!(config(&gateway, "rollback 1 --why too-slow"), "UserService.getUser: ttl 0s to 1m\n");
    gateway.logs(&["ordered", "\"what\":\"rollback\"", "too-slow"]);
    let kept = client.get_user(7).email();
    assert_eq!(client.get_user(7).email(), kept);
    let shown = config(&gateway, "show");
    assert!(shown.starts_with("# 3 (rollback to 1) of ") && shown.contains("ttl = \"1m\""), "{shown}");
    let history = config(&gateway, "history");
    assert!(history.contains("2  reload, ") && history.contains("ttl 1m to 0s"), "{history}");
    let (code, said) = gateway.post("/v1/config/rollback", r#"{"generation": 9}"#);
    assert!(code == 422 && said.contains("generation 9 is not remembered: expected 1 to 3"), "{said}");
    assert_eq!(status(&gateway)["file_differs"], true, "it is not what the file says");
}

#[test]
fn what_is_shown_of_a_configuration_can_be_served_and_tells_no_secret() {
    let backend = backend();
    let builder = gateway().endpoint(backend.address()).section("admin", "token_file = 'token'");
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "sesame\n").unwrap();
    let text = builder.text().replace("'token'", &format!("'{}'", token.display()));
    let shown = config(&Gateway::start(&text), "show");
    assert!(shown.contains("token_file") && !shown.contains("sesame"), "{shown}");
    let mut client = Gateway::start(&shown);
    assert_eq!(client.client().get_user(7).user_id(), 7);
    client.kill();
}
