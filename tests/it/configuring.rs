//! Which configuration is in force, which were before, and the way back to one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

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
    fs::write(&token, "sesame\n").unwrap();
    let text = builder.text().replace("'token'", &format!("'{}'", token.display()));
    let shown = config(&Gateway::start(&text), "show");
    assert!(shown.contains("token_file") && !shown.contains("sesame"), "{shown}");
    let mut client = Gateway::start(&shown);
    assert_eq!(client.client().get_user(7).user_id(), 7);
    client.kill();
}

#[test]
fn limits_and_the_log_change_while_it_runs() {
    let backend = backend();
    let text = |connections: u32, level: &str| {
        let builder = gateway().endpoint(backend.address()).section("log", &format!("level = '{level}'"));
        builder.section("limits", &format!("connections = {connections}")).text()
    };
    let gateway = Gateway::start(&text(1, "info"));
    let mut first = gateway.client();
    assert_eq!(first.get_user(7).user_id(), 7);
    assert!(gateway.client().is_closed_unanswered());
    gateway.configure(&text(2, "larder=debug"));
    let (_, answer) = gateway.command("/v1/reload");
    let says = serde_json::json!(["limits.connections 1 to 2", "log.level info to larder=debug"]);
    assert_eq!((&answer["says"], &answer["needs_restart"]), (&says, &serde_json::json!([])));
    assert_eq!(gateway.client().get_user(8).user_id(), 8);
    assert_eq!(first.get_user(9).user_id(), 9);
    gateway.logs(&["\"level\":\"DEBUG\""]);
}

#[test]
fn an_address_that_is_taken_changes_nothing_at_all() {
    let backend = backend();
    let gateway = builder(&backend, "60s").start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let more = format!(
        "[listeners.more]\nbind = '{}'\nservice = 'UserService'\nbackend = 'users'\n",
        taken.local_addr().unwrap()
    );
    gateway.configure(&(builder(&backend, "0s").text() + &more));
    let (status_code, answer) = gateway.command("/v1/reload");
    let problem = answer["problems"][0].as_str().unwrap();
    assert!(status_code == 422 && problem.contains("listener more cannot be bound to"), "{answer}");
    assert_eq!(status(&gateway)["generation"], 1);
    assert!(config(&gateway, "show").contains("ttl = \"1m\""));
}

/// Puts a folder in place of another as Kubernetes does with a ConfigMap: files are links through a link to a folder, which is swapped.
fn swap(folder: &Path, name: &str, config: &str) {
    let data = folder.join(name);
    fs::create_dir(&data).unwrap();
    fs::write(data.join("larder.toml"), config).unwrap();
    fs::copy(idl(), data.join("users.thrift")).unwrap();
    symlink(name, folder.join("..new")).unwrap();
    fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
}

#[test]
fn a_watched_file_is_read_again_by_itself_however_it_is_replaced() {
    let backend = backend();
    let text = |ttl: &str| {
        let text = builder(&backend, ttl).section("runtime", "watch_config = true").text();
        text.replace(idl().to_str().unwrap(), "users.thrift")
    };
    let own = tempfile::tempdir().unwrap();
    let folder = own.path().to_owned();
    swap(&folder, "..1", &text("60s"));
    for name in ["larder.toml", "users.thrift"] {
        symlink(format!("..data/{name}"), folder.join(name)).unwrap();
    }
    let gateway = Gateway::start_in(own);
    let generation = || status(&gateway)["generation"].as_u64().unwrap();
    swap(&folder, "..2", &text("0s"));
    eventually(|| generation() == 2);
    gateway.logs(&["reloaded", "UserService.getUser: ttl 1m to 0s"]);

    swap(&folder, "..3", "[rules");
    let refused = || gateway.metric("larder_config_reloads_total", &[("result", "refused")]);
    eventually(|| refused() == 1);
    swap(&folder, "..4", &text("0s"));
    let declaration = folder.join("..4/users.thrift");
    fs::write(&declaration, fs::read_to_string(&declaration).unwrap() + "\n// another\n").unwrap();
    eventually(|| generation() == 3);
    gateway.logs(&["reloaded", "idl users.thrift: its content has changed"]);
    assert_eq!((refused(), &status(&gateway)["file_differs"]), (1, &false.into()));
}
