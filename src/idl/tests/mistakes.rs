//! What is refused, and in which words.

use std::path::Path;

use super::super::*;
use super::load;

#[track_caller]
fn check_problems(text: &str, expected: &[&str]) {
    check_files(&[("main.thrift", text)], expected);
}

#[track_caller]
fn check_files(files: &[(&str, &str)], expected: &[&str]) {
    let problems = load(files).expect_err("something is wrong in it");
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems, expected, "{files:#?}");
}

#[test]
fn unknown_names_come_with_the_nearest() {
    check_problems(
        "struct User {}\nservice S {\n Usr f(1: strng a)\n}\nservice T extends s {}",
        &[
            "main.thrift:3: unknown type strng, did you mean string?",
            "main.thrift:3: unknown type Usr, did you mean User?",
            "main.thrift:5: unknown service s, did you mean S?",
        ],
    );
    check_problems("\nstrcut A {}", &["main.thrift:2: unknown definition strcut, did you mean struct?"]);
    check_files(
        &[
            ("main.thrift", "include 'shared.thrift'\nstruct A { 1: shard.B b, 2: shared.C c }"),
            ("shared.thrift", "struct Cc {}"),
        ],
        &[
            "main.thrift:2: unknown type shard.B, did you mean shared.B?",
            "main.thrift:2: unknown type shared.C, did you mean Cc?",
        ],
    );
}

#[test]
fn a_broken_file_makes_no_further_problems_elsewhere() {
    check_files(
        &[
            ("main.thrift", "include 'a.thrift'\ninclude 'b.thrift'\nstruct A { 1: a.X x, 2: b.Y y }"),
            ("a.thrift", "\nstruct X [ 1: i32 a }\n"),
        ],
        &[
            "main.thrift:2: cannot read b.thrift: entity not found; looked in .",
            "a.thrift:2: expected '{', found '['",
        ],
    );
}

#[test]
fn parsing_goes_on_after_a_mistake() {
    check_problems(
        "struct A {\n 1 i32 a\n 2: i32\n 3: i32 c\n 4: list<i32 d\n}\nenum E {\n A = x\n B\n}\nservice S {\n void f(1: i32,\n  2: i32 b)\n void g(\n}\nconst i32 C 1\nstruct Z { 1: A a }",
        &[
            "main.thrift:2: expected ':' after the field id, found i32",
            "main.thrift:4: expected the name of the field, found 3",
            "main.thrift:5: expected '>', found d",
            "main.thrift:8: expected a number, found x",
            "main.thrift:12: expected the name of the field, found ','",
            "main.thrift:15: expected a type, found '}'",
            "main.thrift:16: expected '=' and a value, found 1",
        ],
    );
}

#[test]
fn words_that_are_none_are_named() {
    check_problems(
        "struct A { 1: i32 a = 12ab }\n$",
        &["main.thrift:1: expected a number, found 12ab", "main.thrift:2: unexpected character '$'"],
    );
    check_problems(
        "const i64 A = 99999999999999999999",
        &["main.thrift:1: number 99999999999999999999 does not fit"],
    );
    check_problems("\n/* open", &["main.thrift:2: comment is not closed"]);
    check_problems("include \"a", &["main.thrift:1: text is not closed"]);
    check_problems("enum E { A = 2147483648 }", &["main.thrift:1: number 2147483648 does not fit"]);
    check_problems("enum E { A = 2147483647, B }", &["main.thrift:1: number 2147483648 does not fit"]);
    check_problems("struct A {", &["main.thrift:1: expected '}', found the end of the file"]);
}

