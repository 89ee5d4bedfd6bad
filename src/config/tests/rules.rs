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
        &rule("UserService.get*", "ttl = \"1s\"\nstale_if_error = \"1s\"\nignore = [\"trace_id\"]"),
        &[],
    );
}

#[test]
fn what_returns_nothing_is_not_kept_unasked() {
    let path = "rules.\"UserService.ping\"";
    let void = "[rules.\"UserService.ping\"]\nttl = \"1s\"\nstale_if_error = \"1s\"\n";
    added_refused(void, &[(2, &format!("{path}.ttl: ping returns nothing"))]);
    added_warned(&format!("{void}cache_void = true\n"), &[]);
    let many = "[rules.\"UserService.*\"]\nttl = \"1s\"\nstale_if_error = \"1s\"\n";
    let path = "rules.\"UserService.*\"";
    let silent = format!("{path}.ttl: it does not hold for what returns nothing, which is not kept: ping, ");
    added_warned(many, &[(2, &silent)]);
    added_refused(
        &format!("{many}cache_void = true\n"),
        &[(4, &format!("{path}.cache_void: only a rule for one"))],
    );
}

#[test]
fn what_another_rule_governs_is_not_said_of_a_wildcard() {
    let own = |method: &str| format!("[rules.\"UserService.{method}\"]\n");
    let touch =
        format!("{}[rules.\"UserService.t*\"]\nttl = \"1s\"\nstale_if_error = \"1s\"\n", own("touch"));
    added_warned(
        &touch,
        &[(2, "rules.\"UserService.t*\": every method that it is for has a more specific rule")],
    );
}

#[test]
fn a_wildcard_with_a_ttl_needs_the_idl() {
    let base = BASE.replace("idl = \"users.thrift\"", "");
    let many = "[rules.\"UserService.get*\"]\nttl = \"1s\"\n";
    said(
        &load(&format!("{base}{many}")).problems,
        &[
            "9: rules.\"UserService.get*\".ttl: which methods may be kept is not known without the listener's idl",
        ],
    );
    assert_eq!(load(&format!("{base}[rules.\"UserService.get*\"]\ntimeout = \"1s\"\n")).problems, []);
    let own = "[rules.\"UserService.get\"]\nttl = \"1s\"\nstale_if_error = \"1s\"\n";
    said(
        &load(&format!("{base}{own}")).warnings,
        &[
            "9: rules.\"UserService.get\".ttl: without the listener's idl nobody knows whether get returns anything",
        ],
    );
    assert_eq!(load(&format!("{base}{own}cache_void = true\n")).warnings, []);
}

#[test]
fn one_mistake_is_one_message() {
    #[track_caller]
    fn once(text: &str, line: usize, path: &str) {
        let loaded = load(text);
        said(&loaded.problems, &[&format!("{line}: {path}")]);
        assert_eq!(loaded.warnings, [], "beside {:?}", loaded.problems);
    }
    let full = "stale_while_revalidate = \"1s\"\nstale_if_error = \"1s\"\nttl_jitter = 0.1\nignore = [\"trace_id\"]\n\
        cache_exceptions = [\"NotFound\"]\nexception_ttl = \"1s\"\n";
    let rule = |name: &str, first: &str| format!("{BASE}[rules.\"UserService.{name}\"]\n{first}\n{full}");
    let path = |name: &str, option: &str| format!("rules.\"UserService.{name}\".{option}: ");
    once(&rule("getUser", "ttl = 30"), 9, &path("getUser", "ttl"));
    once(&rule("getUser", "tll = \"30s\""), 9, &path("getUser", "tll"));
    once(&rule("getUser", "ttl = \n"), 9, "no TOML");
    once(&rule("getUser", "ttl = \"1s\"").replace("getUser\"]", "getUser]"), 8, "no TOML");
    let twice = "ttl = \"1s\"\nfailure_exceptions = [\"NotFound\"]";
    once(&rule("getUser", twice), 10, &path("getUser", "failure_exceptions"));
    let fallback = format!("{BASE}[rules.\"UserService.*\"]\nidempotent = true\nfallback = \"[1, 2\"\n");
    once(&fallback, 10, &path("*", "fallback"));
    let names = |line: &str| format!("[rules.\"UserService.{line}\"]\nbackend = \"usres\"\n");
    let slips = format!("{BASE}{}{}{}", names("getUser"), names("listUsers"), names("ping"));
    once(
        &slips,
        9,
        &format!(
            "{}there is no backend \"usres\", which stands in line 11, 13 too, did you mean users?",
            path("getUser", "backend")
        ),
    );
    let renamed = slips.replace("backend = \"users\"", "backend = \"usres\"");
    once(
        &renamed,
        4,
        "listeners.users.backend: there is no backend \"usres\", which stands in line 9, 11, 13 too",
    );
    let absent = rule("getUser", "ttl = \"1s\"").replace("users.thrift", "usres.thrift");
    once(&absent, 5, "listeners.users.idl: cannot read usres.thrift");
    let same = format!(
        "{BASE}[listeners.two]\nbind = \"127.0.0.1:9090\"\nservice = \"Other\"\nbackend = \"users\"\n"
    );
    once(&same, 9, "listeners.two.bind: 127.0.0.1:9090 is already taken by listeners.users");
    let oneway = format!(
        "{BASE}[rules.\"UserService.touch\"]\noneway = true\nttl = \"1s\"\nstale_if_error = \"1s\"\n"
    );
    once(&oneway, 9, &path("touch", "oneway"));
    let nameless = rule("getUser", "ttl = \"1s\"").replace("idl = \"users.thrift\"", "");
    once(&nameless.replace("[\"trace_id\"]", "[\"trace_id\", \"other\"]"), 13, &path("getUser", "ignore"));
}

