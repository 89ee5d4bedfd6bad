//! Whole files: what is said of them, and what they become.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{Change, Config, Loaded, Problem, check, reference};

mod annotated;
mod idls;
mod reloads;
mod rules;
mod sessions;

/// A file that is right, to which each test adds its own.
const BASE: &str = r#"[listeners.users]
bind = "127.0.0.1:9090"
service = "UserService"
backend = "users"
idl = "users.thrift"
[backends.users]
endpoints = ["127.0.0.1:9191"]
"#;

/// The lines that `BASE` takes; what a test adds begins on the next.
const BASE_LINES: usize = 7;

const IDL: &str = include_str!("../../idl/users.thrift");

fn load(text: &str) -> Loaded {
    let read = |path: &Path| match path.to_str() {
        Some("larder.toml") => Ok(text.to_owned()),
        Some("users.thrift") => Ok(IDL.to_owned()),
        Some("bad.thrift") => Ok("service S {\n  Usr get()\n}".to_owned()),
        Some("login.thrift") => {
            Ok("service UserService {\n  void login(1: string name)\n  i64 getUser()\n}".to_owned())
        }
        Some("users2.thrift") => Ok(format!("{IDL}\n// changed")),
        Some("list.toml") => Ok("endpoints = [\"h:1\"]".to_owned()),
        Some("cut.toml") => Ok("endpoints = [\"h:1\",".to_owned()),
        Some("other") => Ok("open\n".to_owned()),
        Some("secret") => Ok("sesame\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Config::load(Path::new("larder.toml"), &read, &|name| (name == "SECRET").then(|| "sesame".to_owned()))
}

#[track_caller]
fn said(found: &[Problem], expected: &[&str]) {
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    let alike = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| found.starts_with(&format!("larder.toml:{expected}")));
    assert!(alike, "found {found:#?}\nexpected {expected:#?}");
}

/// The text alone has these problems, each `LINE: path: message`.
#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let loaded = load(text);
    assert!(loaded.config.is_none());
    said(&loaded.problems, expected);
}

