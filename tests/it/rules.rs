//! What a configuration may say, what is refused and how, and what the rules then do.

use crate::harness::*;

const KEPT: &str = "ttl = '60s'";

/// The configuration is refused, by `check` and at start, with all these words.
#[track_caller]
fn is_refused(config: &str, words: &[&str]) {
    let output = check(config);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    for word in words {
        assert!(said.contains(word), "{word:?} is not in:\n{said}");
    }
    assert_eq!(output.status.code(), Some(78), "{said}");
}

fn good() -> Builder {
    gateway().endpoint("127.0.0.1:9191".parse().unwrap()).get_user(KEPT)
}

/// The line in `config` that begins so.
fn line_of(config: &str, start: &str) -> usize {
    1 + config.lines().position(|line| line.starts_with(start)).unwrap()
}

#[test]
fn a_good_configuration_is_accepted() {
    let output = check(&good().text());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_unknown_option_is_refused_with_its_line_and_the_nearest_name() {
    let config = good().get_user("tll = '30s'").text().replacen(
        "[rules.\"UserService.getUser\"]\nttl = '60s'\n",
        "",
        1,
    );
    let place = format!("larder.toml:{}: rules.\"UserService.getUser\".tll: ", line_of(&config, "tll"));
    is_refused(&config, &[&place, "unknown option", "did you mean ttl?"]);
}

#[test]
fn all_problems_are_told_at_once() {
    let config = good()
        .rule("UserService.getUsr", KEPT)
        .rule("UserService.listUsers", "ttl = 'soon'\nignore = ['fliter']")
        .listener("client_timout = '3s'")
        .text();
    is_refused(
        &config,
        &["getUser", "ttl", "filter", "client_timeout", &line_of(&config, "client_timout").to_string()],
    );
}

#[test]
fn an_unknown_method_is_refused() {
    is_refused(&good().rule("UserService.getUsr", KEPT).text(), &["getUsr", "did you mean", "getUser"]);
}

#[test]
fn a_pattern_that_matches_no_method_is_refused() {
    is_refused(&good().rule("UserService.fetch*", KEPT).text(), &["fetch*"]);
}

#[test]
fn an_unknown_field_is_refused() {
    is_refused(&good().text().replace(KEPT, "ttl = '60s'\nignore = ['trace']"), &["trace", "trace_id"]);
}

#[test]
fn an_unknown_exception_is_refused() {
    is_refused(
        &good().text().replace(KEPT, "ttl = '60s'\ncache_exceptions = ['NotFoud']"),
        &["NotFoud", "NotFound"],
    );
}

#[test]
fn two_rules_for_one_pattern_are_refused() {
    is_refused(&good().get_user(KEPT).text(), &["UserService.getUser"]);
}

#[test]
fn a_fallback_that_does_not_fit_is_refused() {
    let config = good().text().replace(KEPT, "ttl = '60s'\nfallback = '{\"id\": \"seven\"}'");
    is_refused(&config, &["fallback", "id"]);
}

#[test]
fn a_fallback_needs_an_idl() {
    let config = good().without_idl().text().replace(KEPT, "ttl = '60s'\nfallback = '{}'");
    is_refused(&config, &["fallback", "idl"]);
}

#[test]
fn a_backend_that_does_not_exist_is_refused() {
    let config = good().text().replace("backend = 'users'", "backend = 'user'");
    is_refused(&config, &["user", "did you mean users?"]);
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    is_refused("[log]\nlevel = \n", &["larder.toml:2"]);
}

#[test]
fn serve_refuses_what_check_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.toml");
    std::fs::write(&file, good().text().replace("ttl", "tll")).unwrap();
    let output = larder().arg("serve").arg("--config").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean ttl?"));
}

#[test]
fn the_most_specific_rule_wins_whole() {
    let backend = backend();
    let gateway = gateway()
        .endpoint(backend.address())
        .rule("UserService.*", KEPT)
        .rule("UserService.get*", "stale_if_error = '1h'\nttl = '0s'")
        .rule("UserService.rename*", "timeout = '1s'")
        .start();
    let mut client = gateway.client();
    assert_ne!(client.get_user(7).email(), client.get_user(7).email());
    client.call(list_users(&[1], &[]));
    client.call(list_users(&[1], &[]));
    client.call(rename_user(1, "x"));
    client.call(rename_user(1, "x"));
    assert_eq!(backend.calls(), 5);
}

