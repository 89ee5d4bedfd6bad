//! What is said of session calls.

use super::{BASE, load, said};

#[test]
fn methods_that_make_sessions_are_pointed_out() {
    let login = BASE.replace("users.thrift", "login.thrift");
    said(&load(&login).warnings, &["1: listeners.users.sessions: the idl declares login: a connection"]);
    for word in ["own", "shared"] {
        let said = login.replace("idl =", &format!("sessions = \"{word}\"\nidl ="));
        assert_eq!(load(&said).warnings, [], "{word}");
    }
    let own = format!("{login}connections = \"per_client\"\nmax_connections = 64\n");
    assert_eq!(load(&own).warnings, []);
}

#[test]
fn what_is_kept_beside_sessions_that_are_none_is_pointed_out() {
    let login = BASE.replace("users.thrift", "login.thrift").replace("idl =", "sessions = \"shared\"\nidl =");
    let kept = format!("{login}[rules.\"UserService.getUser\"]\nttl = \"1s\"\nstale_if_error = \"1s\"\n");
    said(
        &load(&kept).warnings,
        &["5: listeners.users.sessions: the idl declares login, and getUser is kept"],
    );
    let own = format!("{kept}[rules.\"UserService.login\"]\nsession = \"state\"\n");
    assert_eq!(load(&own).warnings, []);
}

fn ruled(method: &str, says: &str) -> super::Loaded {
    load(&format!("{BASE}[rules.\"UserService.{method}\"]\n{says}\n"))
}

#[test]
fn who_calls_is_said_by_what_can_be_said_again() {
    for method in ["login", "OpenSession", "openSession", "authenticate"] {
        let problems = ruled(method, "session = \"identity\"").problems;
        assert!(problems.iter().any(|one| one.message.contains("carry a secret")), "{method}: {problems:?}");
    }
    let many = ruled("get*", "session = \"state\"").problems;
    assert!(many.iter().any(|one| one.message == "only a rule for one method may say so of it"));
    for (says, option) in [
        ("session = \"identity\"\nidempotent = false", ".idempotent"),
        ("session = \"identity\"\ninvalidates = [\"a\"]", ".invalidates"),
        ("session = \"state\"\nttl = \"1s\"", ".ttl"),
    ] {
        let problems = ruled("getUser", says).problems;
        assert!(problems.iter().any(|one| one.path.ends_with(option)), "{says}: {problems:?}");
    }
    let good = ruled("getUser", "session = \"identity\"");
    assert_eq!((good.problems, good.warnings), (vec![], vec![]));
}

#[test]
fn who_reads_redis_is_pointed_out() {
    let rule = "[rules.\"UserService.getUser\"]\nsession = \"identity\"\n";
    let shared = load(&format!("{BASE}{rule}[cache.shared]\nurl = \"redis://127.0.0.1:1\"\n"));
    assert_eq!(shared.problems, []);
    assert!(shared.warnings.iter().any(|one| one.message.starts_with("without a secret_file")));
}