#[test]
fn two_mistakes_that_look_alike_are_two_messages() {
    let rule = "[rules.\"UserService.getUser\"]\nttl = \"1s\"\nignore = [\"id.x\", \"trace_id.x\"]\n";
    let path = "rules.\"UserService.getUser\".ignore: ";
    added_refused(
        rule,
        &[(3, &format!("{path}i64 has no fields")), (3, &format!("{path}string has no fields"))],
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
    check("soft_timeout = \"1s\"", 2, ".soft_timeout: without ttl nothing is cached");
    check(
        "ttl = \"1s\"\nstale_if_error = \"1s\"\nstale_while_revalidate = \"1s\"\nsoft_timeout = \"100ms\"",
        5,
        ".soft_timeout: it is for replies that stale_if_error allows longer than",
    );
    check(
        "ttl = \"1s\"\nstale_while_revalidate = \"5m\"\nstale_if_error = \"1m\"",
        4,
        ".stale_if_error: it is shorter than stale_while_revalidate",
    );
    check(
        "ttl = \"1s\"\nstale_if_error = \"1s\"\nignore = [\"id\", \"trace_id\"]",
        4,
        ".ignore: it leaves out every argument: all calls share one reply",
    );
    check(
        "ttl = \"1s\"\nstale_if_error = \"1s\"\nmax_reply = \"101MiB\"",
        4,
        ".max_reply: 101MiB is more than a reply may have, by backends.users: ",
    );
    check("exception_ttl = \"1s\"", 2, ".exception_ttl: without cache_exceptions");
    check("exception_stale_if_error = \"1s\"", 2, ".exception_stale_if_error: without cache_exceptions");
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
fn a_name_that_says_that_something_changes_is_pointed_out() {
    let cached = "ttl = \"1s\"\nstale_if_error = \"1s\"\n";
    let nameless = BASE.replace("idl = \"users.thrift\"\n", "");
    let rule =
        |options: &str| load(&format!("{nameless}[rules.\"UserService.deleteUser\"]\n{options}")).warnings;
    let path = "rules.\"UserService.deleteUser\"";
    said(
        &rule(&format!("{cached}cache_void = true\n")),
        &[&format!("8: {path}.ttl: by its name it changes something")],
    );
    said(
        &rule("idempotent = true\n"),
        &[&format!("8: {path}.idempotent: by its name it changes something, and a retry")],
    );
    assert_eq!(
        [rule(""), rule("mode = \"observe\"\nttl = \"1s\"\nstale_if_error = \"1s\"\ncache_void = true\n")],
        [[], []]
    );
}

#[test]
fn tags_that_nothing_has_are_not_invalidated_in_silence() {
    let keeps =
        "[rules.\"UserService.getUser\"]\nttl = \"1s\"\nstale_if_error = \"1s\"\ntags = [\"user:{id}\"]\n";
    let changes =
        |tag: &str| format!("{keeps}[rules.\"UserService.renameUser\"]\ninvalidates = [\"{tag}\"]\n");
    for tag in ["user:{id}", "user:7", "{name}"] {
        added_warned(&changes(tag), &[]);
    }
    let message = "rules.\"UserService.renameUser\".invalidates: nothing that a rule here keeps has a tag such as \"usr:{id}\", \
                   did you mean \"user:{}\"?";
    added_warned(&changes("usr:{id}"), &[(6, message)]);
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
        "timeout = \"1s\"\n[rules.\"UserService.getUser\"]\nttl = \"1s\"\nstale_if_error = \"1s\"\nsoft_timeout = \"1s\"\n",
        &[(
            5,
            "rules.\"UserService.getUser\".soft_timeout: 1s is never waited for: the whole call may take 1s",
        )],
    );
    let never = "ttl = \"1s\"\nstale_if_error = \"1s\"\nsoft_timeout = \"1h\"\n";
    added_warned(&format!("timeout = \"1s\"\n[rules.\"UserService.getUser\"]\n{never}"), &[]);
    added_warned(
        "[backends.spare]\nendpoints = [\"h:1\"]\n",
        &[(1, "backends.spare: no listener and no rule names this backend")],
    );
    added_warned(
        "[rules.\"UserService.get*\"]\nbackend = \"users\"\n[rules.\"UserService.getUser\"]\nidempotent = true\n",
        &[
            (1, "rules.\"UserService.get*\": every method that it is for"),
            (
                3,
                "rules.\"UserService.getUser\".backend: its calls go to the listener's backend, not to \"users\" as those of \
             UserService.get*: nothing is inherited",
            ),
        ],
    );
    added_warned(
        "[backends.replicas]\nendpoints = [\"127.0.0.1:9191\"]\n[rules.\"UserService.getUser\"]\nttl = \"1s\"\n\
         stale_if_error = \"1s\"\nbackup = \"replicas\"\n",
        &[(
            6,
            "rules.\"UserService.getUser\".backup: \"replicas\" and backends.users are both at 127.0.0.1:9191",
        )],
    );
    added_warned("[rules.\"Weather.now\"]\n", &[(1, "rules.\"Weather.now\": no listener serves Weather")]);
    added_warned(
        "connections = \"per_client\"\nmax_connections = 64\n[rules.\"UserService.getUser\"]\nttl = \"1s\"\nstale_if_error = \"1s\"\n",
        &[(4, "rules.\"UserService.getUser\".ttl: nothing of backends.users is cached")],
    );
    added_warned(
        "connections = \"per_client\"\n",
        &[(
            1,
            "backends.users.connections: each client has a connection of its own, and max_connections is 64",
        )],
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
    let order: Vec<_> = config.unwrap().rules.iter().map(ToString::to_string).collect();
    assert_eq!(order, ["UserService.getUser", "UserService.get*", "UserService.*"]);
}

#[test]
fn a_backup_is_another_backend_for_calls_that_may_be_repeated() {
    let rule = |lines: &str| format!("[rules.\"UserService.getUser\"]\nbackup = \"spare\"\n{lines}\n");
    let spare = |options: &str| {
        format!("[backends.spare]\nendpoints = [\"h:1\"]\n{options}\n{}", rule("idempotent = true"))
    };
    let path = "rules.\"UserService.getUser\".";
    added_warned(&spare(""), &[]);
    added_warned(
        &format!("{}backup_when = \"before_stale\"\n", spare("")),
        &[(7, &format!("{path}backup_when: without ttl"))],
    );
    added_warned(
        "[rules.\"UserService.getUser\"]\nttl = \"1s\"\nstale_if_error = \"1s\"\nbackup_when = \"before_stale\"\n",
        &[(4, &format!("{path}backup_when: without backup nobody is asked"))],
    );
    let refused = |options: &str, message: &str| {
        let at = 5 + options.matches('\n').count();
        added_refused(&spare(options), &[(at, &format!("{path}backup: {message}"))]);
    };
    refused("connections = \"per_client\"\nmax_connections = 9", "what backends.spare knows of a client's");
    added_refused(
        &format!("{}invalidates = [\"all\"]\n", spare("")),
        &[(5, &format!("{path}backup: a call that changes something does so at its own backend"))],
    );
    added_refused(
        &rule("ttl = \"1s\"").replace("spare", "users"),
        &[(2, &format!("{path}backup: \"users\" is the backend that its calls go to anyway"))],
    );
    added_refused(
        &format!("[backends.spare]\nendpoints = [\"h:1\"]\n{}", rule("")),
        &[(4, &format!("{path}backup: without ttl or idempotent a call might have its effect"))],
    );
}
