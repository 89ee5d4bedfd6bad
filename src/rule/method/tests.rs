//! What holds for each method, by its rule and its IDL.

use std::path::Path;

use super::*;
use crate::setting::Period;

const IDL: &str = "service S {
    i64 get(1: i64 id)
    void put(1: i64 id)
    oneway void tell(1: i64 id)
}";

fn schema() -> Schema {
    Schema::load(Path::new("s.thrift"), |_| Ok(IDL.to_owned())).unwrap()
}

fn governed(rules: &[(&str, &Options)], schema: Option<&Schema>) -> Governed {
    let rules: Vec<(Pattern, &Options)> =
        rules.iter().map(|(pattern, options)| (pattern.parse().unwrap(), *options)).collect();
    Governed::new(rules.iter().map(|(pattern, options)| (pattern, *options)), schema)
}

#[track_caller]
fn of<'a>(governed: &'a Governed, method: &str) -> &'a Rule {
    let named = governed.named().find(|(_, name, _)| *name == method);
    &named.unwrap_or_else(|| panic!("{method} has no rule")).2.rule
}

fn cached() -> Options {
    Options { ttl: Some(Period::from_secs(1)), ..Options::default() }
}

fn is_kept(rule: &Rule) -> bool {
    matches!(rule.action, Action::Cache(_) | Action::Observe(_))
}

#[test]
fn a_wildcard_keeps_what_the_idl_declares_with_a_result_and_nothing_else() {
    let (schema, options) = (schema(), cached());
    let governed = governed(&[("S.*", &options)], Some(&schema));
    let kept = |method| (is_kept(of(&governed, method)), of(&governed, method).terms.repeat);
    assert_eq!(kept("get"), (true, Repeat::Idempotent));
    assert_eq!(kept("put"), (false, Repeat::Once), "a write is not repeated either");
    assert_eq!(kept("tell"), (false, Repeat::Once));
    let (_, undeclared) = governed.patterns().next().unwrap();
    assert!(!is_kept(&undeclared.rule));
    assert_eq!(undeclared.rule.terms.repeat, Repeat::Once);
}

#[test]
fn a_wildcard_says_in_a_word_that_its_methods_may_be_repeated() {
    let (schema, options) = (schema(), Options { idempotent: Some(true), ..Options::default() });
    assert_eq!(of(&governed(&[("S.*", &options)], Some(&schema)), "put").terms.repeat, Repeat::Idempotent);
}

#[test]
fn a_void_method_is_kept_by_its_own_rule_and_a_word() {
    let schema = schema();
    let kept = |options: &Options, schema: Option<&Schema>| {
        is_kept(of(&governed(&[("S.put", options)], schema), "put"))
    };
    let word = Options { cache_void: true, ..cached() };
    assert_eq!((kept(&cached(), Some(&schema)), kept(&word, Some(&schema))), (false, true));
    assert_eq!((kept(&cached(), None), kept(&word, None)), (true, true), "who names it knows it");
    assert_eq!(of(&governed(&[("S.put", &word)], None), "put").terms.returns, Returns::Void);
    let told = governed(&[("S.tell", &word)], Some(&schema));
    assert!(!is_kept(of(&told, "tell")), "a oneway method has no reply");
}

#[test]
fn a_rule_that_is_not_on_changes_nothing() {
    let schema = schema();
    let full = Options {
        timeout: Some(Period::from_millis(5)),
        idempotent: Some(true),
        failure_exceptions: vec!["3".to_owned()],
        fallback: Some("1".to_owned()),
        oneway: true,
        ..cached()
    };
    for (mode, schema) in
        [(Mode::Observe, Some(&schema)), (Mode::Off, Some(&schema)), (Mode::Observe, None), (Mode::Off, None)]
    {
        let options = Options { mode, ..full.clone() };
        let ruled = governed(&[("S.get", &options), ("S.*", &options)], schema);
        let unruled = governed(&[], schema);
        let all = ruled.named().map(|(_, name, ruled)| (name.to_owned(), ruled));
        let all = all.chain(ruled.patterns().map(|(_, ruled)| ("another".to_owned(), ruled)));
        for (name, ruled) in all {
            let known = unruled.named().find(|(_, other, _)| *other == name);
            let plain = known.map_or_else(|| unruled.other(), |(_, _, plain)| plain);
            let told = |rule: &Rule| format!("{:?} {:?} {:?}", rule.terms, rule.timeout, rule.fallback);
            assert_eq!(told(&ruled.rule), told(&plain.rule), "{name} with {mode:?}");
            let seen = matches!(ruled.rule.action, Action::Observe(_));
            assert_eq!(seen, mode == Mode::Observe && name == "get" && schema.is_some(), "{name} {mode:?}");
        }
    }
}

#[test]
fn an_observed_method_is_seen_where_it_would_be_kept() {
    let (schema, options) = (schema(), Options { mode: Mode::Observe, ..cached() });
    let governed = governed(&[("S.*", &options)], Some(&schema));
    let seen = |method| matches!(of(&governed, method).action, Action::Observe(_));
    assert_eq!((seen("get"), seen("put"), seen("tell")), (true, false, false));
}

#[test]
fn the_most_specific_rule_governs_alone() {
    let schema = schema();
    let (own, all) = (Options { revision: 7, ..cached() }, cached());
    let governed = governed(&[("S.get", &own), ("S.*", &all)], Some(&schema));
    let Action::Cache(caching) = &of(&governed, "get").action else { panic!("get is kept") };
    assert_eq!(caching.revision, 7);
}