#[test]
fn an_observed_rule_changes_nothing_and_counts_what_it_would() {
    let backend = backend();
    let rule = "ttl = '60s'\nmode = 'observe'";
    let gateway = gateway().endpoint(backend.address()).get_user(rule).start();
    let mut client = gateway.client();
    assert_ne!(client.get_user(7).email(), client.get_user(7).email());
    assert_eq!((gateway.outcomes("observed_miss"), gateway.outcomes("observed_hit")), (1, 1));
}

#[test]
fn a_rule_that_is_not_on_neither_ends_nor_repeats_a_call() {
    for mode in ["observe", "off"] {
        let (one, other) = (backend(), backend());
        for backend in [&one, &other] {
            backend.does("getUser", Act::Late(ms(1200), Box::new(Act::User)));
        }
        let rule = format!("ttl = '60s'\nmode = '{mode}'\nfallback = '{{\"id\": 0, \"name\": \"\"}}'");
        let gateway = gateway().endpoint(one.address()).endpoint(other.address()).get_user(&rule).start();
        assert_eq!(gateway.client().get_user(7).user_id(), 7, "{mode}");
        assert_eq!(one.calls() + other.calls(), 1, "{mode}");
    }
}

#[test]
fn a_write_behind_a_wildcard_reaches_its_service_each_time() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).rule("UserService.*", KEPT).start();
    let mut client = gateway.client();
    for _ in 0..3 {
        client.call(Message::call("ping", 0, vec![]));
    }
    client.call(Message::call("unheardOf", 0, vec![]));
    client.call(Message::call("unheardOf", 0, vec![]));
    assert_eq!((backend.calls(), gateway.outcomes("passed")), (5, 3));
    assert_eq!(client.get_user(7).email(), client.get_user(7).email());
    gateway.logs(&["which is not kept: ping"]);
}

#[test]
fn a_connection_that_made_a_session_shares_nothing() {
    let backend = backend();
    backend.does("set_ugi", Act::Reply(vec![]));
    let set_ugi = || Message::call("set_ugi", 0, vec![(1, string("somebody"))]);
    let rules = gateway().endpoint(backend.address()).get_user(KEPT);
    let gateway = rules.start();
    let (mut own, mut other) = (gateway.client(), gateway.client());
    let kept = other.get_user(7).email();
    assert_eq!(own.get_user(7).email(), kept, "no session was made yet");
    own.call(set_ugi());
    let answers = [own.get_user(7).email(), own.get_user(7).email(), other.get_user(7).email()];
    assert!(answers[0] != answers[1] && !answers[..2].contains(&kept), "{answers:?}");
    assert_eq!(answers[2], kept, "nothing of the session was kept");
    assert_eq!(gateway.metric("larder_sessions_total", &[("listener", "users")]), 1);
    let gateway = rules.listener("sessions = 'shared'").start();
    let mut client = gateway.client();
    client.call(set_ugi());
    assert_eq!(client.get_user(7).email(), client.get_user(7).email());
    assert_eq!(gateway.metric("larder_sessions_total", &[]), 0);
}

#[test]
fn a_rule_that_is_off_passes_its_calls() {
    let backend = backend();
    let gateway = gateway().endpoint(backend.address()).get_user("ttl = '60s'\nmode = 'off'").start();
    let mut client = gateway.client();
    assert_ne!(client.get_user(7).email(), client.get_user(7).email());
    assert_eq!(gateway.outcomes("passed"), 2);
}

#[test]
fn a_listed_exception_is_kept_for_its_own_time() {
    let backend = backend();
    backend.does("getUser", Act::Reply(not_found(7)));
    let rule = "ttl = '60s'\ncache_exceptions = ['NotFound']\nexception_ttl = '1s'";
    let gateway = gateway().endpoint(backend.address()).get_user(rule).start();
    let mut client = gateway.client();
    assert_eq!(client.get_user(7).fields, not_found(7));
    backend.does("getUser", Act::User);
    assert_eq!(client.get_user(7).fields, not_found(7));
    pass(ms(1050));
    assert_eq!(client.get_user(7).user_id(), 7);
}

