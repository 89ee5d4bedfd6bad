//! What is said of rules, and of sections that disagree.

use super::{BASE, added_refused, added_warned, load, said};

#[test]
fn rules_are_held_against_the_idl() {
    let rule = |pattern: &str, line: &str| format!("[rules.\"{pattern}\"]\n{line}\n");
    let check = |pattern: &str, line: &str, at, message: &str| {
        added_refused(&rule(pattern, line), &[(at, &format!("rules.\"{pattern}\"{message}"))]);
    };
    check("getUser", "", 1, ": names no service");
    check("UserService.getUsr", "", 1, ": UserService has no method getUsr, did you mean getUser?");
    check("UserService.got*", "", 1, ": UserService has no method that begins with got");
    check("UserServce.getUser", "", 1, ": no listener serves UserServce, did you mean UserService?");
    check(
        "UserService.getUser",
        "ignore = [\"trac_id\"]",
        2,
        ".ignore: method getUser has no field trac_id, did you mean trace_id?",
    );
    check(
        "UserService.getUser",
        "failure_exceptions = [\"Unavailabel\"]",
        2,
        ".failure_exceptions: method getUser declares no",
    );
    check(
        "UserService.getUser",
        "fallback = '{\"id\": \"x\"}'",
        2,
        ".fallback: does not fit what getUser returns: .id",
    );
    check("UserService.getUser", "fallback = '{'", 2, ".fallback: no JSON: ");
    check("UserService.touch", "ttl = \"1s\"", 2, ".ttl: touch is oneway");
    check(
        "UserService.getUser",
        "ttl = \"1s\"\nidempotent = false",
        3,
        ".idempotent: a method with ttl is idempotent",
    );
    check("UserService.*", "ignore = [\"nothing\"]", 2, ".ignore: method getUser has no field nothing");
    added_warned(
        &rule("UserService.*", "ttl = \"1s\"\nstale_if_error = \"1s\"\nignore = [\"trace_id\"]")
            .replace(".*", ".get*"),
        &[],
    );
}

#[test]
fn an_unquoted_pattern_is_no_pattern() {
    added_refused(
        "[rules.UserService.getUser]\nttl = \"1s\"\n",
        &[(1, "rules.\"UserService\": names no service: expected")],
    );
}

#[test]
fn without_idl_rules_use_ids() {
    let base = BASE.replace("idl = \"users.thrift\"", "");
    let with = |line: &str| {
        load(&format!(
            "{base}[rules.\"UserService.getUser\"]\nttl = \"1s\"\nstale_if_error = \"1s\"\n{line}\n"
        ))
    };
    assert_eq!(with("ignore = [\"2\"]\ncache_exceptions = [\"1\"]").problems, []);
    said(
        &with("ignore = [\"trace_id\"]").problems,
        &["11: rules.\"UserService.getUser\".ignore: \"trace_id\" is a name, which needs"],
    );
    said(
        &with("fallback = \"{}\"").problems,
        &["11: rules.\"UserService.getUser\".fallback: needs the listener's idl"],
    );
}

#[test]
fn the_legal_and_unwise_is_warned_of() {
    let rule = |lines: &str| format!("[rules.\"UserService.getUser\"]\n{lines}\n");
    let check = |lines: &str, line, message: &str| {
        added_warned(&rule(lines), &[(line, &format!("rules.\"UserService.getUser\"{message}"))]);
    };
    check("ttl = \"1s\"", 2, ".ttl: without stale_if_error nothing answers");
    check("stale_if_error = \"1s\"", 2, ".stale_if_error: without ttl nothing is cached");
    check("stale_while_revalidate = \"1s\"", 2, ".stale_while_revalidate: without ttl");
    check("exception_ttl = \"1s\"", 2, ".exception_ttl: without cache_exceptions");
    check("fallback = '{\"id\": 0}'", 2, ".fallback: without ttl or idempotent");
    check(
        "ttl = \"1s\"\nstale_if_error = \"1s\"\nmax_reply = \"512MiB\"",
        4,
        ".max_reply: 512MiB is larger than",
    );
    check(
        "ttl = \"1s\"\nstale_if_error = \"1s\"\ntiers = [\"shared\"]",
        4,
        ".tiers: without a section [cache.shared]",
    );
}

#[test]
fn sections_that_work_against_each_other_are_warned_of() {
    added_warned(
        "[admin]\nbind = \"0.0.0.0:9099\"\n",
        &[(2, "admin.bind: 0.0.0.0 is not a loopback address")],
    );
    added_warned("idle_timeout = \"3s\"\n", &[(1, "backends.users.idle_timeout: 3s is not below 3s")]);
    added_warned(
        "timeout = \"1s\"\nattempt_timeout = \"2s\"\n",
        &[(2, "backends.users.attempt_timeout: 2s is longer")],
    );
    added_warned(
        "[backends.spare]\nendpoints = [\"h:1\"]\n",
        &[(1, "backends.spare: no listener names this backend")],
    );
    added_warned("[rules.\"Weather.now\"]\n", &[(1, "rules.\"Weather.now\": no listener serves Weather")]);
    added_warned(
        "connections = \"per_client\"\n[rules.\"UserService.getUser\"]\nttl = \"1s\"\nstale_if_error = \"1s\"\n",
        &[(3, "rules.\"UserService.getUser\".ttl: nothing of backends.users is cached")],
    );
    let impatient = BASE.replace("idl =", "client_timeout = \"1s\"\nidl =");
    let loaded =
        load(&format!("{impatient}timeout = \"2s\"\n[rules.\"UserService.getUser\"]\ntimeout = \"3s\"\n"));
    said(
        &loaded.warnings,
        &[
            "9: backends.users.timeout: 2s is longer than client_timeout",
            "11: rules.\"UserService.getUser\".timeout: 3s",
        ],
    );
}

#[test]
fn the_most_specific_rule_comes_first() {
    let config = load(&format!(
        "{BASE}[rules.\"UserService.*\"]\n[rules.\"UserService.get*\"]\n[rules.\"UserService.getUser\"]\n"
    ))
    .config;
    let order: Vec<_> = config.unwrap().rules.iter().map(|rule| rule.pattern.to_string()).collect();
    assert_eq!(order, ["UserService.getUser", "UserService.get*", "UserService.*"]);
}