#[test]
fn contradictions_are_refused() {
    check_problems("struct A {}\nenum A {}", &["main.thrift:2: type A is already defined in line 1"]);
    check_problems("enum E { A\n A }", &["main.thrift:2: enum constant A is already defined in line 1"]);
    check_problems(
        "service S { void f()\n void f() }",
        &["main.thrift:2: method f is already defined in line 1"],
    );
    check_problems(
        "struct A { 1: i32 a\n 1: i32 b }",
        &["main.thrift:2: field id 1 of b is already taken by a"],
    );
    check_problems(
        "struct A { 1: i32 a\n 2: i32 a }",
        &["main.thrift:2: field a is already defined in line 1"],
    );
    check_problems(
        "struct A { 32768: i32 a }",
        &["main.thrift:1: field id 32768 of a is outside -32768 to 32767"],
    );
    check_problems(
        "exception E {} service S { oneway void f() throws (1: E e) }",
        &["main.thrift:1: oneway method f cannot have exceptions"],
    );
    check_problems(
        "struct A {} service S { void f() throws (1: A a) }",
        &["main.thrift:1: a of method f is not an exception"],
    );
    check_problems("typedef B A\ntypedef list<A> B", &["main.thrift:2: typedef A leads back to itself"]);
    check_problems(
        "service A extends B {}\nservice B extends A {}",
        &["main.thrift:1: service A leads back to itself", "main.thrift:2: service B leads back to itself"],
    );
}

#[test]
fn nesting_and_growth_are_bounded() {
    let deep = format!("struct A {{ 1: {}i32{} a }}", "list<".repeat(300), ">".repeat(300));
    check_problems(&deep, &["main.thrift:1: type nested deeper than 256"]);
    let doubling: Vec<String> =
        (1..60).map(|i| format!("typedef map<T{}, T{}> T{i}\n", i - 1, i - 1)).collect();
    let problems = load(&[("main.thrift", &format!("typedef i32 T0 {}", doubling.concat()))]).unwrap_err();
    assert_eq!(problems[0].mistake, Mistake::TypeTooLarge { size: 511 });
    let chain: Vec<String> = (0..5000).map(|i| format!("typedef T{} T{i}\n", i + 1)).collect();
    let problems = load(&[("main.thrift", &chain.concat())]).unwrap_err();
    assert_eq!(problems[0].mistake, Mistake::TooDeep { what: "typedef", limit: TYPE_DEPTH });
    let values = format!("const list<i32> A = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(load(&[("main.thrift", &values)]).is_ok());
    assert_eq!(load(&[("main.thrift", &"$".repeat(100_000))]).unwrap_err().len(), PROBLEMS);
    let itself = Schema::load(Path::new("main.thrift"), |path| {
        Ok(format!("include 'x{}.thrift'", path.to_string_lossy().len()))
    });
    assert!(itself.is_ok());
    let mut count = 0;
    let endless = Schema::load(Path::new("main.thrift"), |_| {
        count += 1;
        Ok(format!("include '{count}.thrift'"))
    });
    assert_eq!(endless.unwrap_err()[0].mistake, Mistake::TooManyFiles);
    let long = " ".repeat(FILE_BYTES + 1);
    let problems = load(&[("main.thrift", &long)]).unwrap_err();
    assert_eq!(problems[0].to_string(), "main.thrift:1: file of 4194305 bytes is over the limit of 4194304");
}

#[test]
fn an_annotation_for_this_program_stands_where_it_means_something() {
    let nowhere = "means nothing here: expected it behind a method or a field";
    check_problems(
        "struct A {\n1: i64 (larder.ignore = 'true') a } (larder.ttl = '1s')\nenum E { B (larder.tag = 'b') }\n\
         service S { void (larder.ttl = '1s') f() } (x = 'y')",
        &[
            &format!("main.thrift:2: larder.ignore {nowhere}"),
            &format!("main.thrift:2: larder.ttl {nowhere}"),
            &format!("main.thrift:3: larder.tag {nowhere}"),
            &format!("main.thrift:4: larder.ttl {nowhere}"),
        ],
    );
    check_problems(
        "service S { void f() (larder.ramp = 50) }",
        &["main.thrift:1: expected a value in quotes, found 50"],
    );
}
