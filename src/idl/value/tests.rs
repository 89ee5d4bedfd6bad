//! Which JSON fits which type, and the bytes it becomes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use super::*;

/// A schema whose method `f` returns that type.
fn returning(ty: &str) -> Schema {
    let text = format!("{TYPES} service S {{ {ty} f() }}");
    Schema::load(Path::new("types.thrift"), |_| Ok(text.clone())).unwrap()
}

fn read(ty: &str, json: &str, encoding: Protocol) -> Result<Vec<u8>, ValueProblem> {
    let schema = returning(ty);
    let method = &schema.service("S").unwrap().methods["f"];
    result(&schema, method, &serde_json::from_str(json).unwrap(), encoding)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Binary bytes after the type and id of field 0 and before the stop; compact bytes in full.
#[track_caller]
fn check(ty: &str, json: &str, binary: &str, compact: &str) {
    let bytes = hex(&read(ty, json, Protocol::Binary).unwrap());
    let inner = bytes.get(6..bytes.len() - 2).unwrap_or(&bytes);
    let inner_compact = hex(&read(ty, json, Protocol::Compact).unwrap());
    assert_eq!((inner, inner_compact.as_str()), (binary, compact), "{ty} {json}");
}

#[track_caller]
fn check_problem(ty: &str, json: &str, expected: &str) {
    let problem = read(ty, json, Protocol::Binary).expect_err(json);
    assert_eq!(problem.to_string(), expected, "{ty} {json}");
}

#[test]
fn plain_values_become_bytes() {
    check("void", "null", "00", "00");
    check("bool", "true", "01", "010000");
    check("i8", "-1", "ff", "0300ff00");
    check("i16", "258", "0102", "0400840400");
    check("i32", "-1", "ffffffff", "05000100");
    check("i64", "1", "0000000000000001", "06000200");
    check("double", "1.5", "3ff8000000000000", "0700000000000000f83f00");
    check("double", "\"-Infinity\"", "fff0000000000000", "0700000000000000f0ff00");
    check("string", "\"hé\"", "0000000368c3a9", "08000368c3a900");
    check("binary", "\"gQ==\"", "0000000181", "0800018100");
    check("Colour", "\"BLUE\"", "00000007", "05000e00");
    check("Colour", "7", "00000007", "05000e00");
    check(
        "uuid",
        "\"00112233-4455-6677-8899-AABBccddeeff\"",
        "00112233445566778899aabbccddeeff",
        "0d0000112233445566778899aabbccddeeff00",
    );
}

#[test]
fn containers_become_bytes() {
    check("list<bool>", "[true, false]", "02000000020100", "090021010200");
    check("set<i32>", "[2, 1]", "08000000020000000100000002", "0a0025020400");
    check("map<string,i32>", "{}", "0b0800000000", "0b000000");
    check("map<string,i8>", r#"{"a": 1}"#, "0b0300000001000000016101", "0b00018301610100");
    check("map<i32,bool>", r#"{"-2": true}"#, "080200000001fffffffe01", "0b000151030100");
    check(
        "map<Colour,i8>",
        r#"{"RED": 1, "7": 2}"#,
        "08030000000200000000010000000702",
        "0b00025300010e0200",
    );
    check("map<list<i8>,i8>", "[[[1], 2]]", "0f030000000103000000010102", "0b00019313010200");
}

#[test]
fn structs_leave_out_what_is_null() {
    check(
        "User",
        r#"{"id": 1, "address": {"city": "B"}}"#,
        "0a000100000000000000010c00030b000200000001420000",
        "0c0016022c280142000000",
    );
    check("User", r#"{"id": 1, "name": null}"#, "0a0001000000000000000100", "0c0016020000");
    check("Either", r#"{"b": "x"}"#, "0b0002000000017800", "0c002801780000");
}

#[test]
fn what_does_not_fit_is_named() {
    check_problem("void", "1", "value: expected null, as the method is void, found 1");
    check_problem("i8", "128", "value: expected i8, found 128");
    check_problem("i64", "9223372036854775808", "value: expected i64, found 9223372036854775808");
    check_problem("i32", "1.5", "value: expected i32, found 1.5");
    check_problem("i32", "null", "value: expected i32, found null");
    check_problem("bool", "1", "value: expected bool, found 1");
    check_problem("double", "\"one\"", "value: expected double, found \"one\"");
    check_problem("binary", "\"?\"", "value: expected binary in base64, found \"?\"");
    check_problem("uuid", "\"0011\"", "value: expected uuid, found \"0011\"");
    check_problem("Colour", "\"BLEU\"", "value: enum Colour has no BLEU, did you mean BLUE?");
    check_problem("Colour", "3", "value: enum Colour has no 3");
    check_problem("Colour", "[]", "value: expected enum Colour, found an array of 0");
}

#[test]
fn what_does_not_fit_inside_is_named_with_its_place() {
    check_problem("list<i8>", "[1, true]", "[1]: expected i8, found true");
    check_problem("set<i8>", "[1, 2, 1]", "[2]: stands there twice");
    check_problem("set<Colour>", "[\"BLUE\", 7]", "[1]: stands there twice");
    check_problem("map<i8,i8>", "{\"x\": 1}", "[\"x\"]: expected i8, found \"x\"");
    check_problem("map<i8,i8>", "[[1, 2], [1, 3]]", "[1]: stands there twice");
    check_problem("map<i8,i8>", "[[1]]", "[0]: expected a pair [key, value], found an array of 1");
    check_problem("User", "[]", "value: expected struct User as an object, found an array of 0");
    check_problem("User", "{}", ".id: required by struct User but missing");
    check_problem("User", "{\"id\": null}", ".id: required by struct User but missing");
    check_problem("User", "{\"nmae\": 1}", ".nmae: struct User has no nmae, did you mean name?");
    check_problem("User", r#"{"id": 1, "address": {"city": 5}}"#, ".address.city: expected string, found 5");
    check_problem(
        "list<User>",
        r#"[{"id": 1, "tags": {"a": 1}}]"#,
        "[0].tags[\"a\"]: expected string, found 1",
    );
    check_problem("Either", "{}", "value: expected exactly one field of union Either, found 0");
    check_problem(
        "Either",
        r#"{"a": 1, "b": "x"}"#,
        "value: expected exactly one field of union Either, found 2",
    );
    let long = format!("\"{}\"", "x".repeat(100));
    check_problem("i8", &long, &format!("value: expected i8, found \"{}…", "x".repeat(39)));
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| format!("{}{}", "{\"next\":".repeat(levels) + "{}", "}".repeat(levels));
    assert!(read("Node", &nested(62), Protocol::Binary).is_ok());
    assert!(read("Node", &nested(62), Protocol::Compact).is_ok());
    let problem = read("Node", &nested(70), Protocol::Binary).unwrap_err();
    assert_eq!(problem.mistake, ValueMistake::TooDeep);
}

const TYPES: &str = "
    enum Colour { RED, BLUE = 7 }
    struct Address { 1: string street, 2: string city }
    struct User { 1: required i64 id, 2: string name, 3: optional Address address, 4: map<string,string> tags }
    union Either { 1: i32 a, 2: string b }
    struct Node { 1: optional Node next }
";