#[test]
fn exceptions_and_fields_may_be_named_by_id() {
    let backend = backend();
    backend.does("getUser", Act::Reply(not_found(7)));
    let rule = "ttl = '60s'\ncache_exceptions = ['1']\nignore = ['2']";
    let gateway = gateway().without_idl().endpoint(backend.address()).get_user(rule).start();
    let mut client = gateway.client();
    client.call(get_user_traced(7, "one"));
    client.call(get_user_traced(7, "two"));
    assert_eq!(backend.calls(), 1);
}

#[test]
fn a_reply_beyond_the_bound_is_answered_and_not_kept() {
    let backend = backend();
    backend.does("getUser", Act::Reply(user(7, &"x".repeat(5000))));
    let gateway = gateway().endpoint(backend.address()).get_user("ttl = '60s'\nmax_reply = '4KiB'").start();
    let mut client = gateway.client();
    assert_eq!((client.get_user(7).user_id(), client.get_user(7).user_id()), (7, 7));
    assert_eq!((backend.calls(), gateway.metric("larder_local_entries", &[])), (2, 0));
    let reason = [("method", "UserService.getUser"), ("reason", "too_large")];
    assert_eq!(gateway.metric("larder_unkept_replies_total", &reason), 2);
    let told = |line: &String| line.contains("a reply is not kept") && line.contains("UserService.getUser");
    assert_eq!(gateway.log().iter().filter(|line| told(line)).count(), 1);
}

#[test]
fn a_void_reply_is_kept_where_the_idl_says_void() {
    let backend = backend();
    let ping = || Message::call("ping", 0, vec![]);
    let rule = "ttl = '60s'\ncache_void = true";
    let known = gateway().endpoint(backend.address()).rule("UserService.ping", rule).start();
    assert_eq!(known.client().call(ping()), known.client().call(ping()));
    assert_eq!(backend.calls(), 1);
    let unknown = gateway().without_idl().endpoint(backend.address()).rule("UserService.ping", KEPT).start();
    unknown.client().call(ping());
    unknown.client().call(ping());
    assert_eq!(backend.calls(), 3);
}

#[test]
fn a_reload_applies_what_it_says_and_no_more() {
    let backend = backend();
    let rules = gateway().without_idl().endpoint(backend.address()).get_user("ttl = '60s'");
    let gateway = rules.start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    let changed = rules.backend("timeout = '5s'").get_user("revision = 1").text();
    let changed = changed
        .replacen("[rules.\"UserService.getUser\"]\nttl = '60s'\n", "", 1)
        .replace("revision = 1", "ttl = '60s'\nrevision = 1");
    gateway.reload(&changed.replace("threads = 2", "threads = 3"));
    gateway.logs(&["need a restart", "\"runtime.threads\"", "\"runtime.threads 2 to 3\""]);
    gateway.logs(&["reloaded", "backends.users.timeout, rules.\\\"UserService.getUser\\\".revision\""]);
    let renewed = client.get_user(7).email();
    assert_ne!(renewed, known);
    assert_eq!(client.get_user(7).email(), renewed, "the rule is in force, whatever waits for a restart");
    backend.does("ping", Act::Late(ms(200), Box::new(Act::Reply(vec![]))));
    let mut is_late = || client.call(Message::call("ping", 0, vec![])).is_exception();
    assert!(!is_late());
    gateway.reload(&changed.replace("timeout = '5s'", "timeout = '50ms'"));
    eventually(is_late);
}

#[test]
fn another_revision_forgets_what_was_kept() {
    let backend = backend();
    let rules = gateway().endpoint(backend.address()).get_user("ttl = '60s'\nrevision = 1");
    let gateway = rules.start();
    let mut client = gateway.client();
    let known = client.get_user(7).email();
    gateway.reload(&rules.text().replace("revision = 1", "revision = 2"));
    eventually(|| client.get_user(7).email() != known);
}
