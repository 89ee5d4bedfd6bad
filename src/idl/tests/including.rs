//! What includes bring, where they are looked for, and what is said of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use super::super::*;
use super::{load, outline, search};

#[test]
fn includes_bring_types_and_services_under_a_prefix() {
    let files = [
        (
            "main.thrift",
            "include \"lib/shared.thrift\"\ninclude 'common.v2.thrift' service S extends shared.Base { shared.Id f(1: common.v2.Tag t) }",
        ),
        (
            "lib/shared.thrift",
            "include '../common.v2.thrift' include 'top.thrift' typedef common.v2.Number Id service Base { oneway void seen(1: Id id) }",
        ),
        ("common.v2.thrift", "include 'main.thrift' typedef i64 Number enum Tag { A }"),
        ("top.thrift", "struct Found {}"),
    ];
    let loaded = load(&files).unwrap();
    let expected = "oneway Base.seen(1:i64 id)\nS.f(1:enum Tag t) -> i64\noneway S.seen(1:i64 id)";
    assert_eq!(outline(&loaded), expected);
}

#[test]
fn an_include_is_looked_for_beside_its_file_then_in_the_folders_then_beside_the_root() {
    let main = ("main.thrift", "include 'lib/one.thrift' service S { one.T f() }");
    let one = ("lib/one.thrift", "include 'two.thrift' typedef two.T T");
    let places = [
        ("lib/two.thrift", "typedef i8 T", "i8"),
        ("idl/two.thrift", "typedef i16 T", "i16"),
        ("more/two.thrift", "typedef i32 T", "i32"),
        ("two.thrift", "typedef i64 T", "i64"),
    ];
    for from in 0..places.len() {
        let there = places.iter().skip(from).map(|(path, text, _)| (*path, *text));
        let files: Vec<_> = [main, one].into_iter().chain(there).collect();
        let loaded = search(&files, &["idl", "more"]).unwrap();
        assert_eq!(outline(&loaded), format!("S.f() -> {}", places[from].2));
    }
    let problems = search(&[main, one], &["idl", "more"]).unwrap_err();
    let said = "lib/one.thrift:1: cannot read two.thrift: entity not found; looked in lib, idl, more, .";
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [said]);
}

#[track_caller]
fn warns(files: &[(&str, &str)], expected: &[&str]) {
    let loaded = load(files).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let warnings: Vec<String> = loaded.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings, expected, "{files:#?}");
}

#[test]
fn what_is_missing_is_a_mistake_only_where_something_of_it_is_used() {
    let unused = "include 'fb303.thrift'\nservice S { void f() }";
    warns(
        &[("main.thrift", unused)],
        &["main.thrift:1: cannot read fb303.thrift: entity not found; looked in ."],
    );
    for using in ["service S extends fb303.Base {}", "struct A { 1: fb303.T t }", "typedef list<fb303.T> T"] {
        let problems = load(&[("main.thrift", &format!("include 'fb303.thrift'\n{using}"))]).unwrap_err();
        assert!(matches!(problems[..], [Problem { mistake: Mistake::NotIncluded { .. }, line: 1, .. }]));
    }
}

#[test]
fn files_that_include_each_other_or_one_twice_are_told() {
    let twice = ("main.thrift", "include 'a.thrift'\ninclude './a.thrift'\nstruct X { 1: a.A a }");
    let a = ("a.thrift", "struct A {}");
    warns(&[twice, a], &["main.thrift:2: ./a.thrift is already included in line 1"]);
    let circle = [
        ("main.thrift", "include 'a.thrift'\nstruct X {}"),
        ("a.thrift", "\ninclude 'b.thrift' include 'c.thrift'"),
        ("b.thrift", "include 'main.thrift' include 'c.thrift'"),
        ("c.thrift", ""),
    ];
    let why = "includes this file in turn, which not every compiler takes";
    warns(&circle, &[&format!("b.thrift:1: main.thrift {why}")]);
    warns(&[("main.thrift", "include 'main.thrift'")], &[&format!("main.thrift:1: main.thrift {why}")]);
}

#[test]
fn comments_and_texts_may_be_in_any_encoding() {
    let load = |text: &[u8]| Schema::load(Path::new("main.thrift"), |_| Ok(text));
    let latin = b"// caf\xe9\nconst string C = 'caf\xe9' /* \xff */ service S { void f() }";
    assert_eq!(outline(&load(latin).unwrap()), "S.f()");
    let problems = load(b"service Caf\xe9 {}").unwrap_err();
    assert_eq!(problems[0].to_string(), "main.thrift:1: unexpected character '\u{fffd}'");
}

#[test]
fn a_oneway_method_with_a_result_is_taken_for_what_its_servers_do() {
    let text = "service S { oneway i32 f() }";
    assert_eq!(outline(&load(&[("main.thrift", text)]).unwrap()), "oneway S.f()");
    warns(&[("main.thrift", text)], &["main.thrift:1: oneway method f has a result that no client gets"]);
}
