//! Rules that stand in the IDL.

use super::idls::{load, said};
use crate::config::{Config, Loaded};
use crate::setting::Period;

/// An IDL with these structures and methods, and what a file adds to the right one that names it.
fn annotated(structures: &str, methods: &str, added: &str) -> Loaded {
    let idl = format!("{structures}\nservice UserService {{\n{methods}\n}}");
    load(added, &[("users.thrift", &idl)])
}

fn config(structures: &str, methods: &str, added: &str) -> Config {
    let loaded = annotated(structures, methods, added);
    said(&loaded.problems, &[]);
    loaded.config.unwrap()
}

/// The rules in force, each with what it says and where it is stated.
fn rules(config: &Config) -> Vec<String> {
    let rules = config.listeners["users"].rules.iter().map(|rule| {
        let ttl = rule.options.ttl.unwrap_or(Period::ZERO);
        let place = rule.annotation.as_ref().map_or_else(|| "the file".to_owned(), ToString::to_string);
        format!("{} {ttl} in {place}", rule.pattern)
    });
    rules.collect()
}

const GET: &str = "i64 getUser(1: i64 id) (larder.ttl = '30s', larder.stale_if_error = '24h')";

#[test]
fn annotations_state_what_options_do() {
    let method = "i64 getUser(1: i64 id, 2: string trace, 3: i32 page)\n\
        throws (1: Gone gone)\n\
        (deprecated, larder.ttl = '30s', larder.ttl_jitter = '0.1', larder.ramp = '50', larder.max_reply = '4096',\n\
        larder.ignore = 'trace, 3', larder.tags = '[\"user:{id}\"]', larder.cache_exceptions = 'Gone', x.y = 'z',\n\
        larder.tiers = 'local', larder.stale_if_error = '1h', larder.mode = 'observe', larder.fallback = '7')";
    let stated = config("exception Gone {}", method, "");
    let written = "[rules.\"UserService.getUser\"]\nttl = '30s'\nttl_jitter = 0.1\nramp = 50\nmax_reply = 4096\n\
        ignore = ['trace', '3']\ntags = ['user:{id}']\ncache_exceptions = ['Gone']\ntiers = ['local']\n\
        stale_if_error = '1h'\nmode = 'observe'\nfallback = '7'\n";
    let bare = method.split("(deprecated").next().unwrap();
    let written = config("exception Gone {}", bare, written);
    let options = |config: &Config| config.listeners["users"].rules[0].options.clone();
    assert_eq!(options(&stated), options(&written));
    assert_eq!(rules(&stated), ["UserService.getUser 30s in users.thrift:5"]);
    let void = "void ping() (larder.ttl = '1s', larder.cache_void, larder.stale_if_error = '1s')";
    assert!(options(&config("", void, "")).cache_void);
}