/// What is added to a good file has these problems; lines count from what is added.
#[track_caller]
fn added_refused(added: &str, expected: &[(usize, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(line, text)| format!("{}: {text}", line + BASE_LINES)).collect();
    refused(&format!("{BASE}{added}"), &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

/// What is added to a good file is accepted with these warnings.
#[track_caller]
fn added_warned(added: &str, expected: &[(usize, &str)]) {
    let loaded = load(&format!("{BASE}{added}"));
    assert!(loaded.config.is_some(), "{:#?}", loaded.problems);
    let expected: Vec<_> =
        expected.iter().map(|(line, text)| format!("{}: {text}", line + BASE_LINES)).collect();
    said(&loaded.warnings, &expected.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn files_of_secrets_are_known_by_their_options() {
    let shared = "[cache.shared]\nurl = 'redis://h'\nusername = 'u'\npassword_file = 'secret'";
    let text = format!("{BASE}[admin]\ntoken_file = 'other'\n{shared}\n");
    let config = load(&text).config.unwrap();
    let named = [("cache.shared.password_file", "secret"), ("admin.token_file", "other")];
    assert_eq!(config.secrets, named.map(|(option, path): (&str, &str)| (option.to_owned(), path.into())));
}

#[test]
fn a_small_file_is_enough() {
    let loaded = load(BASE);
    assert_eq!((loaded.problems, loaded.warnings), (vec![], vec![]));
    let config = loaded.config.unwrap();
    assert_eq!(config.limits.bounds.frame, 16_384_000);
    assert!(config.listeners["users"].methods.named().any(|(_, method, _)| method == "getUser"));
}

#[test]
fn unknown_names_find_the_nearest() {
    added_refused(
        "[rules.\"UserService.getUser\"]\ntll = \"5s\"\ncolour = 1\n[limit]\n[cache.shred]\n",
        &[
            (2, "rules.\"UserService.getUser\".tll: unknown option, did you mean ttl?"),
            (3, "rules.\"UserService.getUser\".colour: unknown option: there are "),
            (4, "limit: unknown section, did you mean limits?"),
            (5, "cache.shred: unknown option, did you mean shared?"),
        ],
    );
}

#[test]
fn a_wrong_value_names_what_is_accepted() {
    let rule = |line: &str| format!("[rules.\"UserService.getUser\"]\nstale_if_error = \"1h\"\n{line}\n");
    let path = "rules.\"UserService.getUser\"";
    let check = |line: &str, message: &str| added_refused(&rule(line), &[(3, &format!("{path}.{message}"))]);
    check("ttl = 30", "ttl: 30 is not accepted: expected a duration such as \"30s\", \"250ms\" or \"5m\"");
    check("ttl = \"soon\"", "ttl: \"soon\" is not accepted: expected a duration");
    check("ttl = \"20years\"", "ttl: \"20years\" is over the limit of 87600h");
    check(
        "max_reply = \"1 parsec\"",
        "max_reply: \"1 parsec\" is not accepted: expected a size such as \"16MiB\"",
    );
    check("max_reply = 0", "max_reply: 0 is less than the least, 1");
    check("max_reply = -1", "max_reply: -1 is not accepted: expected a size");
    check("ttl_jitter = 0.6", "ttl_jitter: 0.6 is out of bounds: expected a number from 0 to 0.5");
    check("ttl_jitter = nan", "ttl_jitter: nan is out of bounds");
    check("revision = -1", "revision: -1 is not accepted: expected a whole number from 0");
    check("oneway = \"yes\"", "oneway: \"yes\" is not accepted: expected true or false");
    check(
        "mode = \"observed\"",
        "mode: \"observed\" is not accepted: expected \"on\" or \"observe\" or \"off\", did you mean \"observe\"?",
    );
    check(
        "tiers = [\"lokal\"]",
        "tiers: \"lokal\" is not accepted: expected a list of \"local\" or \"shared\", did you mean \"local\"?",
    );
    check("tiers = []", "tiers: [] is too short");
    check("ignore = [3]", "ignore: 3 is not accepted: expected a list of strings");
    check("ignore = \"trace_id\"", "ignore: \"trace_id\" is not accepted: expected a list of strings");
}

#[test]
fn every_number_has_bounds() {
    added_refused(
        "[limits]\ndepth = 65\nconnections = 0\nframe = \"2GiB\"\nmessage_time = \"1ms\"\n[runtime]\nthreads = 1025\n",
        &[
            (2, "limits.depth: 65 is out of bounds: expected a whole number from 1 to 64"),
            (3, "limits.connections: 0 is out of bounds: expected a whole number from 1 to 1000000"),
            (4, "limits.frame: \"2GiB\" is over the limit of 1GiB"),
            (5, "limits.message_time: \"1ms\" is less than the least, 10ms"),
            (7, "runtime.threads: 1025 is out of bounds: expected a whole number from 1 to 1024"),
        ],
    );
}

#[test]
fn what_is_missing_is_said_at_its_section() {
    refused("", &[" no listener: expected a section [listeners.NAME]"]);
    refused(
        "[listeners.users]\nbind = \"127.0.0.1:1\"\n[backends.users]\n",
        &[
            "1: listeners.users.service: missing: expected a string",
            "1: listeners.users.backend: missing: expected a string",
            "3: backends.users.endpoints: missing: expected a list of hosts with ports such as [\"10.0.0.1:9191\"",
        ],
    );
    refused("listeners = 1\n", &[" no listener", "1: listeners: 1 is no section: expected [listeners]"]);
}

#[test]
fn names_and_addresses_must_agree() {
    added_refused(
        "[listeners.two]\nbind = \"0.0.0.0:9090\"\nservice = \"Other\"\nbackend = \"user\"\n[listeners.three]\n\
         bind = \"127.0.0.1:9099\"\nservice = \"a b\"\nbackend = \"users\"\n",
        &[
            (2, "listeners.two.bind: 0.0.0.0:9090 is already taken by listeners.users"),
            (4, "listeners.two.backend: there is no backend \"user\", did you mean users?"),
            (6, "listeners.three.bind: 127.0.0.1:9099 is already taken by admin"),
            (7, "listeners.three.service: \"a b\" is no service name"),
        ],
    );
    added_refused(
        "[rules.\"UserService.getUser\"]\nttl = \"1s\"\nbackup = \"usres\"\n",
        &[(3, "rules.\"UserService.getUser\".backup: there is no backend \"usres\", did you mean users?")],
    );
    added_refused(
        "[rules.\"UserService.getUser\"]\nbackend = \"usres\"\n",
        &[(2, "rules.\"UserService.getUser\".backend: there is no backend \"usres\", did you mean users?")],
    );
    added_refused(
        "[backends.b]\nendpoints = [\"h:1\", \"h:1\"]\n[backends.c]\nendpoints = [\"h\"]\n[listeners.\"a b\"]\n\
         bind = \"1.2.3.4\"\nservice = \"UserService\"\nbackend = \"b\"\n",
        &[
            (2, "backends.b.endpoints: h:1 is listed twice"),
            (
                4,
                "backends.c.endpoints: [\"h\"] is not accepted (a port from 1 to 65535 is missing): expected a list of hosts",
            ),
            (5, "listeners.\"a b\": is no name"),
            (6, "listeners.\"a b\".bind: \"1.2.3.4\" is not accepted: expected an address and port such as"),
        ],
    );
    added_refused(
        "[backends.b]\nendpoints = [\"h:1\"]\nweights = { \"h:1\" = 0, \"g:1\" = 2 }\n[backends.c]\nendpoints = [\"h:1\"]\n\
         weights = { \"h\" = 2 }\n[backends.d]\nendpoints = [\"h:1\"]\nweights = { \"h:1\" = \"2\" }\n",
        &[
            (3, "backends.b.weights: g:1 is not one of the endpoints"),
            (3, "backends.b.weights: 0, of h:1, is not from 1 to 1000"),
            (
                6,
                "backends.c.weights: \"h\" is not accepted (a port from 1 to 65535 is missing): expected a table of endpoints",
            ),
            (9, "backends.d.weights: \"2\" is not accepted: expected a table of endpoints and whole numbers"),
        ],
    );
}

#[test]
fn what_is_no_toml_is_said_with_the_rest() {
    added_refused(
        "[rules.\"UserService.getUser\"]\nttl = \"5s\"\nttl = \"6s\"\nrevision = \n[rules.\"UserService.getUser\"]\n\
         ttl = \"1s\"\n[log]\nlevle = \"info\"\n",
        &[
            (3, "ttl: given twice"),
            (4, "no TOML: "),
            (5, "\"UserService.getUser\": given twice"),
            (6, "ttl: given twice"),
            (8, "log.levle: unknown option, did you mean level?"),
        ],
    );
}

#[test]
fn a_secret_stays_out_of_the_file_and_of_messages() {
    let loaded = load(&format!("{BASE}[cache.shared]\nurl = \"redis://:sesame@127.0.0.1\"\n"));
    said(
        &loaded.problems,
        &["9: cache.shared.url: must not hold a name or a password: use username and password_file"],
    );
    assert!(!loaded.problems[0].to_string().contains("sesame"));
    for source in ["password_file = \"secret\"", "password_env = \"SECRET\""] {
        let loaded = load(&format!("{BASE}[cache.shared]\nurl = \"redis://127.0.0.1\"\n{source}\n"));
        let config = loaded.config.unwrap();
        assert_eq!(config.cache.shared.unwrap().redis.login.password.unwrap().reveal(), "sesame", "{source}");
    }
    added_refused(
        "[cache.shared]\nurl = \"redis://127.0.0.1\"\npassword_env = \"NOTHING\"\n",
        &[(3, "cache.shared.password_env: NOTHING is not set in the environment")],
    );
    added_refused(
        "[cache.shared]\nurl = \"redis://127.0.0.1\"\npassword_file = \"nothing\"\n",
        &[(3, "cache.shared.password_file: nothing cannot be read: ")],
    );
}

#[test]
fn idl_problems_stand_where_they_are() {
    let listener = |idl: &str| BASE.replace("users.thrift", idl);
    let found = load(&listener("bad.thrift")).problems;
    assert!(found[0].to_string().starts_with("bad.thrift:2: unknown type Usr"), "{found:?}");
    said(&load(&listener("none.thrift")).problems, &["5: listeners.users.idl: cannot read none.thrift"]);
    let other = BASE.replace("\"UserService\"", "\"UsersService\"");
    said(
        &load(&other).problems,
        &["3: listeners.users.service: the idl declares no service UsersService, did you mean UserService?"],
    );
}

#[test]
fn the_embedded_file_is_good_and_says_every_default() {
    let embedded = Config::embedded();
    assert_eq!((embedded.problems, embedded.warnings), (vec![], vec![]));
    let uncommented: String = super::EMBEDDED
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.starts_with('[')
                    || rest.split_once(" = ").is_some_and(|(name, _)| !name.contains(' ')) =>
            {
                format!("{}\n", rest.replace("redis.secret", "secret"))
            }
            _ => format!("{}\n", line.replace("../idl/", "")),
        })
        .collect();
    let loaded = load(&uncommented);
    assert_eq!(loaded.problems, [], "{uncommented}");
    let changes = load(BASE).config.unwrap().reload(loaded.config.unwrap());
    let sections = ["log", "admin", "limits", "flights", "cache.local"];
    let changed: Vec<_> = changes
        .restart
        .iter()
        .filter(|change| sections.iter().any(|section| change.path.starts_with(&format!("{section}."))))
        .collect();
    assert_eq!(changed, Vec::<&Change>::new(), "options whose default the file gives wrongly");
}

#[test]
fn endpoints_stand_here_or_in_a_file_that_may_not_be_there_yet() {
    let base = |options: &str| BASE.replace("endpoints = [\"127.0.0.1:9191\"]", options);
    let warns = |options: &str, expected: &[&str]| {
        let loaded = load(&base(options));
        assert_eq!(loaded.problems, []);
        said(&loaded.warnings, expected);
    };
    warns("endpoints_file = \"list.toml\"", &[]);
    warns(
        "endpoints_file = \"no.toml\"",
        &["7: backends.users.endpoints_file: no.toml cannot be used now: "],
    );
    warns(
        "endpoints_file = \"cut.toml\"",
        &["7: backends.users.endpoints_file: cut.toml cannot be used now: line 1: "],
    );
    refused(&base(""), &["6: backends.users.endpoints: missing: expected a list of hosts"]);
    refused(
        &base("endpoints = [\"h:1\"]\nendpoints_file = \"list.toml\""),
        &["8: backends.users.endpoints_file: endpoints are given too: it is one or the other"],
    );
}

#[test]
fn check_says_all_and_fails() {
    let loaded = load(&format!("{BASE}[rules.\"UserService.getUser\"]\ntll = \"5s\"\n"));
    let text = check::report(Path::new("larder.toml"), &loaded);
    let expected = "larder.toml:9: rules.\"UserService.getUser\".tll: unknown option, did you mean ttl?\n\
        larder.toml: cannot be used; 1 problem and no warnings\n";
    assert_eq!((text.as_str(), loaded.config.is_none()), (expected, true));
    let text = check::report(Path::new("larder.toml"), &load(BASE));
    assert_eq!(
        text,
        "larder.toml: good, with 1 listener, 1 backend, no rules; no problems and no warnings\n"
    );
}

/// Rewrites a generated file that is out of date, and fails so that somebody looks at it.
#[track_caller]
fn is_up_to_date(name: &str, content: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
    if fs::read_to_string(&path).is_ok_and(|kept| kept == content) {
        return;
    }
    fs::write(&path, content).unwrap();
    panic!("config/{name} was out of date and is rewritten");
}

#[test]
fn the_reference_is_up_to_date() {
    is_up_to_date("REFERENCE.md", &reference::page());
}

#[test]
fn the_schema_is_up_to_date() {
    is_up_to_date("schema.json", &reference::schema());
}

#[test]
fn the_sample_names_every_option() {
    let sample = super::EMBEDDED.lines().map(|line| line.strip_prefix("# ").unwrap_or(line));
    let mut section = "";
    let mut named = BTreeSet::new();
    for line in sample {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            section = if header.starts_with("cache.") { header } else { header.split('.').next().unwrap() };
        }
        named.extend(
            line.split(" = ").filter_map(|text| text.split(' ').next_back()).map(|option| (section, option)),
        );
    }
    let all = reference::options();
    let lacking: Vec<_> = all
        .iter()
        .filter(|(section, option)| !named.contains(&(section.as_str(), option.as_str())))
        .collect();
    assert!(all.len() > 60 && lacking.is_empty(), "config/larder.toml lacks {lacking:?}");
}

#[test]
fn any_text_is_read_without_panic() {
    for end in 0..super::EMBEDDED.len() {
        if let Some(text) = super::EMBEDDED.get(..end) {
            load(text);
        }
    }
}
