//! What a reload takes over, and what it says of the rest.

use super::super::{Change, Changes};
use super::{BASE, load};

/// What a reload from one text to another says.
#[track_caller]
fn changes(from: &str, to: &str) -> (Vec<String>, Vec<String>) {
    let Changes { applied, restart } = load(from).config.unwrap().reload(load(to).config.unwrap());
    (Change::paths(&applied), Change::paths(&restart))
}

#[track_caller]
fn check(from: &str, to: &str, applied: &[&str], restart: &[&str]) {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(changes(from, to), (list(applied), list(restart)));
}

#[test]
fn every_changed_option_is_named_with_its_effect() {
    let rule = |options: &str| format!("{BASE}[rules.\"UserService.getUser\"]\n{options}\n");
    check(BASE, BASE, &[], &[]);
    check(BASE, &rule("ttl = \"1s\""), &["rules.\"UserService.getUser\""], &[]);
    check(&rule(""), &rule("ttl = \"1s\""), &["rules.\"UserService.getUser\".ttl"], &[]);
    check(&rule("ttl = \"1s\""), BASE, &["rules.\"UserService.getUser\""], &[]);
    check(BASE, &BASE.replace("idl = \"users.thrift\"", ""), &["listeners.users.idl"], &[]);
    check(BASE, &format!("{BASE}timeout = \"1s\"\n"), &["backends.users.timeout"], &[]);
    let weights = |weights: &str| format!("{BASE}weights = {{ {weights} }}\n");
    let weight = &["backends.users.weights.127.0.0.1:9191"];
    check(BASE, &weights("\"127.0.0.1:9191\" = 2"), weight, &[]);
    check(&weights("\"127.0.0.1:9191\" = 2"), BASE, weight, &[]);
    check(BASE, &BASE.replace("9090", "9091"), &["listeners.users.bind"], &[]);
    check(BASE, &format!("{BASE}[log]\nlevel = \"warn\"\n"), &["log.level"], &[]);
    check(BASE, &format!("{BASE}[log]\nformat = \"json\"\n"), &[], &["log.format"]);
    check(BASE, &format!("{BASE}[limits]\nconnections = 9\n"), &["limits.connections"], &[]);
    check(BASE, &format!("{BASE}[runtime]\nthreads = 9\n"), &[], &["runtime.threads"]);
    check(BASE, &format!("{BASE}[log]\nlevel = \"info\"\n"), &[], &[]);
    let two = format!("{BASE}[backends.two]\nendpoints = [\"h:1\"]\n");
    check(BASE, &two, &["backends.two"], &[]);
    check(&two, BASE, &["backends.two"], &[]);
    let moved = two.replace("backend = \"users\"", "backend = \"two\"");
    check(&two, &moved, &["listeners.users.backend"], &[]);
    check(BASE, &format!("{BASE}[cache.shared]\nurl = \"redis://db\"\n"), &[], &["cache.shared"]);
}

#[test]
fn a_change_in_a_named_file_is_a_change() {
    let shared = |source: &str| format!("{BASE}[cache.shared]\nurl = \"redis://db\"\n{source}\n");
    check(&shared("password_file = \"secret\""), &shared("password_file = \"secret\""), &[], &[]);
    check(
        &shared("password_file = \"secret\""),
        &shared("password_file = \"other\""),
        &[],
        &["cache.shared.password_file"],
    );
    let idl = BASE.replace("users.thrift", "users2.thrift");
    check(BASE, &idl, &["listeners.users.idl"], &[]);
}

#[test]
fn what_is_in_force_can_be_read_again() {
    let text = format!(
        "{BASE}weights = {{ \"127.0.0.1:9191\" = 2 }}\n[cache.shared]\nurl = \"redis://db\"\npassword_file = \"secret\"\n\
        [rules.\"UserService.*\"]\n[rules.\"UserService.getUser\"]\nttl = \"90s\"\nignore = [\"trace_id\"]\n"
    );
    let config = load(&text).config.unwrap();
    let toml = config.toml();
    assert!(
        toml.contains("[rules.\"UserService.getUser\"]\nignore = [\"trace_id\"]\nttl = \"90s\"\n"),
        "{toml}"
    );
    assert!(!toml.contains("sesame") && !toml.contains("[log]"), "{toml}");
    let again = load(&toml);
    assert_eq!(again.problems, [], "{toml}");
    assert!(config.changes(&again.config.unwrap()).is_empty(), "{toml}");
}

#[test]
fn what_needs_a_restart_stays_as_it_was() {
    let mut config = load(BASE).config.unwrap();
    let next = format!("{BASE}timeout = \"1s\"\n[runtime]\nthreads = 9\n");
    let first = config.reload(load(&next).config.unwrap());
    assert_eq!(
        (Change::paths(&first.applied), Change::paths(&first.restart)),
        (vec!["backends.users.timeout".to_owned()], vec!["runtime.threads".to_owned()])
    );
    assert_eq!(config.runtime.threads, None);
    let again = config.reload(load(&next).config.unwrap());
    assert_eq!(
        (&again.applied[..], &again.restart),
        (&[][..], &first.restart),
        "what is not in force is said again"
    );
}

#[test]
fn a_listener_is_led_to_another_backend_and_the_old_one_is_gone() {
    let mut config = load(BASE).config.unwrap();
    let next = BASE
        .replace("backend = \"users\"", "backend = \"two\"")
        .replace("[backends.users]", "[backends.two]");
    let changes = config.reload(load(&next).config.unwrap());
    assert_eq!(
        Change::paths(&changes.applied),
        ["backends.two", "backends.users", "listeners.users.backend"]
    );
    assert_eq!(config.listeners["users"].backend, "two");
    assert_eq!(config.backends.keys().collect::<Vec<_>>(), ["two"]);
}

#[test]
fn listeners_come_and_go() {
    let next = BASE.replace("listeners.users", "listeners.other").replace("9090", "9091");
    let mut config = load(BASE).config.unwrap();
    let changes = config.reload(load(&next).config.unwrap());
    let says = Change::sayings(&changes.applied);
    let new = "listener other: new at 127.0.0.1:9091 (backend users, idl users.thrift, service UserService)";
    assert_eq!(says, [new, "listener users: gone from 127.0.0.1:9090"]);
    assert_eq!(config.listeners.keys().collect::<Vec<_>>(), ["other"]);
}