#[test]
fn what_is_wrong_with_an_annotation_is_said_as_of_an_option() {
    let refused = |method: &str, expected: &[&str]| {
        let expected: Vec<_> = expected.iter().map(|text| format!("users.thrift:{text}")).collect();
        said(&annotated("", method, "").problems, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    };
    let at = "UserService.getUser: larder";
    refused(
        "i64 getUser(1: i64 id) (larder.tll = '30s',\nlarder.ramp = 'most', larder.ttl = '30')",
        &[
            &format!("3: {at}.tll: unknown option, did you mean ttl?"),
            &format!("4: {at}.ramp: \"most\" is not accepted: expected a whole number from 0 to 100"),
            &format!(
                "4: {at}.ttl: \"30\" is not accepted: expected a duration such as \"30s\", \"250ms\" or \"5m\""
            ),
        ],
    );
    refused(
        "i64 getUser(1: i64 id) (larder.ttl = '30s', larder.ignore = 'idd', larder.idempotent = 'false')",
        &[
            &format!("3: {at}.idempotent: a method with ttl is idempotent: leave one out"),
            &format!("3: {at}.ignore: method getUser has no field idd, did you mean id?"),
        ],
    );
    refused(
        "i64 getUser() (larder.ttl = '30s', larder.ttl = '40s')",
        &[&format!("3: {at}.ttl: given twice")],
    );
    refused(
        "void getUser() (larder.ttl = '30s', larder.backend = 'usrs')",
        &[
            &format!("3: {at}.backend: there is no backend \"usrs\", did you mean users?"),
            &format!(
                "3: {at}.ttl: getUser returns nothing, so of the calls that share a reply only one would reach the \
                service: leave out ttl, or say cache_void = true"
            ),
        ],
    );
    let loaded = annotated("", "i64 getUser(1: i64 id) (larder.ttl = '30s')", "");
    said(
        &loaded.warnings,
        &[&format!(
            "users.thrift:3: {at}.ttl: without stale_if_error nothing answers when backends are down"
        )],
    );
}

#[test]
fn the_configuration_wins_whole_where_it_names_the_service() {
    let check =
        |added: &str, expected: &[&str]| assert_eq!(rules(&config("", GET, added)), expected, "{added}");
    let stated = "UserService.getUser 30s in users.thrift:3";
    check("", &[stated]);
    for pattern in ["UserService.getUser", "UserService.get*", "UserService.*"] {
        let own = format!("{pattern} 5s in the file");
        check(&format!("[rules.\"{pattern}\"]\nttl = '5s'\n"), &[&own]);
    }
    check("[rules.\"*\"]\nmode = 'observe'\n", &[stated, "* 0s in the file"]);
    // What is wrong with it is told all the same.
    let wrong = GET.replace("'30s'", "'30'");
    let loaded = annotated("", &wrong, "[rules.\"UserService.*\"]\n");
    assert_eq!(loaded.problems.len(), 1);
}

#[test]
fn a_method_that_a_service_inherits_keeps_its_rule() {
    let services = format!("service Base {{ {GET} }} service UserService extends Base {{}}");
    let loaded = load("", &[("users.thrift", &services)]);
    let rules = rules(&loaded.config.unwrap());
    let of = |service: &str| format!("{service}.getUser 30s in users.thrift:1");
    assert_eq!(rules, [of("Base"), of("UserService")]);
}

#[test]
fn fields_say_what_keys_leave_out_and_what_tags_are_made_of() {
    let structures = "struct Ctx { 1: string trace (larder.ignore = 'true'), 2: string tenant }\n\
        struct User { 1: i64 id (larder.tag = 'user'), 2: list<User> friends, 3: Team team }\n\
        struct Team { 1: i64 id (larder.tag = 'team') }";
    let kept = "(larder.ttl = '30s', larder.stale_if_error = '24h')";
    let options = |method: &str| {
        let config = config(structures, method, "");
        let options = &config.listeners["users"].rules[0].options;
        (options.ignore.clone(), options.tags.clone())
    };
    let (ignore, tags) = options(&format!(
        "list<User> getUsers(1: list<i64> ids (larder.tag = 'user'), 2: Ctx ctx, 3: bool debug (larder.ignore), 4: list<Ctx> all) {kept}"
    ));
    assert_eq!(ignore, ["ctx.trace", "debug"]);
    assert_eq!(tags, ["user:{ids}", "user:{reply.id}", "team:{reply.team.id}"]);
    let (ignore, tags) = options(&format!("i64 get(1: Ctx reply, 2: Team team) {kept}"));
    assert_eq!((ignore, tags), (vec!["1.trace".to_owned()], vec!["team:{team.id}".to_owned()]));
    // A write changes what it names itself.
    let (ignore, tags) =
        options("void rename(1: i64 id (larder.tag = 'user')) (larder.invalidates = 'user:{id}')");
    assert_eq!((ignore, tags), (vec![], vec![]));
}

#[test]
fn what_fields_cannot_say_is_told() {
    let structures = "exception Gone { 1: i64 id }\n\
        struct User { 1: i64 id (larder.tag = 'user'), 2: string x (larder.ignore = 'yes') }\n\
        struct Odd { 1: i64 id (larder.tags = 'user'), 2: i64 no (larder.tag = '{id}'), 3: i64 ttl (larder.ttl = '1s') }";
    let method = "i64 get(1: i64 id) throws (1: Gone gone (larder.ignore))";
    let problems = annotated(structures, method, "").problems;
    said(
        &problems,
        &[
            "users.thrift:2: User.x: larder.ignore: \"yes\" is not accepted: expected \"true\" or \"false\"",
            "users.thrift:3: Odd.id: larder.tags: unknown option, did you mean tag?",
            "users.thrift:3: Odd.no: larder.tag: \"{id}\" is not accepted: expected what the tag begins with, such as \"user\"",
            "users.thrift:3: Odd.ttl: larder.ttl: unknown option of a field: there are ignore, tag",
            "users.thrift:5: get.gone: larder.ignore: means nothing of an exception: cache_exceptions and \
             failure_exceptions stand behind the method",
        ],
    );
    let user = "struct User { 1: i64 id (larder.tag = 'user') }";
    let found = "struct Kept { 1: User user } struct Found { 1: map<i64, list<Kept>> users }";
    let methods = "Found getUser() (larder.ttl = '1s', larder.stale_if_error = '1s')\ni64 get(1: i64 id (larder.ignore))\n\
        map<i64, User> getAll() (larder.ttl = '1s', larder.stale_if_error = '1s')";
    let why = "no tags are made of what is in a map, or in a structure inside one of its kind";
    let untold = |line: usize, method: &str, path: &str| {
        format!(
            "users.thrift:{line}: UserService.{method}: larder.tags: {path} holds a field with larder.tag: {why}"
        )
    };
    said(
        &annotated(&format!("{user} {found}"), methods, "").warnings,
        &[
            &untold(3, "getUser", "reply.users"),
            "users.thrift:4: UserService.get: larder.ignore: without larder.ttl behind the method it says nothing",
            &untold(5, "getAll", "reply"),
        ],
    );
}

#[test]
fn two_idls_that_disagree_are_told_to_let_the_configuration_say() {
    let other = "[listeners.other]\nbind = '127.0.0.1:9096'\nservice = 'UserService'\nbackend = 'users'\nidl = 'other.thrift'\n";
    let idl = |method: &str| format!("service UserService {{ {method} }}");
    let files = |method: &str| [("users.thrift", idl(GET)), ("other.thrift", idl(method))];
    let load = |method: &str| {
        let files = files(method);
        load(other, &files.each_ref().map(|(name, text)| (*name, text.as_str())))
    };
    said(&load(GET).problems, &[]);
    let problems = load(&GET.replace("30s", "40s")).problems;
    said(
        &problems,
        &[
            "users.thrift:1: UserService.getUser: larder: another idl says something else of it in other.thrift:1: \
            say it in the configuration",
        ],
    );
}

#[test]
fn a_change_of_an_annotation_is_one_of_its_rule() {
    let before = config("", GET, "");
    let told = |next: &Config| {
        let changes = before.changes(next);
        changes.applied.into_iter().map(|change| change.says).collect::<Vec<_>>()
    };
    let content = "listener users: idl users.thrift: its content has changed";
    assert_eq!(
        told(&config("", &GET.replace("30s", "40s"), "")),
        [content, "UserService.getUser: ttl 30s to 40s"]
    );
    let bare = "i64 getUser(1: i64 id)";
    assert_eq!(told(&config("", bare, "")), [content, "UserService.getUser: no such rule any more"]);
    let gained = format!("{GET}\n{}", GET.replace("getUser", "getTeam"));
    let new = "UserService.getTeam: new rule (stale_if_error 24h, ttl 30s)";
    assert_eq!(told(&config("", &gained, "")), [content, new]);
    // It is no part of what the file gives.
    assert!(!before.toml().contains("rules"), "{}", before.toml());
}
